//! The user whose sessions are watched, as the account database knows them.

use std::path::PathBuf;

use super::{InstallRefused, command};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// Whoever runs this program.
pub fn this_user() -> Result<Account, InstallRefused> {
    find(&rustix::process::geteuid().as_raw().to_string())
}

/// By name or by number. The libraries of the machine are asked, so that users
/// of a directory server are found too.
pub fn find(who: &str) -> Result<Account, InstallRefused> {
    let unknown = || InstallRefused(format!("there is no user {who:?} on this machine"));
    if who.is_empty() || who.starts_with('-') {
        return Err(unknown());
    }
    let found = if cfg!(target_os = "macos") {
        let name = command::query(&["id", "-un", who]).map_err(|_| unknown())?;
        let record = format!("/Users/{}", name.trim());
        let keys = ["UniqueID", "PrimaryGroupID", "NFSHomeDirectory"];
        let text = command::query(&["dscl", ".", "-read", &record, keys[0], keys[1], keys[2]]);
        text.ok().and_then(|text| of_dscl(name.trim(), &text))
    } else {
        let line = command::query(&["getent", "passwd", who]).map_err(|_| unknown())?;
        of_passwd(line.trim_end())
    };
    found.ok_or_else(unknown)
}

/// `name:password:uid:gid:about:home:shell`
fn of_passwd(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields[..] else {
        return None;
    };
    account(name, uid, gid, home)
}

/// `Key: value` lines; a long value stands on a line of its own.
fn of_dscl(name: &str, text: &str) -> Option<Account> {
    let value = |key: &str| {
        let (_, rest) = text.split_once(&format!("{key}:"))?;
        rest.trim_start().lines().next().map(str::trim)
    };
    account(
        name,
        value("UniqueID")?,
        value("PrimaryGroupID")?,
        value("NFSHomeDirectory")?,
    )
}

fn account(name: &str, uid: &str, gid: &str, home: &str) -> Option<Account> {
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

    fn ada(home: &str) -> Option<Account> {
        account("ada", "501", "20", home)
    }

    #[test]
    fn a_line_of_the_account_database_is_read() {
        let line = "ada:x:501:20:Ada L.,,,:/home/ada:/bin/bash";
        assert_eq!(of_passwd(line), ada("/home/ada"));
        assert_eq!(of_passwd("ada:x:501:20::home:/bin/sh"), None);
        assert_eq!(of_passwd("ada:x:many:20::/home/ada:/bin/sh"), None);
        assert_eq!(of_passwd(""), None);
    }

    #[test]
    fn a_record_of_the_mac_is_read() {
        let text = "NFSHomeDirectory: /Users/ada\nPrimaryGroupID: 20\nUniqueID: 501\n";
        assert_eq!(of_dscl("ada", text), ada("/Users/ada"));
        let long = "NFSHomeDirectory:\n /Users/ada l\nPrimaryGroupID: 20\nUniqueID: 501\n";
        assert_eq!(of_dscl("ada", long), ada("/Users/ada l"));
        assert_eq!(of_dscl("ada", "No such key: UniqueID"), None);
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
