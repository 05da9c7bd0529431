use super::*;
use crate::{
    doctor::finding::State::{self, Failed, Note, Ok as Fine, Warning},
    supervise::unit::End,
};

const ABSENT: Answer = Answer::Absent;

/// What is changed, and what is then found, said and advised.
type Case<'t, T> = (&'t dyn Fn(&mut T), State, &'t str, &'t str);

fn unit(name: &str, active_state: &str, enabled: bool) -> Unit {
    Unit {
        manager: Manager::System,
        name: name.into(),
        load_state: "loaded".into(),
        active_state: active_state.into(),
        sub_state: "x".into(),
        result: None,
        restarts: None,
        main_pid: None,
        since: None,
        ended: None,
        status: None,
        enabled,
    }
}

fn known(name: &str, active_state: &str, enabled: bool) -> Answer {
    Answer::Known(unit(name, active_state, enabled))
}

fn managed(manager: Manager, answers: [Answer; 3]) -> Managed {
    Managed {
        manager,
        answers: answers.into(),
        installed: None,
        programs: vec![],
        lingers: None,
    }
}

/// Watcher, application, door.
fn well(manager: Manager) -> Managed {
    let answers = [
        known(SYSTEMD[0], "active", true),
        known(SYSTEMD[1], "inactive", false),
        known(SYSTEMD[2], "active", true),
    ];
    managed(manager, answers)
}

fn states(found: &[Finding]) -> Vec<State> {
    found.iter().map(|one| one.state).collect()
}

#[test]
fn nothing_installed_is_a_note_and_nothing_to_ask_is_none() {
    let silent = || Answer::Unreadable("there is no systemctl".into());
    let unused = || known(SYSTEMD[0], "inactive", false);
    for (answers, said) in [
        (
            [silent(), silent(), silent()],
            "not checked: there is no systemctl",
        ),
        ([ABSENT, ABSENT, ABSENT], "no service is installed"),
        ([unused(), unused(), unused()], "none is enabled"),
    ] {
        let found = judge(&[managed(Manager::System, answers)]);
        assert_eq!(states(&found), [Note]);
        assert!(found[0].found.contains(said), "{found:?}");
    }
}

#[test]
fn each_state_of_a_unit_has_its_verdict() {
    let with = |change: &dyn Fn(&mut Unit)| {
        let mut watcher = unit(SYSTEMD[0], "active", true);
        change(&mut watcher);
        let mut managed = well(Manager::System);
        managed.answers[0] = Answer::Known(watcher);
        judge(&[managed]).remove(0)
    };
    let failed = |unit: &mut Unit| {
        unit.active_state = "failed".into();
        unit.ended = Some(End::Exit(75));
    };
    let again = |unit: &mut Unit| {
        unit.active_state = "activating".into();
        unit.sub_state = "auto-restart".into();
    };
    let table: [Case<Unit>; 7] = [
        (&|_| {}, Fine, "headspace-watcher.service active", ""),
        (
            &|unit| unit.load_state = "masked".into(),
            Failed,
            "is masked",
            "systemctl unmask",
        ),
        (
            &|unit| unit.load_state = "bad-setting".into(),
            Failed,
            "bad-setting",
            "headspace install --system",
        ),
        (
            &failed,
            Failed,
            "crash limit reached (exit code 75)",
            "systemctl reset-failed",
        ),
        (&again, Warning, "started again", "journalctl -u"),
        (
            &|unit| unit.active_state = "inactive".into(),
            Warning,
            "does not run",
            "systemctl start",
        ),
        (
            &|unit| unit.enabled = false,
            Warning,
            "come up by itself",
            "systemctl enable",
        ),
    ];
    for (change, state, said, fix) in table {
        let found = with(change);
        assert_eq!(found.state, state, "{found:?}");
        assert!(found.found.contains(said), "{found:?}");
        assert!(
            found.fix.as_deref().unwrap_or("").contains(fix),
            "{found:?}"
        );
    }
}

#[test]
fn a_part_that_is_missing_fails() {
    let mut some = well(Manager::User);
    some.answers[2] = ABSENT;
    let found = judge(&[some]);
    assert_eq!(states(&found), [Failed]);
    assert!(
        found[0]
            .found
            .starts_with("headspace.socket is not installed"),
        "{found:?}"
    );
}

#[test]
fn a_door_is_idle_while_the_application_does_not_run() {
    let mut one = well(Manager::System);
    assert!(is_door_idle(&[
        managed(Manager::User, [ABSENT, ABSENT, ABSENT]),
        one
    ]));
    one = well(Manager::System);
    one.answers[1] = known(SYSTEMD[1], "active", false);
    assert!(!is_door_idle(&[one]));
    assert!(!is_door_idle(&[managed(
        Manager::User,
        [ABSENT, ABSENT, ABSENT]
    )]));
}

#[test]
fn both_managers_at_once_clash() {
    let found = judge(&[well(Manager::System), well(Manager::User)]);
    assert_eq!(states(&found), [Fine, Fine, Failed]);
    // A package brings both; one of them is not in use.
    let unused = [0, 1, 2].map(|at| known(SYSTEMD[at], "inactive", false));
    let found = judge(&[well(Manager::System), managed(Manager::User, unused)]);
    assert_eq!(states(&found), [Fine]);
}

#[test]
fn files_and_programs_are_this_programs_or_it_is_said() {
    let with = |change: &dyn Fn(&mut Installed)| {
        let mut installed = Installed {
            folder: "/etc/systemd/system".into(),
            user: Some("me".into()),
            ..Installed::default()
        };
        change(&mut installed);
        let mut managed = well(Manager::System);
        managed.installed = Some(installed);
        judge(&[managed]).remove(0)
    };
    let packaged = |installed: &mut Installed| {
        installed.folder = "/usr/lib/systemd/system".into();
        installed.different = vec!["/usr/lib/systemd/system/headspace.socket".into()];
    };
    let table: [Case<Installed>; 5] = [
        (&|_| {}, Fine, "active", ""),
        (
            &|it| it.different = vec!["/x".into()],
            Warning,
            "/x is not the one",
            "install --system --user me",
        ),
        (
            &packaged,
            Warning,
            "headspace.socket is not the one",
            "install the package",
        ),
        (
            &|it| it.needs_reload = true,
            Warning,
            "have changed",
            "systemctl daemon-reload",
        ),
        (
            &|it| it.dangling = vec![("/u".into(), "/gone".into())],
            Failed,
            "/u names /gone",
            "make it",
        ),
    ];
    for (change, state, said, fix) in table {
        let found = with(change);
        assert_eq!(found.state, state, "{found:?}");
        assert!(found.found.contains(said), "{found:?}");
        assert!(
            found.fix.as_deref().unwrap_or("").contains(fix),
            "{found:?}"
        );
    }
    let ours = env!("CARGO_PKG_VERSION").to_owned();
    let silent = || Err("no".to_owned());
    for (path, version, expected) in [
        ("/usr/bin/headspace", Ok(ours), Fine),
        ("/usr/bin/headspace", Ok("0.0.1".into()), Warning),
        ("/no/such/headspace", silent(), Failed),
        ("/etc/passwd", silent(), Failed),
    ] {
        let mut managed = well(Manager::System);
        managed.programs = vec![(path.into(), version)];
        assert_eq!(states(&judge(&[managed])), [expected], "{path}");
    }
}

#[test]
fn a_user_who_does_not_linger_is_told_how() {
    let mut managed = well(Manager::User);
    managed.lingers = Some(("me".into(), false));
    let found = judge(&[managed]);
    assert_eq!(states(&found), [Fine, Warning]);
    assert_eq!(found[1].fix.as_deref(), Some("loginctl enable-linger me"));
}

#[test]
fn the_watcher_is_started_as_its_manager_does() {
    let mut managed = well(Manager::User);
    for answer in &mut managed.answers {
        if let Answer::Known(unit) = answer {
            unit.manager = Manager::User;
        }
    }
    let start = how_to_start(&[managed]);
    assert_eq!(
        start.as_deref(),
        Some("systemctl --user start headspace-watcher")
    );
    assert_eq!(how_to_start(&[]), None);
}

#[test]
fn looking_at_another_folder_than_the_systems_service_is_told() {
    let theirs = Path::new("/var/lib/headspace");
    let mine = Path::new("/home/me/.local/state/headspace");
    let system = [well(Manager::System)];
    assert_eq!(judge_elsewhere(&system, theirs), None);
    assert_eq!(judge_elsewhere(&[well(Manager::User)], mine), None);
    assert_eq!(judge_elsewhere(&[], mine), None);
    let found = judge_elsewhere(&system, mine).expect("a note");
    assert_eq!(found.state, Note);
    assert!(
        found
            .fix
            .unwrap()
            .starts_with("sudo -u NAME env CONFIGURATION_DIRECTORY=")
    );
}
