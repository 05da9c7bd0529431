//! The command that the CLI calls, and how it is recognised as ours.

use std::path::Path;

/// When the program is missing or broken, the rest of the command reads what the
/// CLI writes, says nothing and succeeds.
const GUARD: &str = " 2>/dev/null || cat >/dev/null";

/// The command for a shell; with the state folder, if it is not the one that is
/// found without being told.
pub fn command(program: &Path, state: Option<&Path>) -> String {
    let state = state.map(|folder| format!(" --state-dir {}", quoted(folder)));
    let state = state.unwrap_or_default();
    format!("{}{state} hook{GUARD}", quoted(program))
}

/// Whether a command does nothing but call `headspace hook`, be it written by an
/// installation or by hand.
pub fn is_ours(command: &str) -> bool {
    let call = command.trim();
    let call = call.strip_suffix(GUARD).unwrap_or(call);
    let Some(words) = words(call) else {
        return false;
    };
    let [program, .., last] = &words[..] else {
        return false;
    };
    let name = Path::new(program).file_name();
    name.is_some_and(|name| name == "headspace") && last == "hook"
}

/// The program that one of our commands calls.
pub fn program(command: &str) -> Option<String> {
    let call = command.trim();
    words(call.strip_suffix(GUARD).unwrap_or(call))?
        .into_iter()
        .next()
}

/// The words of a simple command; nothing if a shell would do more with it.
fn words(command: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = command.chars();
    while let Some(c) = letters.next() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (Some('"'), '$' | '`') => return None,
            (Some('"') | None, '\\') => word.get_or_insert_default().push(letters.next()?),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, c) if "|&;<>()$`\n#*?[]{}!".contains(c) => return None,
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%=:,".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_recognised_whatever_the_paths() {
        for path in ["/usr/bin/headspace", "/it's a/headspace", "/ä $x/headspace"] {
            for state in [None, Some(Path::new("/var/lib/head space"))] {
                let command = command(Path::new(path), state);
                assert!(is_ours(&command), "{command}");
                assert_eq!(program(&command).as_deref(), Some(path));
            }
        }
    }

    #[test]
    fn only_a_call_of_ours_and_nothing_more_is_ours() {
        for ours in [
            "headspace hook",
            " ~/bin/headspace hook ",
            "/opt/headspace --log-level debug hook",
            r#""/opt/x y/headspace" hook"#,
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "",
            "hook",
            "headspace",
            "headspace hook; notify-send done",
            "headspace hook && say done",
            "cat | headspace hook",
            "headspace hook > /tmp/x",
            "myheadspace hook",
            "headspace-hook hook",
            "echo headspace hook",
            "headspace events",
            "headspace 'hook",
            "$(headspace) hook",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
