//! The units let out what alerts need, and only where they are set: the host of a
//! webhook, the session bus of a desktop.

use crate::support::{
    asking::Asking,
    headspace::eventually,
    testbed::{ACCOUNT, Testbed, WATCHER},
};

const INSTALL: &str = "headspace install --system --user tester";

/// A receiver on an address that is not this machine's, for the sandbox.
const RECEIVER: &str = r#"
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("/opt/received", "ab") as file:
            file.write(body + b"\n")
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("192.0.2.1", 8088), Handler).serve_forever()
"#;

/// Says what the session bus answers, and gives an id.
const NOTIFY_SEND: &str = "#!/bin/sh
gdbus call --session --dest org.freedesktop.DBus --object-path /org/freedesktop/DBus \
  --method org.freedesktop.DBus.GetId > /var/lib/headspace/answer 2>&1 || exit 3
echo 7
";

fn set(testbed: &Testbed, notify: &str) {
    testbed.write(
        "/etc/headspace/config.yaml",
        format!("notify: {{{notify}}}\n"),
    );
    testbed.sh(&format!(
        "chown root:{ACCOUNT} /etc/headspace/config.yaml; chmod 640 /etc/headspace/config.yaml"
    ));
    testbed.systemctl(&["restart", WATCHER]);
}

fn ask(testbed: &Testbed, name: &str) {
    let mut asking = Asking::new(&testbed.headspace, name);
    asking.prompt(name);
    asking.question("One table or two?");
}

/// As the note of `doctor` says it, for the settings of the service.
fn doctor(testbed: &Testbed) -> String {
    testbed.sh(
        "runuser -u tester -- env CONFIGURATION_DIRECTORY=/etc/headspace \
        STATE_DIRECTORY=/var/lib/headspace RUNTIME_DIRECTORY=/run/headspace \
        headspace doctor 2>&1 || true",
    )
}

fn is_logged(testbed: &Testbed, text: &str) -> bool {
    let said = testbed.messages(&["-u", WATCHER]);
    said.iter().any(|message| message.contains(text))
}

#[test]
fn a_webhook_on_another_machine_is_let_out_by_installing_and_not_before() {
    let testbed = Testbed::boot();
    testbed.sh("ip address add 192.0.2.1/32 dev lo");
    testbed.write("/opt/receiver.py", RECEIVER);
    testbed.sh("systemd-run --quiet --unit=receiver python3 /opt/receiver.py");
    testbed.sh(INSTALL);
    set(&testbed, "webhook_url: 'http://192.0.2.1:8088/geheim'");
    ask(&testbed, "kept-in");
    eventually("the sandbox keeps it in", || {
        is_logged(&testbed, "an alert was not sent by webhook")
    });
    let kept_in = "the system's unit keeps the watcher from the webhook's host 192.0.2.1";
    assert!(doctor(&testbed).contains(kept_in), "{}", doctor(&testbed));
    let said = testbed.sh(INSTALL);
    assert!(
        !doctor(&testbed).contains("keeps the watcher"),
        "{}",
        doctor(&testbed)
    );
    assert!(
        said.contains("headspace-watcher.service.d/10-install.conf"),
        "{said}"
    );
    ask(&testbed, "let-out");
    eventually("it is let out", || {
        testbed.sh("cat /opt/received || true").contains("let-out")
    });
    let allowed = testbed.property(WATCHER, "IPAddressAllow");
    assert!(
        allowed.contains("192.0.2.1/32") && !allowed.contains("0.0.0.0/0"),
        "{allowed}"
    );
    let web = testbed.property("headspace.service", "IPAddressAllow");
    assert!(
        !web.contains("192.0.2.1"),
        "the page needs no webhook: {web}"
    );
    let unit = testbed.systemctl(&["cat", WATCHER]);
    assert!(!unit.contains("geheim"), "{unit}");
}

#[test]
fn the_session_bus_is_reached_by_installing_and_not_before() {
    let testbed = Testbed::boot();
    testbed.write("/usr/bin/notify-send", NOTIFY_SEND);
    testbed.sh("chmod 755 /usr/bin/notify-send");
    testbed.start_for_user("dbus.socket");
    let bus = testbed.sh_as_account(
        "gdbus call --session --dest org.freedesktop.DBus \
        --object-path /org/freedesktop/DBus --method org.freedesktop.DBus.GetId",
    );
    testbed.sh(INSTALL);
    let hidden =
        "nsenter -t $(systemctl show -P MainPID headspace-watcher) -m ls /run/user 2>&1 || true";
    assert!(
        !testbed.sh(hidden).contains("bus"),
        "{}",
        testbed.sh(hidden)
    );
    set(&testbed, "desktop: true");
    ask(&testbed, "kept-in");
    eventually("the sandbox keeps it in", || {
        is_logged(&testbed, "an alert was not sent by desktop")
    });
    testbed.sh(INSTALL);
    ask(&testbed, "let-out");
    eventually("the bus answers", || {
        testbed.sh("cat /var/lib/headspace/answer").trim() == bus.trim()
    });
}
