//! `headspace hook`: what the CLI's hooks call.
//!
//! The CLI waits for its hooks and shows their failures, so whatever happens
//! here, nothing is printed, the exit code is 0, and the process is gone within
//! [`LIMIT`]. All work is done by a child: a process that waits for a disk that
//! hangs cannot exit, but its parent can.

mod input;
pub mod origin;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::net::UnixDatagram,
    process::ExitCode,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    pipe::pipe,
};

use crate::{
    config,
    event::Timestamp,
    spool::{Body, Line, Spool},
};

pub const EXAMPLES: &str = "Examples:
  echo '{\"session_id\":\"s\",\"cwd\":\"/tmp\",\"hook_event_name\":\"Stop\"}' | headspace hook

Prints nothing and exits 0, whatever happens; a failure is one line in the system's log.";

/// No hook holds the CLI up for longer.
const LIMIT: Duration = Duration::from_millis(900);

/// Appends the hook on standard input to the spool.
pub fn main(flags: &config::Flags) -> ExitCode {
    let deadline = Instant::now() + LIMIT;
    if let Err(error) = in_child(deadline, || append(flags, deadline)) {
        report(&error.to_string());
    }
    ExitCode::SUCCESS
}

/// Ends a call with wrong arguments: the CLI must not see its hook fail.
pub fn refuse(error: &clap::Error) -> ! {
    report(&format!("wrong arguments: {}", error.kind()));
    // Nor its write: what it says is read all the same.
    let _ = input::read(Instant::now() + LIMIT);
    std::process::exit(0)
}

fn append(flags: &config::Flags, deadline: Instant) -> io::Result<()> {
    let received_at = Timestamp::now().to_string();
    let Some(body) = input::read(deadline)? else {
        return Ok(());
    };
    let body = match body {
        Body::Hook {
            hook,
            cut_from_bytes,
            ..
        } => Body::Hook {
            hook,
            cut_from_bytes,
            sender: Some(origin::find()),
        },
        garbage => garbage,
    };
    let line = Line::new(received_at, super::host(), body);
    let state = config::state_folder(flags).map_err(io::Error::other)?;
    Spool::of(&state).append(line.to_json().as_bytes(), deadline)
}

/// Runs `work` in a child process and waits for its end until the deadline.
fn in_child(deadline: Instant, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let (ended, held) = pipe()?;
    // SAFETY: this process has one thread, so the child has all of it and no
    // lock is held in it by a thread that is missing there.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(ended);
            let outcome = let_go_of_output().and_then(|()| work());
            if let Err(error) = outcome {
                report(&error.to_string());
            }
            drop(held);
            // SAFETY: ends the child at once; the parent's buffers are not flushed twice.
            unsafe { libc::_exit(0) }
        }
        _ => {
            drop(held);
            wait_for_end(&ended, deadline)
        }
    }
}

/// The CLI reads a hook's output to its end, also one that a child still holds.
fn let_go_of_output() -> io::Result<()> {
    let nothing = File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(())
}

/// The child alone holds the other end, so it hangs up when the child ends.
fn wait_for_end(ended: &OwnedFd, deadline: Instant) -> io::Result<()> {
    match wait(ended, deadline)? {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "timed out: the hook is not on disk yet and may be lost",
        )),
    }
}

/// Waits until there is something to read or the other end is closed; false at
/// the deadline.
fn wait(fd: impl AsFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// One line to the system's log, if there is one that takes it at once.
fn report(problem: &str) {
    const USER_ERROR: u8 = 8 + 3;
    let pid = std::process::id();
    let problem = crate::telemetry::visible(problem);
    let line = format!("<{USER_ERROR}>headspace-hook[{pid}]: a hook was not recorded: {problem}");
    let socket = if cfg!(target_os = "macos") {
        "/var/run/syslog"
    } else {
        "/dev/log"
    };
    // Nothing is left to report to.
    let _ = UnixDatagram::unbound().and_then(|log| {
        log.set_nonblocking(true)?;
        log.send_to(line.as_bytes(), socket)
    });
}
