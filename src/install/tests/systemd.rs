//! What is installed on systemd, and what is left alone.

use super::*;
use crate::install::{systemd, units};

const WATCHER: &str = "/etc/systemd/system/headspace-watcher.service";
const DROP_IN: &str = "/etc/systemd/system/headspace-watcher.service.d/10-install.conf";

#[test]
fn a_users_service_needs_units_and_no_drop_in() {
    let steps = Machine::default().plan(&facts(Manager::User)).unwrap();
    let expected = [
        "write /home/ada/.config/headspace/installed.json",
        "write /home/ada/.config/systemd/user/headspace-watcher.service",
        "write /home/ada/.config/systemd/user/headspace.service",
        "write /home/ada/.config/systemd/user/headspace.socket",
        "write /home/ada/.config/systemd/user/headspace-failure@.service",
        "run systemctl --user daemon-reload",
        "run systemctl --user enable headspace.socket headspace-watcher.service headspace.service",
        "run systemctl --user start headspace.socket",
        "run systemctl --user start headspace-watcher.service",
        "run systemctl --user start headspace.service",
    ];
    assert_eq!(acts(&steps), expected);
    says(
        &steps,
        "log journalctl --user -u headspace -u headspace-watcher",
    );
}

#[test]
fn the_units_are_installed_as_they_are_shipped() {
    for manager in [Manager::User, Manager::System] {
        let machine = Machine::installed(&facts(manager));
        for unit in units::of(manager) {
            let path = target(manager).unit_folder().join(unit.name);
            assert_eq!(machine.text(path.to_str().unwrap()), unit.text);
        }
    }
}

#[test]
fn a_system_service_runs_as_the_user_that_was_named() {
    let machine = Machine::installed(&facts(Manager::System));
    let ending = |path: &str| machine.text(path).split_once("local.conf.\n").unwrap().1;
    let service = "[Service]\nDynamicUser=no\nUser=ada\n";
    assert_eq!(ending(DROP_IN), service);
    assert_eq!(
        ending("/etc/systemd/system/headspace.service.d/10-install.conf"),
        service
    );
    assert_eq!(
        ending("/etc/systemd/system/headspace.socket.d/10-install.conf"),
        "[Socket]\nSocketUser=ada\n"
    );
    let tmpfiles = machine.text(systemd::TMPFILES);
    assert!(
        tmpfiles.ends_with("\nd /run/headspace 0700 ada 20 -\n"),
        "{tmpfiles}"
    );
    let settings = &machine.files[Path::new("/etc/headspace/config.yaml")];
    assert_eq!(settings.0, include_str!("../../../config/config.yaml"));
    assert_eq!(settings.1, 0o640);
}

#[test]
fn what_a_package_has_is_not_copied() {
    let mut facts = facts(Manager::System);
    let names = units::of(Manager::System).iter().map(|unit| unit.name);
    facts.packaged = names.collect();
    let machine = Machine::installed(&facts);
    let written: Vec<_> = machine.files.keys().collect();
    let expected = [
        "/etc/headspace/config.yaml",
        DROP_IN,
        "/etc/systemd/system/headspace.service.d/10-install.conf",
        "/etc/systemd/system/headspace.socket.d/10-install.conf",
        systemd::TMPFILES,
    ];
    assert_eq!(written, expected.map(Path::new));
}

#[test]
fn a_drop_in_holds_exactly_what_is_special_here() {
    let remote = |facts: &mut InstallFacts, host: &str| {
        let url = format!("postgres://ada@{host}/log");
        facts.settings.database.url = url.try_into().unwrap();
    };
    let with = |change: &dyn Fn(&mut InstallFacts)| {
        let mut facts = facts(Manager::System);
        change(&mut facts);
        let machine = Machine::installed(&facts);
        let (_, special) = machine.text(DROP_IN).split_once("User=ada\n").unwrap();
        special.to_owned()
    };
    assert_eq!(
        with(&|facts| facts.binary = "/opt/head space/100%/headspace".into()),
        "ExecStart=\nExecStart=\"/opt/head space/100%%/headspace\" watch\n"
    );
    assert_eq!(
        with(&|facts| {
            let odd = "a \"b\" \\ 5% \n$c".to_owned();
            facts
                .environment
                .insert("HEADSPACE_CLAUDE__ROOTS".into(), odd);
        }),
        "Environment=\"HEADSPACE_CLAUDE__ROOTS=a \\\"b\\\" \\\\ 5%% \\n$c\"\n"
    );
    assert_eq!(
        with(&|facts| facts.secret = Some("postgres://a:secret@localhost/x".into())),
        "LoadCredential=database-url:/etc/headspace/database-url\n"
    );
    assert_eq!(
        with(&|facts| remote(facts, "[2001:db8::1]")),
        "# The database.\nIPAddressAllow=2001:db8::1\n"
    );
    let webhook = |url: &str| {
        let url = config::WebhookUrl::try_from(url.to_owned()).unwrap();
        with(&move |facts| facts.settings.notify.webhook_url = Some(url.clone()))
    };
    assert_eq!(webhook("http://localhost:8000/geheim"), "");
    let allowed = "# The webhook.\nIPAddressAllow=10.1.2.3\n";
    assert_eq!(webhook("http://10.1.2.3/geheim"), allowed);
    let named = webhook("https://ntfy.sh/geheim");
    assert!(
        named.starts_with("# The webhook is ntfy.sh, a name"),
        "{named}"
    );
    assert!(
        named.ends_with("IPAddressAllow=any\n") && !named.contains("geheim"),
        "{named}"
    );
    assert_eq!(
        with(&|facts| facts.settings.notify.desktop = true),
        "# The desktop's session bus.\nInaccessiblePaths=\n\
         Environment=DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/501/bus\n"
    );
    let named = with(&|facts| remote(facts, "db.example"));
    assert!(
        named.starts_with("# The database is db.example, a name"),
        "{named}"
    );
    assert!(named.ends_with("\nIPAddressAllow=any\n"), "{named}");
}

#[test]
fn another_address_replaces_the_shipped_ones() {
    let mut facts = facts(Manager::User);
    listen_on(&mut facts, "[::1]:8080");
    let machine = Machine::installed(&facts);
    let path = "/home/ada/.config/systemd/user/headspace.socket.d/10-install.conf";
    assert!(machine.text(path).ends_with(
        "[Socket]\nListenStream=\nListenStream=[::1]:8080\n\
         ListenStream=/run/user/501/headspace/web.sock\n"
    ));
}

#[test]
fn a_program_out_of_reach_is_copied_and_the_copy_is_run() {
    let mut facts = facts(Manager::System);
    facts.binary = "/home/ada/bin/headspace".into();
    facts.copy = Some(b"the program".into());
    let mut machine = Machine::default();
    let steps = machine.plan(&facts).unwrap();
    let copied = "write /usr/local/bin/headspace (a copy of this program, which a system \
                  service cannot run where it is)";
    says(&steps, copied);
    machine.execute(&steps);
    let drop_in = machine.text(DROP_IN);
    assert!(
        drop_in.ends_with("ExecStart=\"/usr/local/bin/headspace\" watch\n"),
        "{drop_in}"
    );
    facts.states = running();
    assert_eq!(
        acts(&machine.plan(&facts).unwrap()),
        ["run systemd-tmpfiles --create /etc/tmpfiles.d/headspace.conf"]
    );
}

#[test]
fn a_second_run_changes_nothing() {
    for manager in [Manager::User, Manager::System] {
        let mut facts = facts(manager);
        facts.secret = Some("postgres://a:secret@localhost/x".into());
        let mut machine = Machine::installed(&facts);
        machine.folders.insert(facts.settings.places.run.clone());
        facts.states = running();
        let steps = machine.plan(&facts).unwrap();
        assert_eq!(acts(&steps), Vec::<String>::new());
        says(&steps, "already headspace.service runs");
    }
}

#[test]
fn an_upgraded_unit_is_rewritten_and_its_service_restarted() {
    let mut facts = facts(Manager::System);
    let mut machine = Machine::installed(&facts);
    machine.folders.insert(facts.settings.places.run.clone());
    facts.states = running();
    // As an older version wrote it.
    machine.change(WATCHER, "[Service]\n");
    let old = files::sha256(b"[Service]\n");
    let manifest = machine.manifest.as_mut().unwrap();
    let entry = manifest
        .files
        .iter_mut()
        .find(|(path, _)| path == Path::new(WATCHER));
    entry.unwrap().1 = old;
    let steps = machine.plan(&facts).unwrap();
    let note = "write /etc/headspace/installed.json";
    let expected = [
        note,
        &format!("write {WATCHER}"),
        "run systemctl daemon-reload",
        "run systemctl restart headspace-watcher.service",
        note,
    ];
    assert_eq!(acts(&steps), expected);
}

#[test]
fn a_changed_address_is_restarted_with_the_service_behind_it() {
    let mut facts = facts(Manager::User);
    let machine = Machine::installed(&facts);
    facts.states = running();
    listen_on(&mut facts, "127.0.0.1:8080");
    let steps = machine.plan(&facts).unwrap();
    says(
        &steps,
        "run systemctl --user restart headspace.socket headspace.service\n",
    );
}

#[test]
fn a_replaced_program_and_a_failed_service_are_started_again() {
    let mut facts = facts(Manager::User);
    let machine = Machine::installed(&facts);
    facts.states = running();
    facts.states.get_mut(systemd::WEB).unwrap().is_outdated = true;
    let watcher = facts.states.get_mut(systemd::WATCHER).unwrap();
    (watcher.is_active, watcher.has_failed) = (false, true);
    let expected = [
        "run systemctl --user reset-failed headspace-watcher.service",
        "run systemctl --user restart headspace.service",
        "run systemctl --user start headspace-watcher.service",
    ];
    assert_eq!(acts(&machine.plan(&facts).unwrap()), expected);
}

#[test]
fn a_foreign_or_changed_file_is_not_overwritten() {
    let facts = facts(Manager::System);
    let refusal = |machine: &Machine| machine.plan(&facts).err().unwrap().to_string();
    let mut machine = Machine::installed(&facts);
    machine.change(WATCHER, "[Service]\nNice=5\n");
    let message = refusal(&machine);
    assert!(
        message.starts_with(WATCHER) && message.contains("20-local.conf"),
        "{message}"
    );
    machine.manifest = None;
    assert!(refusal(&machine).starts_with(WATCHER));
    let mut machine = Machine::default();
    machine.folders.insert(systemd::TMPFILES.into());
    assert!(refusal(&machine).contains("this is a folder"));
}

#[test]
fn settings_that_are_there_are_kept() {
    let mut machine = Machine::default();
    let path = PathBuf::from("/etc/headspace/config.yaml");
    machine
        .files
        .insert(path.clone(), ("web: {}\n".into(), 0o600));
    let steps = machine.plan(&facts(Manager::System)).unwrap();
    says(&steps, "keep /etc/headspace/config.yaml as it is");
    machine.execute(&steps);
    assert_eq!(machine.text("/etc/headspace/config.yaml"), "web: {}\n");
    assert!(!machine.manifest.unwrap().paths().contains(&path.as_path()));
}

#[test]
fn a_drop_in_that_is_not_wanted_any_more_goes() {
    let mut chosen = facts(Manager::User);
    chosen
        .environment
        .insert("CLAUDE_CONFIG_DIR".into(), "/c".into());
    let machine = Machine::installed(&chosen);
    let steps = machine.plan(&facts(Manager::User)).unwrap();
    let removed = "remove /home/ada/.config/systemd/user/headspace.service.d/10-install.conf";
    says(&steps, removed);
}

#[test]
fn an_installation_that_stopped_anywhere_can_be_done_again() {
    let whole = Machine::default().plan(&facts(Manager::System)).unwrap();
    for stop in 0..whole.len() {
        let mut machine = Machine::default();
        machine.execute(&whole[..stop]);
        let again = machine.plan(&facts(Manager::System));
        machine.execute(&again.unwrap_or_else(|message| panic!("after {stop} steps: {message}")));
        assert_eq!(machine.text(WATCHER), units::of(Manager::System)[0].text);
        let manifest = machine.manifest.as_ref().unwrap();
        let named: Vec<&Path> = manifest.paths();
        assert!(
            machine
                .files
                .keys()
                .all(|path| named.contains(&path.as_path())),
            "{stop}"
        );
    }
}

#[test]
fn a_secret_is_in_its_own_file_and_nowhere_else() {
    for manager in [Manager::User, Manager::System] {
        let mut facts = facts(manager);
        facts.secret = Some("postgres://ada:hunter2@db/x".into());
        let mut machine = Machine::default();
        let steps = machine.plan(&facts).unwrap();
        machine.execute(&steps);
        let manifest = machine.manifest.unwrap().text();
        let message = lines(&steps).join("\n") + &manifest;
        assert!(!message.contains("hunter2"), "{message}");
        assert!(!manifest.contains(&files::sha256(b"postgres://ada:hunter2@db/x\n")));
        let holds = |(_, (text, _)): &(&PathBuf, &(String, u32))| text.contains("hunter2");
        let holders: Vec<_> = machine.files.iter().filter(holds).collect();
        assert_eq!(holders.len(), 1);
        assert_eq!(holders[0].0, &facts.target.secret_path());
        assert_eq!(holders[0].1.1, 0o600);
    }
}

#[test]
fn lingering_is_explained_or_switched_on() {
    let mut facts = facts(Manager::User);
    facts.lingers = false;
    let steps = |facts: &InstallFacts| Machine::default().plan(facts).unwrap();
    says(
        &steps(&facts),
        "To keep them running: loginctl enable-linger ada",
    );
    facts.wants_linger = true;
    says(&steps(&facts), "\nrun loginctl enable-linger ada\n");
}

#[test]
fn the_units_limits_follow_the_settings() {
    let mut facts = facts(Manager::User);
    facts.settings.event_system.shutdown_timeout_seconds = 20;
    facts.settings.event_system.max_restarts_per_minute = 10;
    let machine = Machine::installed(&facts);
    let ending = |unit: &str| {
        let path = format!("/home/ada/.config/systemd/user/{unit}.d/10-install.conf");
        machine.text(&path).split_once("local.conf.\n").unwrap().1
    };
    assert_eq!(
        ending(systemd::WATCHER),
        "[Unit]\nStartLimitBurst=12\n[Service]\nTimeoutStopSec=21\n"
    );
    assert_eq!(ending(systemd::WEB), "[Service]\nTimeoutStopSec=21\n");
}
