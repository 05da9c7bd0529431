//! The command that takes a session up again.

use crate::store::read::AgentRow;

/// The program and its arguments; it is to run in the session's folder.
pub fn resume(agent: &AgentRow) -> (&str, [&str; 2]) {
    (&agent.cli, ["--resume", &agent.session_uuid])
}

/// The same as a line for a shell.
pub fn resume_command(agent: &AgentRow) -> String {
    let (program, arguments) = resume(agent);
    let words = [&[program][..], &arguments].concat();
    let words: Vec<String> = words.into_iter().map(quoted).collect();
    format!(
        "cd {} && {}",
        quoted(&agent.working_directory),
        words.join(" ")
    )
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
