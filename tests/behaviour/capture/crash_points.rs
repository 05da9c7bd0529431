//! A watcher that is killed just before any of its system calls loses nothing
//! and doubles nothing, of the log or of the archive: between two calls, nothing changes that lasts.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    spool::{assert_silent, hook, segments, stop},
    support::{
        headspace::{Headspace, Kind, is_long},
        oracle,
        transcripts::{Session, append},
        web::Web,
    },
};

/// The calls by which SQLite and the watcher change files.
const TO_FILES: [&str; 8] = [
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "ftruncate",
    "unlink",
    "rename",
    "openat",
];
/// Those by which it speaks with a server.
const TO_A_SERVER: [&str; 2] = ["sendto", "recvfrom"];

#[test]
fn killed_before_any_call_that_changes_a_file_it_stores_everything_once() {
    let stride = if is_long() { 1 } else { 24 };
    kill_before_each(Kind::Sqlite, &TO_FILES, stride, talk);
}

#[test]
fn killed_before_any_call_that_changes_a_file_it_takes_in_the_spool_once() {
    let stride = if is_long() { 1 } else { 24 };
    kill_before_each(Kind::Sqlite, &TO_FILES, stride, spool);
}

#[test]
fn killed_before_any_message_to_the_server_it_stores_everything_once() {
    let stride = if is_long() { 1 } else { 30 };
    kill_before_each(Kind::Postgres, &TO_A_SERVER, stride, talk);
}

#[test]
fn killed_before_any_message_to_the_server_it_takes_in_the_spool_once() {
    let stride = if is_long() { 1 } else { 16 };
    kill_before_each(Kind::Postgres, &TO_A_SERVER, stride, spool);
}

/// What a watcher is to take in, and what must be stored then.
struct Workload {
    headspace: Headspace,
    texts: Vec<String>,
    sent: Vec<Value>,
}

/// Kills before every `stride`th call of each kind, and before the first.
fn kill_before_each(kind: Kind, calls: &[&str], stride: usize, workload: fn(Kind) -> Workload) {
    need_strace();
    let mut killed = 0;
    for (call, total) in count(workload(kind), calls) {
        for number in (1..=total).step_by(stride) {
            killed += usize::from(kill_before(workload(kind), call, number));
        }
        println!("{call}: {total} calls by one thread, every {stride}th tried");
    }
    println!("{killed} kills");
    assert!(killed >= calls.len(), "{killed} kills only");
}

/// Runs the workload, kills it before the n-th call, runs it again; says
/// whether it was killed.
fn kill_before(workload: Workload, call: &str, number: usize) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let Workload {
        headspace,
        texts,
        sent,
    } = workload;
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
    strace.arg(format!("trace={call}"));
    strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={number}")]);
    let status = watch_under(&headspace, strace);
    headspace.watch_once();
    assert_eq!(
        headspace.store.turns(),
        texts,
        "after a kill before {call} number {number}"
    );
    if !texts.is_empty() {
        let pieces = headspace.store.number("SELECT count(*) FROM archive");
        assert_eq!(pieces, 1, "they are merged");
        let given = headspace.run(&["export", "--raw", &uuid(&headspace)]);
        let kept = given.stdout == fs::read(transcript(&headspace)).expect("the transcript");
        assert!(
            kept,
            "after a kill before {call} number {number}: {given:?}"
        );
    }
    assert!(
        segments(&headspace).len() <= 1,
        "what was taken in is removed"
    );
    oracle::assert_clean_with_sent(&headspace, &sent);
    status.signal() == Some(9)
}

/// How many calls of each kind the busiest thread makes: strace counts by thread.
fn count<'a>(workload: Workload, calls: &[&'a str]) -> Vec<(&'a str, usize)> {
    let headspace = workload.headspace;
    let trace = headspace.dir().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args([
            "-f",
            "-qq",
            "-e",
            &format!("trace={}", calls.join(",")),
            "-o",
        ])
        .arg(&trace);
    assert!(watch_under(&headspace, strace).success());
    let trace = fs::read_to_string(&trace).expect("a trace");
    let total = |call: &str| {
        let mut by_thread = HashMap::new();
        for line in trace
            .lines()
            .filter(|line| line.contains(&format!(" {call}(")))
        {
            *by_thread.entry(line.split(' ').next()).or_insert(0) += 1;
        }
        by_thread.into_values().max().unwrap_or(0)
    };
    calls.iter().map(|call| (*call, total(call))).collect()
}

fn watch_under(headspace: &Headspace, strace: Command) -> std::process::ExitStatus {
    let mut command = headspace.command_under(strace, &["watch", "--once"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("strace runs")
}

/// Twenty lines of one session, one of them torn; and the texts to be stored.
/// One file that is read alone is stored event by event, so there is a kill
/// between any two of them.
fn talk(kind: Kind) -> Workload {
    let mut headspace = Headspace::on(kind);
    headspace.set("HEADSPACE_ARCHIVE__MODE", "full");
    let mut session = Session::new("crash", "/home/dev/shop");
    let path = transcript(&headspace);
    let mut texts = Vec::new();
    for number in 0..6 {
        let (asked, said) = (format!("asks {number}"), format!("says {number}"));
        append(&path, session.prompt(&asked));
        append(&path, session.tool_result("nobody said this"));
        append(&path, session.reply(&said));
        texts.extend([asked, said]);
    }
    append(&path, "{\"torn\":\n");
    append(&path, session.queued("and then"));
    texts.push("and then".to_owned());
    Workload {
        headspace,
        texts,
        sent: Vec::new(),
    }
}

/// Hooks, a session that is registered and one that is ended again, in a segment
/// that is full and one that is not.
fn spool(kind: Kind) -> Workload {
    let headspace = Headspace::on(kind);
    let web = Web::start(&headspace);
    let mut sent = Vec::new();
    for number in 0..12 {
        let mut body = stop(&format!("crash-{}", number % 4));
        body["prompt_id"] = json!(number);
        if [5, 6].contains(&number) {
            body["padding"] = json!("x".repeat(600 << 10));
        }
        assert_silent(&hook(&headspace, body.to_string()));
        sent.push(json!({"hook": body}));
    }
    for uuid in ["stays", "ends"] {
        let session = json!({"session_uuid": uuid, "project_path": "/p"});
        assert_eq!(web.post("/api/sessions", &session.to_string()).status, 202);
        sent.push(json!({"session": session}));
    }
    assert_eq!(web.delete("/api/sessions/ends").status, 202);
    assert_eq!(segments(&headspace).len(), 2);
    Workload {
        headspace,
        texts: Vec::new(),
        sent,
    }
}

/// The one transcript of the workload.
fn transcript(headspace: &Headspace) -> PathBuf {
    let session = Session::new("crash", "/home/dev/shop");
    headspace
        .project("-home-dev-shop")
        .join(session.file_name())
}

fn uuid(headspace: &Headspace) -> String {
    let path = transcript(headspace);
    path.file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

fn need_strace() {
    let found = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "strace is needed: apt-get install strace"
    );
}
