//! Where connections come from: loopback TCP and a unix socket.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use rustix::net::listen;

use super::limits::BACKLOG;

/// A bound socket, made here or inherited.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    /// The path is removed at the end, if it was made here.
    Unix(UnixListener, Option<SocketFile>),
}

/// The file of a unix socket; removed when dropped, if it is still ours.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    file: (u64, u64),
}

pub fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let listener = TcpListener::bind(address)?;
    listen(&listener, BACKLOG)?;
    Ok(Listener::Tcp(listener))
}

/// A socket file that no process answers at is left over and replaced; a live one
/// is not. A folder in which another user could put a socket of the same name in
/// its place is refused, with [`io::ErrorKind::InvalidInput`].
pub fn bind_unix(path: &Path) -> io::Result<Listener> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        check_is_closed(folder)?;
    }
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    listen(&listener, BACKLOG)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let file = SocketFile {
        path: path.to_owned(),
        file: identity(path)?,
    };
    Ok(Listener::Unix(listener, Some(file)))
}

impl Listener {
    /// Where it can be reached, for people.
    pub fn address(&self) -> String {
        match self {
            Listener::Tcp(tcp) => match tcp.local_addr() {
                Ok(address) => format!("http://{address}"),
                Err(error) => format!("unknown ({error})"),
            },
            Listener::Unix(unix, _) => match unix.local_addr() {
                Ok(address) => match address.as_pathname() {
                    Some(path) => format!("unix:{}", path.display()),
                    None => "unix:unnamed".into(),
                },
                Err(error) => format!("unknown ({error})"),
            },
        }
    }

    /// The address, if it is TCP.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(tcp) => tcp.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }

    /// There is no login and no encryption here, so no other machine may connect.
    pub fn check_is_local(&self) -> io::Result<()> {
        let Listener::Tcp(tcp) = self else {
            return Ok(());
        };
        let address = tcp.local_addr()?;
        if address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        let reason = format!("{address} is not a loopback address; only this machine is served");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn check_is_closed(folder: &Path) -> io::Result<()> {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    let meta = fs::metadata(folder)?;
    let is_trusted = [0, rustix::process::geteuid().as_raw()].contains(&meta.uid());
    let mode = meta.permissions().mode() & 0o7777;
    if is_trusted && mode & WRITABLE_BY_OTHERS == 0 {
        return Ok(());
    }
    let (uid, folder) = (meta.uid(), folder.display());
    let reason = format!(
        "the folder {folder} (uid {uid}, mode {mode:04o}) can be written by other users; \
         choose a folder of your own with mode 0700"
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

fn is_left_over(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_left_over_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/web.sock");
        let first = bind_unix(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            bind_unix(&path).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(first);
        assert!(!path.exists());
        drop(UnixListener::bind(&path).unwrap());
        bind_unix(&path).unwrap();
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, is_refused) in [(0o777, true), (0o1777, true), (0o770, true), (0o755, false)] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            let bound = bind_unix(&dir.path().join("web.sock"));
            let kind = bound.err().map(|error| error.kind());
            let refused = Some(io::ErrorKind::InvalidInput);
            assert_eq!(kind, refused.filter(|_| is_refused), "{mode:o}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn hundreds_of_clients_may_wait_to_be_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let tcp = bind_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let path = dir.path().join("web.sock");
        let _unix = bind_unix(&path).unwrap();
        let address = tcp.tcp().unwrap();
        let patience = std::time::Duration::from_secs(10);
        let _waiting: Vec<_> = (0..200)
            .map(|n| {
                let tcp = TcpStream::connect_timeout(&address, patience);
                let tcp = tcp.unwrap_or_else(|error| panic!("client {n}: {error}"));
                (tcp, connect_unix_at_once(&path))
            })
            .collect();
    }

    /// Fails where an ordinary connect would wait.
    #[cfg(target_os = "linux")]
    fn connect_unix_at_once(path: &Path) -> socket2::Socket {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket2::SockAddr::unix(path).unwrap();
        socket.connect(&address).unwrap();
        socket
    }

    #[test]
    fn only_loopback_is_served() {
        bind_tcp("127.0.0.1:0".parse().unwrap())
            .unwrap()
            .check_is_local()
            .unwrap();
        let everywhere = bind_tcp("0.0.0.0:0".parse().unwrap()).unwrap();
        assert!(everywhere.check_is_local().is_err());
    }
}
