//! `show` prints a conversation.

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    talk::{Talk, tamper},
    transcripts::append,
};

on_both! {
    fn a_conversation_is_printed_with_its_calls(kind: Kind) {
        let headspace = Headspace::on(kind);
        let mut talk = Talk::new(&headspace, "shop");
        talk.say("why is\nit slow?");
        append(&talk.path, talk.session.block("msg_1", "Let me look."));
        append(&talk.path, talk.session.block("msg_1", "It \u{1b}[31mis."));
        talk.say("mend it");
        headspace.watch_once();
        tamper(&headspace.store, "UPDATE agents SET title = 'slow build'");
        for (id, name, summary, started, ended, outcome) in [
            (1, "Edit", "Makefile", "03.500000Z", "'2026-03-01T08:00:03.600000Z'", "'ok'"),
            (2, "Bash", "make -n", "01.500000Z", "'2026-03-01T08:02:42.500000Z'", "'error'"),
            (3, "Read", "notes", "09.000000Z", "NULL", "NULL"),
        ] {
            tamper(&headspace.store, &format!(
                "INSERT INTO tool_uses (agent_id, tool_use_id, name, summary, started_at, ended_at, outcome) \
                 VALUES (1, 't{id}', '{name}', '{summary}', '2026-03-01T08:00:{started}', {ended}, {outcome})"));
        }
        let output = headspace.run(&["show", "slow build"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let text = String::from_utf8(output.stdout).expect("text");
        let (head, rest) = text.split_once('\n').expect("lines");
        assert_eq!(head, format!("slow build · shop · {}", talk.session.uuid));
        assert_eq!(rest, "
2026-03-01 08:00  you
  why is
  it slow?
  ▸ Bash make -n · 2 min · error

2026-03-01 08:00  agent
  Let me look.
  It \\u{1b}[31mis.
  ▸ Edit Makefile · 0 s

2026-03-01 08:00  you
  mend it
  ▸ Read notes
");
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_it_quietly() {
    let headspace = Headspace::on(Kind::Sqlite);
    Talk::new(&headspace, "long").say_all((0..3000).map(|n| format!("{n} {}", "word ".repeat(20))));
    headspace.watch_once();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "\"$@\" | head -n 3", "sh"]);
    let output = headspace.command_under(shell, &["show", "1"]).output();
    let output = output.expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let all = headspace.run(&["show", "1"]);
    let all = String::from_utf8(all.stdout).expect("text");
    assert_eq!(all.lines().count(), 1 + 3 * 3000);
    assert!(
        all.ends_with("word\n") && all.contains("\n  2999 word"),
        "to its end"
    );
}
