//! The user whose sessions are watched, as the account database has it.

use std::path::PathBuf;

use super::{InstallRefused, command};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// The user that runs this program.
pub fn this_user() -> Result<Account, InstallRefused> {
    find(&rustix::process::geteuid().as_raw().to_string())
}

/// By name or by number. The machine's own tool looks, so that the users of a
/// directory server are found too.
pub fn find(name: &str) -> Result<Account, InstallRefused> {
    let tool = match cfg!(target_os = "macos") {
        true => ["id", "-P"],
        false => ["getent", "passwd"],
    };
    let is_name = !name.is_empty() && !name.starts_with('-');
    is_name
        .then(|| command::run(&[tool[0], tool[1], name]).ok())
        .flatten()
        .and_then(|line| parse(line.trim_end()))
        .ok_or_else(|| InstallRefused(format!("there is no user {name:?} on this machine")))
}

/// `name:password:uid:gid:…:home:shell`; macOS has three fields more before the home.
fn parse(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, .., home, _] = fields[..] else {
        return None;
    };
    let home = PathBuf::from(home);
    Some(Account {
        name: (!name.is_empty()).then(|| name.to_owned())?,
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.is_absolute().then_some(home)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_account_database_is_read() {
        let ada = Some(Account {
            name: "ada".into(),
            uid: 501,
            gid: 20,
            home: "/home/ada".into(),
        });
        assert_eq!(parse("ada:x:501:20:Ada L.,,,:/home/ada:/bin/bash"), ada);
        assert_eq!(
            parse("ada:*:501:20::0:0:Ada:/home/ada:/bin/zsh"),
            ada,
            "macOS"
        );
        assert_eq!(parse("ada:x:501:20::home:/bin/sh"), None);
        assert_eq!(parse("ada:x:many:20::/home/ada:/bin/sh"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn this_user_is_known_and_a_made_up_one_is_not() {
        let us = this_user().unwrap();
        assert_eq!(us.uid, rustix::process::geteuid().as_raw());
        assert_eq!(find(&us.name).unwrap(), us);
        for wrong in ["no-such-user-here", "", "-u"] {
            let message = find(wrong).unwrap_err().to_string();
            assert!(message.contains("there is no user"), "{message}");
        }
    }
}
