//! A subagent of a subagent is the child of the one that called it.

use serde_json::{Value, json};

use super::children::{assert_as_the_log, call, shown};
use crate::{
    spool::{assert_silent, hook as hook_of, registry::Cli},
    support::{
        headspace::{Headspace, Kind, eventually, on_both},
        talk::tamper,
        transcripts::{Session, append},
        web::Web,
    },
};

/// What a call of a subagent gives back.
fn result(status: &str, agent_id: &str) -> Value {
    json!({"status": status, "isAsync": status != "completed", "agentId": agent_id,
           "description": "a step", "prompt": "A step."})
}

/// A session, its subagent, and what that one called, each in its own file.
struct Nest {
    session: Session,
    folder: std::path::PathBuf,
}

impl Nest {
    fn new(headspace: &Headspace) -> Nest {
        let session = Session::new("nest", "/home/dev/shop");
        let folder = headspace.project("-home-dev-shop");
        let below = folder.join(&session.uuid).join("subagents");
        std::fs::create_dir_all(below).expect("a folder");
        Nest { session, folder }
    }

    fn write(&mut self, part: char, status: &str) {
        let mut outer = self.session.subagent("a0outer");
        let mut inner = self.session.subagent("a0inner");
        let below = self.folder.join(&self.session.uuid).join("subagents");
        let path = self.folder.join(self.session.file_name());
        match part {
            'r' => {
                let called = call(&mut self.session, "toolu_1", "Agent");
                append(&path, self.session.prompt("Do it.") + &called);
            }
            'o' => {
                let lines = outer.prompt("A task.") + &call(&mut outer, "toolu_2", "Agent");
                append(
                    &below.join(outer.file_name()),
                    lines + &answer(&mut outer, status),
                );
            }
            _ => {
                let lines = inner.prompt("A step.") + &call(&mut inner, "toolu_3", "Bash");
                append(&below.join(inner.file_name()), lines);
            }
        }
    }
}

fn answer(outer: &mut Session, status: &str) -> String {
    let block = json!({"type": "tool_result", "tool_use_id": "toolu_2", "content": "It runs."});
    outer.record(
        "user",
        json!({"message": {"role": "user", "content": [block]},
               "toolUseResult": result(status, "a0inner")}),
    )
}

/// Each subagent with the one that it works for; of the session nothing.
fn parents(headspace: &Headspace) -> Vec<String> {
    let sql = "SELECT a.session_uuid || ' ' || p.session_uuid FROM agents a
               JOIN agents p ON p.id = a.parent_agent_id ORDER BY a.session_uuid DESC";
    let found = headspace.store.column(sql).into_iter();
    let short = |uuid: &str| uuid.split_once('/').map_or("root", |(_, id)| id).to_owned();
    let words = |row: String| {
        let row: Vec<String> = row.split(' ').map(short).collect();
        row.join(" of ")
    };
    found.map(words).collect()
}

const NESTED: [&str; 2] = ["a0outer of root", "a0inner of a0outer"];

on_both! {
    fn it_is_found_in_any_order_of_files(kind: Kind) {
        for (order, status) in [("roi", "async_launched"), ("rio", "completed"), ("ior", "completed"),
            ("ori", "async_launched"), ("oir", "completed"), ("iro", "completed")]
        {
            let headspace = Headspace::on(kind);
            let mut nest = Nest::new(&headspace);
            for part in order.chars() {
                nest.write(part, status);
                headspace.watch_once();
            }
            assert_eq!(parents(&headspace), NESTED, "{order}");
            let root = headspace.store.number("SELECT id FROM agents WHERE parent_agent_id IS NULL");
            let web = Web::start(&headspace);
            let child = &web.get(&format!("/api/agents/{root}")).json()["children"];
            let [child] = &child.as_array().expect("a list")[..] else { panic!("{order}: {child}") };
            let inner = web.get(&format!("/api/agents/{}", child["id"])).json();
            let uuid = &inner["children"][0]["session_uuid"];
            assert!(uuid.as_str().is_some_and(|uuid| uuid.ends_with("/a0inner")), "{order}: {inner}");
            // As an earlier version had it.
            tamper(&headspace.store, &format!(
                "UPDATE agents SET parent_agent_id = {root} WHERE parent_agent_id IS NOT NULL;
                 UPDATE checkpoints SET reading = 1"));
            headspace.watch_once();
            assert_eq!(parents(&headspace), NESTED, "{order}, read once more");
        }
    }

    fn hooks_alone_tell(kind: Kind) {
        let headspace = Headspace::on(kind);
        let hooked = |name: &str, agent_id: &str, more: &Value| {
            let mut hook = json!({"session_id": "s", "cwd": "/home/dev/shop", "hook_event_name": name,
                "agent_id": agent_id, "agent_type": "general-purpose"});
            let fields = more.as_object().expect("fields").clone();
            hook.as_object_mut().expect("an object").extend(fields);
            assert_silent(&hook_of(&headspace, hook.to_string()));
        };
        hooked("SubagentStart", "a0outer", &json!({}));
        let answer = json!({"tool_name": "Agent", "tool_use_id": "toolu_2", "tool_input": {},
            "tool_response": result("async_launched", "a0inner")});
        hooked("PostToolUse", "a0outer", &answer);
        hooked("SubagentStart", "a0inner", &json!({}));
        headspace.watch_once();
        assert_eq!(parents(&headspace), NESTED);
        assert_as_the_log(&headspace);
    }

    fn it_comes_to_rest_with_its_session(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut nest = Nest::new(&headspace);
        for part in ['r', 'o', 'i'] {
            nest.write(part, "async_launched");
        }
        let _watcher = headspace.watch();
        let mut cli = Cli::start(&headspace);
        cli.says(&nest.session.uuid, "busy");
        let all = |shows: &str| vec![shows.to_owned(); 3];
        eventually("all work", || shown(&headspace) == all("processing -"));
        assert_eq!(parents(&headspace), NESTED);
        cli.kill();
        eventually("all are over", || shown(&headspace) == all("idle abandoned"));
        assert_as_the_log(&headspace);
    }
}
