//! A subagent does not outlive what its session does.

use serde_json::{Value, json};

use crate::{
    spool::{assert_silent, hook as hook_of, registry::Cli},
    support::{
        headspace::{Headspace, Kind, eventually, on_both},
        transcripts::{Session, append},
    },
};

/// A session that called an agent, and the agent at work.
struct Family {
    session: Session,
    folder: std::path::PathBuf,
}

impl Family {
    fn new(headspace: &Headspace) -> Family {
        let mut session = Session::new("family", "/home/dev/shop");
        let folder = headspace.project("-home-dev-shop");
        let called = call(&mut session, "toolu_1", "Agent");
        let path = folder.join(session.file_name());
        append(&path, session.prompt("Do it.") + &called);
        Family { session, folder }
    }

    fn subagent_works(&self) {
        let mut agent = self.session.subagent("a1b2c3d");
        let folder = self.folder.join(&self.session.uuid).join("subagents");
        std::fs::create_dir_all(&folder).expect("a folder");
        let called = agent.prompt("A task.") + &call(&mut agent, "toolu_2", "Bash");
        append(&folder.join(agent.file_name()), called);
    }

    /// The process of the CLI says so, and both show it.
    fn session_works(&self, headspace: &Headspace) -> Cli {
        let mut cli = Cli::start(headspace);
        cli.says(&self.session.uuid, "busy");
        eventually("both work", || {
            shown(headspace) == ["processing -", "processing -"]
        });
        cli
    }
}

pub fn call(session: &mut Session, id: &str, name: &str) -> String {
    let call = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
    let message = json!({"id": format!("msg_{id}"), "role": "assistant", "model": "m",
                         "content": [call], "stop_reason": "tool_use"});
    session.record("assistant", json!({"message": message}))
}

/// State and the newest command's outcome, the session first.
pub fn shown(headspace: &Headspace) -> Vec<String> {
    headspace.store.column(
        "SELECT s.state || ' ' || coalesce(c.outcome, '-') FROM agent_states s
         LEFT JOIN commands c ON c.id = s.command_id ORDER BY s.agent_id",
    )
}

pub fn assert_as_the_log(headspace: &Headspace) {
    let output = headspace.run(&["rebuild", "--check", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["differences"], json!([]));
}

on_both! {
    fn at_the_prompt_it_comes_to_rest_and_is_then_over(kind: Kind) {
        let headspace = Headspace::on(kind);
        let family = Family::new(&headspace);
        family.subagent_works();
        let _watcher = headspace.watch();
        let mut cli = family.session_works(&headspace);
        cli.says(&family.session.uuid, "idle");
        eventually("both are over", || shown(&headspace) == ["idle interrupted", "idle interrupted"]);
        assert_as_the_log(&headspace);
    }

    fn it_is_over_with_its_process(kind: Kind) {
        let headspace = Headspace::on(kind);
        let family = Family::new(&headspace);
        family.subagent_works();
        let _watcher = headspace.watch();
        let mut cli = family.session_works(&headspace);
        cli.kill();
        eventually("both are over", || shown(&headspace) == ["idle abandoned", "idle abandoned"]);
        assert_as_the_log(&headspace);
    }

    fn its_hooks_alone_make_it_with_its_dialog(kind: Kind) {
        let headspace = Headspace::on(kind);
        let _watcher = headspace.watch();
        let hooked = |name: &str, agent_type: &str| {
            let hook = json!({"session_id": "s", "cwd": "/home/dev/shop", "hook_event_name": name,
                "agent_id": format!("a{agent_type}"), "agent_type": agent_type,
                "tool_name": "Bash", "tool_input": {"command": "npm test"}});
            assert_silent(&hook_of(&headspace, hook.to_string()));
        };
        hooked("SubagentStart", "general-purpose");
        eventually("it begins", || shown(&headspace) == ["idle -", "commanded -"]);
        hooked("PermissionRequest", "general-purpose");
        eventually("it waits, and its session with it", || {
            shown(&headspace) == ["awaiting_input -", "awaiting_input -"]
        });
        let asks = "SELECT asks FROM agents ORDER BY id";
        assert_eq!(headspace.store.column(asks), ["Bash: npm test", "Bash: npm test"]);
        // The CLI's own agents have no type.
        hooked("SubagentStop", "");
        hooked("SubagentStop", "general-purpose");
        eventually("it is over", || shown(&headspace) == ["idle -", "idle done"]);
        assert_as_the_log(&headspace);
    }

    fn it_is_over_though_its_records_are_read_after_the_end(kind: Kind) {
        let headspace = Headspace::on(kind);
        let family = Family::new(&headspace);
        let watcher = headspace.watch();
        let mut cli = Cli::start(&headspace);
        cli.says(&family.session.uuid, "busy");
        eventually("it works", || shown(&headspace) == ["processing -"]);
        cli.kill();
        eventually("it is over", || shown(&headspace) == ["idle abandoned"]);
        drop(watcher);
        family.subagent_works();
        headspace.watch_once();
        assert_eq!(shown(&headspace), ["idle abandoned", "idle abandoned"]);
        assert_as_the_log(&headspace);
    }
}
