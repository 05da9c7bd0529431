//! A service manager in small: it keeps sockets and passes them on.

use std::{
    mem::ManuallyDrop,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    os::unix::process::CommandExt,
    process::Command,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{dup2, fcntl_dupfd_cloexec},
};

use super::{
    headspace::{Headspace, PATIENCE, Running},
    web,
};

/// The first descriptor that is passed on.
const FIRST: RawFd = 3;
/// Above all that are.
const ABOVE: RawFd = 100;

/// `LISTEN_PID` and what it says.
const ITS_OWN: &str = "LISTEN_PID=$$; export LISTEN_PID; exec \"$@\"";
const ANOTHER: &str = "LISTEN_PID=1; export LISTEN_PID; exec \"$@\"";

/// Holds one TCP socket for the processes that serve it.
pub struct Keeper {
    pub tcp: TcpListener,
    pub port: u16,
}

impl Keeper {
    pub fn new() -> Keeper {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = tcp.local_addr().expect("an address").port();
        Keeper { tcp, port }
    }

    /// Starts the process that serves, and does not wait for it.
    pub fn start(&self, headspace: &Headspace) -> Running {
        headspace.spawn(pass_on(headspace, &[self.tcp.as_fd()], Some("http")))
    }

    /// Whether a client came within this time and waits to be accepted.
    pub fn hears_a_knock(&self, time: Duration) -> bool {
        let time = Timespec::try_from(time).expect("a short time");
        let mut door = [PollFd::new(&self.tcp, PollFlags::IN)];
        poll(&mut door, Some(&time)).expect("it can be waited for") > 0
    }
}

/// `headspace web` with these descriptors from 3 on. Where it listens otherwise
/// is any free port.
pub fn pass_on(headspace: &Headspace, files: &[BorrowedFd], names: Option<&str>) -> Command {
    pass(headspace, ITS_OWN, files, names)
}

/// The same, but meant for another process.
pub fn pass_to_another(headspace: &Headspace, files: &[BorrowedFd], names: &str) -> Command {
    pass(headspace, ANOTHER, files, Some(names))
}

fn pass(headspace: &Headspace, to: &str, files: &[BorrowedFd], names: Option<&str>) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", to, "sh"]);
    let mut command = headspace.command_under(shell, &["web"]);
    command
        .env("HEADSPACE_WEB__LISTEN", r#"["127.0.0.1:0"]"#)
        .env("LISTEN_FDS", files.len().to_string())
        .envs(names.map(|names| ("LISTEN_FDNAMES", names)));
    let copies: Vec<OwnedFd> = files
        .iter()
        .map(|file| fcntl_dupfd_cloexec(file, ABOVE).expect("a copy"))
        .collect();
    // SAFETY: dup2 is one system call, allowed between fork and exec. Whatever
    // had these numbers belongs to the process that is about to be replaced.
    unsafe {
        command.pre_exec(move || {
            for (number, copy) in (FIRST..).zip(&copies) {
                let mut place = ManuallyDrop::new(OwnedFd::from_raw_fd(number));
                dup2(copy, &mut place)?;
            }
            Ok(())
        });
    }
    command
}

/// Asks over a connection of its own; says what happened instead of an answer.
pub fn try_get(port: u16, path: &str) -> Result<u16, String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let answer = web::try_ask(stream, web::request(path, port, &[]).as_bytes())?;
    Ok(answer.status)
}
