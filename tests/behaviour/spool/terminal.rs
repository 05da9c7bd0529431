//! Where a session's terminal is, as its newest hook has it.

use serde_json::{Value, json};

use super::{assert_silent, feed, stop};
use crate::support::headspace::{Headspace, Kind, on_both};

on_both! {
    fn the_newest_hook_that_names_a_terminal_counts(kind: Kind) {
        let headspace = Headspace::on(kind);
        let named = |id: &str, variables: &[(&str, &str)]| {
            let mut hook = stop("a");
            hook["prompt_id"] = json!(id);
            let mut command = headspace.command(&["hook"]);
            command.envs(variables.iter().copied());
            assert_silent(&feed(command, hook.to_string().as_bytes()));
            headspace.watch_once();
            let terminal = headspace.store.column("SELECT terminal FROM agents");
            let mut terminal: Value = serde_json::from_str(&terminal[0]).unwrap_or_default();
            // A test may have one or none.
            terminal.as_object_mut().map(|terminal| terminal.remove("tty"));
            terminal
        };
        let tmux = [("TMUX", "/tmp/tmux-0/default,7,0"), ("TMUX_PANE", "%3"), ("PATH_X", "/")];
        let expected = json!({"tmux": "%3", "tmux_socket": "/tmp/tmux-0/default"});
        assert_eq!(named("p1", &tmux), expected);
        // What the hook said is what the way there is found by.
        let gone = headspace.run(&["go", "a"]);
        let said = [gone.stdout, gone.stderr].concat();
        let said = String::from_utf8(said).expect("text");
        assert!(said.contains("is in tmux %3: "), "{said}");
        let pane = json!({"iterm": "w0t1p2:X", "kitty": "4", "wezterm": "5", "vscode": "6"});
        let others = [("ITERM_SESSION_ID", "w0t1p2:X"), ("KITTY_WINDOW_ID", "4"),
            ("WEZTERM_PANE", "5"), ("VSCODE_PID", "6")];
        assert_eq!(named("p2", &others), pane);
        assert_eq!(headspace.store.column("SELECT iterm_pane_id FROM agents"), ["w0t1p2:X"]);
    }
}
