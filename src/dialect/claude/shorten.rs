//! JSON with its long texts cut off, while it is read.

use std::io::{BufRead, Read, Result};

/// A text goes on for so many bytes, or a few more.
const MAX_TEXT_BYTES: u64 = 16 * 1024;

/// Reads a line of which only short texts and the beginnings of long ones matter, so
/// that none of them fills the memory. It stays JSON: no escape and no character is cut.
pub struct Shortened<R> {
    inner: R,
    place: Place,
}

enum Place {
    Outside,
    Text(Text),
}

#[derive(Default)]
struct Text {
    read: u64,
    /// So many bytes are left of an escape.
    escaped: u8,
    is_cut: bool,
}

impl<R: BufRead> Shortened<R> {
    pub fn new(inner: R) -> Shortened<R> {
        Shortened {
            inner,
            place: Place::Outside,
        }
    }
}

impl<R: BufRead> Read for Shortened<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let mut kept = 0;
        while kept == 0 {
            let available = self.inner.fill_buf()?;
            let available = &available[..available.len().min(into.len())];
            if available.is_empty() {
                break;
            }
            for &byte in available {
                if self.place.step(byte) {
                    into[kept] = byte;
                    kept += 1;
                }
            }
            let taken = available.len();
            self.inner.consume(taken);
        }
        Ok(kept)
    }
}

impl Place {
    /// Goes past a byte; says whether it is kept.
    fn step(&mut self, byte: u8) -> bool {
        match self {
            Place::Outside if byte == b'"' => *self = Place::Text(Text::default()),
            Place::Outside => {}
            Place::Text(text) if byte == b'"' && text.escaped == 0 => *self = Place::Outside,
            Place::Text(text) => return text.step(byte),
        }
        true
    }
}

impl Text {
    fn step(&mut self, byte: u8) -> bool {
        let continues_character = byte & 0xC0 == 0x80;
        let may_end = self.escaped == 0 && !continues_character;
        self.is_cut |= self.read >= MAX_TEXT_BYTES && may_end;
        self.read += 1;
        self.escaped = match (self.escaped, byte) {
            (0, b'\\') => 1,
            (1, b'u') => 4,
            (left, _) => left.saturating_sub(1),
        };
        !self.is_cut
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn shortened(json: &str, buffer: usize) -> Value {
        let inner = BufReader::with_capacity(buffer, json.as_bytes());
        serde_json::from_reader(BufReader::new(Shortened::new(inner))).unwrap()
    }

    proptest! {
        #[test]
        fn a_long_text_is_cut_between_two_characters(
            before in 0..40usize, letter in "[a-zü😀\"\n\\\\\u{1}]", buffer in 1..99usize,
        ) {
            let most = usize::try_from(MAX_TEXT_BYTES).unwrap();
            let long = "x".repeat(most - 20 + before) + &letter.repeat(50);
            let json = serde_json::json!({"long": long, "after": ["short", 1, {"\"": letter}]});
            let read = shortened(&json.to_string(), buffer);
            let cut = read["long"].as_str().unwrap();
            prop_assert!(long.starts_with(cut));
            prop_assert!(cut.len() <= most + 4 && cut.len() + 200 > most, "{}", cut.len());
            prop_assert_eq!(&read["after"], &json["after"]);
        }
    }
}
