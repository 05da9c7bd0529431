//! `headspace install` against a service manager that gives odd answers. The
//! real one is in `systemd/install.rs`.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use crate::support::headspace::{Headspace, Kind};

/// A test's own folders, and scripts that answer in the tools' place.
struct Ground {
    headspace: Headspace,
}

const CALM: &str = r#"
case "$*" in
"--user show-environment") echo "XDG_CONFIG_HOME=$DIR/config"; echo "XDG_RUNTIME_DIR=$DIR/run" ;;
esac"#;

impl Ground {
    /// `answers` is what its systemctl does, after writing down what was asked.
    fn with(answers: &str) -> Ground {
        let mut headspace = Headspace::on(Kind::Sqlite);
        let dir = headspace.dir().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        fs::create_dir(dir.join("bin")).expect("a folder");
        headspace
            .set("PATH", format!("{}/bin:/usr/bin:/bin", dir.display()))
            .set("DIR", dir.display())
            .set("HEADSPACE_WEB__LISTEN", format!("[\"{address}\"]"));
        let ground = Ground { headspace };
        ground.script(
            "systemctl",
            &format!("echo \"$*\" >> \"$DIR/asked\"\n{answers}"),
        );
        ground.script("journalctl", "echo \"its last words, for $*\"");
        ground.script("loginctl", "echo no");
        ground
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("executable");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.headspace.dir().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.headspace.run(arguments)
    }

    /// What fails, with what it says.
    fn failed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        said(&output)
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.path("asked")).unwrap_or_default()
    }
}

#[test]
fn a_dry_run_asks_and_does_nothing() {
    let ground = Ground::with(CALM);
    let output = ground.run(&["install", "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("run       systemctl --user start headspace.socket"));
    assert!(said(&output).contains("The services stop when you log out"));
    assert!(!ground.path("config").exists() && !ground.path("state").exists());
    for line in ground.asked().lines() {
        let is_question = line == "--version" || line.starts_with("--user show");
        assert!(is_question, "{line}");
    }
}

#[test]
fn an_installation_that_stops_halfway_says_why_and_can_be_undone() {
    let ground = Ground::with(&CALM.replace(
        "esac",
        "*'start headspace-watcher.service') echo 'Job failed.' >&2; exit 1 ;;\nesac",
    ));
    let printed = ground.failed(&["install"]);
    assert!(
        printed.contains("headspace-watcher.service: Job failed."),
        "{printed}"
    );
    assert!(
        printed.contains("its last words, for --user -u headspace-watcher -n"),
        "{printed}"
    );
    assert!(
        printed.contains("more: journalctl --user -u headspace-watcher"),
        "{printed}"
    );
    let unit = ground.path("config/systemd/user/headspace.service");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/user/headspace.service");
    assert_eq!(
        fs::read(unit).expect("there"),
        fs::read(shipped).expect("there")
    );
    let drop_in = ground.path("config/systemd/user/headspace.service.d/10-install.conf");
    let drop_in = fs::read_to_string(drop_in).expect("there");
    assert!(drop_in.contains("\nExecStart=\nExecStart=\""), "{drop_in}");
    assert!(
        drop_in.contains("Environment=\"HEADSPACE_STATE_DIR="),
        "{drop_in}"
    );

    let output = ground.run(&["uninstall"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!ground.path("config").exists());
}

#[test]
fn a_password_is_never_shown() {
    let mut ground = Ground::with(CALM);
    let url = "postgres://ada:hunter2@127.0.0.1:1/x";
    ground.headspace.set("HEADSPACE_DATABASE__URL", url);
    let printed = ground.failed(&["install"]);
    // The service manager of this test starts nothing, so nothing answers.
    assert!(printed.contains("does not answer"), "{printed}");
    let secret = ground.path("config/headspace/database-url");
    assert_eq!(
        fs::read_to_string(&secret).expect("there"),
        format!("{url}\n")
    );
    let mode = fs::metadata(&secret).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let found = std::process::Command::new("grep")
        .args(["-rl", "hunter2"])
        .arg(ground.path("config"))
        .output();
    let found = String::from_utf8(found.expect("grep runs").stdout).expect("paths");
    assert_eq!(found.trim(), secret.to_str().expect("a path"));
    let refused = ground.failed(&["install", "--database-url", url]);
    let all = printed + &refused + &ground.asked();
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn a_manager_that_is_not_there_or_not_well_is_named() {
    let ground = Ground::with("echo 'No medium found' >&2; [ \"$1\" = --version ]");
    let printed = ground.failed(&["install"]);
    assert!(
        printed.contains("No medium found") && printed.contains("enable-linger"),
        "{printed}"
    );
    let ground = Ground::with("exit 1");
    let printed = ground.failed(&["install"]);
    assert!(
        printed.contains("neither systemd nor launchd") && printed.contains("headspace up"),
        "{printed}"
    );
    let refuses = CALM.replace(
        "esac",
        "*' show '*) echo 'Access denied' >&2; exit 1 ;;\nesac",
    );
    let printed = Ground::with(&refuses).failed(&["install"]);
    assert!(
        printed.contains("the service manager does not answer")
            && printed.contains("Access denied"),
        "{printed}"
    );
}

#[test]
fn a_taken_port_is_refused_by_name() {
    let mut ground = Ground::with(CALM);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    ground
        .headspace
        .set("HEADSPACE_WEB__LISTEN", format!("[\"{address}\"]"));
    let printed = ground.failed(&["install"]);
    assert!(
        printed.contains(&format!("cannot listen on {address}")),
        "{printed}"
    );
    ground
        .headspace
        .set("HEADSPACE_WEB__LISTEN", "[\"127.0.0.1:0\"]");
    assert!(ground.failed(&["install"]).contains("0 takes any"));
    assert!(!ground.path("config").exists());
}

#[test]
fn a_manifest_that_is_none_is_not_acted_upon() {
    let ground = Ground::with(CALM);
    fs::create_dir_all(ground.path("config/headspace")).expect("a folder");
    let manifest = ground.path("config/headspace/installed.json");
    fs::write(&manifest, "{\"files\": 7}").expect("written");
    for command in ["install", "uninstall"] {
        let printed = ground.failed(&[command]);
        assert!(
            printed.contains("installed.json: is not what an installation wrote"),
            "{printed}"
        );
    }
    fs::remove_file(manifest).expect("removed");
    let output = ground.run(&["uninstall"]);
    assert!(
        said(&output).contains("Nothing is installed here"),
        "{}",
        said(&output)
    );
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}
