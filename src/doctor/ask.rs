//! Asking other programs and the account database. None of them may hold us up,
//! and none has to be there.

use std::fs;

use tokio::process::Command;

use crate::supervise::unit::command::{find, run};

/// Runs a program that only looks, and returns what it prints; or why it did not.
pub async fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let file = find(program).ok_or_else(|| format!("there is no {program} here"))?;
    let mut command = Command::new(file);
    command.args(arguments);
    let said = run(command).await?;
    match said.code {
        Some(0) => Ok(said.out.trim().to_owned()),
        _ => Err(said.complaint(program)),
    }
}

/// The account's name, or its number where no name is known.
pub fn user_name(uid: u32) -> String {
    // A list that cannot be read knows no name, and the number stands for it.
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&passwd, uid).unwrap_or_else(|| uid.to_string())
}

/// The names of the groups this process belongs to.
pub fn our_groups() -> Vec<String> {
    // What is not known is not told: a group that was missed makes the check warn.
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let mut ids = rustix::process::getgroups().unwrap_or_default();
    ids.push(rustix::process::getegid());
    ids.iter()
        .filter_map(|id| name_of(&groups, id.as_raw()))
        .collect()
}

/// In lines of `name:password:number:…`.
fn name_of(accounts: &str, number: u32) -> Option<String> {
    let number = number.to_string();
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whatever_a_program_does_there_is_an_answer() {
        assert_eq!(ask("echo", &["a b"]).await, Ok("a b".into()));
        let absent = ask("headspace-no-such-program", &[]).await;
        let expected = "there is no headspace-no-such-program here";
        assert_eq!(absent, Err(expected.into()));
        let failed = ask("sh", &["-c", "echo no bus >&2; exit 1"]).await;
        assert_eq!(failed, Err("sh: no bus".into()));
    }

    #[test]
    fn accounts_are_found_by_number() {
        let accounts = "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\nbroken\n";
        assert_eq!(name_of(accounts, 1000).as_deref(), Some("me"));
        assert_eq!(name_of(accounts, 1), None);
    }
}
