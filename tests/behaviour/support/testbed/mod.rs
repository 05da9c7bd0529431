//! A real systemd with headspace on it, apart from the machine it runs on.
//!
//! `tests/systemd/testbed` boots it. It gets the program as it is built, the
//! units as they are shipped, and an account whose sessions are watched. It ends
//! with the test, however that ends. Needs root.

mod postgres;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::{Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, geteuid},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use serde_json::Value;

use super::{
    headspace::{Headspace, Kind, PATIENCE, eventually},
    oracle, web,
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

    pub fn systemctl(&self, arguments: &[&str]) -> String {
        let output = self.command("systemctl").args(arguments).output();
        succeeded(&format!("{arguments:?}"), output.expect("systemctl runs"))
    }

    /// Whether systemd did it.
    pub fn try_systemctl(&self, arguments: &[&str]) -> bool {
        let output = self.command("systemctl").args(arguments).output();
        output.expect("systemctl runs").status.success()
    }

    /// Starts a unit of the account's own manager, without a login.
    pub fn start_for_user(&self, unit: &str) {
        self.sh(&format!("loginctl enable-linger {ACCOUNT}"));
        eventually("the user's manager is up", || {
            let is_up = "test -S $XDG_RUNTIME_DIR/systemd/private && echo yes || true";
            self.sh_as_account(is_up) == "yes"
        });
        self.sh_as_account(&format!("systemctl --user start {unit}"));
    }

    pub fn property(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, unit])
    }

    /// A service's process, as the testbed counts.
    pub fn pid(&self, unit: &str) -> u32 {
        self.property(unit, "MainPID").parse().expect("a number")
    }

    /// Sends a signal to a service's process, from outside of systemd's plans.
    pub fn signal(&self, unit: &str, signal: &str) {
        let signal = format!("--signal={signal}");
        self.systemctl(&["kill", "--kill-whom=main", &signal, unit]);
    }

    /// The first process and the script that holds it, as the machine counts.
    pub fn pids(&self) -> (Pid, Pid) {
        let init = Pid::from_raw(self.init as i32).expect("a process");
        (init, Pid::from_child(&self.script))
    }

    pub fn wait_for(&self, unit: &str, property: &str, value: &str) {
        let mut is = String::new();
        let deadline = Instant::now() + PATIENCE;
        while is != value {
            is = self.property(unit, property);
            let wanted = format!("{unit}: {property}={value}");
            assert!(Instant::now() < deadline, "{wanted} and not {is}");
        }
    }

    /// Waits until another process serves in the place of `pid`; says how long
    /// that took.
    pub fn wait_for_successor(&self, unit: &str, pid: u32) -> Duration {
        let start = Instant::now();
        eventually("another process is ready in its place", || {
            let now = self.properties(unit, &["ActiveState", "MainPID"]);
            now[0] == "active" && now[1] != "0" && now[1] != pid.to_string()
        });
        start.elapsed()
    }

    /// Several properties, in this order and of one moment.
    pub fn properties(&self, unit: &str, names: &[&str]) -> Vec<String> {
        let said = self.systemctl(&["show", "--property", &names.join(","), unit]);
        let value = |name: &&str| {
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name}=")));
            line.unwrap_or_else(|| panic!("{name}: {said}")).to_owned()
        };
        names.iter().map(value).collect()
    }

    /// Entries of the journal, everything logged so far included.
    pub fn journal(&self, arguments: &[&str]) -> Vec<Value> {
        let mut command = self.command("journalctl");
        command.arg("--sync").output().expect("journalctl runs");
        let mut command = self.command("journalctl");
        command.args(["--no-pager", "--quiet", "--output=json", "--all"]);
        let output = command.args(arguments).output().expect("journalctl runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let entry = |line| serde_json::from_str(line).expect("a line of JSON");
        said.lines().map(entry).collect()
    }

    /// The messages of these entries.
    pub fn messages(&self, arguments: &[&str]) -> Vec<String> {
        let message = |entry: &Value| entry["MESSAGE"].as_str().unwrap_or_default().to_owned();
        self.journal(arguments).iter().map(message).collect()
    }

    /// Connects to the page's port in the testbed's own network.
    pub fn connect(&self) -> TcpStream {
        let path = format!("/proc/{}/ns/net", self.init);
        let network = fs::File::open(path).expect("the testbed is up");
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                // Only this thread goes there; the connection belongs to where it was made.
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), kind)
                    .expect("entered");
                web::connect(5055)
            });
            inside.join().expect("connected")
        })
    }

    pub fn connect_by_socket(&self) -> UnixStream {
        self.connect_to("/run/headspace/web.sock")
    }

    pub fn connect_to(&self, socket: &str) -> UnixStream {
        let stream = UnixStream::connect(self.path(socket)).expect("the unix socket is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    pub fn get(&self, path: &str) -> web::Answer {
        web::ask(self.connect(), web::request(path, 5055, &[]).as_bytes())
    }

    pub fn post(&self, path: &str, json: &str) -> web::Answer {
        let kind = ["Content-Type: application/json"];
        let request = web::post(path, "localhost:5055", &kind, json);
        web::ask(self.connect(), request.as_bytes())
    }

    pub fn get_by_socket(&self, path: &str) -> web::Answer {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        web::ask(self.connect_by_socket(), request.as_bytes())
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

/// Whether an entry of the journal was written by headspace, and not by systemd
/// about it.
pub fn is_ours(entry: &Value) -> bool {
    let identifier = entry["SYSLOG_IDENTIFIER"].as_str();
    identifier.is_some_and(|name| name.starts_with("headspace"))
}

/// As syslog has them: 3 is an error, 4 a warning, 6 information.
pub fn priority(entry: &Value) -> u8 {
    let number = entry["PRIORITY"]
        .as_str()
        .and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("no priority: {entry}"))
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
