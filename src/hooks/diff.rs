//! What an edit changes, for the user to read.

use std::path::Path;

use similar::TextDiff;

/// As `diff -u` shows it.
pub fn diff(path: &Path, before: &str, after: &str) -> String {
    let name = path.display().to_string();
    TextDiff::from_lines(before, after)
        .unified_diff()
        .header(&name, &name)
        .to_string()
}
