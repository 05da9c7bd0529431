//! Characters that a terminal or a page would execute or hide, made visible.

use std::borrow::Cow;

/// The text with every control, direction and zero-width character written out,
/// so that it stays one line and shows what it holds.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Characters that move the cursor, turn the writing direction or leave no trace.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        for text in ["", "a b", "Grüße, 世界 🚀", r"C:\new"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn control_characters_are_written_out() {
        for (text, shown) in [
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\u{1b}[31mred", r"\u{1b}[31mred"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("\0\u{7f}", r"\u{0}\u{7f}"),
            ("\u{202e}txt\u{2066}", r"\u{202e}txt\u{2066}"),
            (
                "a\u{200b}b\u{2028}c\u{feff}",
                r"a\u{200b}b\u{2028}c\u{feff}",
            ),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
