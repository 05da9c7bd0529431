//! Listeners that a service manager holds: they exist before this process starts
//! and stay when it exits, so that no connection is refused in between.
//!
//! systemd passes them on as descriptors, with their names in the environment;
//! launchd hands them over when it is asked. Something that was passed on and
//! cannot be served is refused, and nothing else is served then: going on with
//! the rest would hide the mistake.

mod environment;
#[cfg(target_os = "macos")]
mod launchd;

use std::{
    fmt, io,
    net::TcpListener,
    os::{
        fd::{OwnedFd, RawFd},
        unix::net::UnixListener,
    },
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    net::{SocketType, sockopt::socket_type},
};
use socket2::SockRef;

/// The only name there is, for TCP and unix sockets alike.
const NAME: &str = "http";

/// A listening socket that was passed on.
#[derive(Debug)]
pub enum Inherited {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What was passed on and cannot be served, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SocketError(Vec<String>);

/// A descriptor as it arrives.
struct Passed {
    number: RawFd,
    name: Option<String>,
    /// Nothing, if there is no open file behind the number.
    file: Option<OwnedFd>,
}

/// Takes the listeners that were passed on to this process; none where nothing
/// holds any. Children inherit neither them nor word of them.
///
/// # Safety
///
/// It changes the environment and takes descriptors by their numbers: no other
/// thread may run and no file may be open yet, beside the standard ones.
pub unsafe fn inherited() -> Result<Vec<Inherited>, SocketError> {
    // SAFETY: as the caller promises.
    let passed = unsafe { environment::take() }?;
    #[cfg(target_os = "macos")]
    let passed = passed.into_iter().chain(launchd::take(NAME)?);
    all(passed)
}

/// All of them as listeners, or all that is wrong with any.
fn all(passed: impl IntoIterator<Item = Passed>) -> Result<Vec<Inherited>, SocketError> {
    let mut listeners = Vec::new();
    let mut lines = Vec::new();
    for passed in passed {
        let text = passed.to_string();
        match passed.into_listener() {
            Ok(listener) => listeners.push(listener),
            Err(wrong) => lines.push(format!("{text} {wrong}")),
        }
    }
    if lines.is_empty() {
        Ok(listeners)
    } else {
        Err(SocketError(lines))
    }
}

impl Passed {
    /// What is wrong otherwise, and what to do.
    fn into_listener(self) -> Result<Inherited, String> {
        let wrong = match (self.name.as_deref(), self.file) {
            (Some(NAME), Some(file)) => return listener(file),
            (Some(NAME), None) => {
                "is not open: let the socket unit start this program, or unset LISTEN_FDS"
            }
            (None | Some(""), _) => "has no name: set FileDescriptorName=http in the socket unit",
            _ => "has an unknown name: set FileDescriptorName=http in the socket unit",
        };
        Err(wrong.into())
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inherited descriptor {}", self.number)?;
        match &self.name {
            Some(name) => write!(f, " ({name:?})"),
            None => Ok(()),
        }
    }
}

fn listener(file: OwnedFd) -> Result<Inherited, String> {
    let failed = |error: io::Error| format!("cannot be examined: {error}");
    fcntl_setfd(&file, FdFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    let Ok(kind) = socket_type(&file) else {
        return Err("is not a socket: pass on nothing but listening sockets".into());
    };
    let address = SockRef::from(&file).local_addr().map_err(failed)?;
    let wrong = match address.as_socket() {
        None if !address.is_unix() => {
            "is neither a TCP nor a unix socket: use ListenStream= with an address or a path"
        }
        _ if kind != SocketType::STREAM => {
            "is not a stream socket: use ListenStream= in the socket unit"
        }
        _ if !listens(&file).map_err(failed)? => {
            "does not listen: set Accept=no in the socket unit"
        }
        None => return Ok(Inherited::Unix(file.into())),
        Some(tcp) if tcp.ip().is_loopback() => return Ok(Inherited::Tcp(file.into())),
        Some(tcp) => {
            let port = tcp.port();
            return Err(format!(
                "listens on {tcp}, but only loopback is served: use ListenStream=127.0.0.1:{port}"
            ));
        }
    };
    Err(wrong.into())
}

#[cfg(not(target_os = "macos"))]
fn listens(socket: &OwnedFd) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_acceptconn(socket)?)
}

/// The kernel cannot be asked there, and launchd hands over nothing else.
#[cfg(target_os = "macos")]
fn listens(_socket: &OwnedFd) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn passed(name: &str, file: impl Into<OwnedFd>) -> Passed {
        Passed {
            number: 3,
            name: Some(name.into()),
            file: Some(file.into()),
        }
    }

    #[test]
    fn everything_wrong_is_named_a_line_each() {
        let good = || TcpListener::bind("127.0.0.1:0").unwrap();
        let as_passed = |number, name: Option<&str>, file| Passed {
            number,
            name: name.map(str::to_owned),
            file,
        };
        let text = all([
            passed(NAME, good()),
            passed("metrics", good()),
            passed("", good()),
            as_passed(5, Some(NAME), None),
            as_passed(6, None, Some(good().into())),
        ]);
        let text = text.unwrap_err().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "inherited descriptor 3 (\"metrics\") has an unknown name: set FileDescriptorName=http in the socket unit",
                "inherited descriptor 3 (\"\") has no name: set FileDescriptorName=http in the socket unit",
                "inherited descriptor 5 (\"http\") is not open: let the socket unit start this program, or unset LISTEN_FDS",
                "inherited descriptor 6 has no name: set FileDescriptorName=http in the socket unit",
            ]
        );
    }

    #[test]
    fn an_ipv4_address_over_ipv6_is_refused_even_where_it_would_be_loopback() {
        let mapped = TcpListener::bind("[::ffff:127.0.0.1]:0").unwrap();
        let text = all([passed(NAME, mapped)]).unwrap_err().to_string();
        assert!(text.contains("listens on [::ffff:"), "{text}");
    }
}
