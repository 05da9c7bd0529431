//! A PostgreSQL server of the test process's own.
//!
//! One cluster per test process, made at first use in a temporary folder, on a
//! unix socket only, and one database per test. The server ends when its last
//! user lets go of it, and when the test process is killed.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{
        fs::chown,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process, set_parent_process_death_signal};

/// A running server.
pub struct Cluster {
    dir: tempfile::TempDir,
    bin: PathBuf,
    owner: Option<Owner>,
    pid: Pid,
    /// Dropping it tells the keeper to end the server.
    keeper: Option<(mpsc::Sender<()>, thread::JoinHandle<()>)>,
}

/// A fresh, empty database in it.
pub struct Database {
    pub cluster: Arc<Cluster>,
    pub name: String,
}

/// The account the server runs as when the test runs as root.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static COUNTER: AtomicU32 = AtomicU32::new(0);

impl Database {
    /// In the cluster that this process shares.
    pub fn create() -> Database {
        let mut shared = SHARED.lock().unwrap_or_else(|broken| broken.into_inner());
        let cluster = shared
            .upgrade()
            .unwrap_or_else(|| Arc::new(Cluster::start()));
        *shared = Arc::downgrade(&cluster);
        drop(shared);
        Database::within(cluster)
    }

    /// In this cluster; for tests that stop the server.
    pub fn within(cluster: Arc<Cluster>) -> Database {
        let name = format!("test_{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        cluster.sql(
            "postgres",
            &format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"),
        );
        Database { cluster, name }
    }

    pub fn url(&self) -> String {
        let host = self
            .cluster
            .dir
            .path()
            .display()
            .to_string()
            .replace('/', "%2F");
        format!("postgres://postgres@localhost/{}?host={host}", self.name)
    }

    /// Runs SQL with psql and returns what it prints, without headings.
    pub fn sql(&self, sql: &str) -> String {
        self.cluster.sql(&self.name, sql)
    }
}

impl Cluster {
    pub fn start() -> Cluster {
        let bin = bin_dir();
        let owner = geteuid().is_root().then(postgres_account);
        let dir = tempfile::Builder::new()
            .prefix("headspace-pg-")
            .tempdir()
            .expect("a temporary folder");
        if let Some(owner) = owner {
            chown(dir.path(), Some(owner.uid), Some(owner.gid)).expect("chown");
        }
        let data = dir.path().join("data");
        let initdb = command(bin.join("initdb"), owner)
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .output();
        expect_success("initdb", initdb);
        let (pid, keeper) = keep(&bin, &data, dir.path(), owner);
        let cluster = Cluster {
            dir,
            bin,
            owner,
            pid,
            keeper: Some(keeper),
        };
        cluster.wait_until_ready();
        cluster
    }

    pub fn sql(&self, database: &str, sql: &str) -> String {
        let psql = command(self.bin.join("psql"), self.owner)
            .args([
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                database,
                "-h",
            ])
            .arg(self.dir.path())
            .args(["-c", sql])
            .output();
        expect_success("psql", psql)
    }

    /// The server's process id: freeze or end it to make an outage.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let ready = command(self.bin.join("pg_isready"), self.owner)
                .arg("-q")
                .arg("-h")
                .arg(self.dir.path())
                .status()
                .expect("pg_isready");
            if ready.success() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the PostgreSQL server did not come up"
            );
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some((stop, keeper)) = self.keeper.take() {
            drop(stop);
            let _ = keeper.join();
        }
    }
}

/// The kernel signals a child when the *thread* that started it ends, so the
/// server is started by a thread that lives as long as the cluster.
fn keep(
    bin: &Path,
    data: &Path,
    sockets: &Path,
    owner: Option<Owner>,
) -> (Pid, (mpsc::Sender<()>, thread::JoinHandle<()>)) {
    let (stop, stopped) = mpsc::channel::<()>();
    let (started, start) = mpsc::channel();
    let mut server = command(bin.join("postgres"), owner);
    server.arg("-D").arg(data).arg("-k").arg(sockets).args([
        "-c",
        "listen_addresses=",
        "-c",
        "fsync=off",
        "-c",
        "max_connections=60",
        "-c",
        "max_prepared_transactions=1",
        "-c",
        "shared_buffers=16MB",
        "-c",
        "timezone=Asia/Kolkata",
    ]);
    server
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: prctl is one system call, allowed between fork and exec.
    unsafe {
        server.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::QUIT))?));
    }
    let keeper = thread::spawn(move || {
        let mut child = server.spawn().expect("postgres starts");
        let _ = started.send(Pid::from_child(&child));
        let _ = stopped.recv();
        end(&mut child);
    });
    (start.recv().expect("postgres starts"), (stop, keeper))
}

/// SIGQUIT is PostgreSQL's immediate shutdown.
fn end(child: &mut Child) {
    let _ = kill_process(Pid::from_child(child), Signal::CONT);
    let _ = kill_process(Pid::from_child(child), Signal::QUIT);
    let _ = child.wait();
}

fn command(program: impl AsRef<OsStr>, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C");
    if let Some(owner) = owner {
        command.uid(owner.uid).gid(owner.gid);
    }
    command
}

fn expect_success(what: &str, output: io::Result<Output>) -> String {
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
    let (status, errors) = (output.status, String::from_utf8_lossy(&output.stderr));
    assert!(
        status.success(),
        "{what}: {status} (signal {:?}): {errors}",
        status.signal()
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn bin_dir() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    found.sort();
    let told = Command::new("pg_config").arg("--bindir").output();
    found.extend(
        told.ok()
            .map(|out| String::from_utf8_lossy(&out.stdout).trim().into()),
    );
    found
        .into_iter()
        .rev()
        .find(|bin| bin.join("initdb").exists())
        .expect("PostgreSQL's programs, as the Debian package postgresql installs them")
}

fn postgres_account() -> Owner {
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let entry = passwd.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = entry.expect("the account postgres").split(':').collect();
    Owner {
        uid: fields[2].parse().expect("uid"),
        gid: fields[3].parse().expect("gid"),
    }
}
