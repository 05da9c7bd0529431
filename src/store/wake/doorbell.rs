//! Doorbells: one datagram socket per reader, `<run>/wake/<pid>-<n>.sock`.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt, PermissionsExt},
        net::UnixDatagram as StdDatagram,
    },
    path::{Path, PathBuf},
    process,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::net::UnixDatagram;
use tracing::warn;

/// The writer's side.
#[derive(Debug)]
pub struct Doorbell {
    folder: PathBuf,
    socket: Option<StdDatagram>,
}

impl Doorbell {
    pub fn new(run: &Path) -> Doorbell {
        let socket = StdDatagram::unbound().ok();
        let ready = socket.filter(|socket| socket.set_nonblocking(true).is_ok());
        Doorbell {
            folder: folder(run),
            socket: ready,
        }
    }

    /// Rings at every reader. A full queue already holds a ring, so it is left
    /// alone; a socket that no process has open any more is removed.
    pub fn ring(&self) {
        let (Some(socket), Ok(entries)) = (&self.socket, fs::read_dir(&self.folder)) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            match socket.send_to(b"!", &path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    let _ = fs::remove_file(&path);
                }
                _ => {}
            }
        }
    }
}

/// The reader's side.
pub struct DoorbellReceiver {
    socket: UnixDatagram,
    path: PathBuf,
}

impl DoorbellReceiver {
    /// `None`, with one warning, when the folder cannot be used: its path may be too
    /// long for a socket (some 100 bytes), or not ours to write.
    pub fn bind(run: &Path) -> Option<DoorbellReceiver> {
        static WARNED: Once = Once::new();
        match try_bind(&folder(run)) {
            Ok(receiver) => Some(receiver),
            Err(error) => {
                WARNED.call_once(|| {
                    warn!(folder = %run.display(), %error,
                        "no wake-ups from the watcher ({error}); looking every 2 s instead");
                });
                None
            }
        }
    }

    pub async fn recv(&mut self) {
        let mut ring = [0; 1];
        if self.socket.recv(&mut ring).await.is_err() {
            return std::future::pending().await;
        }
        while self.socket.try_recv(&mut ring).is_ok() {}
    }
}

impl Drop for DoorbellReceiver {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn folder(run: &Path) -> PathBuf {
    run.join("wake")
}

fn try_bind(folder: &Path) -> io::Result<DoorbellReceiver> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("{}-{number}.sock", process::id()));
    // Left behind by an earlier process with our number.
    let _ = fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(DoorbellReceiver { socket, path })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn every_reader_receives_a_ring() {
        let run = tempfile::tempdir().unwrap();
        let mut receivers = [
            DoorbellReceiver::bind(run.path()).unwrap(),
            DoorbellReceiver::bind(run.path()).unwrap(),
        ];
        Doorbell::new(run.path()).ring();
        for receiver in &mut receivers {
            timeout(SOON, receiver.recv()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_full_queue_holds_one_wake_up_and_blocks_no_writer() {
        let run = tempfile::tempdir().unwrap();
        let mut receiver = DoorbellReceiver::bind(run.path()).unwrap();
        let doorbell = Doorbell::new(run.path());
        (0..5000).for_each(|_| doorbell.ring());
        timeout(SOON, receiver.recv()).await.unwrap();
        let again = timeout(Duration::from_millis(1), receiver.recv()).await;
        assert!(again.is_err(), "the queue was drained");
    }

    #[test]
    fn a_dead_readers_socket_is_removed() {
        let run = tempfile::tempdir().unwrap();
        fs::create_dir(run.path().join("wake")).unwrap();
        let dead = run.path().join("wake/1-0.sock");
        drop(StdDatagram::bind(&dead).unwrap());
        assert!(dead.exists());
        Doorbell::new(run.path()).ring();
        assert!(!dead.exists());
    }

    #[tokio::test]
    async fn a_path_too_long_for_a_socket_means_polling() {
        let run = tempfile::tempdir().unwrap();
        assert!(DoorbellReceiver::bind(&run.path().join("x".repeat(120))).is_none());
    }

    #[tokio::test]
    async fn the_socket_is_private_and_goes_with_its_reader() {
        let run = tempfile::tempdir().unwrap();
        let receiver = DoorbellReceiver::bind(run.path()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&receiver.path), 0o600);
        assert_eq!(mode(&run.path().join("wake")), 0o700);
        let path = receiver.path.clone();
        drop(receiver);
        assert!(!path.exists());
    }
}
