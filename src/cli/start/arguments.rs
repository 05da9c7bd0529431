//! Whose session it is, by the arguments that `claude` is given.

use std::ffi::OsString;

use super::text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// A new one, whose id is ours to choose.
    New,
    Named(String),
    /// The CLI knows which, and says so when it runs.
    Later,
    /// None begins, or none that ends with this process.
    NotOurs,
}

/// Words in the first place that make `claude` do something else.
const COMMANDS: [&str; 24] = [
    "agents",
    "attach",
    "auth",
    "auto-mode",
    "config",
    "daemon",
    "doctor",
    "gateway",
    "help",
    "install",
    "kill",
    "logs",
    "mcp",
    "migrate-installer",
    "plugin",
    "plugins",
    "project",
    "remote-control",
    "respawn",
    "rm",
    "setup-token",
    "stop",
    "update",
    "upgrade",
];
const NO_SESSION: [&str; 6] = ["-h", "--help", "-v", "--version", "--bg", "--background"];
const OF_THE_CLI: [&str; 4] = ["--continue", "--from-pr", "--teleport", "--remote"];

pub fn session(arguments: &[OsString]) -> Session {
    let words: Vec<&str> = arguments.iter().map(|argument| text(argument)).collect();
    let words = words.split(|word| *word == "--").next().unwrap_or_default();
    let named = value(words, "--session-id", "--session-id");
    let resumed = value(words, "-r", "--resume");
    match () {
        () if words.first().is_some_and(|word| COMMANDS.contains(word)) => Session::NotOurs,
        () if words.iter().any(|word| NO_SESSION.contains(word)) => Session::NotOurs,
        () if named.is_some() => of_name(named.flatten()),
        // A fork has a new id.
        () if words.contains(&"--fork-session") => Session::Later,
        () if resumed.is_some() => of_name(resumed.flatten()),
        () if words.iter().any(|word| is_of_the_cli(word)) => Session::Later,
        () => Session::New,
    }
}

/// A name that is no uuid is something to search for.
fn of_name(name: Option<&str>) -> Session {
    match name.filter(|name| is_uuid(name)) {
        Some(uuid) => Session::Named(uuid.to_ascii_lowercase()),
        None => Session::Later,
    }
}

/// Of an option that stands there: its value, if it has one.
fn value<'a>(words: &[&'a str], short: &str, long: &str) -> Option<Option<&'a str>> {
    words.iter().enumerate().find_map(|(at, word)| {
        if let Some((name, value)) = word.split_once('=')
            && name == long
        {
            return Some(Some(value));
        }
        (*word == short || *word == long).then(|| words.get(at + 1).copied())
    })
}

/// Also as letters of one word: `-pc`.
fn is_of_the_cli(word: &str) -> bool {
    let letters = word.strip_prefix('-').unwrap_or_default();
    let is_letters = (1..=4).contains(&letters.len());
    let is_letters = is_letters && letters.bytes().all(|letter| letter.is_ascii_lowercase());
    OF_THE_CLI.contains(&word) || (is_letters && letters.contains(['c', 'r']))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let is_digit = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "21776088-84a2-49e1-b57c-c73021d5876e";

    #[test]
    fn what_names_a_session_is_respected() {
        let named = || Session::Named(ID.into());
        let resume = format!("--resume={ID}");
        let given = format!("--session-id={ID}");
        let upper = ID.to_ascii_uppercase();
        let table: [(&[&str], Session); 24] = [
            (&[], Session::New),
            (&["fix the login"], Session::New),
            (&["-p", "mcp list"], Session::New),
            (&["--model", "opus", "-p"], Session::New),
            (&["--", "--resume"], Session::New),
            (&["--session-id", ID], named()),
            (&["--session-id", &upper], named()),
            (&[&given], named()),
            (&["-r", ID, "go on"], named()),
            (&["--resume", ID], named()),
            (&[&resume], named()),
            (&["--resume"], Session::Later),
            (&["-r", "login"], Session::Later),
            (&["-c"], Session::Later),
            (&["-pc", "go on"], Session::Later),
            (&["--continue", "-p"], Session::Later),
            (&["--resume", ID, "--fork-session"], Session::Later),
            (&["--from-pr", "12"], Session::Later),
            (&["--fork-session", "--session-id", ID, "-c"], named()),
            (&["mcp", "list"], Session::NotOurs),
            (&["update"], Session::NotOurs),
            (&["--version"], Session::NotOurs),
            (&["-p", "--help"], Session::NotOurs),
            (&["--bg", "build it"], Session::NotOurs),
        ];
        for (words, expected) in table {
            let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(session(&arguments), expected, "{words:?}");
        }
    }
}
