//! A real systemd with headspace on it, apart from the machine it runs on.
//!
//! `tests/systemd/testbed` boots it. It gets the program as it is built, the
//! units as they are shipped, and an account whose sessions are watched. It ends
//! with the test, however that ends. Needs root.

mod door;
mod postgres;
mod units;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::{Condvar, Mutex},
    thread,
};

use rustix::process::{Pid, geteuid};

pub use units::{is_ours, priority};

use super::{
    headspace::{Headspace, Kind},
    oracle,
};

/// Whose sessions are watched, and where this account lives.
pub const ACCOUNT: &str = "tester";
pub const HOME: &str = "/home/tester";

pub const WATCHER: &str = "headspace-watcher.service";
pub const WEB: &str = "headspace.service";
pub const SOCKET: &str = "headspace.socket";

/// The state folders of the service, and of the account's own manager.
const STATE: &str = "/var/lib/headspace";
const STATE_OF_USER: &str = "/home/tester/.local/state/headspace";

pub struct Testbed {
    /// Its Claude folder is the account's and, once installed, its state folder
    /// the service's: what a test writes here is seen inside, and so is the
    /// database from here.
    pub headspace: Headspace,
    /// Where its state folder is, inside.
    state: &'static str,
    /// The testbed's first process, as the machine counts.
    init: u32,
    script: Child,
    /// While this is open the testbed stays up.
    stdin: Option<ChildStdin>,
    _turn: Turn,
}

impl Testbed {
    /// With the program and the units, as a package leaves them: nobody has said
    /// yet whose sessions are watched.
    pub fn boot() -> Testbed {
        Testbed::start(None)
    }

    /// The same after `headspace install --system --user tester`.
    pub fn installed() -> Testbed {
        let testbed = Testbed::start(Some(STATE));
        testbed.install();
        testbed
    }

    /// For the units of the account's own service manager, which need no more
    /// than what a package leaves.
    pub fn of_user() -> Testbed {
        Testbed::start(Some(STATE_OF_USER))
    }

    /// Without them: an account, whose sessions may be watched.
    pub fn without_headspace() -> Testbed {
        let testbed = Testbed::start_bare(None);
        testbed.add_account();
        testbed
    }

    fn start(state: Option<&'static str>) -> Testbed {
        let testbed = Testbed::start_bare(state);
        testbed.furnish();
        testbed.add_account();
        testbed
    }

    fn start_bare(state: Option<&'static str>) -> Testbed {
        assert!(
            geteuid().is_root(),
            "the tests on a real systemd need root: run them with sudo"
        );
        let turn = Turn::wait();
        let headspace = Headspace::on(Kind::Sqlite);
        fs::create_dir_all(headspace.state()).expect("a state folder");
        let mut command = Command::new(repository("tests/systemd/testbed"));
        command.arg(bind(&headspace.root(), &format!("{HOME}/.claude")));
        if let Some(state) = state {
            command.arg(bind(&headspace.state(), state));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().expect("bash runs the testbed");
        let stdin = script.stdin.take();
        let mut line = String::new();
        let mut said = BufReader::new(script.stdout.take().expect("its output"));
        said.read_line(&mut line).expect("its first line");
        // And the second: it would end if nobody took that.
        said.read_line(&mut String::new()).expect("its second line");
        let init = line.strip_prefix("ready ").map(|pid| pid.trim().parse());
        let Some(Ok(init)) = init else {
            panic!("no testbed, {:?}; it says why above", script.wait());
        };
        Testbed {
            headspace,
            state: state.unwrap_or(STATE),
            init,
            script,
            stdin,
            _turn: turn,
        }
    }

    /// What a package brings.
    fn furnish(&self) {
        self.copy(Path::new(env!("CARGO_BIN_EXE_headspace")), "/usr/bin");
        for kind in ["system", "user"] {
            for file in fs::read_dir(repository("systemd").join(kind)).expect("the units") {
                let folder = format!("/usr/lib/systemd/{kind}");
                self.copy(&file.expect("a unit").path(), &folder);
            }
        }
        self.systemctl(&["daemon-reload"]);
    }

    fn add_account(&self) {
        self.sh(&format!(
            "useradd --no-create-home --user-group --home-dir {HOME} --shell /bin/sh {ACCOUNT}
             chown -R {ACCOUNT}: {HOME}"
        ));
    }

    /// Says whose sessions are watched, in drop-ins beside the units.
    fn install(&self) {
        let user = format!("[Service]\nDynamicUser=no\nUser={ACCOUNT}\n");
        self.drop_in(WATCHER, "10-install", &user);
        self.drop_in(WEB, "10-install", &user);
        let owner = format!("[Socket]\nSocketUser={ACCOUNT}\n");
        self.drop_in(SOCKET, "10-install", &owner);
        let folder = format!("d /run/headspace 0700 {ACCOUNT} {ACCOUNT}\n");
        self.write("/etc/tmpfiles.d/headspace.conf", folder);
        self.sh("systemd-tmpfiles --create /etc/tmpfiles.d/headspace.conf");
        self.systemctl(&["daemon-reload"]);
    }

    /// As after a boot: there is a database already, and no service runs.
    pub fn with_a_database(&self) {
        self.systemctl(&["start", WATCHER]);
        self.systemctl(&["stop", WATCHER]);
    }

    /// Where a file of the testbed is to be found from outside. Not for SQLite,
    /// which reads the link `/proc/<pid>/root` as a text.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.init))
    }

    pub fn write(&self, inside: &str, text: impl AsRef<[u8]>) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{inside}: {error}"));
    }

    /// An administrator's addition to a unit; `daemon-reload` makes it count.
    pub fn drop_in(&self, unit: &str, name: &str, text: &str) {
        self.write(&format!("/etc/systemd/system/{unit}.d/{name}.conf"), text);
    }

    /// Puts a file of the machine's into a folder.
    pub fn copy(&self, file: &Path, folder: &str) {
        let to = self.path(folder);
        fs::create_dir_all(&to).expect("a folder");
        let to = to.join(file.file_name().expect("a file"));
        fs::copy(file, &to).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mode = fs::metadata(file).expect("a file").permissions().mode();
        fs::set_permissions(&to, PermissionsExt::from_mode(mode | 0o444)).expect("readable");
    }

    /// A program inside, as root, in an environment that holds nothing else.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.init.to_string()])
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"])
            .args(["--", program])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    pub fn try_sh(&self, script: &str) -> Output {
        let mut command = self.command("sh");
        command.args(["-euc", script]).output().expect("sh runs")
    }

    /// What a script prints; it must succeed.
    pub fn sh(&self, script: &str) -> String {
        succeeded(script, self.try_sh(script))
    }

    /// The same as the account, as if it had logged in.
    pub fn sh_as_account(&self, script: &str) -> String {
        let mut command = self.command("runuser");
        command.args(["-u", ACCOUNT, "--", "sh", "-euc"]);
        let script = format!("export XDG_RUNTIME_DIR=/run/user/$(id -u); cd {HOME}; {script}");
        let output = command.arg(&script).env("HOME", HOME).output();
        succeeded(&script, output.expect("runuser runs"))
    }

    /// The first process and the script that holds it, as the machine counts.
    pub fn pids(&self) -> (Pid, Pid) {
        let init = Pid::from_raw(self.init as i32).expect("a process");
        (init, Pid::from_child(&self.script))
    }

    /// Fails unless the service's database holds what the account's transcripts
    /// hold. The oracle looks from inside, where paths are what they are to the
    /// service.
    pub fn assert_clean(&self) {
        self.assert_clean_at(&format!("sqlite:{}/headspace.db", self.state));
    }

    fn assert_clean_at(&self, database: &str) {
        for file in fs::read_dir(repository("tests/oracle")).expect("the oracle") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|kind| kind == "py") {
                self.copy(&path, "/opt/oracle");
            }
        }
        let mut command = self.command("python3");
        command.args(["/opt/oracle/oracle.py", "check", "--database", database]);
        command.args(["--root", &format!("{HOME}/.claude")]);
        oracle::assert_says_nothing(command);
    }

    fn tell_what_happened(&self) {
        let said = self.try_sh("journalctl --sync; journalctl --no-pager --quiet | tail -n 40");
        eprintln!("the testbed's journal ended with:");
        eprintln!("{}", String::from_utf8_lossy(&said.stdout));
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        if thread::panicking() {
            self.tell_what_happened();
        }
        drop(self.stdin.take());
        // It takes everything away, and then ends.
        let _ = self.script.wait();
    }
}

fn succeeded(what: &str, output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{what}: {}: {errors}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn bind(from: &Path, to: &str) -> String {
    format!("--bind={}:{to}", from.display())
}

/// A place for one more testbed: two at a time are enough for a small machine.
struct Turn;

static TAKEN: Mutex<u32> = Mutex::new(0);
static FREE: Condvar = Condvar::new();

impl Turn {
    fn wait() -> Turn {
        let taken = TAKEN.lock().unwrap_or_else(|broken| broken.into_inner());
        let full = |taken: &mut u32| *taken == 2;
        let mut taken = FREE
            .wait_while(taken, full)
            .unwrap_or_else(|broken| broken.into_inner());
        *taken += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(|broken| broken.into_inner()) -= 1;
        FREE.notify_one();
    }
}
