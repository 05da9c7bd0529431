//! Text in columns of a terminal: as wide as it is drawn, and in colour.

use std::io::{IsTerminal, stdout};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{show::Mark, telemetry::visible};

/// Where the width is not known.
const WIDTH: usize = 80;

/// What text is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paper {
    pub width: usize,
    pub colour: bool,
}

impl Paper {
    /// The terminal behind standard output, or a pipe.
    pub fn of_output() -> Paper {
        let is_terminal = stdout().is_terminal();
        let is_unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
        Paper {
            width: columns().filter(|_| is_terminal).unwrap_or(WIDTH),
            colour: is_terminal && is_unset("NO_COLOR"),
        }
    }

    pub fn as_wide_as(self, width: usize) -> Paper {
        Paper { width, ..self }
    }

    /// The text in the colour of a mark.
    pub fn marked(self, mark: Mark, text: &str) -> String {
        self.painted(
            match mark {
                Mark::NeedsYou => "31",
                Mark::Finished => "34",
                Mark::Working => "32",
                Mark::Background => "35",
                Mark::Idle | Mark::Ended => "90",
            },
            text,
        )
    }

    pub fn bold(self, text: &str) -> String {
        self.painted("1", text)
    }

    pub fn faint(self, text: &str) -> String {
        self.painted("90", text)
    }

    /// The line that is chosen: reversed over its colours.
    pub fn chosen(self, line: &str) -> String {
        format!(
            "\u{1b}[7m{}\u{1b}[0m",
            line.replace("\u{1b}[0m", "\u{1b}[0;7m")
        )
    }

    fn painted(self, code: &str, text: &str) -> String {
        match self.colour && !text.is_empty() {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in one line, made harmless, at most `most` columns wide.
pub fn clipped(text: &str, most: usize) -> String {
    let text = visible(text);
    if text.width() <= most {
        return text.into_owned();
    }
    let mut clipped = String::new();
    let mut left = most.saturating_sub(1);
    for c in text.chars() {
        match left.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => left = rest,
            None => break,
        }
        clipped.push(c);
    }
    if most > 0 {
        clipped.push('…');
    }
    clipped
}

/// The same, filled up with spaces to exactly `width` columns.
pub fn padded(text: &str, width: usize) -> String {
    let mut text = clipped(text, width);
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(text.width())));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_the_columns_it_takes() {
        for (text, most, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("世界地図", 8, "世界地図"),
            ("世界地図", 7, "世界地…"),
            ("世界地図", 6, "世界…"),
            ("a\u{301}bc", 3, "a\u{301}bc"),
            ("a\u{301}bcd", 3, "a\u{301}b…"),
            ("a\nb", 9, "a\\nb"),
            ("\u{1b}[31mred", 12, "\\u{1b}[31mr…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(clipped(text, most), expected, "{text:?} in {most}");
            for wider in 0..12 {
                assert_eq!(padded(text, wider).width(), wider, "{text:?} in {wider}");
            }
        }
    }
}
