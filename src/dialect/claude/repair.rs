//! JSON escapes that no text can hold, replaced while they are read.

use std::io::{BufRead, Read};

/// Reads lone halves of surrogate pairs (`\ud83d` without its other half),
/// which JSON allows and no text can hold, as U+FFFD.
pub struct Repaired<R: BufRead> {
    bytes: std::iter::Peekable<std::io::Bytes<R>>,
    ready: std::collections::VecDeque<u8>,
}

impl<R: BufRead> Repaired<R> {
    pub fn new(inner: R) -> Self {
        Self {
            bytes: inner.bytes().peekable(),
            ready: std::collections::VecDeque::new(),
        }
    }

    /// Makes at least one byte ready, unless the input is at its end.
    fn refill(&mut self) -> std::io::Result<()> {
        let Some(byte) = self.bytes.next().transpose()? else {
            return Ok(());
        };
        self.ready.push_back(byte);
        if byte == b'\\' {
            self.escape()?;
        }
        Ok(())
    }

    /// After a backslash, which is already ready.
    fn escape(&mut self) -> std::io::Result<()> {
        let mut pending: Option<u16> = None;
        loop {
            let Some(next) = self.bytes.next().transpose()? else {
                return Ok(());
            };
            if next != b'u' {
                if pending.is_some() {
                    self.replace();
                    self.ready.push_back(b'\\');
                }
                self.ready.push_back(next);
                return Ok(());
            }
            let digits = self.hex_digits()?;
            let unit = std::str::from_utf8(&digits)
                .ok()
                .and_then(|d| u16::from_str_radix(d, 16).ok());
            match (pending.take(), unit) {
                (Some(_), Some(0xDC00..=0xDFFF)) => {
                    // The pair is whole: its first half stands in `ready` already.
                    self.ready.extend(b"\\u");
                    self.ready.extend(digits);
                    return Ok(());
                }
                (had_half, Some(0xD800..=0xDBFF)) => {
                    if had_half.is_some() {
                        self.replace();
                        self.ready.push_back(b'\\');
                    }
                    self.ready.push_back(b'u');
                    self.ready.extend(digits);
                    pending = unit;
                }
                (had_half, unit) => {
                    if had_half.is_some() {
                        self.replace();
                        self.ready.push_back(b'\\');
                    }
                    self.ready.push_back(b'u');
                    match unit {
                        Some(0xDC00..=0xDFFF) => self.ready.extend(b"fffd"),
                        _ => self.ready.extend(digits),
                    }
                    return Ok(());
                }
            }
            match self.bytes.peek() {
                Some(Ok(b'\\')) => {
                    self.bytes.next();
                }
                _ => {
                    self.replace();
                    return Ok(());
                }
            }
        }
    }

    /// Turns the half that was made ready last into U+FFFD.
    fn replace(&mut self) {
        let keep = self.ready.len() - 4;
        self.ready.truncate(keep);
        self.ready.extend(b"fffd");
    }

    fn hex_digits(&mut self) -> std::io::Result<Vec<u8>> {
        let mut digits = Vec::with_capacity(4);
        while digits.len() < 4 && matches!(self.bytes.peek(), Some(Ok(b)) if b.is_ascii_hexdigit())
        {
            digits.extend(self.bytes.next().transpose()?);
        }
        Ok(digits)
    }
}

impl<R: BufRead> Read for Repaired<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.ready.len() < into.len() {
            let before = self.ready.len();
            self.refill()?;
            if self.ready.len() == before {
                break;
            }
        }
        self.ready.read(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repair(text: &str) -> String {
        let mut out = String::new();
        Repaired::new(text.as_bytes())
            .read_to_string(&mut out)
            .unwrap();
        out
    }

    #[test]
    fn lone_halves_are_replaced_and_pairs_kept() {
        for (input, output) in [
            (r#""a\ud83d\ude00b""#, r#""a\ud83d\ude00b""#),
            (r#""a\ud83d b""#, r#""a\ufffd b""#),
            (r#""\ude00""#, r#""\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\n""#, r#""\ufffd\n""#),
            (r#""\ud83d\u0041""#, r#""\ufffd\u0041""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\ud83d"#, r#""\ufffd"#),
            (r#""\u12"#, r#""\u12"#),
            (r#""plain é \t \"""#, r#""plain é \t \"""#),
        ] {
            assert_eq!(repair(input), output, "{input}");
        }
    }
}
