//! Other processes, as the kernel knows them; and what those of the CLI say of themselves
//! ([`entry`]).
//!
//! In: a pid.
//! Out: its parent, name, start and terminal; word when it ends. And a child that takes
//! what it started along ([`Group`]).
//!
//! Promises
//! - a pid that came again is another process: its start tells them apart
//! - waiting for an end costs nothing until it comes
//! - a process that is hidden from us is not taken for one that is over
//!
//! Not here: our own process (`supervise`).

mod ended;
pub mod entry;
mod group;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod system;

pub use ended::ended;
pub use entry::Entry;
pub use group::Group;
pub use system::{booted, is_hidden, is_of_this_machine, of};

/// A process that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub parent: u32,
    pub name: String,
    /// When it began, as the kernel counts it.
    pub started: String,
    pub tty: Option<String>,
}

impl Process {
    /// Whether it began then, if that is known.
    pub fn began(&self, started: Option<&str>) -> bool {
        started.is_none_or(|started| started == self.started)
    }
}

/// Whether the process that has this pid, and began then if that is known, lives.
pub fn lives(pid: u32, started: Option<&str>) -> bool {
    of(pid).is_some_and(|process| process.began(started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_lives_and_one_with_another_start_does_not() {
        let own = of(std::process::id()).unwrap();
        assert_eq!(own.pid, std::process::id());
        assert!(lives(own.pid, Some(&own.started)) && lives(own.pid, None));
        assert!(!lives(own.pid, Some("1")));
        assert!(!lives(u32::MAX, None));
        assert!(!is_hidden(own.pid) && !is_hidden(u32::MAX));
    }

    #[tokio::test]
    async fn an_end_is_noticed_and_a_process_that_is_gone_has_ended() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let started = of(child.id()).unwrap().started;
        let mut end = Box::pin(ended(child.id(), Some(started.clone())));
        assert!(futures_util::poll!(&mut end).is_pending());
        drop(child.stdin.take());
        end.await;
        child.wait().unwrap();
        ended(child.id(), Some(started)).await;
    }
}
