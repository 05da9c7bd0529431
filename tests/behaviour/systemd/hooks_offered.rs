//! `headspace install` ends with the offer of hooks: a question on a terminal, a line elsewhere.

use std::{fs, path::PathBuf};

use crate::support::testbed::Testbed;

const QUESTION: &str = "settings.json? [Y/n]";
const HINT: &str = "hooks     none of ours yet";

#[test]
fn on_a_terminal_an_installation_asks_for_the_hooks_and_the_answer_counts() {
    let testbed = Testbed::of_user();
    // As where the user is logged in: the user's own service manager runs.
    testbed.start_for_user("headspace.socket");
    let settings = settings(&testbed);

    // Without an answer, and with a no, nothing is changed; the next installation asks again.
    for answer in ["", "n\\n", "what\\n"] {
        let screen = typed(&testbed, answer);
        assert!(screen.contains("+    \"Stop\": ["), "{answer:?}: {screen}");
        assert!(screen.contains(QUESTION), "{answer:?}: {screen}");
        assert!(!settings.exists(), "{answer:?}: {screen}");
    }
    for answer in ["y\\n", "\\n"] {
        let screen = typed(&testbed, answer);
        assert!(screen.contains(QUESTION), "{answer:?}: {screen}");
        let text = fs::read_to_string(&settings).expect("settings");
        assert!(text.contains("/headspace hook "), "{answer:?}: {text}");
        // They are there: there is nothing to ask.
        let screen = typed(&testbed, "n\\n");
        assert!(!screen.contains("Hooks in Claude Code"), "{screen}");
        testbed.sh_as_account("headspace hooks uninstall --yes");
        assert!(!settings.exists(), "{answer:?}");
    }
}

#[test]
fn without_a_terminal_an_installation_names_the_command_and_asks_nothing() {
    let testbed = Testbed::of_user();
    testbed.start_for_user("headspace.socket");
    for command in [
        "headspace install </dev/null",
        "printf 'y\\n' | headspace install",
    ] {
        let said = testbed.sh_as_account(command);
        assert!(said.contains(HINT), "{said}");
        assert!(said.contains("headspace hooks install"), "{said}");
        assert!(!said.contains(QUESTION), "{said}");
        assert!(!settings(&testbed).exists(), "{said}");
    }
}

/// What `headspace install` shows on a terminal where this is typed, and then Ctrl-D.
fn typed(testbed: &Testbed, answer: &str) -> String {
    testbed.sh_as_account(&format!(
        "printf '{answer}' | script -qec 'headspace install' /dev/null"
    ))
}

fn settings(testbed: &Testbed) -> PathBuf {
    testbed.headspace.root().join("settings.json")
}
