//! The log of a process: one record, one line, wherever it goes.
//!
//! In: `tracing` events with their fields. We use no spans.
//! Out: journal records with fields under systemd; text or JSON lines on
//! standard error elsewhere.
//!
//! Promises
//! - a record's message reads alone; its fields are to search by
//! - a record on standard error is one line, written at once: line breaks,
//!   escape sequences and invisible characters are shown, never executed
//! - in the journal, text cannot pose as another field: every value has its
//!   length before it, and a field's name begins with `HEADSPACE_`
//!
//! Not promised
//! - The journal's socket blocks. A journal that hangs, instead of being away,
//!   hangs the thread that logs, even here at the start; the watchdog is the last resort.
//!   So a record for each event is at debug, and ordinary running logs little.
//! - What a journal that is away does not take is lost, and not counted.
//! - The journal keeps text as it was; `journalctl` decides how it shows.
//!
//! Not here: what is logged. Transcript text stays at debug and below.

mod lines;
mod visible;

pub use visible::{is_hidden, visible};

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use lines::{Clock, Json, TextLine};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, reload};

/// Where records go and how they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The journal's own protocol, with fields.
    Journald,
    /// One JSON object a line on standard error.
    Json,
    /// A line of text on standard error.
    TextLine { colour: bool },
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("logging is already set up")]
    Twice,
    #[error("logging is not set up yet")]
    NotSetUp,
}

static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging for the whole process. `identifier` is the name that
/// `journalctl -t` knows it by: `headspace` or `headspace-watcher`.
pub fn init(identifier: &str, level: Level, format: Format) -> Result<(), Error> {
    let (filter, handle) = reload::Layer::new(filter(level));
    let (output, unreachable) = output(format, || journal(identifier), io::stderr);
    let subscriber = Registry::default().with(filter).with(output);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Twice)?;
    LEVEL.set(handle).map_err(|_| Error::Twice)?;
    if let Some(error) = unreachable {
        tracing::warn!(%error, "the journal cannot be reached ({error}); logging to standard error");
    }
    Ok(())
}

/// Changes the level of the running process.
pub fn set_level(level: Level) -> Result<(), Error> {
    let handle = LEVEL.get().ok_or(Error::NotSetUp)?;
    handle.reload(filter(level)).map_err(|_| Error::NotSetUp)
}

/// Whether [`init`] has been called: before that, nothing is logged.
pub fn is_set_up() -> bool {
    LEVEL.get().is_some()
}

impl Format {
    /// The journal if systemd has connected standard error to it, else text.
    pub fn detect() -> Format {
        let stream = std::env::var_os("JOURNAL_STREAM");
        let stderr = rustix::fs::fstat(io::stderr()).ok();
        let is_journal = stderr.is_some_and(|stderr| {
            let ours = format!("{}:{}", stderr.st_dev, stderr.st_ino);
            stream.is_some_and(|stream| stream == ours.as_str())
        });
        match is_journal {
            true => Format::Journald,
            false => Format::text(),
        }
    }

    /// In colour on a terminal, unless `NO_COLOR` forbids it.
    pub fn text() -> Format {
        let is_forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Format::TextLine {
            colour: io::stderr().is_terminal() && !is_forbidden,
        }
    }
}

/// Our own records from `level` on; of other crates only what is wrong.
fn filter(ours: Level) -> Targets {
    let others = LevelFilter::from_level(ours).min(LevelFilter::WARN);
    Targets::new()
        .with_default(others)
        .with_target("headspace", ours)
        // Its query log repeats statements; slow ones would come at WARN.
        .with_target("sqlx::query", LevelFilter::OFF)
        .with_target("sqlx::postgres::notice", others)
}

type Output<S> = Box<dyn Layer<S> + Send + Sync>;

/// Text lines replace a journal that cannot be reached, and the error says why.
fn output<S, W>(
    format: Format,
    journal: impl FnOnce() -> io::Result<tracing_journald::Layer>,
    stderr: W,
) -> (Output<S>, Option<io::Error>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(stderr);
    match format {
        Format::Json => {
            let json = lines.json().flatten_event(true).with_timer(Clock);
            (json.map_event_format(Json).boxed(), None)
        }
        Format::TextLine { colour } => (lines.event_format(TextLine { colour }).boxed(), None),
        Format::Journald => match journal() {
            Ok(journal) => (journal.boxed(), None),
            Err(error) => (
                lines.event_format(TextLine { colour: false }).boxed(),
                Some(error),
            ),
        },
    }
}

/// `event_type` becomes `HEADSPACE_EVENT_TYPE`.
fn journal(identifier: &str) -> io::Result<tracing_journald::Layer> {
    Ok(tracing_journald::layer()?
        .with_syslog_identifier(identifier.into())
        .with_field_prefix(Some("HEADSPACE".into()))
        .with_priority_mappings(priorities()))
}

/// Syslog's 3, 4, 6, 7 and 7: the numbers that `journalctl -p` is asked by.
fn priorities() -> PriorityMappings {
    PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_level_is_chosen_and_other_crates_stay_quiet() {
        let info = filter(Level::INFO);
        assert!(info.would_enable("headspace::capture", &Level::INFO));
        assert!(!info.would_enable("headspace::capture", &Level::DEBUG));
        let trace = filter(Level::TRACE);
        assert!(trace.would_enable("headspace", &Level::TRACE));
        assert!(trace.would_enable("hyper::proto", &Level::WARN));
        assert!(!trace.would_enable("hyper::proto", &Level::INFO));
        assert!(!trace.would_enable("sqlx::postgres::notice", &Level::INFO));
        assert!(!trace.would_enable("sqlx::query", &Level::ERROR));
        let error = filter(Level::ERROR);
        assert!(!error.would_enable("hyper::proto", &Level::WARN));
    }

    #[test]
    fn without_a_journal_text_lines_replace_it_and_say_why() {
        let gone = || Err(io::Error::from(io::ErrorKind::NotFound));
        let (line, unreachable) = lines::tests::logged(Format::Journald, gone, || {
            tracing::info!(count = 3, "ready");
        });
        assert!(line.ends_with(" INFO telemetry: ready count=3\n"), "{line}");
        assert_eq!(unreachable.expect("why").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn each_level_has_its_priority() {
        let all = priorities();
        let all = [all.error, all.warn, all.info, all.debug, all.trace];
        assert_eq!(all.map(|priority| priority as u8), *b"34677");
    }

    /// The only test that sets the process's logger.
    #[test]
    fn the_level_can_be_changed_while_running() {
        assert_eq!(set_level(Level::INFO), Err(Error::NotSetUp));
        init(
            "headspace",
            Level::ERROR,
            Format::TextLine { colour: false },
        )
        .expect("first");
        assert!(!tracing::enabled!(Level::WARN));
        set_level(Level::WARN).expect("changed");
        assert!(tracing::enabled!(Level::WARN));
        let again = init("headspace", Level::ERROR, Format::Json);
        assert_eq!(again, Err(Error::Twice));
        set_level(Level::ERROR).expect("changed");
    }
}
