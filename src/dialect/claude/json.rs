//! JSON as it comes, not as it should be.
//!
//! Records are read field by field straight into the few fields we know:
//! everything else, however deep or large, is passed over without being kept.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use super::detail::{Arguments, Detail, Maybe, Scalar, TextHead};

/// Declares an object of optional fields. Unknown fields are ignored, `null`
/// is absence, and of a repeated field the last one counts, as in JavaScript.
macro_rules! object {
    ($(#[$doc:meta])* pub struct $name:ident $(<$d:ident: $bound:ident>)? {
        $($field:ident: $type:ty = $key:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name $(<$d: $bound>)? { $(pub $field: Option<$type>,)+ }

        impl $(<$d: $bound>)? Default for $name $(<$d>)? {
            fn default() -> Self {
                $name { $($field: None,)+ }
            }
        }

        impl<'de $(, $d: $bound)?> serde::Deserialize<'de> for $name $(<$d>)? {
            fn deserialize<I: serde::Deserializer<'de>>(input: I) -> Result<Self, I::Error> {
                struct Fields $(<$d>)? (std::marker::PhantomData<($($d,)?)>);
                impl<'de $(, $d: $bound)?> serde::de::Visitor<'de> for Fields $(<$d>)? {
                    type Value = $name $(<$d>)?;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut object = Self::Value::default();
                        while let Some(key) = map.next_key::<$crate::dialect::claude::json::Key<'de>>()? {
                            match &*key.0 {
                                $($key => object.$field = map.next_value()?,)+
                                _ => { map.next_value::<serde::de::IgnoredAny>()?; }
                            }
                        }
                        Ok(object)
                    }
                }
                input.deserialize_map(Fields(std::marker::PhantomData))
            }
        }
    };
}
pub(super) use object;

/// A field's name, borrowed from the line where that is possible.
pub struct Key<'de>(pub Cow<'de, str>);

/// What a message says: one text, or blocks of which some have text.
#[derive(Debug)]
pub enum Content<D: Detail> {
    Text(String),
    Blocks(Vec<Block<D>>),
}

object! {
    /// A part of a message.
    pub struct Block<D: Detail> {
        kind: String = "type",
        text: String = "text",
        id: D::Of<Scalar> = "id",
        name: D::Of<Scalar> = "name",
        input: D::Of<Maybe<Arguments>> = "input",
        tool_use_id: D::Of<Scalar> = "tool_use_id",
        is_error: D::Of<Scalar> = "is_error",
        content: D::Of<TextHead> = "content",
    }
}

/// A text, or nothing if the value is anything else: for fields that cost less
/// when they are missing than the whole record would.
#[derive(Debug)]
pub struct Lenient(pub Option<String>);

/// An object's field `kind`; nothing if the value is anything else.
#[derive(Debug)]
pub struct Kind(pub Option<String>);

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

impl<'de, D: Detail> Deserialize<'de> for Content<D> {
    fn deserialize<I: Deserializer<'de>>(input: I) -> Result<Self, I::Error> {
        struct Either<D>(PhantomData<D>);
        impl<'de, D: Detail> Visitor<'de> for Either<D> {
            type Value = Content<D>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of blocks")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Content<D>, E> {
                Ok(Content::Text(text.to_owned()))
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Content<D>, E> {
                Ok(Content::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content<D>, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = list.next_element::<Block<D>>()? {
                    blocks.push(block);
                }
                Ok(Content::Blocks(blocks))
            }
        }
        input.deserialize_any(Either(PhantomData))
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

#[cfg(test)]
mod tests {
    use super::{super::detail::Plain, *};

    #[test]
    fn the_last_of_repeated_fields_counts() {
        let block: Block<Plain> =
            serde_json::from_str(r#"{"text":"a","type":"t","text":"b"}"#).unwrap();
        assert_eq!(block.text.as_deref(), Some("b"));
    }

    #[test]
    fn depth_and_size_of_what_is_ignored_do_not_matter() {
        let deep = format!(
            r#"{{"x":{}1e999{},"text":"a"}}"#,
            "[".repeat(20_000),
            "]".repeat(20_000)
        );
        let block: Block<Plain> = serde_json::from_str(&deep).unwrap();
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
