//! What is wrong with the settings, said so that it can be put right.

use std::fmt;

use super::Logging;

/// One thing that is wrong: where it stands, which key, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub origin: String,
    /// Empty when no single key is to blame.
    pub key: String,
    pub message: String,
}

/// Everything that is wrong, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct Error {
    pub problems: Vec<Problem>,
    /// How to log that, as far as these settings are right.
    pub logging: Logging,
}

impl Problem {
    pub(super) fn new(
        origin: impl Into<String>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Problem {
        Problem {
            origin: origin.into(),
            key: key.into(),
            message: message.into(),
        }
    }
}

/// As it was written: whatever prints it makes control characters visible.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Error {
        Error {
            problems: vec![problem],
            logging: Logging::default(),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}
