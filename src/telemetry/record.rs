//! From a `tracing` event to a record, the same for every sink.

use std::error::Error;
use std::fmt::{self, Write};

use jiff::Timestamp;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// One thing that was logged.
pub(super) struct Record {
    pub at: Timestamp,
    pub level: Level,
    /// The module that logged it.
    pub target: &'static str,
    pub message: String,
    /// Outer spans first, the event's own fields last.
    pub fields: Fields,
}

pub(super) type Fields = Vec<(&'static str, Value)>;

/// Takes records in. It may lose one; it may not fail or wait for long.
pub(super) trait Sink: Send + Sync {
    fn take(&self, record: &Record);
}

/// The subscriber's layer that makes records and hands them to its sink.
pub(super) struct Recorder<S> {
    sink: S,
}

impl<S: Sink> Recorder<S> {
    pub(super) fn new(sink: S) -> Recorder<S> {
        Recorder { sink }
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn take(&self, record: &Record) {
        (**self).take(record);
    }
}

impl<R, S> Layer<R> for Recorder<S>
where
    R: Subscriber + for<'a> LookupSpan<'a>,
    S: Sink + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, R>) {
        let mut gathered = Gathered::default();
        attributes.record(&mut gathered);
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(gathered);
        }
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, R>) {
        if let Some(span) = context.span(id)
            && let Some(gathered) = span.extensions_mut().get_mut::<Gathered>()
        {
            values.record(gathered);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, R>) {
        let mut gathered = Gathered::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|s| s.from_root())
        {
            if let Some(outer) = span.extensions().get::<Gathered>() {
                gathered.fields.extend(outer.fields.iter().cloned());
            }
        }
        event.record(&mut gathered);
        self.sink.take(&Record {
            at: Timestamp::now(),
            level: *event.metadata().level(),
            target: event.metadata().target(),
            message: gathered.message,
            fields: gathered.fields,
        });
    }
}

#[derive(Default)]
struct Gathered {
    message: String,
    fields: Fields,
}

/// No value needs more, and a record has to fit into one datagram.
const MAX_VALUE_BYTES: usize = 8192;

impl Gathered {
    /// A field said again, nearer to the event, replaces the outer one.
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.fields.push((name, value)),
        }
    }

    fn put_text(&mut self, field: &Field, text: String) {
        let text = bounded(text);
        match field.name() {
            "message" => self.message = text,
            _ => self.put(field, Value::from(text)),
        }
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_VALUE_BYTES {
        text.truncate(text.floor_char_boundary(MAX_VALUE_BYTES));
        text.push('…');
    }
    text
}

impl Visit for Gathered {
    fn record_str(&mut self, field: &Field, value: &str) {
        let end = value.floor_char_boundary(MAX_VALUE_BYTES + 1);
        self.put_text(field, value[..end].to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    /// An error with its causes. A cause that the message already tells is not told twice.
    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let told = error.to_string();
            if !text.contains(&told) {
                let _ = write!(text, ": {told}");
            }
            cause = error.source();
        }
        self.put_text(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, format!("{value:?}"));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    type Kept = Arc<Mutex<Vec<(String, Fields)>>>;

    impl Sink for Kept {
        fn take(&self, record: &Record) {
            let kept = (record.message.clone(), record.fields.clone());
            self.lock().expect("lock").push(kept);
        }
    }

    fn logged(log: impl FnOnce()) -> Vec<(String, Fields)> {
        let kept = Kept::default();
        with_sink(kept.clone(), log);
        kept.lock().expect("lock").clone()
    }

    pub(in super::super) fn with_sink(sink: impl Sink + 'static, log: impl FnOnce()) {
        let subscriber = tracing_subscriber::registry().with(Recorder::new(sink));
        tracing::subscriber::with_default(subscriber, log);
    }

    #[test]
    fn fields_keep_their_types_and_spans_add_theirs() {
        let records = logged(|| {
            let outer = tracing::info_span!("file", transcript = "a.jsonl", count = 1);
            let _outer = outer.enter();
            outer.record("count", 2);
            let _inner = tracing::info_span!("line", offset = 7_u64).entered();
            tracing::info!(done = true, offset = 8_u64, "appended {} events", 12);
        });
        let expected: Fields = vec![
            ("transcript", "a.jsonl".into()),
            ("count", 2.into()),
            ("offset", 8.into()),
            ("done", true.into()),
        ];
        assert_eq!(records, [("appended 12 events".to_string(), expected)]);
    }

    #[test]
    fn an_error_tells_its_causes_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {middle}")]
        struct Outer {
            #[source]
            middle: Middle,
        }
        #[derive(Debug, thiserror::Error)]
        #[error("middle")]
        struct Middle(#[source] std::io::Error);

        let middle = Middle(std::io::Error::other("inner"));
        let error = Outer { middle };
        let records = logged(|| tracing::warn!(error = &error as &dyn Error, "failed"));
        assert_eq!(records[0].1, [("error", "outer: middle: inner".into())]);
    }

    #[test]
    fn a_value_is_bounded() {
        let long = "ü".repeat(MAX_VALUE_BYTES);
        let records = logged(|| tracing::info!(text = long, other = ?long, "{long}"));
        let (message, fields) = &records[0];
        let lengths = fields
            .iter()
            .map(|(_, value)| value.as_str().map_or(0, str::len));
        for length in lengths.chain([message.len()]) {
            assert!(length <= MAX_VALUE_BYTES + '…'.len_utf8(), "{length}");
            assert!(length >= MAX_VALUE_BYTES - 2, "{length}");
        }
    }
}
