//! The end of a text, taken apart: paragraphs, sentences, clauses.

/// The last paragraph that says something, and what leads to it.
pub struct Closing {
    /// Its sentences as they stand, and in plain lower case.
    sentences: Vec<(String, String)>,
    /// If the text ends in a list: the line before it, plain.
    lead: Option<String>,
}

impl Closing {
    pub fn of(text: &str) -> Closing {
        let spoken = without_code(text);
        let lines: Vec<&str> = spoken.lines().map(str::trim).collect();
        let end = lines.iter().rposition(|line| says_something(line));
        let Some(end) = end else {
            return Closing {
                sentences: Vec::new(),
                lead: None,
            };
        };
        let lines = &lines[..=end];
        let start = lines.iter().rposition(|line| !says_something(line));
        let paragraph = &lines[start.map_or(0, |at| at + 1)..];
        let lead = lead_of_list(lines);
        let mut sentences = Vec::new();
        for line in paragraph {
            sentences
                .extend(split(&bare(line)).map(|sentence| (sentence.to_owned(), plain(sentence))));
        }
        Closing { sentences, lead }
    }

    /// The last sentence, as it stands.
    pub fn last(&self) -> &str {
        self.sentences.last().map_or("", |(stands, _)| stands)
    }

    pub fn last_plain(&self) -> &str {
        self.sentences.last().map_or("", |(_, plain)| plain)
    }

    pub fn sentences(&self) -> Vec<&str> {
        self.sentences
            .iter()
            .map(|(_, plain)| plain.as_str())
            .collect()
    }

    pub fn lead_of_list(&self) -> Option<&str> {
        self.lead.as_deref()
    }
}

/// The text without code blocks and comments. It may be the end of a longer one:
/// of an odd number of fences the first one closes.
fn without_code(text: &str) -> String {
    let is_fence = |line: &&str| line.trim_start().starts_with("```");
    let mut spoken = String::with_capacity(text.len());
    let mut in_code = text.lines().filter(is_fence).count() % 2 == 1;
    for line in text.lines() {
        if is_fence(&line) {
            in_code = !in_code;
            spoken.push('\n');
        } else if !in_code {
            spoken.push_str(line);
            spoken.push('\n');
        }
    }
    while let Some(start) = spoken.find("<!--") {
        let end = spoken[start..]
            .find("-->")
            .map_or(spoken.len(), |at| start + at + 3);
        spoken.replace_range(start..end, "");
    }
    spoken
}

/// Not a rule, a border of a table, or nothing at all.
fn says_something(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric)
}

fn is_item(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") "));
    let lettered = line.trim_start_matches('*').chars().nth(1) == Some(')');
    numbered
        || lettered
        || ["- ", "* ", "• ", "– "]
            .iter()
            .any(|mark| line.starts_with(mark))
}

/// The last line before the list that the text ends in.
fn lead_of_list(lines: &[&str]) -> Option<String> {
    if !is_item(lines.last()?) {
        return None;
    }
    let lead = lines
        .iter()
        .rev()
        .find(|line| says_something(line) && !is_item(line))?;
    split(&bare(lead)).last().map(plain)
}

/// A line without marks of lists, headings and emphasis.
fn bare(line: &str) -> String {
    let line = line.trim_start_matches(['#', '>', '-', '*', '•', ' ']);
    line.replace("**", "")
        .replace(['`', '_'], "")
        .trim()
        .to_owned()
}

/// Sentences, with the mark that ends them.
fn split(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let end = end_of_sentence(rest);
        let (sentence, after) = rest.split_at(end);
        rest = after;
        Some(sentence.trim_end())
    })
}

/// A mark that a space or the end follows, or a closing quote and then these;
/// marks of full width need none.
fn end_of_sentence(text: &str) -> usize {
    for (at, mark) in text.char_indices() {
        let after = at + mark.len_utf8();
        if matches!(mark, '。' | '！' | '？') {
            return after;
        }
        if !matches!(mark, '.' | '!' | '?') {
            continue;
        }
        let rest = &text[after..];
        let beyond = rest.trim_start_matches(['"', '”', ')', '.']);
        if beyond.is_empty() || beyond.starts_with(char::is_whitespace) {
            return text.len() - beyond.len();
        }
    }
    text.len()
}

/// In lower case, with straight apostrophes. A question that is quoted is none.
fn plain(sentence: &str) -> String {
    let lower = sentence.to_lowercase().replace(['’', '‘'], "'");
    lower
        .trim_end_matches([')', '*', ' '])
        .trim_start_matches(['"', '(', '“', '¿', '¡'])
        .to_owned()
}

/// Where a clause of a sentence may begin.
pub fn clauses(sentence: &str) -> impl Iterator<Item = &str> {
    const JOINTS: [&str; 12] = [
        ", ", "; ", ": ", " - ", " – ", " — ", "—", " so ", " and ", " then ", "，", "、",
    ];
    const OPENERS: [&str; 16] = [
        "now ",
        "first ",
        "next ",
        "then ",
        "so ",
        "ok ",
        "okay ",
        "and ",
        "but ",
        "also ",
        "great ",
        "alright ",
        "finally ",
        "here ",
        "before that ",
        "after that ",
    ];
    let starts = JOINTS.iter().flat_map(move |joint| {
        sentence
            .match_indices(joint)
            .map(|(at, joint)| at + joint.len())
    });
    std::iter::once(0).chain(starts).map(move |at| {
        let mut clause = sentence[at..].trim_start();
        while let Some(rest) = OPENERS
            .iter()
            .find_map(|opener| clause.strip_prefix(opener))
        {
            clause = rest.trim_start();
        }
        clause
    })
}
