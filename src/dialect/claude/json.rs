//! JSON as it comes, not as it should be.
//!
//! Records are read field by field straight into the few fields we know:
//! everything else, however deep or large, is passed over without being kept.

use std::{
    borrow::Cow,
    fmt,
    io::{BufRead, Read},
};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

/// Declares an object of optional fields. Unknown fields are ignored, `null`
/// is absence, and of a repeated field the last one counts, as in JavaScript.
macro_rules! object {
    ($(#[$doc:meta])* pub struct $name:ident { $($field:ident: $type:ty = $key:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name { $(pub $field: Option<$type>,)+ }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name, A::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key::<$crate::dialect::claude::json::Key<'de>>()? {
                            match &*key.0 {
                                $($key => object.$field = map.next_value()?,)+
                                _ => { map.next_value::<serde::de::IgnoredAny>()?; }
                            }
                        }
                        Ok(object)
                    }
                }
                input.deserialize_map(Fields)
            }
        }
    };
}
pub(super) use object;

/// A field's name, borrowed from the line where that is possible.
pub struct Key<'de>(pub Cow<'de, str>);

/// What a message says: one text, or blocks of which some have text.
#[derive(Debug)]
pub enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

object! {
    /// A part of a message.
    pub struct Block {
        kind: String = "type",
        text: String = "text",
    }
}

/// A text, or nothing if the value is anything else. For fields whose absence
/// costs less than the record.
#[derive(Debug)]
pub struct Lenient(pub Option<String>);

/// An object's field `kind`; nothing if the value is anything else.
#[derive(Debug)]
pub struct Kind(pub Option<String>);

/// Reads lone halves of surrogate pairs (`\ud83d` without its other half),
/// which JSON allows and no text can hold, as U+FFFD.
pub struct Repaired<R: BufRead> {
    bytes: std::iter::Peekable<std::io::Bytes<R>>,
    ready: std::collections::VecDeque<u8>,
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        input.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of blocks")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = list.next_element::<Block>()? {
                    blocks.push(block);
                }
                Ok(Content::Blocks(blocks))
            }
        }
        input.deserialize_any(Either)
    }
}

/// Implements a type that takes one shape of value and ignores all others.
macro_rules! lenient {
    ($name:ident { $($visit:tt)+ }) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                struct Any;
                impl<'de> Visitor<'de> for Any {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("any value")
                    }
                    fn visit_bool<E: Error>(self, _: bool) -> Result<$name, E> { Ok($name(None)) }
                    fn visit_i64<E: Error>(self, _: i64) -> Result<$name, E> { Ok($name(None)) }
                    fn visit_u64<E: Error>(self, _: u64) -> Result<$name, E> { Ok($name(None)) }
                    fn visit_f64<E: Error>(self, _: f64) -> Result<$name, E> { Ok($name(None)) }
                    fn visit_unit<E: Error>(self) -> Result<$name, E> { Ok($name(None)) }
                    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<$name, A::Error> {
                        while list.next_element::<IgnoredAny>()?.is_some() {}
                        Ok($name(None))
                    }
                    $($visit)+
                }
                input.deserialize_any(Any)
            }
        }
    };
}

lenient! { Lenient {
    fn visit_str<E: Error>(self, text: &str) -> Result<Lenient, E> {
        Ok(Lenient(Some(text.to_owned())))
    }
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Lenient, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Lenient(None))
    }
}}

lenient! { Kind {
    fn visit_str<E: Error>(self, _: &str) -> Result<Kind, E> {
        Ok(Kind(None))
    }
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut kind = None;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if key.0 == "kind" {
                kind = map.next_value::<Lenient>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Kind(kind))
    }
}}

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

    #[test]
    fn the_last_of_repeated_fields_counts() {
        let block: Block = serde_json::from_str(r#"{"text":"a","type":"t","text":"b"}"#).unwrap();
        assert_eq!(block.text.as_deref(), Some("b"));
    }

    #[test]
    fn depth_and_size_of_what_is_ignored_do_not_matter() {
        let deep = format!(
            r#"{{"x":{}1e999{},"text":"a"}}"#,
            "[".repeat(20_000),
            "]".repeat(20_000)
        );
        let block: Block = serde_json::from_str(&deep).unwrap();
        assert_eq!(block.text.as_deref(), Some("a"));
    }

    #[test]
    fn lenient_fields_take_any_value() {
        object! { pub struct Probe { time: Lenient = "time", origin: Kind = "origin", } }
        for (json, time, origin) in [
            (r#"{"time":5,"origin":"x"}"#, None, None),
            (
                r#"{"time":[1,{}],"origin":{"a":1,"kind":"human"}}"#,
                None,
                Some("human"),
            ),
            (r#"{"time":"t","origin":null}"#, Some("t"), None),
        ] {
            let probe: Probe = serde_json::from_str(json).unwrap();
            assert_eq!(probe.time.and_then(|t| t.0).as_deref(), time, "{json}");
            assert_eq!(probe.origin.and_then(|o| o.0).as_deref(), origin, "{json}");
        }
    }
}
