//! Records to the systemd journal, by its native protocol.
//!
//! A field goes out as `HEADSPACE_<NAME>`, so it cannot pose as one of the
//! journal's own (`PRIORITY`, `MESSAGE_ID`, …).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tracing::Level;

use super::record::{Record, Sink};
use super::visible::visible;

pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// How long one record may wait for a busy journal. A journal that took longer
/// hangs: until it takes a record again, none waits at all.
const PATIENCE: Duration = Duration::from_millis(100);

/// Stays below the send buffer that every Linux gives a socket.
const MAX_RECORD_BYTES: usize = 128 * 1024;

pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
    identifier: String,
    /// Records the journal did not take since it last took one.
    lost: AtomicU64,
}

impl Journal {
    pub(super) fn connect(path: impl AsRef<Path>, identifier: &str) -> io::Result<Journal> {
        let path = path.as_ref().to_path_buf();
        // Only to learn whether somebody listens. Records go to the path: a
        // connection would stay with the old socket when the journal's is made anew.
        UnixDatagram::unbound()?.connect(&path)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Journal {
            socket,
            path,
            identifier: identifier.to_string(),
            lost: AtomicU64::new(0),
        })
    }

    fn send(&self, datagram: &[u8]) {
        let was_lost = self.lost.load(Ordering::Relaxed);
        match self.socket.send_to(datagram, &self.path) {
            Ok(_) if was_lost > 0 => {
                let _ = self.socket.set_nonblocking(false);
                self.tell_lost(self.lost.swap(0, Ordering::Relaxed));
            }
            Ok(_) => {}
            Err(_) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                let _ = self.socket.set_nonblocking(true);
            }
        }
    }

    fn tell_lost(&self, lost: u64) {
        let mut told = self.head(Level::WARN);
        put(
            &mut told,
            "MESSAGE",
            &format!("the journal did not take {lost} records"),
        );
        put(&mut told, "HEADSPACE_LOST", &lost.to_string());
        let _ = self.socket.send_to(&told, &self.path);
    }

    fn head(&self, level: Level) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(512);
        put(&mut datagram, "PRIORITY", priority(level));
        put(&mut datagram, "SYSLOG_IDENTIFIER", &self.identifier);
        datagram
    }

    fn datagram(&self, record: &Record) -> Vec<u8> {
        let mut datagram = self.head(record.level);
        put(&mut datagram, "TARGET", record.target);
        put(&mut datagram, "MESSAGE", &record.message);
        for (name, value) in &record.fields {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if datagram.len() + name.len() + text.len() > MAX_RECORD_BYTES {
                break;
            }
            put(&mut datagram, &field_name(name), &text);
        }
        datagram
    }
}

impl Sink for Journal {
    fn take(&self, record: &Record) {
        self.send(&self.datagram(record));
    }
}

/// A value is one line once its hidden characters are written out, so the short
/// form `NAME=value` always holds.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend_from_slice(name.as_bytes());
    datagram.push(b'=');
    datagram.extend_from_slice(visible(value).as_bytes());
    datagram.push(b'\n');
}

/// The journal drops a record's field whose name has other characters or more than 64 of them.
fn field_name(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let own = upper.strip_prefix("HEADSPACE_").unwrap_or(&upper);
    let tame = own
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    "HEADSPACE_".chars().chain(tame).take(64).collect()
}

/// Syslog's numbers.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::with_sink;
    use super::*;
    use std::time::Instant;

    struct Listening {
        socket: UnixDatagram,
        path: std::path::PathBuf,
        _folder: tempfile::TempDir,
    }

    fn listening() -> Listening {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("socket");
        let socket = UnixDatagram::bind(&path).expect("bound");
        socket.set_nonblocking(true).expect("set");
        Listening {
            socket,
            path,
            _folder: folder,
        }
    }

    impl Listening {
        fn journal(&self) -> Journal {
            Journal::connect(&self.path, "headspace-watcher").expect("connected")
        }

        fn next(&self) -> Option<String> {
            let mut buffer = vec![0; 256 * 1024];
            let length = self.socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..length].to_vec()).expect("text"))
        }
    }

    #[test]
    fn a_record_arrives_with_its_fields() {
        let at = listening();
        with_sink(at.journal(), || {
            tracing::info!(
                event_type = "turn_detected",
                headspace_session = "s",
                n = 3,
                "stored"
            );
        });
        let target = module_path!();
        assert_eq!(
            at.next().expect("record"),
            format!(
                "PRIORITY=6\nSYSLOG_IDENTIFIER=headspace-watcher\nTARGET={target}\n\
                 MESSAGE=stored\nHEADSPACE_EVENT_TYPE=turn_detected\n\
                 HEADSPACE_SESSION=s\nHEADSPACE_N=3\n"
            )
        );
    }

    #[test]
    fn each_level_has_its_priority() {
        let at = listening();
        with_sink(at.journal(), || {
            tracing::error!("e");
            tracing::warn!("w");
            tracing::debug!("d");
            tracing::trace!("t");
        });
        for expected in ["3", "4", "7", "7"] {
            let record = at.next().expect("record");
            assert_eq!(
                record.lines().next(),
                Some(&*format!("PRIORITY={expected}"))
            );
        }
    }

    #[test]
    fn text_cannot_add_a_field() {
        let at = listening();
        let hostile = "x\nMESSAGE=forged\nPRIORITY=0";
        with_sink(at.journal(), || tracing::warn!(why = hostile, "{hostile}"));
        let record = at.next().expect("record");
        let names: Vec<&str> = record.lines().filter_map(|l| l.split('=').next()).collect();
        let expected = [
            "PRIORITY",
            "SYSLOG_IDENTIFIER",
            "TARGET",
            "MESSAGE",
            "HEADSPACE_WHY",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_field_name_is_one_the_journal_takes() {
        assert_eq!(field_name("a.b-c"), "HEADSPACE_A_B_C");
        assert_eq!(field_name(&"x".repeat(99)).len(), 64);
    }

    #[test]
    fn a_hanging_journal_does_not_hang_the_process() {
        let at = listening();
        let journal = at.journal();
        let started = Instant::now();
        with_sink(journal, || {
            // Far more than the queue of a socket holds.
            for number in 0..5000 {
                tracing::info!(number, "unread");
            }
            let waited = started.elapsed();
            assert!(waited < Duration::from_secs(5), "{waited:?}");
            let mut taken = 0;
            while at.next().is_some() {
                taken += 1;
            }
            assert!(
                taken < 5000,
                "the queue held everything; nothing was tested"
            );
            tracing::info!("heard again");
            assert!(at.next().expect("record").contains("MESSAGE=heard again\n"));
            let told = at.next().expect("the loss is told");
            assert!(
                told.contains(&format!("HEADSPACE_LOST={}\n", 5000 - taken)),
                "{told}"
            );
        });
    }

    #[test]
    fn many_large_fields_still_make_one_datagram() {
        let at = listening();
        let large = "x".repeat(8000);
        let fields = (0..30).map(|_| ("field", Value::from(large.as_str())));
        let record = Record {
            at: jiff::Timestamp::UNIX_EPOCH,
            level: Level::INFO,
            target: "headspace",
            message: "large".into(),
            fields: fields.collect(),
        };
        at.journal().take(&record);
        let arrived = at.next().expect("arrived");
        assert!(arrived.len() > 100_000 && arrived.contains("MESSAGE=large\n"));
    }

    #[test]
    fn a_journal_whose_socket_is_made_anew_is_found_again() {
        let at = listening();
        let journal = at.journal();
        std::fs::remove_file(&at.path).expect("removed");
        with_sink(journal, || {
            tracing::info!("into nowhere");
            let socket = UnixDatagram::bind(&at.path).expect("bound anew");
            tracing::info!("found again");
            let mut buffer = [0; 4096];
            let length = socket.recv(&mut buffer).expect("record");
            let record = String::from_utf8_lossy(&buffer[..length]);
            assert!(record.contains("MESSAGE=found again\n"), "{record}");
        });
    }

    #[test]
    fn without_a_journal_there_is_an_error() {
        assert!(Journal::connect("/nonexistent/socket", "headspace").is_err());
    }
}
