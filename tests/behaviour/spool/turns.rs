//! A prompt and its reply are one turn each, whichever witnesses speak of them,
//! how often, and in which order they are read.

use serde_json::{Value, json};

use super::{assert_silent, hook, lines, stop};
use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
    web::Web,
};

/// A prompt and its reply, as each witness has them.
struct Exchange {
    headspace: Headspace,
    session: Session,
    prompt_id: Option<&'static str>,
    prompted_at: String,
    replied_at: String,
}

impl Exchange {
    fn new(kind: Kind, prompt_id: Option<&'static str>) -> Exchange {
        Exchange {
            headspace: Headspace::on(kind),
            session: Session::new("exchange", "/home/dev/shop"),
            prompt_id,
            prompted_at: now(),
            replied_at: now(),
        }
    }

    fn hook_of(&self, name: &str, more: Value) -> Value {
        let mut hook = stop(&self.session.uuid);
        hook["hook_event_name"] = json!(name);
        hook["transcript_path"] = json!(self.path());
        if let Some(id) = self.prompt_id {
            hook["prompt_id"] = json!(id);
        }
        for (name, value) in more.as_object().unwrap() {
            hook[name] = value.clone();
        }
        hook
    }

    fn path(&self) -> std::path::PathBuf {
        self.headspace
            .project("-home-dev-shop")
            .join(self.session.file_name())
    }

    fn prompt_hook(&self, text: &str) {
        let hooked = self.hook_of("UserPromptSubmit", json!({"prompt": text}));
        assert_silent(&hook(&self.headspace, hooked.to_string()));
    }

    fn stop_hook(&self, text: &str) {
        let hooked = self.hook_of("Stop", json!({"last_assistant_message": text}));
        assert_silent(&hook(&self.headspace, hooked.to_string()));
    }

    fn records(&mut self, prompt: &str, reply: &[&str]) {
        let prompt = json!({"timestamp": self.prompted_at, "promptId": self.prompt_id,
            "message": {"role": "user", "content": prompt}});
        let mut written = self.session.record("user", prompt);
        for text in reply {
            let message = json!({"id": "msg_1", "type": "message", "role": "assistant",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"});
            let fields = json!({"timestamp": self.replied_at, "message": message});
            written += &self.session.record("assistant", fields);
        }
        append(&self.path(), written);
    }

    /// Who said what, in the order of the log.
    fn turns(&self) -> Vec<String> {
        self.headspace.store.column(
            "SELECT concat(payload ->> 'actor', ': ', payload ->> 'text') FROM events
             WHERE event_type = 'turn_detected' ORDER BY id",
        )
    }

    fn sources(&self) -> Vec<String> {
        self.headspace.store.column(
            "SELECT payload ->> 'source' FROM events WHERE event_type = 'turn_detected'
             ORDER BY id",
        )
    }

    fn assert_clean(&self) {
        assert_eq!(self.headspace.watch_once().stored, 0, "read again");
        oracle::assert_clean(&self.headspace);
        let verified = self.headspace.run(&["verify"]);
        assert!(verified.status.success(), "{verified:?}");
    }
}

fn now() -> String {
    // As the CLI writes it.
    let now = jiff::Timestamp::now();
    format!("{now:.3}")
}

/// What happens, one after the other.
#[derive(Debug, Clone, Copy)]
enum Step {
    Prompt,
    Stop,
    File,
}

on_both! {
    fn a_session_without_file_has_the_turns_that_its_hooks_tell(kind: Kind) {
        for restarts in [false, true] {
            let exchange = Exchange::new(kind, Some("p1"));
            let pause = || if restarts { exchange.headspace.watch_once(); };
            exchange.prompt_hook("hello");
            pause();
            exchange.stop_hook("I am here.");
            pause();
            exchange.prompt_hook("<task-notification>\n<task-id>1</task-id>");
            exchange.stop_hook("It is done.");
            exchange.headspace.watch_once();
            assert_eq!(exchange.turns(), ["user: hello", "agent: I am here.", "agent: It is done."]);
            assert_eq!(exchange.sources(), ["hook"; 3]);
            exchange.assert_clean();
        }
    }

    fn an_error_and_an_end_leave_the_prompt_alone(kind: Kind) {
        for (name, said) in [("StopFailure", "error"), ("SessionEnd", "other")] {
            let exchange = Exchange::new(kind, None);
            exchange.prompt_hook("hello");
            exchange.headspace.watch_once();
            assert_eq!(exchange.turns(), Vec::<String>::new(), "its reply may make a file");
            let last = json!({"last_assistant_message": "API Error", "reason": said});
            let ended = exchange.hook_of(name, last);
            assert_silent(&hook(&exchange.headspace, ended.to_string()));
            exchange.headspace.watch_once();
            assert_eq!(exchange.turns(), ["user: hello"]);
            exchange.assert_clean();
        }
    }

    fn a_hook_and_the_record_of_its_words_are_one_turn_in_every_order(kind: Kind) {
        use Step::{File, Prompt, Stop};
        let orders = [[Prompt, Stop, File], [Prompt, File, Stop], [File, Prompt, Stop]];
        for (order, id, restarts) in orders.into_iter().flat_map(|order| {
            [(order, Some("p1"), true), (order, None, true), (order, Some("p1"), false)]
        }) {
            let mut exchange = Exchange::new(kind, id);
            for step in order {
                match step {
                    Prompt => exchange.prompt_hook("hello"),
                    Stop => exchange.stop_hook("The last words."),
                    File => exchange.records("hello", &["The first words.", "The last words."]),
                }
                if restarts {
                    exchange.headspace.watch_once();
                }
            }
            exchange.headspace.watch_once();
            let mut turns = exchange.turns();
            turns.sort();
            let expected = ["agent: The first words.", "agent: The last words.", "user: hello"];
            assert_eq!(turns, expected, "{order:?} {id:?} {restarts}");
            exchange.assert_clean();
        }
    }

    fn the_same_words_again_are_another_turn(kind: Kind) {
        let mut exchange = Exchange::new(kind, Some("p1"));
        exchange.prompt_hook("go on");
        exchange.stop_hook("Done.");
        exchange.headspace.watch_once();
        exchange.records("go on", &["Done."]);
        exchange.headspace.watch_once();
        // The file has the rest, and the hooks tell nothing more.
        exchange.prompt_id = Some("p2");
        exchange.prompted_at = now();
        exchange.prompt_hook("go on");
        exchange.stop_hook("Done.");
        exchange.headspace.watch_once();
        assert_eq!(exchange.turns(), ["user: go on", "agent: Done."]);
        let message = json!({"id": "msg_2", "type": "message", "role": "assistant",
            "content": [{"type": "text", "text": "Done."}]});
        let prompt = json!({"timestamp": exchange.prompted_at, "promptId": "p2",
            "message": {"role": "user", "content": "go on"}});
        let written = exchange.session.record("user", prompt)
            + &exchange.session.record("assistant", json!({"timestamp": now(), "message": message}));
        append(&exchange.path(), written);
        exchange.headspace.watch_once();
        assert_eq!(exchange.turns(), ["user: go on", "agent: Done.", "user: go on", "agent: Done."]);
        assert_eq!(exchange.sources(), ["hook", "hook", "polling", "polling"]);
        exchange.assert_clean();
    }

    fn a_hook_by_command_and_by_http_is_one_hook_and_one_turn(kind: Kind) {
        let exchange = Exchange::new(kind, Some("p1"));
        let web = Web::start(&exchange.headspace);
        let prompt = exchange.hook_of("UserPromptSubmit", json!({"prompt": "hello"}));
        let reply = exchange.hook_of("Stop", json!({"last_assistant_message": "I am here."}));
        for (path, sent) in [("/hook/user-prompt-submit", prompt), ("/hook/stop", reply)] {
            for _ in 0..2 {
                assert_eq!(web.post(path, &sent.to_string()).status, 200);
                assert_silent(&hook(&exchange.headspace, sent.to_string()));
            }
        }
        assert_eq!(lines(&exchange.headspace).len(), 8);
        exchange.headspace.watch_once();
        assert_eq!(exchange.turns(), ["user: hello", "agent: I am here."]);
        let hooks = "SELECT count(*) FROM events WHERE event_type = 'hook_received'";
        assert_eq!(exchange.headspace.store.number(hooks), 2);
        exchange.assert_clean();
    }
}
