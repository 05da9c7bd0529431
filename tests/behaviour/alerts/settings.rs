//! The settings of alerts: secrets stay secret, and what is wrong is refused.

use std::fs;

use crate::support::headspace::{Headspace, Kind};

fn output(headspace: &Headspace, arguments: &[&str]) -> String {
    let output = headspace.run(arguments);
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn the_address_and_the_secret_are_not_shown() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let credentials = headspace.dir().join("credentials");
    fs::create_dir(&credentials).expect("a folder");
    fs::write(credentials.join("webhook-secret"), "streng-geheim\n").expect("written");
    headspace
        .set(
            "HEADSPACE_NOTIFY__WEBHOOK_URL",
            "https://hooks.slack.com/services/geheim",
        )
        .set("CREDENTIALS_DIRECTORY", credentials.display());
    let shown = output(&headspace, &["config", "show"]);
    assert!(
        shown.contains(
            "webhook_url: \"https://hooks.slack.com/***\"  # HEADSPACE_NOTIFY__WEBHOOK_URL"
        ),
        "{shown}"
    );
    assert!(
        shown.contains("webhook_secret: \"***\"  # ") && !shown.contains("geheim"),
        "{shown}"
    );
}

#[test]
fn what_is_wrong_is_said_without_the_secret() {
    for (name, value, expected) in [
        (
            "WEBHOOK_URL",
            "hooks.slack.com/geheim",
            "notify.webhook_url: expected an address such as https://host/path",
        ),
        (
            "WEBHOOK_URL",
            "https://me:geheim@host/x",
            "without a user and password",
        ),
        (
            "WEBHOOK_SECRET",
            "whsec_geheim!",
            "notify.webhook_secret: expected base64 behind whsec_",
        ),
        (
            "WEBHOOK_SHAPE",
            "teams",
            "expected one of auto, json, slack, discord, ntfy",
        ),
        ("COMMAND", "[]", "notify.command: names no program"),
        ("COMMAND", "[1]", "notify.command: "),
        ("DESKTOP", "perhaps", "notify.desktop: "),
        ("SOUND", "true", "unknown key"),
    ] {
        let mut headspace = Headspace::on(Kind::Sqlite);
        headspace.set(&format!("HEADSPACE_NOTIFY__{name}"), value);
        let said = output(&headspace, &["config", "check"]);
        assert!(
            said.contains(expected) && !said.contains("geheim"),
            "{name}={value}: {said}"
        );
    }
}
