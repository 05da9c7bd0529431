//! The log of a process: one record, one line, wherever it goes.
//!
//! In: `tracing` events with their fields. We use no spans.
//! Out: journal records with fields under systemd; plain or JSON lines on
//! standard error elsewhere.
//!
//! Promises
//! - a record's message reads alone; its fields are to search by
//! - a record on standard error is one line, written at once: line breaks,
//!   escape sequences and invisible characters are shown, never obeyed
//! - in the journal, text cannot pose as another field: every value has its
//!   length before it, and a field's name begins with `HEADSPACE_`
//!
//! Not promised
//! - The journal's socket blocks. A journal that hangs, instead of being away,
//!   hangs whoever logs, even here at the start; the watchdog is the last resort.
//!   So a record for each event is at debug, and ordinary running logs little.
//! - What a journal that is away does not take is lost, and nobody counts it.
//! - The journal keeps text as it was; `journalctl` decides how it shows.
//!
//! Not here: what is logged. Transcript text stays at debug and below.

mod lines;
mod visible;

pub use visible::visible;

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use lines::{Clock, Json, Plain};
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
    Journal,
    /// One JSON object a line on standard error.
    Json,
    /// Text for people on standard error.
    Plain { colour: bool },
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("HEADSPACE_LOG_FORMAT: expected plain, json or journal, got {0:?}")]
    Format(String),
    #[error("log level: expected error, warn, info, debug or trace, got {0:?}")]
    Level(String),
    #[error("logging is already set up")]
    Twice,
    #[error("logging is not set up yet")]
    NotSetUp,
}

static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging for the whole process. `identifier` is the name that
/// `journalctl -t` knows it by: `headspace` or `headspace-watcher`.
pub fn init(identifier: &str, level: &str, format: Format) -> Result<(), Error> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
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
pub fn set_level(level: &str) -> Result<(), Error> {
    let filter = filter(level)?;
    let handle = LEVEL.get().ok_or(Error::NotSetUp)?;
    handle.reload(filter).map_err(|_| Error::NotSetUp)
}

impl Format {
    /// `HEADSPACE_LOG_FORMAT` if it is set, the journal if systemd has connected
    /// standard error to it, else plain lines.
    pub fn detect() -> Result<Format, Error> {
        let variable = |name| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned());
        let stderr = rustix::fs::fstat(io::stderr()).ok();
        let in_journal = match (variable("JOURNAL_STREAM"), stderr) {
            (Some(stream), Some(stderr)) => {
                stream == format!("{}:{}", stderr.st_dev, stderr.st_ino)
            }
            _ => false,
        };
        let colour =
            io::stderr().is_terminal() && variable("NO_COLOR").is_none_or(|v| v.is_empty());
        Format::choose(variable("HEADSPACE_LOG_FORMAT"), in_journal, colour)
    }

    fn choose(wish: Option<String>, in_journal: bool, colour: bool) -> Result<Format, Error> {
        match wish.as_deref().unwrap_or_default() {
            "json" => Ok(Format::Json),
            "journal" => Ok(Format::Journal),
            "" if in_journal => Ok(Format::Journal),
            "" | "plain" => Ok(Format::Plain { colour }),
            other => Err(Error::Format(other.into())),
        }
    }
}

/// What a line on standard error begins with so that it is an error in the
/// journal too, also before [`init`].
pub fn error_prefix() -> &'static str {
    match Format::detect() {
        Ok(Format::Journal) => "<3>",
        _ => "",
    }
}

/// Our own records from `level` on; of other crates only what is wrong.
fn filter(level: &str) -> Result<Targets, Error> {
    let ours: Level = level.parse().map_err(|_| Error::Level(level.into()))?;
    let others = LevelFilter::from_level(ours).min(LevelFilter::WARN);
    Ok(Targets::new()
        .with_default(others)
        .with_target("headspace", ours)
        // Its query log repeats statements; slow ones would come at WARN.
        .with_target("sqlx::query", LevelFilter::OFF)
        .with_target("sqlx::postgres::notice", others))
}

type Output<S> = Box<dyn Layer<S> + Send + Sync>;

/// Plain lines stand in for a journal that cannot be reached, and the error says why.
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
        Format::Plain { colour } => (lines.event_format(Plain { colour }).boxed(), None),
        Format::Journal => match journal() {
            Ok(journal) => (journal.boxed(), None),
            Err(error) => (
                lines.event_format(Plain { colour: false }).boxed(),
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
    fn a_wish_wins_over_the_journal_and_the_journal_over_plain() {
        let choose = |wish: &str, in_journal| Format::choose(Some(wish.into()), in_journal, true);
        let plain = Format::Plain { colour: true };
        assert_eq!(Format::choose(None, false, true), Ok(plain));
        assert_eq!(Format::choose(None, true, true), Ok(Format::Journal));
        assert_eq!(choose("", true), Ok(Format::Journal));
        assert_eq!(choose("json", true), Ok(Format::Json));
        assert_eq!(choose("plain", true), Ok(plain));
        assert_eq!(choose("xml", true), Err(Error::Format("xml".into())));
    }

    #[test]
    fn our_level_is_chosen_and_other_crates_stay_quiet() {
        let info = filter("info").expect("level");
        assert!(info.would_enable("headspace::capture", &Level::INFO));
        assert!(!info.would_enable("headspace::capture", &Level::DEBUG));
        let trace = filter("trace").expect("level");
        assert!(trace.would_enable("headspace", &Level::TRACE));
        assert!(trace.would_enable("hyper::proto", &Level::WARN));
        assert!(!trace.would_enable("hyper::proto", &Level::INFO));
        assert!(!trace.would_enable("sqlx::postgres::notice", &Level::INFO));
        assert!(!trace.would_enable("sqlx::query", &Level::ERROR));
        let error = filter("error").expect("level");
        assert!(!error.would_enable("hyper::proto", &Level::WARN));
        assert!(matches!(filter("loud"), Err(Error::Level(_))));
    }

    #[test]
    fn without_a_journal_plain_lines_stand_in_and_say_why() {
        let gone = || Err(io::Error::from(io::ErrorKind::NotFound));
        let (line, unreachable) = lines::tests::logged(Format::Journal, gone, || {
            tracing::info!(count = 3, "ready");
        });
        assert!(line.ends_with(" INFO telemetry: ready count=3\n"), "{line}");
        assert_eq!(unreachable.expect("why").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn each_level_has_its_priority() {
        let told = priorities();
        let told = [told.error, told.warn, told.info, told.debug, told.trace];
        assert_eq!(told.map(|priority| priority as u8), *b"34677");
    }

    /// The only test that sets the process's logger.
    #[test]
    fn the_level_can_be_changed_while_running() {
        assert_eq!(set_level("info"), Err(Error::NotSetUp));
        init("headspace", "error", Format::Plain { colour: false }).expect("first");
        assert!(!tracing::enabled!(Level::WARN));
        set_level("warn").expect("changed");
        assert!(tracing::enabled!(Level::WARN));
        assert!(matches!(set_level("loud"), Err(Error::Level(_))));
        assert!(tracing::enabled!(Level::WARN));
        let again = init("headspace", "error", Format::Json);
        assert_eq!(again, Err(Error::Twice));
        set_level("error").expect("changed");
    }
}
