//! The lists of words, one file a language.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// What a language's sentences begin or end with that announce something.
pub struct Announcing {
    pub announces: Vec<String>,
    pub announces_nothing: Vec<String>,
    /// The verb that tells what will be done stands last.
    pub by_ending: bool,
}

/// Phrases of all languages, found in one pass over a sentence.
pub struct Phrases(AhoCorasick);

const FILES: [(&str, bool); 6] = [
    (include_str!("en.txt"), false),
    (include_str!("de.txt"), false),
    (include_str!("fr.txt"), false),
    (include_str!("es.txt"), false),
    (include_str!("ja.txt"), true),
    (include_str!("zh.txt"), false),
];

pub static ANNOUNCING: LazyLock<Vec<Announcing>> = LazyLock::new(|| {
    let lists = FILES.iter().map(|(file, by_ending)| Announcing {
        announces: section(file, "[announces]").map(str::to_owned).collect(),
        announces_nothing: section(file, "[announces nothing]")
            .map(str::to_owned)
            .collect(),
        by_ending: *by_ending,
    });
    lists.collect()
});
pub static ASKS: LazyLock<Phrases> = LazyLock::new(|| Phrases::of("[asks]"));
pub static ASKS_NOTHING: LazyLock<Phrases> = LazyLock::new(|| Phrases::of("[asks nothing]"));
pub static PERSON: LazyLock<Phrases> = LazyLock::new(|| Phrases::of("[person]"));

impl Phrases {
    fn of(heading: &'static str) -> Phrases {
        let all = FILES.iter().flat_map(|(file, _)| section(file, heading));
        Phrases(AhoCorasick::new(all).expect("a few hundred phrases"))
    }

    /// As words, not as parts of words; where words have no spaces, anywhere.
    pub fn stand_in(&self, sentence: &str) -> bool {
        self.0.find_overlapping_iter(sentence).any(|found| {
            let phrase = &sentence[found.range()];
            let before = sentence[..found.start()].chars().next_back();
            let after = sentence[found.end()..].chars().next();
            is_edge(phrase.chars().next(), before) && is_edge(phrase.chars().next_back(), after)
        })
    }
}

/// Whether a word may end between these two characters.
pub fn is_edge(within: Option<char>, beyond: Option<char>) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && c < '\u{2e80}');
    !(is_letter(within) && is_letter(beyond))
}

/// The lines below a heading, up to the next.
fn section(file: &'static str, heading: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines()
        .map(str::trim)
        .skip_while(move |line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}
