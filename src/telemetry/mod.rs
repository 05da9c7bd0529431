//! The log of a process: one record, one line, wherever it goes.
//!
//! In: `tracing` events and the fields of the spans around them.
//! Out: journal records with fields under systemd; plain or JSON lines on
//! standard error elsewhere.
//!
//! Promises
//! - a record is one line: line breaks, escape sequences and invisible
//!   characters in messages and values are shown, never obeyed
//! - a journal that hangs cannot hang the process; what it did not take is
//!   counted and told once it listens again
//!
//! Not here: what is logged. Transcript text stays at debug and below.

mod journal;
mod lines;
mod record;
mod visible;

pub use visible::visible;

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, reload};

use journal::Journal;
use record::Recorder;

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
    let (sink, unreachable) = sink(identifier, format);
    let subscriber = Registry::default().with(filter).with(Recorder::new(sink));
    // Not `try_init`: that would also take in the `log` records of other crates.
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Twice)?;
    LEVEL.set(handle).map_err(|_| Error::Twice)?;
    if let Some(error) = unreachable {
        tracing::warn!(%error, "the journal cannot be reached; logging to standard error");
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

/// Our own records from `level` on; of other crates only what is wrong.
fn filter(level: &str) -> Result<Targets, Error> {
    let ours = match level {
        "error" => Level::ERROR,
        "warn" => Level::WARN,
        "info" => Level::INFO,
        "debug" => Level::DEBUG,
        "trace" => Level::TRACE,
        other => return Err(Error::Level(other.into())),
    };
    let others = LevelFilter::from_level(ours).min(LevelFilter::WARN);
    Ok(Targets::new()
        .with_default(others)
        .with_target("headspace", ours)
        // Its query log repeats statements; slow ones would come at WARN.
        .with_target("sqlx::query", LevelFilter::OFF)
        .with_target("sqlx::postgres::notice", others))
}

type Sink = Box<dyn record::Sink>;

fn sink(identifier: &str, format: Format) -> (Sink, Option<io::Error>) {
    match format {
        Format::Json => (Box::new(lines::Stderr::json()), None),
        Format::Plain { colour } => (Box::new(lines::Stderr::plain(colour)), None),
        Format::Journal => match Journal::connect(journal::SOCKET, identifier) {
            Ok(journal) => (Box::new(journal), None),
            Err(error) => (Box::new(lines::Stderr::plain(false)), Some(error)),
        },
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
