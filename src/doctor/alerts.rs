//! Whether alerts can go out in the ways that are set. Nothing is sent.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::finding::Finding;
use crate::{
    alert::DESKTOP_PROGRAM,
    config::{Notify, Settings, WebhookUrl},
};

const CHECK: &str = "alerts";

/// What an administrator and the installer added to the system's watcher.
const DROP_INS: &str = "/etc/systemd/system/headspace-watcher.service.d";

/// Nothing where no way is set.
pub fn examine(settings: &Settings) -> Vec<Finding> {
    let notify = &settings.notify;
    let mut findings = judge(notify, env::var_os("PATH").as_deref());
    if settings.places.state == Path::new("/var/lib/headspace") {
        findings.extend(kept_in(notify, Path::new(DROP_INS)));
    }
    findings
}

/// What the system's unit does not let out, where one was installed: it is opened by
/// installing, and the settings may be newer.
fn kept_in(notify: &Notify, drop_ins: &Path) -> Vec<Finding> {
    let files = fs::read_dir(drop_ins).into_iter().flatten().flatten();
    let texts: Vec<String> = files
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .collect();
    let says = |key: &str| {
        texts
            .iter()
            .any(|text| text.lines().any(|line| line.starts_with(key)))
    };
    let host = notify
        .webhook_url
        .as_ref()
        .and_then(WebhookUrl::remote_host);
    let closed = [
        host.filter(|_| !says("IPAddressAllow="))
            .map(|host| format!("the webhook's host {host}")),
        (notify.desktop && !says("InaccessiblePaths=")).then(|| "the desktop's session bus".into()),
    ];
    let closed = closed.into_iter().flatten().filter(|_| !texts.is_empty());
    let finding = |what: String| {
        let found = format!("the system's unit keeps the watcher from {what}");
        Finding::warning(
            CHECK,
            found,
            "sudo headspace install --system --user NAME, once more",
        )
    };
    closed.map(finding).collect()
}

fn judge(notify: &Notify, path: Option<&OsStr>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ways = Vec::new();
    if notify.desktop {
        match program(DESKTOP_PROGRAM, path) {
            true => ways.push("desktop"),
            false => findings.push(Finding::warning(
                CHECK,
                format!("notify.desktop is set, and there is no {DESKTOP_PROGRAM}"),
                "install libnotify-bin (Debian, Ubuntu) or libnotify (Fedora, Arch)",
            )),
        }
    }
    if let Some(url) = &notify.webhook_url {
        findings.extend(in_the_clear(url));
        ways.push("webhook");
    }
    if let Some(name) = notify.command.as_ref().and_then(|words| words.first()) {
        match program(name, path) {
            true => ways.push("command"),
            false => findings.push(Finding::warning(
                CHECK,
                format!("notify.command: {name} is no program that can be run"),
                "correct notify.command, or make the file executable",
            )),
        }
    }
    if findings.is_empty() && !ways.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            format!("alerts go out by {}", ways.join(", ")),
        ));
    }
    findings
}

fn in_the_clear(url: &WebhookUrl) -> Option<Finding> {
    let host = url.remote_host()?;
    (url.uri().scheme_str() == Some("http")).then(|| {
        let found = format!("alerts go to {host} without TLS: the network can read them");
        Finding::warning(CHECK, found, "use https in notify.webhook_url")
    })
}

/// Whether it can be run, by its path or by its name.
fn program(name: &str, path: Option<&OsStr>) -> bool {
    let is_program = |file: &Path| {
        let mode = fs::metadata(file).ok().filter(fs::Metadata::is_file);
        mode.is_some_and(|file| file.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return is_program(Path::new(name));
    }
    let folders = path.map(env::split_paths).into_iter().flatten();
    folders
        .map(|folder: PathBuf| folder.join(name))
        .any(|file| is_program(&file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Shape, doctor::finding::Severity};

    fn notify() -> Notify {
        Notify {
            desktop: false,
            webhook_url: None,
            webhook_secret: None,
            webhook_shape: Shape::Auto,
            command: None,
            finished: false,
        }
    }

    fn found(notify: &Notify, path: &Path) -> Vec<(Severity, String)> {
        let findings = judge(notify, Some(path.as_os_str()));
        findings
            .into_iter()
            .map(|one| (one.state, one.found))
            .collect()
    }

    #[test]
    fn a_way_that_cannot_work_is_said_and_one_that_is_not_set_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(found(&notify(), dir.path()), []);
        let mut set = notify();
        set.desktop = true;
        set.command = Some(vec!["tell-me".into()]);
        fs::write(dir.path().join("tell-me"), "").unwrap();
        let wrong = found(&set, dir.path());
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].1.contains("there is no"), "{wrong:?}");
        assert!(wrong[1].1.contains("tell-me is no program"), "{wrong:?}");
        for name in ["tell-me", DESKTOP_PROGRAM] {
            fs::write(dir.path().join(name), "").unwrap();
            let mode = PermissionsExt::from_mode(0o755);
            fs::set_permissions(dir.path().join(name), mode).unwrap();
        }
        let fine = (Severity::Ok, "alerts go out by desktop, command".to_owned());
        assert_eq!(found(&set, dir.path()), [fine]);
    }

    #[test]
    fn what_the_systems_unit_keeps_in_is_said_until_it_is_installed_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut set = notify();
        set.desktop = true;
        set.webhook_url = Some("https://10.0.0.7/geheim".to_owned().try_into().unwrap());
        assert_eq!(kept_in(&set, dir.path()), [], "nothing is installed");
        let file = dir.path().join("10-install.conf");
        fs::write(&file, "[Service]\nUser=ada\n").unwrap();
        let kept: Vec<String> = kept_in(&set, dir.path())
            .into_iter()
            .map(|one| one.found)
            .collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(kept[0].ends_with("the webhook's host 10.0.0.7"), "{kept:?}");
        let open = "[Service]\nIPAddressAllow=10.0.0.7\nInaccessiblePaths=\n";
        fs::write(&file, open).unwrap();
        assert_eq!(kept_in(&set, dir.path()), []);
        fs::write(&file, "[Service]\nUser=ada\n").unwrap();
        assert_eq!(kept_in(&notify(), dir.path()), [], "nothing is set");
    }

    #[test]
    fn a_webhook_on_another_machine_wants_tls() {
        let mut set = notify();
        for (url, state) in [
            ("http://10.0.0.7/geheim", Severity::Warning),
            ("http://localhost/geheim", Severity::Ok),
            ("https://10.0.0.7/geheim", Severity::Ok),
        ] {
            set.webhook_url = Some(url.to_owned().try_into().unwrap());
            let found = found(&set, Path::new("/nowhere"));
            assert_eq!(found[0].0, state, "{url}");
            assert!(!found[0].1.contains("geheim"), "{found:?}");
        }
    }
}
