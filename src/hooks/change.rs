//! What an installation or a removal does to a settings file.

use super::edit::{Entry, Refusal, installed, is_made_from, with, without};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is as it should be.
    Nothing,
    Write {
        text: String,
        backup: Backup,
    },
    /// It was made for our hooks, and holds nothing else.
    Remove,
}

/// What becomes of the copy from before our hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// What is there now is from before.
    Make,
    /// An earlier one stays, if there is one.
    Keep,
    /// The file is that copy again.
    Forget,
}

/// `text` is what the file holds, if it is there; `backup` what it held before.
pub fn to_install(
    text: Option<&str>,
    backup: Option<&str>,
    wanted: &[Entry],
) -> Result<Change, Refusal> {
    let text = text.unwrap_or_default();
    let present = installed(text)?;
    if is_same(&present, wanted) {
        return Ok(Change::Nothing);
    }
    let before = match before(text, backup) {
        Some(before) => before.to_owned(),
        None => without(text)?,
    };
    Ok(Change::Write {
        text: with(&before, wanted)?,
        backup: match present.is_empty() {
            true => Backup::Make,
            false => Backup::Keep,
        },
    })
}

pub fn to_uninstall(text: Option<&str>, backup: Option<&str>) -> Result<Change, Refusal> {
    let text = text.unwrap_or_default();
    if installed(text)?.is_empty() {
        return Ok(Change::Nothing);
    }
    Ok(match before(text, backup) {
        Some(before) => Change::Write {
            text: before.to_owned(),
            backup: Backup::Forget,
        },
        None if backup.is_none() && is_made_from(text, "") => Change::Remove,
        None => Change::Write {
            text: without(text)?,
            backup: Backup::Keep,
        },
    })
}

/// The backup, if nothing but our hooks came since: then it is exactly what was
/// there, also where the text alone would not tell, as with an empty list.
fn before<'a>(text: &str, backup: Option<&'a str>) -> Option<&'a str> {
    let has_none = |text: &&str| installed(text).is_ok_and(|entries| entries.is_empty());
    backup
        .filter(has_none)
        .filter(|before| is_made_from(text, before))
}

fn is_same(present: &[Entry], wanted: &[Entry]) -> bool {
    let sorted = |entries: &[Entry]| {
        let mut entries = entries.to_vec();
        entries.sort();
        entries
    };
    sorted(present) == sorted(wanted)
}
