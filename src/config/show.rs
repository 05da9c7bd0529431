//! The settings in force, as a file that could be loaded again.

use super::{Settings, layer::DEFAULTS};

/// YAML with each value's source beside it, in the order of `config.yaml`. A
/// password is masked.
pub fn show(settings: &Settings) -> String {
    // Settings are plain values; where they could not be shown the page is empty of them.
    let values = serde_json::to_value(settings).unwrap_or_default();
    let mut section = "";
    let mut page = String::new();
    for line in DEFAULTS.lines() {
        let Some((name, _)) = line.split_once(':').filter(|_| !line.contains('#')) else {
            continue;
        };
        match name.strip_prefix("  ") {
            None => {
                section = name;
                page.push_str(&format!("{section}:\n"));
            }
            Some(key) => {
                let source = settings.sources.get(&format!("{section}.{key}"));
                let source = source.map_or("", String::as_str);
                // JSON is YAML, and a comment ends with its line.
                let source = source.replace(char::is_control, "?");
                let value = &values[section][key];
                page.push_str(&format!("  {key}: {value}  # {source}\n"));
            }
        }
    }
    page
}
