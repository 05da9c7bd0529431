//! `headspace up` as it is built: both processes.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::process::{Pid, test_kill_process};

use super::{
    headspace::{Headspace, Running, eventually},
    web::{Web, port_in},
};

static STARTED: AtomicU32 = AtomicU32::new(0);

pub struct Up {
    pub web: Web,
    output: PathBuf,
    state: PathBuf,
}

impl Up {
    /// Starts it and waits until it has said what it found.
    pub fn start(headspace: &Headspace) -> Up {
        let up = Up::begin(headspace);
        eventually("it says what was found", || up.said().contains("Found "));
        up
    }

    /// Starts it and waits until it has greeted.
    pub fn begin(headspace: &Headspace) -> Up {
        // Two may run on one state folder, each with its own output.
        let output = headspace
            .dir()
            .join(format!("said-{}", STARTED.fetch_add(1, Ordering::Relaxed)));
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$@\" >\"$OUTPUT\"", "sh"]);
        let mut command = headspace.command_under(shell, &["up"]);
        command
            .env("OUTPUT", &output)
            .env("HEADSPACE_WEB__LISTEN", r#"["127.0.0.1:0"]"#);
        let process = headspace.spawn(command);
        let said = || fs::read_to_string(&output).unwrap_or_default();
        eventually("it greets", || said().contains("Ctrl-C"));
        let state = headspace.state();
        let web = Web {
            process,
            port: port_in(&said()),
            socket: state.join("run/web.sock"),
        };
        Up { web, output, state }
    }

    /// What stands on its standard output.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.output).expect("its output")
    }

    pub fn process(&mut self) -> &mut Running {
        &mut self.web.process
    }

    /// The shell that supervises, and the watcher below it.
    pub fn watcher(&self) -> Option<(Pid, Pid)> {
        let line = fs::read_to_string(self.state.join("run/watcher.pid")).ok()?;
        let mut words = line.split_whitespace();
        Some((pid(words.next()?)?, pid(words.next()?)?))
    }
}

pub fn is_alive(process: Pid) -> bool {
    test_kill_process(process).is_ok()
}

fn pid(word: &str) -> Option<Pid> {
    Pid::from_raw(word.parse().ok()?)
}
