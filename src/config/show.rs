//! The settings in force, as a file that could be loaded again.

use std::fmt::Write;

use super::{Settings, keys};

/// YAML with each value's source beside it. A password is masked.
pub fn show(settings: &Settings) -> String {
    let values = serde_json::to_value(settings).unwrap_or_default();
    let mut page = String::new();
    for section in keys::sections() {
        let _ = writeln!(page, "{section}:");
        for key in keys::KEYS.iter().filter(|key| key.section() == section) {
            // JSON is YAML: quoted where it must be.
            let value = &values[section][key.name()];
            let source = settings.sources.get(key.path).map_or("", String::as_str);
            let _ = writeln!(page, "  {}: {value}  # {}", key.name(), on_one_line(source));
        }
    }
    page
}

/// A comment ends with its line.
fn on_one_line(source: &str) -> String {
    source.replace(char::is_control, "?")
}
