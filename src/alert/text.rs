//! Text of sessions, made harmless and short.

use crate::telemetry::is_hidden;

const TITLE_CHARS: usize = 100;
const WORDS_CHARS: usize = 240;

pub fn title(text: &str) -> String {
    shortened(&harmless(text), TITLE_CHARS)
}

pub fn words(text: &str) -> String {
    shortened(&harmless(text), WORDS_CHARS)
}

/// Without escape sequences and characters that are not seen; one line.
fn harmless(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut rest),
            '\u{9b}' => skip_parameters(&mut rest),
            '\n' | '\r' | '\t' => plain.push(' '),
            c if is_hidden(c) => {}
            c => plain.push(c),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands behind an escape character and belongs to it.
fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => skip_parameters(rest),
        // A string: up to a bell, or an escape character and a backslash.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = rest.next() {
                match c {
                    '\u{7}' | '\u{9c}' => return,
                    '\u{1b}' => {
                        let _ = rest.next();
                        return;
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn skip_parameters(rest: &mut std::str::Chars<'_>) {
    let _ = rest.find(|c| ('\u{40}'..='\u{7e}').contains(c));
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

/// As markup that shows this text: a desktop reads the body of a notice as markup.
pub fn markup(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_do_is_taken_out() {
        for (text, plain) in [
            ("npm test", "npm test"),
            ("a\n\tb  c", "a b c"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            (
                "\u{1b}]0;title\u{7}x\u{1b}]8;;http://e\u{1b}\\link",
                "xlink",
            ),
            ("\u{9b}2Jy\u{1b}cz", "yz"),
            ("rm \u{202e}cba\u{200b}", "rm cba"),
            ("\u{1b}]never ends", ""),
            ("\u{1b}", ""),
        ] {
            assert_eq!(words(text), plain, "{text:?}");
        }
    }

    #[test]
    fn text_is_short_and_never_cut_within_a_character() {
        let long = "ü".repeat(1000);
        assert_eq!(title(&long).chars().count(), TITLE_CHARS + 1);
        assert_eq!(words(&long).chars().count(), WORDS_CHARS + 1);
    }

    #[test]
    fn markup_shows_the_text() {
        assert_eq!(markup("<b>&lt;"), "&lt;b&gt;&amp;lt;");
    }
}
