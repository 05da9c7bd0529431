//! `headspace start`: `claude` as it is without us, and in the log from its beginning.

mod codes;
mod sessions;
mod untouched;

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Command, ExitStatus},
};

use serde_json::Value;

use crate::{
    spool::lines,
    support::headspace::{Headspace, Kind, eventually},
};

/// Whatever the tests were started with: a shell cannot trap what was ignored before.
fn heeds_all_signals(command: &mut Command) {
    let heed = || {
        for signal in [libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: one system call, allowed between fork and exec.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(heed) };
}

/// A headspace, and a program named `claude` that does as it is told.
struct Ground {
    headspace: Headspace,
}

impl Ground {
    /// `does` is what its claude does, in a shell, after writing down its arguments.
    fn on(kind: Kind, does: &str) -> Ground {
        let mut headspace = Headspace::on(kind);
        let dir = headspace.dir().to_owned();
        let bin = dir.join("bin");
        fs::create_dir(&bin).expect("made");
        fs::create_dir(dir.join("project")).expect("made");
        headspace
            .set("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .set("DIR", dir.display());
        let ground = Ground { headspace };
        ground.claude("2.1.329", does);
        ground
    }

    fn claude(&self, version: &str, does: &str) {
        let path = self.path("bin/claude");
        let text = format!(
            "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo '{version} (Claude Code)'; exit; }}\n\
             printf '%s\\n' \"$@\" >\"$DIR/arguments.new\"\n\
             mv \"$DIR/arguments.new\" \"$DIR/arguments\"\n{does}\n"
        );
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("executable");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.headspace.dir().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.headspace.command(&[&["start"], arguments].concat());
        command.current_dir(self.path("project"));
        heeds_all_signals(&mut command);
        command
    }

    fn run(&self, arguments: &[&str]) -> ExitStatus {
        self.command(arguments).status().expect("it starts")
    }

    /// What claude was started with, once it was.
    fn arguments(&self) -> Vec<String> {
        let path = self.path("arguments");
        eventually("claude runs", || path.exists());
        let text = fs::read_to_string(path).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    /// The lines of the spool, as kinds and sessions.
    fn spooled(&self) -> Vec<(String, String)> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let line = |line: &String| {
            let line: Value = serde_json::from_str(line).expect("a line");
            let sessions = [
                &line["session"]["session_uuid"],
                &line["session_uuid"],
                &line["hook"]["session_id"],
            ];
            (word(&line["kind"]), sessions.map(word).concat())
        };
        lines(&self.headspace).iter().map(line).collect()
    }

    /// Waits until its end is written down.
    fn wait_for_end(&self) {
        eventually("the end is in the spool", || {
            self.spooled().iter().any(|(kind, _)| kind == "exited")
        });
    }
}
