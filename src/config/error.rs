//! What is wrong with the settings, said so that it can be put right.

use std::fmt;

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

/// Names and values come from files that anyone may have written: a line break
/// or an escape sequence in them is shown, not obeyed.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", one_line(&self.origin))?;
        if !self.key.is_empty() {
            write!(f, "{}: ", one_line(&self.key))?;
        }
        f.write_str(&one_line(&self.message))
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Error {
        Error {
            problems: vec![problem],
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

fn one_line(text: &str) -> String {
    let quotes_stay = |c: char| matches!(c, '"' | '\'' | '\\');
    text.chars()
        .flat_map(|c| {
            let shown: Vec<char> = if quotes_stay(c) {
                vec![c]
            } else {
                c.escape_debug().collect()
            };
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_whatever_it_quotes() {
        let problem = Problem::new("a.yaml", "x\ny", "got \"\u{1b}[31m\u{202e}\"");
        assert_eq!(
            problem.to_string(),
            r#"a.yaml: x\ny: got "\u{1b}[31m\u{202e}""#
        );
    }

    #[test]
    fn an_error_lists_every_problem_on_its_own_line() {
        let error = Error {
            problems: vec![
                Problem::new("a.yaml", "web.port", "unknown key"),
                Problem::new("a.yaml", "", "cannot be read"),
            ],
        };
        assert_eq!(
            error.to_string(),
            "a.yaml: web.port: unknown key\na.yaml: cannot be read"
        );
    }
}
