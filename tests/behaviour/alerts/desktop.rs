//! Notices of the desktop, by a `notify-send` and a `gdbus` of the test's own.

use std::{fs, path::PathBuf};

use super::script;
use crate::support::{
    asking::Asking,
    headspace::{Headspace, Kind, eventually},
};

struct Desktop {
    headspace: Headspace,
    /// The words of each call, a line each; an empty line behind a call.
    calls: PathBuf,
}

impl Desktop {
    fn new(notify_send: &str, with_gdbus: bool) -> Desktop {
        let mut headspace = Headspace::on(Kind::Sqlite);
        let bin = headspace.dir().join("bin");
        let calls = headspace.dir().join("calls");
        fs::create_dir(&bin).expect("a folder");
        let keep = format!(
            "{{ printf '%s\\n' \"${{0##*/}}\" \"$@\"; echo; }} >> '{}'",
            calls.display()
        );
        script(&bin, "notify-send", &format!("{keep}\n{notify_send}"));
        if with_gdbus {
            script(&bin, "gdbus", &keep);
        }
        for tool in ["sh", "cat"] {
            std::os::unix::fs::symlink(format!("/bin/{tool}"), bin.join(tool)).expect("linked");
        }
        headspace
            .set("PATH", bin.display())
            .set("HEADSPACE_NOTIFY__DESKTOP", true);
        Desktop { headspace, calls }
    }

    fn calls(&self) -> Vec<Vec<String>> {
        let text = fs::read_to_string(&self.calls).unwrap_or_default();
        let calls = text
            .split_inclusive("\n\n")
            .filter(|call| call.ends_with("\n\n"));
        calls
            .map(|call| call.trim_end().lines().map(str::to_owned).collect())
            .collect()
    }

    fn wait_for(&self, count: usize) -> Vec<Vec<String>> {
        eventually(&format!("{count} calls"), || self.calls().len() >= count);
        self.calls()
    }
}

#[test]
fn hostile_text_is_text_and_the_notice_is_closed_by_its_id_also_after_a_restart() {
    let at = Desktop::new("echo 41", true);
    let watcher = at.headspace.watch();
    let mut asking = Asking::new(&at.headspace, "shop");
    asking.prompt("--urgency=critical <b>\u{1b}]0;owned\u{7}login\u{202e}");
    asking.ask(
        &at.headspace,
        "echo '<a href=\"http://evil\">' \u{1b}[31m&& $(reboot)",
    );
    let shown = at.wait_for(1).remove(0);
    assert_eq!(
        shown,
        [
            "notify-send",
            "--print-id",
            "--app-name=headspace",
            "--",
            "shop · --urgency=critical <b>login",
            "asks to run `echo '&lt;a href=\"http://evil\"&gt;' &amp;&amp; $(reboot)`",
        ]
    );
    eventually("the id is kept", || {
        at.headspace.store.column("SELECT receipt FROM alerts") == ["41"]
    });
    watcher.kill();
    let _watcher = at.headspace.watch();
    asking.answered();
    let closed = at.wait_for(2).remove(1);
    assert_eq!(
        closed,
        [
            "gdbus",
            "call",
            "--session",
            "--dest",
            "org.freedesktop.Notifications",
            "--object-path",
            "/org/freedesktop/Notifications",
            "--method",
            "org.freedesktop.Notifications.CloseNotification",
            "41",
        ]
    );
}

#[test]
fn without_gdbus_the_notice_is_replaced_by_one_that_leaves() {
    let at = Desktop::new("echo 5", false);
    let _watcher = at.headspace.watch();
    let mut asking = Asking::new(&at.headspace, "shop");
    asking.prompt("login");
    asking.ask(&at.headspace, "make");
    at.wait_for(1);
    asking.answered();
    let replaced = at.wait_for(2).remove(1);
    assert!(
        replaced.contains(&"--replace-id=5".to_owned()),
        "{replaced:?}"
    );
    assert!(
        replaced.contains(&"--expire-time=1".to_owned()),
        "{replaced:?}"
    );
}

#[test]
fn an_old_notify_send_shows_the_notice_and_one_that_fails_is_logged() {
    let old = "case \"$*\" in *print-id*) echo 'Unknown option --print-id' >&2; exit 1;; \
               *second*) exit 4;; esac";
    let at = Desktop::new(old, true);
    let watcher = at.headspace.watch();
    let mut asking = Asking::new(&at.headspace, "first");
    asking.prompt("first");
    asking.ask(&at.headspace, "make");
    let calls = at.wait_for(2);
    assert_eq!(
        calls[1],
        [
            "notify-send",
            "--app-name=headspace",
            "--",
            "first · first",
            "asks to run `make`"
        ]
    );
    let mut asking = Asking::new(&at.headspace, "second");
    asking.prompt("second");
    asking.ask(&at.headspace, "make");
    watcher.wait_for_log("an alert was not sent by desktop");
    assert!(
        watcher
            .log()
            .contains("notify-send ended with exit status: 4"),
        "{}",
        watcher.log()
    );
}
