//! A shell that reads our completions finishes commands and flags.

use std::{path::PathBuf, process::Command};

use crate::support::headspace::{Headspace, Kind};

/// Answers as bash would after a tab at the end of `words`.
const ASK: &str = r#"
source "$1"
shift
complete -p headspace >&2 || exit
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_headspace headspace "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

struct Bash {
    _folder: tempfile::TempDir,
    script: PathBuf,
}

impl Bash {
    fn new() -> Bash {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("headspace");
        std::fs::write(&script, printed_for("bash")).unwrap();
        Bash {
            _folder: folder,
            script,
        }
    }

    fn completes(&self, words: &[&str]) -> Vec<String> {
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-c", ASK, "bash"])
            .arg(&self.script)
            .arg("headspace")
            .args(words)
            .output()
            .expect("bash");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(errors.contains("-F _headspace"), "{errors}");
        let said = String::from_utf8_lossy(&output.stdout);
        said.lines().map(ToOwned::to_owned).collect()
    }
}

#[test]
fn bash_finishes_commands_and_flags() {
    let bash = Bash::new();
    assert_eq!(bash.completes(&["eve"]), ["events"]);
    assert_eq!(bash.completes(&["events", "--fol"]), ["--follow"]);
    assert_eq!(bash.completes(&["config", "che"]), ["check"]);
    assert_eq!(bash.completes(&["completions", "fi"]), ["fish"]);
    assert!(bash.completes(&[""]).contains(&"watch".to_owned()));
}

#[test]
fn other_shells_get_theirs() {
    for (shell, mark) in [
        ("zsh", "#compdef headspace"),
        ("fish", "complete -c headspace"),
        ("elvish", "set edit:completion:arg-completer[headspace]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = printed_for(shell);
        assert!(script.contains(mark), "{shell}: {script}");
        assert!(script.contains("events"), "{shell}: {script}");
    }
}

#[test]
fn an_unknown_shell_is_wrong_usage_and_names_the_known() {
    let output = Headspace::on(Kind::Sqlite).run(&["completions", "ksh"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("bash, elvish, fish"), "{errors}");
}

fn printed_for(shell: &str) -> String {
    let output = Headspace::on(Kind::Sqlite).run(&["completions", shell]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
