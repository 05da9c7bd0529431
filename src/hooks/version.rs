//! A version of the CLI.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Since this one the registry says what a process does.
    pub const WITH_STATUS: Version = Version(2, 1, 119);
    /// Since this one a session's id can be chosen when it starts; an earlier
    /// one may know it too.
    pub const WITH_SESSION_ID: Version = Version(2, 0, 0);

    /// Of `2.1.329`, and of what `claude --version` prints.
    pub fn parse(text: &str) -> Option<Version> {
        let word = text.split_whitespace().next()?;
        let mut numbers = word.split(['.', '-', '+']).map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        Some(Version(next()?, next()?, next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version(major, minor, patch) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_by_their_numbers() {
        assert_eq!(
            Version::parse("2.1.329 (Claude Code)\n"),
            Some(Version(2, 1, 329))
        );
        assert_eq!(Version::parse("2.1.9-beta.1"), Some(Version(2, 1, 9)));
        for none in ["", "claude", "2.1", "v2.1.3", "error: 1.2.3"] {
            assert_eq!(Version::parse(none), None, "{none:?}");
        }
        assert!(Version(2, 1, 9) < Version::WITH_STATUS);
    }
}
