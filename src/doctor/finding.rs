//! What a check found, and what to do about it.

use std::path::Path;

use serde::Serialize;

/// How bad it is. Only `Failed` makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Ok,
    /// Worth knowing; also what could not be checked.
    Note,
    Warning,
    Failed,
}

/// One sentence, and for everything that is wrong a command or a sentence that
/// puts it right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub state: Severity,
    pub found: String,
    pub fix: Option<String>,
}

impl Finding {
    pub fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding::new(check, Severity::Ok, found, None)
    }

    pub fn note(check: &'static str, found: impl Into<String>) -> Finding {
        Finding::new(check, Severity::Note, found, None)
    }

    /// The means are missing, or the answer would mean nothing here.
    pub fn unchecked(check: &'static str, why: impl std::fmt::Display) -> Finding {
        Finding::note(check, format!("not checked: {why}"))
    }

    pub fn warning(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding::new(check, Severity::Warning, found, Some(fix.into()))
    }

    pub fn failed(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding::new(check, Severity::Failed, found, Some(fix.into()))
    }

    /// For a note that something can be done about.
    pub fn with_fix(self, fix: impl Into<String>) -> Finding {
        Finding {
            fix: Some(fix.into()),
            ..self
        }
    }

    fn new(
        check: &'static str,
        state: Severity,
        found: impl Into<String>,
        fix: Option<String>,
    ) -> Finding {
        Finding {
            check,
            state,
            found: found.into(),
            fix,
        }
    }
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%=:,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `1 file`, `3 files`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{number} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_would_break_them() {
        for (path, shown) in [
            ("/home/a/.claude", "/home/a/.claude"),
            (
                "/Users/a/Library/Application Support",
                "'/Users/a/Library/Application Support'",
            ),
            ("/a/it's", r"'/a/it'\''s'"),
            ("/a/$(x)", "'/a/$(x)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), shown);
        }
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1, "file", "files"), "1 file");
        assert_eq!(count(0, "file", "files"), "0 files");
    }
}
