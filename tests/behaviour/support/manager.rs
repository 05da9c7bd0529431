//! The end of the notification socket at which a service manager listens.

use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    time::{Duration, Instant},
};

use super::headspace::PATIENCE;

pub struct Manager(UnixDatagram);

impl Manager {
    /// Listens at `notify` in the folder.
    pub fn listen(folder: &Path) -> Manager {
        Manager(UnixDatagram::bind(folder.join("notify")).expect("a socket"))
    }

    /// The next message with this in it; earlier ones are passed over.
    pub fn wait_for(&self, wanted: &str) -> String {
        let (deadline, mut heard) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = (!left.is_zero()).then(|| self.next(left)).flatten();
            let Some(message) = message else {
                panic!("{wanted} never came, but {heard:?}");
            };
            if message.contains(wanted) {
                return message;
            }
            heard.push(message);
        }
    }

    /// Whether anything comes within that time.
    pub fn hears(&self, time: Duration) -> bool {
        self.next(time).is_some()
    }

    fn next(&self, time: Duration) -> Option<String> {
        let mut message = [0; 4096];
        self.0.set_read_timeout(Some(time)).expect("a limit");
        let length = self.0.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).into_owned())
    }
}
