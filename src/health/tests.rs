use super::*;
use crate::store::Counters;
use crate::supervise::{
    shell::ShellSupervisor,
    unit::{Manager, WATCHER},
};

/// Every combination of what the three witnesses may say, and the answer. The
/// first line that fits counts; a cell names its values, `*` is any.
///
/// - unit: `-` none or not readable; `active` our watcher's, `other` another's
/// - lock: `new` held for 1 s, `held` for 60 s
/// - row: `former` of an earlier process, `away` the database does not answer
/// - reason: U is the unit's name, W the same in a command
const TABLE: &str = "
unit                                   | lock    | row         | elsewhere | running | reason

- shell active other inactive starting | new     | *           | *         | yes     |
failed                                 | new     | *           | *         | yes     | the watcher (pid 7) runs outside its unit: U failed too often, the last time with exit code 1; `systemctl reset-failed W && systemctl start W`
restarting                             | new     | *           | *         | yes     | the watcher (pid 7) runs outside its unit: U is being restarted after signal 9

- shell active other inactive starting | held    | fresh away  | *         | yes     |
failed                                 | held    | fresh away  | *         | yes     | the watcher (pid 7) runs outside its unit: U failed too often, the last time with exit code 1; `systemctl reset-failed W && systemctl start W`
restarting                             | held    | fresh away  | *         | yes     | the watcher (pid 7) runs outside its unit: U is being restarted after signal 9
*                                      | held    | old         | no        | no      | the watcher has not reported for 40 s, though its process (pid 7) lives
*                                      | held    | old         | yes       | yes     | the watcher has not reported for 40 s, though its process (pid 7) lives
*                                      | held    | stopped     | no        | no      | the watcher has stopped its work, though its process (pid 7) lives
*                                      | held    | stopped     | yes       | yes     | the watcher has stopped its work, though its process (pid 7) lives
*                                      | held    | none former | no        | no      | the watcher has never reported, though its process (pid 7) lives
*                                      | held    | none former | yes       | yes     | the watcher has never reported, though its process (pid 7) lives

- shell active other inactive starting | unknown | fresh       | *         | yes     |
failed                                 | unknown | fresh       | *         | yes     | the watcher runs outside its unit: U failed too often, the last time with exit code 1; `systemctl reset-failed W && systemctl start W`
restarting                             | unknown | fresh       | *         | yes     | the watcher runs outside its unit: U is being restarted after signal 9
active other shell                     | unknown | away        | *         | yes     |
active shell                           | unknown | old         | no        | no      | the watcher has not reported for 40 s, though its process (pid 7) lives
active shell                           | unknown | old         | yes       | yes     | the watcher has not reported for 40 s, though its process (pid 7) lives
active shell                           | unknown | stopped     | no        | no      | the watcher has stopped its work, though its process (pid 7) lives
active shell                           | unknown | stopped     | yes       | yes     | the watcher has stopped its work, though its process (pid 7) lives
active shell                           | unknown | none former | no        | no      | the watcher has never reported, though its process (pid 7) lives
active shell                           | unknown | none former | yes       | yes     | the watcher has never reported, though its process (pid 7) lives
other                                  | unknown | *           | no        | no      | the watcher has never reported, though its process (pid 5) lives
other                                  | unknown | *           | yes       | yes     | the watcher has never reported, though its process (pid 5) lives

-                                      | unknown | *           | no        | no      | there is no sign of a watcher, and its lock cannot be read
-                                      | free    | *           | no        | no      | no watcher is running
shell                                  | *       | *           | no        | no      | no watcher is running: its shell supervisor (pid 9) starts it again
active                                 | *       | *           | no        | no      | no watcher is running: U is active (pid 7), but not on /s
other                                  | *       | *           | no        | no      | no watcher is running: U is active (pid 5), but not on /s
inactive                               | *       | *           | no        | no      | no watcher is running: U is stopped; `systemctl start W`
starting                               | *       | *           | no        | no      | no watcher is running: U is being started
restarting                             | *       | *           | no        | no      | no watcher is running: U is being restarted after signal 9
failed                                 | *       | *           | no        | no      | no watcher is running: U failed too often, the last time with exit code 1; `systemctl reset-failed W && systemctl start W`
- active other inactive starting       | *       | *           | yes       | yes     |
shell                                  | *       | *           | yes       | yes     | no watcher is running here: its shell supervisor (pid 9) starts it again
restarting                             | *       | *           | yes       | yes     | no watcher is running here: U is being restarted after signal 9
failed                                 | *       | *           | yes       | yes     | no watcher is running here: U failed too often, the last time with exit code 1; `systemctl reset-failed W && systemctl start W`
";

const UNITS: [&str; 8] = [
    "-",
    "shell",
    "active",
    "other",
    "inactive",
    "starting",
    "restarting",
    "failed",
];
const LOCKS: [&str; 4] = ["new", "held", "free", "unknown"];
const ROWS: [&str; 6] = ["none", "former", "fresh", "old", "stopped", "away"];

#[test]
fn every_combination_has_the_answer_a_person_would_give() {
    let table: Vec<Vec<&str>> = TABLE
        .lines()
        .skip(2)
        .filter(|line| !line.is_empty())
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let mut used = vec![false; table.len()];
    for combination in combinations() {
        let fits = |line: &Vec<&str>| (0..4).all(|i| is_in(combination[i], line[i]));
        let at = table.iter().position(fits);
        let at = at.unwrap_or_else(|| panic!("{combination:?} is not in the table"));
        used[at] = true;
        let [.., running, reason] = table[at][..] else {
            panic!("{:?}", table[at])
        };
        let (watcher, reasons) = answer(combination);
        assert_eq!(
            watcher.running,
            running == "yes",
            "{combination:?}: {reasons:?}"
        );
        let reason = reason
            .replace('U', WATCHER)
            .replace('W', "headspace-watcher");
        let expected = Some(reason).filter(|reason| !reason.is_empty());
        assert_eq!(reasons, Vec::from_iter(expected), "{combination:?}");
    }
    let idle = used.iter().position(|used| !used);
    assert_eq!(
        idle.map(|at| &table[at]),
        None,
        "no combination needs this line"
    );
}

#[test]
fn who_looks_after_the_watcher_is_told_with_the_unit_of_the_same_process() {
    for (unit, lock, supervisor, state, main_pid, restarts, since) in [
        ("-", "held", "none", None, Some(7), None, "of the row"),
        ("-", "free", "none", None, None, None, "of the row"),
        (
            "shell",
            "held",
            "shell",
            None,
            Some(7),
            Some(2),
            "of the shell",
        ),
        (
            "shell",
            "free",
            "shell",
            None,
            None,
            Some(2),
            "of the shell",
        ),
        (
            "active",
            "held",
            "systemd",
            Some("active"),
            Some(7),
            Some(4),
            "of the unit",
        ),
        (
            "active",
            "unknown",
            "systemd",
            Some("active"),
            Some(7),
            Some(4),
            "of the unit",
        ),
        ("other", "held", "none", None, Some(7), None, "of the row"),
        ("failed", "held", "none", None, Some(7), None, "of the row"),
        (
            "failed",
            "free",
            "systemd",
            Some("failed"),
            None,
            Some(4),
            "of the unit",
        ),
        (
            "inactive",
            "held",
            "none",
            None,
            Some(7),
            None,
            "of the row",
        ),
        (
            "inactive",
            "free",
            "systemd",
            Some("inactive"),
            None,
            Some(4),
            "of the unit",
        ),
    ] {
        let (watcher, _) = answer([unit, lock, "fresh", "no"]);
        let case = format!("{unit} {lock}: {watcher:?}");
        assert_eq!(watcher.supervisor, supervisor, "{case}");
        assert_eq!(watcher.active_state.as_deref(), state, "{case}");
        assert_eq!(watcher.unit.as_deref(), state.map(|_| WATCHER), "{case}");
        assert_eq!(
            (watcher.main_pid, watcher.restarts),
            (main_pid, restarts),
            "{case}"
        );
        let began = match since {
            "of the row" => "2026-11-21T01:02:03.000000Z",
            "of the shell" => "2026-11-21T11:58:00.000000Z",
            _ => "2026-11-21T11:59:00.250000Z",
        };
        assert_eq!(watcher.since.as_deref(), Some(began), "{case}");
    }
}

#[test]
fn a_unit_that_cannot_work_says_what_to_do() {
    for (change, expected) in [
        (
            (|unit| unit.ended = Some(End::Exit(75))) as fn(&mut Unit),
            "U failed: crash limit reached (exit code 75); `systemctl reset-failed W && systemctl start W`",
        ),
        (
            |unit| unit.ended = Some(End::Exit(78)),
            "U failed: bad configuration (exit code 78); see `journalctl -u W`",
        ),
        (
            |unit| (unit.manager, unit.ended) = (Manager::User, Some(End::Exit(78))),
            "U failed: bad configuration (exit code 78); see `journalctl --user -u W`",
        ),
        (
            |unit| unit.result = Some("watchdog".into()),
            "U failed too often, the last time with a hang (watchdog); `systemctl reset-failed W && systemctl start W`",
        ),
        (
            |unit| {
                unit.restarts = Some(0);
                (unit.ended, unit.result) = (None, Some("resources".into()));
            },
            "U failed: resources; `systemctl reset-failed W && systemctl start W`",
        ),
        (
            |unit| (unit.active_state, unit.load_state) = ("inactive".into(), "masked".into()),
            "U is masked",
        ),
        (
            |unit| unit.active_state = "deactivating".into(),
            "U is being stopped",
        ),
        (
            |unit| unit.active_state = "maintenance".into(),
            "U is maintenance (failed)",
        ),
    ] {
        let mut local = local("failed", "free");
        change(local.unit.as_mut().unwrap());
        let mut reasons = vec![];
        judge(&local, Some(&[]), now(), &mut reasons);
        let expected = expected
            .replace('U', WATCHER)
            .replace('W', "headspace-watcher");
        assert_eq!(reasons, [format!("no watcher is running: {expected}")]);
    }
}

#[test]
fn a_degraded_watcher_is_told_wherever_it_runs() {
    let degraded = |host: &str| Beat {
        state: "degraded".into(),
        ..beat(host, 7, 0.4)
    };
    let mut reasons = vec![];
    let rows = [degraded("here"), degraded("there")];
    assert!(judge(&local("-", "held"), Some(&rows), now(), &mut reasons).running);
    let why = |host| format!("the watcher on {host} is degraded: the disk is full");
    assert_eq!(reasons, [why("here"), why("there")]);
}

fn combinations() -> impl Iterator<Item = [&'static str; 4]> {
    let of_unit = |unit| LOCKS.map(move |lock| (unit, lock));
    UNITS
        .into_iter()
        .flat_map(of_unit)
        .flat_map(|(unit, lock)| {
            let all = ROWS.map(|row| ["no", "yes"].map(|elsewhere| [unit, lock, row, elsewhere]));
            // No watcher elsewhere is known of while the database is away.
            all.into_iter()
                .flatten()
                .filter(|of| of[2..] != ["away", "yes"])
        })
}

fn is_in(value: &str, cell: &str) -> bool {
    cell == "*" || cell.split(' ').any(|word| word == value)
}

fn answer([unit, lock, row, elsewhere]: [&str; 4]) -> (Watcher, Vec<String>) {
    let own = match row {
        "former" => Some(beat("here", 3, 99.0)),
        "fresh" => Some(beat("here", 7, 0.4)),
        "old" => Some(beat("here", 7, 40.0)),
        "stopped" => Some(Beat {
            state: "stopped".into(),
            ..beat("here", 7, 5.0)
        }),
        _ => None,
    };
    let other = (elsewhere == "yes").then(|| beat("there", 8, 1.0));
    let rows: Vec<Beat> = own.into_iter().chain(other).collect();
    let mut reasons = vec![];
    let beats = (row != "away").then_some(&*rows);
    let watcher = judge(&local(unit, lock), beats, now(), &mut reasons);
    (watcher, reasons)
}

fn local(unit: &str, lock: &str) -> Local {
    let held = |age_seconds| Holder::Process {
        pid: 7,
        age_seconds,
    };
    Local {
        host: "here".into(),
        state_dir: "/s".into(),
        holder: match lock {
            "new" => held(1.0),
            "held" => held(60.0),
            "free" => Holder::Free,
            _ => Holder::Unknown,
        },
        shell: (unit == "shell").then(|| ShellSupervisor {
            pid: 9,
            watcher: 7,
            restarts: 2,
            since: "2026-11-21T11:58:00Z".parse().ok(),
        }),
        unit: unit_that_is(unit),
    }
}

fn unit_that_is(state: &str) -> Option<Unit> {
    let (active_state, sub_state, main_pid, ended) = match state {
        "active" => ("active", "running", Some(7), None),
        "other" => ("active", "running", Some(5), None),
        "inactive" => ("inactive", "dead", None, Some(End::Exit(0))),
        "starting" => ("activating", "start", Some(6), None),
        "restarting" => ("activating", "auto-restart", None, Some(End::Signal(9))),
        "failed" => ("failed", "failed", None, Some(End::Exit(1))),
        _ => return None,
    };
    Some(Unit {
        manager: Manager::System,
        name: WATCHER.into(),
        load_state: "loaded".into(),
        active_state: active_state.into(),
        sub_state: sub_state.into(),
        result: Some("exit-code".into()),
        restarts: Some(4),
        main_pid,
        since: "2026-11-21T11:59:00.25Z".parse().ok(),
        ended,
        status: None,
        enabled: true,
    })
}

fn beat(host: &str, pid: i64, age_seconds: f64) -> Beat {
    Beat {
        host: host.into(),
        state_dir: "/s".into(),
        pid,
        started_at: "2026-11-21T01:02:03.000000Z".into(),
        age_seconds,
        state: "running".into(),
        reason: Some("the disk is full".into()),
        counters: Counters::default(),
    }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}
