//! The executable as it is built, with a state folder, a Claude folder and a
//! database of its own. Whatever a test starts ends with it.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::postgres;

/// How long a condition may take to come true. Generous: the machine may be
/// busy, and a test that passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Declares tests that run on both databases: each body is a function of the
/// [`Kind`] it runs on.
macro_rules! on_both {
    ($($(#[$meta:meta])* fn $name:ident($kind:ident: $type:ident) $body:block)+) => {$(
        $(#[$meta])*
        fn $name($kind: $type) $body
        mod $name {
            #[test]
            fn on_sqlite() {
                super::$name(super::$type::Sqlite);
            }
            #[test]
            fn on_postgres() {
                super::$name(super::$type::Postgres);
            }
        }
    )+};
}
pub(crate) use on_both;

/// The two databases the promises are made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A state folder, a Claude folder and a database.
pub struct Headspace {
    dir: tempfile::TempDir,
    pub store: Store,
    environment: Vec<(String, String)>,
    logs: AtomicU32,
}

/// A database of the test's own.
pub enum Store {
    Sqlite(PathBuf),
    Postgres(postgres::Database),
}

/// A process that was started; it is killed when this is dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

/// What `watch --once` says it did.
#[derive(Debug, PartialEq, Eq)]
pub struct Caught {
    pub stored: u64,
    pub known: u64,
    pub rejected: u64,
}

impl Headspace {
    pub fn on(kind: Kind) -> Headspace {
        let dir = tempfile::Builder::new()
            .prefix("headspace-test-")
            .tempdir()
            .expect("a temporary folder");
        fs::create_dir_all(dir.path().join("claude/projects")).expect("a Claude folder");
        let store = match kind {
            Kind::Sqlite => Store::Sqlite(dir.path().join("state/headspace.db")),
            Kind::Postgres => Store::Postgres(postgres::Database::create()),
        };
        Headspace {
            dir,
            store,
            environment: Vec::new(),
            logs: AtomicU32::new(0),
        }
    }

    /// Sets an environment variable for every process started from now on.
    pub fn set(&mut self, name: &str, value: impl ToString) -> &mut Headspace {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// The test's folder: room for whatever else it needs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// Claude Code's folder, which the watcher watches.
    pub fn root(&self) -> PathBuf {
        self.dir().join("claude")
    }

    /// A project's folder, made if it is not there.
    pub fn project(&self, name: &str) -> PathBuf {
        let folder = self.root().join("projects").join(name);
        fs::create_dir_all(&folder).expect("a project folder");
        folder
    }

    /// The command line, in an environment that holds nothing else.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Command::new(env!("CARGO_BIN_EXE_headspace")), arguments)
    }

    /// The same under another program, `strace` say, that has its own
    /// arguments already and takes a command line as the rest.
    pub fn command_under(&self, mut wrapper: Command, arguments: &[&str]) -> Command {
        wrapper.arg(env!("CARGO_BIN_EXE_headspace"));
        self.command_of(wrapper, arguments)
    }

    fn command_of(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir())
            .env("HEADSPACE_STATE_DIR", self.state())
            .env("HEADSPACE_DATABASE__URL", self.store.url())
            .env("HEADSPACE_CLAUDE__ROOTS", json_list(&[self.root()]))
            // Tests kill it more often than any crash would.
            .env("HEADSPACE_EVENT_SYSTEM__MAX_RESTARTS_PER_MINUTE", "1000")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end and returns what was printed.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("headspace runs")
    }

    /// Catches up with everything there is.
    pub fn watch_once(&self) -> Caught {
        caught(&self.run(&["watch", "--once"]))
    }

    /// Starts the watcher and waits until it is ready.
    pub fn watch(&self) -> Running {
        let running = self.start(&["watch"]);
        running.wait_for_log("ready");
        running
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        self.spawn(self.command(arguments))
    }

    /// Starts a command with its standard error in a file.
    pub fn spawn(&self, mut command: Command) -> Running {
        let number = self.logs.fetch_add(1, Ordering::Relaxed);
        let log = self.dir().join(format!("log-{number}"));
        command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log file"));
        // SAFETY: prctl is one system call, allowed between fork and exec. It
        // ends the process with the thread that started it, should that be killed.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = command.spawn().expect("the command starts");
        Running { child, log }
    }
}

impl Store {
    pub fn kind(&self) -> Kind {
        match self {
            Store::Sqlite(_) => Kind::Sqlite,
            Store::Postgres(_) => Kind::Postgres,
        }
    }

    pub fn url(&self) -> String {
        match self {
            Store::Sqlite(path) => format!("sqlite:{}", path.display()),
            Store::Postgres(database) => database.url(),
        }
    }

    /// The only column of a query, as text; NULL is an empty text.
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.try_column(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The same, where the database or its tables may not be there yet.
    pub fn try_column(&self, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        let sql = format!("WITH t(x) AS ({sql}) SELECT COALESCE(CAST(x AS text), '') FROM t");
        let sql = sqlx::AssertSqlSafe(sql);
        block_on(async {
            match self {
                Store::Sqlite(path) => {
                    let url = format!("sqlite:{}?mode=ro", path.display());
                    let mut link = SqliteConnection::connect(&url).await?;
                    sqlx::query_scalar(sql).fetch_all(&mut link).await
                }
                Store::Postgres(database) => {
                    let mut link = PgConnection::connect(&database.url()).await?;
                    sqlx::query_scalar(sql).fetch_all(&mut link).await
                }
            }
        })
    }

    /// The only number of a query.
    pub fn number(&self, sql: &str) -> i64 {
        let column = self.column(sql);
        assert_eq!(column.len(), 1, "{sql}: {column:?}");
        column[0]
            .parse()
            .unwrap_or_else(|_| panic!("{sql}: {column:?}"))
    }

    /// The texts of all turns, in the order of the log.
    pub fn turns(&self) -> Vec<String> {
        self.column(
            "SELECT payload ->> 'text' FROM events WHERE event_type = 'turn_detected' ORDER BY id",
        )
    }

    /// Waits until exactly these turns are stored, in this order.
    pub fn wait_for_turns(&self, expected: &[impl AsRef<str>]) {
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let turns = self.turns();
            if turns == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "stored are {turns:?}\nand not {expected:?}"
            );
            pause();
        }
    }
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there");
    }

    /// Ends it without a chance to do anything about it.
    pub fn kill(mut self) -> ExitStatus {
        self.end()
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the process ends", || {
            matches!(self.child.try_wait(), Ok(Some(_)))
        });
        self.child.wait().expect("it has ended")
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).expect("the log")).into_owned()
    }

    pub fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            let log = self.log();
            assert!(Instant::now() < deadline, "{text:?} is not logged:\n{log}");
            pause();
        }
    }

    /// A line of `/proc/<pid>/status`, in kB: `VmHWM` is the most memory it ever had.
    pub fn memory_kb(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = fs::read_to_string(path).expect("the process is there");
        let line = status.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        value.expect(name).parse().expect("a number")
    }

    fn end(&mut self) -> ExitStatus {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        self.child.wait().expect("it was started")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("the log of process {} ended with:", self.child.id());
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// Waits until a condition holds; looks at it often, gives up at last.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "this never came true: {what}");
        pause();
    }
}

/// Whether the long numbers are asked for.
pub fn is_long() -> bool {
    std::env::var_os("HEADSPACE_TEST_LONG").is_some_and(|value| value == "1")
}

/// Where random tests begin: told by the environment, else by the clock.
pub fn seed() -> u64 {
    let told = std::env::var("HEADSPACE_TEST_SEED").ok();
    told.map_or_else(clock_seed, |text| text.parse().expect("a number as seed"))
}

/// Reads what `watch --once` printed.
pub fn caught(output: &Output) -> Caught {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    let numbers: Vec<u64> = said
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(numbers.len() >= 3, "{said:?}");
    Caught {
        stored: numbers[0],
        known: numbers[1],
        rejected: numbers[2],
    }
}

pub fn json_list(paths: &[impl AsRef<Path>]) -> String {
    let texts: Vec<_> = paths.iter().map(|path| path.as_ref()).collect();
    serde_json::to_string(&texts).expect("paths are UTF-8")
}

fn clock_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_micros() as u64
}

fn pause() {
    thread::park_timeout(Duration::from_millis(10));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}
