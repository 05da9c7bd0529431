//! The names of accounts.

use std::fs;

/// The account's name, or its number where no name is known.
pub fn user_name(uid: u32) -> String {
    // A list that cannot be read knows no name, and the number stands for it.
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = uid.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}
