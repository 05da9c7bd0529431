//! A watcher that is killed just before any of its system calls loses nothing
//! and doubles nothing, of the log or of the archive: between two calls, nothing changes that lasts.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::support::{
    headspace::{Headspace, Kind, is_long},
    oracle,
    transcripts::{Session, append},
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
    kill_before_each(Kind::Sqlite, &TO_FILES, if is_long() { 1 } else { 24 });
}

#[test]
fn killed_before_any_message_to_the_server_it_stores_everything_once() {
    kill_before_each(Kind::Postgres, &TO_A_SERVER, if is_long() { 1 } else { 30 });
}

/// Kills before every `stride`th call of each kind, and before the first.
fn kill_before_each(kind: Kind, calls: &[&str], stride: usize) {
    need_strace();
    let mut killed = 0;
    for (call, total) in count(kind, calls) {
        for number in (1..=total).step_by(stride) {
            killed += usize::from(kill_before(kind, call, number));
        }
        println!("{call}: {total} calls by one thread, every {stride}th tried");
    }
    println!("{killed} kills");
    assert!(killed >= calls.len(), "{killed} kills only");
}

/// Runs the workload, kills it before the n-th call, runs it again; says
/// whether it was killed.
fn kill_before(kind: Kind, call: &str, number: usize) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let (headspace, texts) = workload(kind);
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
    oracle::assert_clean(&headspace);
    let pieces = headspace.store.number("SELECT count(*) FROM archive");
    assert_eq!(pieces, 1, "they are merged");
    let given = headspace.run(&["export", "--raw", &uuid(&headspace)]);
    let kept = given.stdout == fs::read(transcript(&headspace)).expect("the transcript");
    assert!(
        kept,
        "after a kill before {call} number {number}: {given:?}"
    );
    status.signal() == Some(9)
}

/// How many calls of each kind the busiest thread makes: strace counts by thread.
fn count<'a>(kind: Kind, calls: &[&'a str]) -> Vec<(&'a str, usize)> {
    let (headspace, _) = workload(kind);
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
fn workload(kind: Kind) -> (Headspace, Vec<String>) {
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
    (headspace, texts)
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
