//! How much is read of a record: what events need, or what evidence needs too.
//!
//! A field of type `D::Of<T>` is read as `T` with [`Full`]. With [`Plain`] it is
//! passed over as an unknown field is: nothing is kept or allocated, and the line
//! is parsed once either way.

use std::fmt::{self, Debug};

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
    value::MapAccessDeserializer,
};

use super::json::object;

pub trait Detail: Debug + Sized + 'static {
    type Of<T: Value>: Value;
}

/// What a field can be read as.
pub trait Value: DeserializeOwned + Debug {}
impl<T: DeserializeOwned + Debug> Value for T {}

/// What events need, and nothing else.
#[derive(Debug)]
pub struct Plain;

/// Everything that is evidence as well.
#[derive(Debug)]
pub struct Full;

impl Detail for Plain {
    type Of<T: Value> = Skipped;
}

impl Detail for Full {
    type Of<T: Value> = T;
}

/// Any value, not kept.
#[derive(Debug)]
pub struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<I: Deserializer<'de>>(input: I) -> Result<Skipped, I::Error> {
        IgnoredAny::deserialize(input).map(|IgnoredAny| Skipped)
    }
}

/// A value without parts; evidence of the wrong type is none, and no error.
#[derive(Debug, PartialEq)]
pub enum Scalar {
    Text(String),
    Number(u64),
    Flag(bool),
    Other,
}

impl Scalar {
    pub fn text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn number(&self) -> Option<u64> {
        match self {
            Scalar::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// An object, or nothing if the value is anything else.
#[derive(Debug)]
pub struct Maybe<T>(pub Option<T>);

/// The beginning of a text, or of the first text or question in a list.
#[derive(Debug)]
pub struct TextHead(pub Option<String>);

impl TextHead {
    pub const MAX_CHARS: usize = 200;

    pub fn of(text: &str) -> TextHead {
        let end = text.char_indices().nth(TextHead::MAX_CHARS);
        TextHead(Some(
            text[..end.map_or(text.len(), |(at, _)| at)].to_owned(),
        ))
    }
}

object! {
    pub struct Piece {
        text: Scalar = "text",
        question: Scalar = "question",
        options: Options = "options",
    }
}

object! {
    pub struct Choice {
        label: Scalar = "label",
    }
}

/// The answers that a question offers.
#[derive(Debug)]
pub struct Options(pub Vec<String>);

impl Piece {
    /// The text, or the question with the answers it offers.
    fn words(&self) -> Option<String> {
        let text = self.text.as_ref().or(self.question.as_ref())?.text()?;
        Some(match &self.options {
            Some(Options(labels)) if !labels.is_empty() => {
                format!("{text} ({})", labels.join(" / "))
            }
            _ => text.to_owned(),
        })
    }
}

object! {
    /// What says most about a tool's call, by the names that tools use.
    pub struct Arguments {
        command: TextHead = "command",
        file_path: TextHead = "file_path",
        notebook_path: TextHead = "notebook_path",
        pattern: TextHead = "pattern",
        path: TextHead = "path",
        url: TextHead = "url",
        query: TextHead = "query",
        questions: TextHead = "questions",
        plan: TextHead = "plan",
        skill: TextHead = "skill",
        description: TextHead = "description",
        prompt: TextHead = "prompt",
        todos: TodoList = "todos",
    }
}

object! {
    /// What a tool gave back, as far as it is about what is to do, or a subagent.
    pub struct TaskResult {
        agent_id: Scalar = "agentId",
        prompt: TextHead = "prompt",
        task: Maybe<Task> = "task",
        task_id: Scalar = "taskId",
        status_change: Maybe<StatusChange> = "statusChange",
    }
}

object! {
    pub struct Task {
        id: Scalar = "id",
        subject: TextHead = "subject",
    }
}

object! {
    pub struct StatusChange {
        to: Scalar = "to",
    }
}

object! {
    pub struct ListedTodo {
        content: TextHead = "content",
        status: Scalar = "status",
    }
}

/// The first entries of a list of what is to do; nothing if it is no list.
#[derive(Debug)]
pub struct TodoList(pub Option<Vec<ListedTodo>>);

impl TodoList {
    pub const MAX_ENTRIES: usize = 200;
}

impl Arguments {
    /// The one that says most.
    pub fn first(&self) -> Option<&str> {
        let all = [
            &self.command,
            &self.file_path,
            &self.notebook_path,
            &self.pattern,
            &self.path,
            &self.url,
            &self.query,
            &self.questions,
            &self.plan,
            &self.skill,
            &self.description,
            &self.prompt,
        ];
        all.into_iter().flatten().find_map(|head| head.0.as_deref())
    }
}

/// What kind of error it was: a word, or an object that says so.
#[derive(Debug)]
pub struct ErrorType(pub Option<String>);

object! {
    pub struct ErrorBody {
        kind: Scalar = "type",
    }
}

/// Implements reading for a type that takes some shapes of a value; what is not
/// among them becomes `$other`.
macro_rules! any_value {
    ([$($generics:tt)*] $type:ty, $other:expr, { $($visit:tt)* }) => {
        impl<'de, $($generics)*> Deserialize<'de> for $type {
            fn deserialize<I: Deserializer<'de>>(input: I) -> Result<Self, I::Error> {
                input.deserialize_any(Any::<$type>(std::marker::PhantomData))
            }
        }

        impl<'de, $($generics)*> Visitor<'de> for Any<$type> {
            type Value = $type;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<$type, E> { Ok($other) }
            fn visit_unit<E: Error>(self) -> Result<$type, E> { Ok($other) }
            $($visit)*
        }
    };
    ([$($generics:tt)*] $type:ty, no scalar but text, $other:expr, { $($visit:tt)* }) => {
        any_value!([$($generics)*] $type, $other, {
            fn visit_bool<E: Error>(self, _: bool) -> Result<$type, E> { Ok($other) }
            fn visit_u64<E: Error>(self, _: u64) -> Result<$type, E> { Ok($other) }
            fn visit_f64<E: Error>(self, _: f64) -> Result<$type, E> { Ok($other) }
            $($visit)*
        });
    };
}

struct Any<T>(std::marker::PhantomData<T>);

any_value!([] Scalar, Scalar::Other, {
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar, E> { Ok(Scalar::Flag(flag)) }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> { Ok(Scalar::Number(number)) }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Scalar, E> { Ok(Scalar::Other) }
    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> { Ok(Scalar::Text(text.to_owned())) }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Scalar, A::Error> {
        skip_list(list)?;
        Ok(Scalar::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
        skip_object(map)?;
        Ok(Scalar::Other)
    }
});

any_value!([T: DeserializeOwned] Maybe<T>, no scalar but text, Maybe(None), {
    fn visit_str<E: Error>(self, _: &str) -> Result<Maybe<T>, E> { Ok(Maybe(None)) }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Maybe<T>, A::Error> {
        skip_list(list)?;
        Ok(Maybe(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Maybe<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|object| Maybe(Some(object)))
    }
});

any_value!([] TextHead, no scalar but text, TextHead(None), {
    fn visit_str<E: Error>(self, text: &str) -> Result<TextHead, E> { Ok(TextHead::of(text)) }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TextHead, A::Error> {
        let mut first = None;
        while let Some(Maybe(piece)) = list.next_element::<Maybe<Piece>>()? {
            first = first.or_else(|| TextHead::of(&piece?.words()?).0);
        }
        Ok(TextHead(first))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextHead, A::Error> {
        skip_object(map)?;
        Ok(TextHead(None))
    }
});

any_value!([] Options, no scalar but text, Options(Vec::new()), {
    fn visit_str<E: Error>(self, _: &str) -> Result<Options, E> { Ok(Options(Vec::new())) }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Options, A::Error> {
        let mut labels = Vec::new();
        while let Some(Maybe(choice)) = list.next_element::<Maybe<Choice>>()? {
            let label = choice.and_then(|choice| choice.label);
            labels.extend(label.as_ref().and_then(Scalar::text).map(str::to_owned));
        }
        Ok(Options(labels))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Options, A::Error> {
        skip_object(map)?;
        Ok(Options(Vec::new()))
    }
});

any_value!([] TodoList, no scalar but text, TodoList(None), {
    fn visit_str<E: Error>(self, _: &str) -> Result<TodoList, E> { Ok(TodoList(None)) }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TodoList, A::Error> {
        let mut todos = Vec::new();
        while let Some(Maybe(todo)) = list.next_element::<Maybe<ListedTodo>>()? {
            todos.extend(todo.filter(|_| todos.len() < TodoList::MAX_ENTRIES));
        }
        Ok(TodoList(Some(todos)))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TodoList, A::Error> {
        skip_object(map)?;
        Ok(TodoList(None))
    }
});

any_value!([] ErrorType, no scalar but text, ErrorType(None), {
    fn visit_str<E: Error>(self, text: &str) -> Result<ErrorType, E> { Ok(ErrorType(Some(text.to_owned()))) }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<ErrorType, A::Error> {
        skip_list(list)?;
        Ok(ErrorType(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ErrorType, A::Error> {
        let body = ErrorBody::deserialize(MapAccessDeserializer::new(map))?;
        Ok(ErrorType(body.kind.as_ref().and_then(Scalar::text).map(str::to_owned)))
    }
});

fn skip_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}
