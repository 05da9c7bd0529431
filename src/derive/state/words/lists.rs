//! The lists of words, one file a language.

use std::sync::LazyLock;

pub struct List {
    pub announces: Vec<String>,
    pub announces_nothing: Vec<String>,
    pub asks: Vec<String>,
    pub asks_nothing: Vec<String>,
    pub person: Vec<String>,
    /// The verb that tells what will be done stands last.
    pub by_ending: bool,
}

const FILES: [(&str, bool); 6] = [
    (include_str!("en.txt"), false),
    (include_str!("de.txt"), false),
    (include_str!("fr.txt"), false),
    (include_str!("es.txt"), false),
    (include_str!("ja.txt"), true),
    (include_str!("zh.txt"), false),
];

pub static LISTS: LazyLock<Vec<List>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(file, by_ending)| List {
            announces: section(file, "[announces]"),
            announces_nothing: section(file, "[announces nothing]"),
            asks: section(file, "[asks]"),
            asks_nothing: section(file, "[asks nothing]"),
            person: section(file, "[person]"),
            by_ending: *by_ending,
        })
        .collect()
});

/// The lines below a heading, up to the next.
fn section(file: &str, heading: &str) -> Vec<String> {
    file.lines()
        .map(str::trim)
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}
