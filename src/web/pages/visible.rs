//! Characters that are not seen, or change how the rest reads, as what they are.

use std::{borrow::Cow, fmt::Write};

/// A text in which every character is seen: controls as their pictures, marks of
/// direction and of no width by their numbers.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !is_unseen(c) => shown.push(c),
            '\u{0}'..='\u{1f}' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            '\u{7f}' => shown.push('␡'),
            c => {
                let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(c));
            }
        }
    }
    Cow::Owned(shown)
}

fn is_unseen(c: char) -> bool {
    match c {
        '\n' | '\t' | '\r' => false,
        // Joiners are part of words and of emoji.
        '\u{200c}' | '\u{200d}' => false,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{61c}' => {
            true
        }
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2060}'..='\u{2064}' => true,
        '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_shown() {
        for (text, shown) in [
            (
                "plain\n\ttext, ümlaut, 家族 👩‍👩‍👧",
                "plain\n\ttext, ümlaut, 家族 👩‍👩‍👧",
            ),
            ("rm \u{202e}cba", "rm ⟨U+202E⟩cba"),
            ("\u{1b}[31m\u{7f}\u{85}", "␛[31m␡⟨U+0085⟩"),
            ("a\u{200b}b", "a⟨U+200B⟩b"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
