//! A PostgreSQL server that a test stops, kills, freezes and starts again.

use std::{
    fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use super::{
    headspace::{Headspace, Kind, Store, eventually},
    postgres::{Cluster, Database},
};

/// The server of a cluster that no other test uses.
pub struct Server {
    folder: PathBuf,
    /// The one that was started last; the cluster's own before that.
    child: Option<Child>,
    pid: Pid,
}

impl Server {
    /// A headspace on a server of its own.
    pub fn with_headspace() -> (Server, Headspace) {
        let cluster = Arc::new(Cluster::start());
        let pid = cluster.pid();
        let database = Database::within(cluster);
        let folder = socket_folder(&database);
        let mut headspace = Headspace::on(Kind::Sqlite);
        headspace.store = Store::Postgres(database);
        let server = Server {
            folder,
            child: None,
            pid,
        };
        (server, headspace)
    }

    /// SIGINT ends it in order, SIGQUIT at once, SIGKILL without a word.
    pub fn stop(&mut self, how: Signal) {
        self.signal(how);
        match &mut self.child {
            Some(child) => drop(child.wait()),
            None => eventually("the server ends", || has_ended(self.pid)),
        }
    }

    pub fn start(&mut self) {
        // The processes of a server that was killed are gone a moment later,
        // and until then no other server gets their shared memory.
        eventually("the server starts", || {
            let mut child = self.spawn();
            loop {
                if child.try_wait().expect("a child").is_some() {
                    return false;
                }
                if self.answers() {
                    self.pid = Pid::from_child(&child);
                    self.child = Some(child);
                    return true;
                }
                std::thread::park_timeout(std::time::Duration::from_millis(10));
            }
        });
    }

    /// Holds it still, with all the processes that serve its connections.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the server is there");
    }

    fn signal_all(&self, signal: Signal) {
        self.signal(signal);
        let pid = self.pid.as_raw_nonzero();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(children).expect("the server is there");
        for child in children.split_whitespace() {
            let child = Pid::from_raw(child.parse().expect("a process id")).expect("not 0");
            // It may have ended since the list was made.
            let _ = kill_process(child, signal);
        }
    }

    fn spawn(&self) -> Child {
        let data = self.folder.join("data");
        let owner = fs::metadata(&data).expect("the cluster's folder");
        let mut server = Command::new(program("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&self.folder)
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=60"])
            .current_dir("/")
            .uid(owner.uid())
            .gid(owner.gid())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: prctl is one system call, allowed between fork and exec.
        unsafe {
            server.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::QUIT))?));
        }
        server.spawn().expect("postgres starts")
    }

    fn answers(&self) -> bool {
        let mut ready = Command::new(program("pg_isready"));
        let status = ready.arg("-q").arg("-h").arg(&self.folder).status();
        status.expect("pg_isready").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may be frozen, or have ended already.
            let _ = kill_process(self.pid, Signal::CONT);
            let _ = kill_process(self.pid, Signal::QUIT);
            let _ = child.wait();
        }
    }
}

/// The folder of the server's socket, as the URL names it.
pub fn socket_folder(database: &Database) -> PathBuf {
    let url = database.url();
    let (_, folder) = url.split_once("?host=").expect("a socket folder");
    folder.replace("%2F", "/").into()
}

/// A program of the server that runs: they stand beside each other.
fn program(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL, as the Debian package installs it")
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|program| program.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| Path::new(name).to_owned())
}

/// Ended, or ended and not yet waited for.
fn has_ended(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| {
        let state = stat.rsplit(')').next().unwrap_or_default();
        state.trim_start().starts_with('Z')
    })
}
