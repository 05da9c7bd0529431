//! Where the web process listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::places::absolute;

/// One address, always on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What a socket address can hold, less the closing NUL.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

impl Listen {
    fn parse(text: &str) -> Result<Listen, String> {
        match text.strip_prefix("unix:") {
            Some(path) => unix(absolute(path)?),
            None => tcp(text),
        }
    }
}

fn unix(path: PathBuf) -> Result<Listen, String> {
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(format!(
            "the socket path has {length} bytes, more than the {MAX_SOCKET_PATH} the system takes; choose a shorter folder"
        ));
    }
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err("expected the path of a socket, got that of a folder".into());
    }
    Ok(Listen::Unix(path))
}

fn tcp(text: &str) -> Result<Listen, String> {
    let address: SocketAddr = text.parse().map_err(|_| {
        let hint = match text.strip_prefix("localhost:") {
            Some(port) => format!("; write 127.0.0.1:{port}"),
            None => String::new(),
        };
        format!(
            "expected IP:PORT such as 127.0.0.1:5055, or unix:<run>/web.sock, got {text:?}{hint}"
        )
    })?;
    if !address.ip().to_canonical().is_loopback() {
        let port = address.port();
        return Err(format!(
            "{address} can be reached from other machines, and remote access \
             is not available in this version; write 127.0.0.1:{port}"
        ));
    }
    Ok(Listen::Tcp(address))
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Listen, String> {
        Listen::parse(&text)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => address.fmt(f),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Listen, String> {
        Listen::parse(text)
    }

    #[test]
    fn reads_loopback_addresses_and_sockets() {
        for text in [
            "127.0.0.1:5055",
            "[::1]:0",
            "127.9.9.9:1",
            "unix:/run/a/web.sock",
        ] {
            let listen = parse(text).expect(text);
            assert_eq!(listen.to_string(), text);
            assert_eq!(Listen::try_from(text.to_string()), Ok(listen));
        }
    }

    #[test]
    fn refuses_every_address_that_others_can_reach() {
        for text in [
            "0.0.0.0:5055",
            "[::]:5055",
            "192.168.1.5:80",
            "[::ffff:10.0.0.1]:80",
        ] {
            let wrong = parse(text).expect_err(text);
            assert!(wrong.contains("remote access"), "{text}: {wrong}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for (text, part) in [
            ("localhost:5055", "write 127.0.0.1:5055"),
            ("127.0.0.1", "IP:PORT"),
            ("127.0.0.1:70000", "IP:PORT"),
            ("5055", "IP:PORT"),
            ("", "IP:PORT"),
            ("unix:", "empty"),
            ("unix:web.sock", "absolute"),
            ("unix:/", "folder"),
            ("unix:/run/", "folder"),
        ] {
            let wrong = parse(text).expect_err(text);
            assert!(wrong.contains(part), "{text}: {wrong}");
        }
    }

    #[test]
    fn refuses_a_socket_path_that_the_system_cannot_hold() {
        let path = |length: usize| format!("unix:/{}", "a".repeat(length - 1));
        assert!(parse(&path(MAX_SOCKET_PATH)).is_ok());
        let wrong = parse(&path(MAX_SOCKET_PATH + 1)).unwrap_err();
        assert!(wrong.contains("shorter folder"), "{wrong}");
    }
}
