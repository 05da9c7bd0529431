//! The units are sound, and say what is missing before they are told whose
//! sessions are watched.

use crate::support::testbed::{SOCKET, Testbed, WATCHER, WEB};

#[test]
fn systemd_has_nothing_to_say_about_the_units() {
    let testbed = Testbed::boot();
    for (kind, flag) in [("system", "--system"), ("user", "--user")] {
        let verify = format!(
            "cd /usr/lib/systemd/{kind}; XDG_RUNTIME_DIR=/run systemd-analyze {flag} verify --man=no \
             $PWD/{WATCHER} $PWD/{WEB} $PWD/{SOCKET} $PWD/headspace-failure@x.service 2>&1"
        );
        // It also succeeds when it does not know a key: what counts is what it says.
        assert_eq!(testbed.sh(&verify), "", "{kind}");
    }
}
