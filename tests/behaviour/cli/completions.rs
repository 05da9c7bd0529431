//! A shell that reads our completions finishes commands, flags and sessions.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    agents::{ago, change, session, subagent},
    headspace::{Headspace, Kind, on_both},
};

/// Answers as bash would after a tab at the end of `words`.
const ASK: &str = r#"
source "$1"
shift
complete -p headspace >&2 || exit
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_TYPE=9
_clap_complete_headspace headspace "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

struct Bash<'a> {
    headspace: &'a Headspace,
    script: PathBuf,
}

impl Bash<'_> {
    fn of(headspace: &Headspace) -> Bash<'_> {
        let script = headspace.dir().join("completions");
        std::fs::write(&script, printed_for("bash")).unwrap();
        Bash { headspace, script }
    }

    fn completes(&self, words: &[&str]) -> Vec<String> {
        let mut bash = Command::new("bash");
        let program = Path::new(env!("CARGO_BIN_EXE_headspace"));
        let folder = program.parent().expect("a folder").display();
        bash.args(["--noprofile", "--norc", "-c", ASK, "bash"])
            .arg(&self.script)
            .arg("headspace")
            .args(words);
        let own = self.headspace.command(&[]);
        let set = own
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        bash.envs(set);
        bash.env(
            "PATH",
            format!("{folder}:{}", env::var("PATH").expect("a PATH")),
        );
        let output = bash.output().expect("bash");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(errors.contains("-F _clap_complete_headspace"), "{errors}");
        let said = String::from_utf8_lossy(&output.stdout);
        said.lines().map(ToOwned::to_owned).collect()
    }

    /// The same without flags, which stand behind.
    fn offers(&self, words: &[&str]) -> Vec<String> {
        let mut offered = self.completes(words);
        offered.retain(|word| !word.starts_with("--"));
        offered
    }
}

#[test]
fn bash_finishes_commands_and_flags() {
    let headspace = Headspace::on(Kind::Sqlite);
    let bash = Bash::of(&headspace);
    assert_eq!(bash.completes(&["eve"]), ["events"]);
    assert_eq!(bash.completes(&["events", "--fol"]), ["--follow"]);
    assert_eq!(bash.completes(&["config", "che"]), ["check"]);
    assert_eq!(bash.completes(&["completions", "fi"]), ["fish"]);
    assert!(bash.completes(&[""]).contains(&"watch".to_owned()));
    assert_eq!(bash.offers(&["go", ""]), [""; 0], "nothing is recorded yet");
}

on_both! {
    fn sessions_are_offered_by_id_with_their_titles(kind: Kind) {
        let headspace = Headspace::on(kind);
        let over = session(&headspace, "over", &format!("title = 'it is over', ended_at = {}", ago(0)));
        let shop = session(&headspace, "shop", "title = 'fix: login\nnow'");
        let blog = session(&headspace, "blog", "title = 'write it', state = 'processing'");
        subagent(&headspace, blog, "a", "title = 'below'");
        change(&headspace, blog, &format!("since = {}, last_seen_at = {}", ago(180), ago(-60)));
        let bash = Bash::of(&headspace);
        let ids = |ids: &[i64]| ids.iter().map(i64::to_string).collect::<Vec<_>>();
        for command in ["go", "wait"] {
            assert_eq!(bash.offers(&[command, ""]), ids(&[blog, shop]), "{command}");
        }
        for words in [&["show"][..], &["resume"], &["explain"], &["export"], &["events", "--agent"]] {
            let offered = bash.offers(&[words, &[""]].concat());
            assert_eq!(offered, ids(&[blog, shop, over]), "{words:?}");
        }
        assert_eq!(bash.completes(&["show", &over.to_string()]), ids(&[over]));
        let uuid = headspace.store.column(&format!("SELECT session_uuid FROM agents WHERE id = {blog}")).remove(0);
        assert_eq!(bash.completes(&["go", &uuid[..20]]), [&*uuid]);

        let described = asked_as(&headspace, "zsh");
        let first = format!("{blog}:write it · blog · ◐ 3 min");
        assert_eq!(described[0], first, "{described:?}");
        assert!(described[1].starts_with(&format!("{shop}:fix: login\\\\nnow · shop · ○ ")), "{described:?}");
        let described = asked_as(&headspace, "fish");
        assert_eq!(described[0], first.replacen(':', "\t", 1), "{described:?}");
    }
}

/// The answer to the function of this shell, for `headspace go `.
fn asked_as(headspace: &Headspace, shell: &str) -> Vec<String> {
    let output = headspace
        .command(&["--", "headspace", "go", ""])
        .env("HEADSPACE_COMPLETE", shell)
        .env("_CLAP_COMPLETE_INDEX", "2")
        .env("_CLAP_IFS", "\n")
        .output()
        .expect("it runs");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn other_shells_get_theirs() {
    for (shell, mark) in [
        ("zsh", "#compdef headspace"),
        (
            "fish",
            "complete --keep-order --exclusive --command headspace",
        ),
        ("elvish", "set edit:completion:arg-completer[headspace]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = printed_for(shell);
        assert!(script.contains(mark), "{shell}: {script}");
        assert!(script.contains("HEADSPACE_COMPLETE"), "{shell}: {script}");
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
