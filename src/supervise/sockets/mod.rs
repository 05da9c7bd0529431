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
    net::{SocketAddr, TcpListener},
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

/// What is wrong with it, and what to do.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("has no name: set FileDescriptorName={NAME} in the socket unit")]
    NoName,
    #[error("has an unknown name: set FileDescriptorName={NAME} in the socket unit")]
    UnknownName,
    #[error("is not open: let the socket unit start this program, or unset LISTEN_FDS")]
    NotOpen,
    #[error("is not a socket: pass on nothing but listening sockets")]
    NotASocket,
    #[error("is not a stream socket: use ListenStream= in the socket unit")]
    NotAStream,
    #[cfg_attr(
        target_os = "macos",
        allow(dead_code, reason = "it cannot be asked there")
    )]
    #[error("does not listen: set Accept=no in the socket unit")]
    NotListening,
    #[error("is neither a TCP nor a unix socket: use ListenStream= with an address or a path")]
    Family,
    #[error(
        "listens on {0}, but only loopback is served: use ListenStream=127.0.0.1:{port}",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    #[error("cannot be examined: {0}")]
    Failed(#[from] io::Error),
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
    fn into_listener(self) -> Result<Inherited, Wrong> {
        match self.name.as_deref() {
            Some(NAME) => {}
            None | Some("") => return Err(Wrong::NoName),
            Some(_) => return Err(Wrong::UnknownName),
        }
        listener(self.file.ok_or(Wrong::NotOpen)?)
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

fn listener(file: OwnedFd) -> Result<Inherited, Wrong> {
    fcntl_setfd(&file, FdFlags::CLOEXEC).map_err(io::Error::from)?;
    let kind = socket_type(&file).map_err(|_| Wrong::NotASocket)?;
    let address = SockRef::from(&file).local_addr()?;
    let tcp = address.as_socket();
    if tcp.is_none() && !address.is_unix() {
        return Err(Wrong::Family);
    }
    if kind != SocketType::STREAM {
        return Err(Wrong::NotAStream);
    }
    if !listens(&file)? {
        return Err(Wrong::NotListening);
    }
    match tcp {
        None => Ok(Inherited::Unix(file.into())),
        Some(address) if address.ip().is_loopback() => Ok(Inherited::Tcp(file.into())),
        Some(address) => Err(Wrong::NotLoopback(address)),
    }
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
    use rustix::net::{AddressFamily, socket};
    use std::{
        fs::File,
        net::{TcpStream, UdpSocket},
        os::{
            fd::{AsFd, AsRawFd},
            unix::net::{UnixDatagram, UnixStream},
        },
    };

    fn passed(name: &str, file: impl Into<OwnedFd>) -> Passed {
        Passed {
            number: 3,
            name: Some(name.into()),
            file: Some(file.into()),
        }
    }

    fn refusal(passed: Passed) -> String {
        all([passed]).expect_err("it is refused").to_string()
    }

    #[test]
    fn listeners_on_this_machine_are_taken_and_no_child_gets_them() {
        let folder = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(folder.path().join("a")).unwrap();
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        for file in [unix.as_fd(), v4.as_fd(), v6.as_fd()] {
            fcntl_setfd(file, FdFlags::empty()).unwrap();
        }
        let numbers = [unix.as_raw_fd(), v4.as_raw_fd(), v6.as_raw_fd()];
        let listeners = all([passed(NAME, unix), passed(NAME, v4), passed(NAME, v6)]).unwrap();
        let taken: Vec<RawFd> = listeners
            .iter()
            .map(|listener| match listener {
                Inherited::Tcp(tcp) => {
                    assert_eq!(rustix::io::fcntl_getfd(tcp).unwrap(), FdFlags::CLOEXEC);
                    tcp.as_raw_fd()
                }
                Inherited::Unix(unix) => {
                    assert_eq!(rustix::io::fcntl_getfd(unix).unwrap(), FdFlags::CLOEXEC);
                    unix.as_raw_fd()
                }
            })
            .collect();
        assert_eq!(taken, numbers);
    }

    #[test]
    fn what_is_no_listening_stream_socket_is_refused() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let connected = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        let packets = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        #[cfg(target_os = "linux")]
        let foreign = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
        for (file, expected) in [
            #[cfg(target_os = "linux")]
            (foreign, "is neither a TCP nor a unix socket"),
            (File::open("/dev/null").unwrap().into(), "is not a socket"),
            (
                OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap()),
                "is not a stream",
            ),
            (UnixDatagram::unbound().unwrap().into(), "is not a stream"),
            (packets, "is not a stream"),
            (connected.into(), "does not listen"),
            (UnixStream::pair().unwrap().0.into(), "does not listen"),
        ] {
            let text = refusal(passed(NAME, file));
            let begin = "inherited descriptor 3 (\"http\") ";
            assert!(text.starts_with(&format!("{begin}{expected}")), "{text}");
        }
    }

    #[test]
    fn an_address_others_can_reach_is_refused() {
        for address in ["0.0.0.0:0", "[::]:0"] {
            let text = refusal(passed(NAME, TcpListener::bind(address).unwrap()));
            assert!(text.contains("only loopback is served"), "{text}");
        }
        // IPv4 over an IPv6 socket, even where it would be loopback.
        for address in ["[::ffff:0.0.0.0]:0", "[::ffff:127.0.0.1]:0"] {
            let text = refusal(passed(NAME, TcpListener::bind(address).unwrap()));
            assert!(text.contains("listens on [::ffff:"), "{text}");
        }
    }

    #[test]
    fn everything_wrong_is_told_a_line_each() {
        let good = || TcpListener::bind("127.0.0.1:0").unwrap();
        let not_open = Passed {
            number: 5,
            name: Some(NAME.into()),
            file: None,
        };
        let nameless = Passed {
            number: 6,
            name: None,
            file: Some(good().into()),
        };
        let text = all([
            passed(NAME, good()),
            passed("metrics", good()),
            passed("", good()),
            not_open,
            nameless,
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
}
