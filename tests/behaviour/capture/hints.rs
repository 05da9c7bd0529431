//! The kernel's notifications are hints: whatever is lost of them, nothing of
//! the transcripts is.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    process::{Command, Stdio},
};

use rustix::process::Signal;

use crate::support::{
    headspace::{Headspace, Kind, Running, eventually, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn a_file_in_a_folder_that_has_just_been_made_is_never_missed(kind: Kind) {
        let headspace = patient(kind);
        let watcher = headspace.watch();
        let mut texts = BTreeSet::new();
        for number in 0..300 {
            let mut session = Session::new(&format!("new {number}"), "/home/dev/new");
            let text = format!("turn {number}");
            append(&headspace.project(&format!("-new-{number}")).join(session.file_name()), session.prompt(&text));
            texts.insert(text);
        }
        wait_for_set(&headspace, &texts);
        oracle::assert_clean(&headspace);
        drop(watcher);
    }

    fn when_the_kernels_queue_overflows_everything_is_looked_at(kind: Kind) {
        let headspace = patient(kind);
        let mut session = Session::new("seen", "/home/dev/flood");
        let folder = headspace.project("-flood");
        append(&folder.join(session.file_name()), session.prompt("before"));
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["before"]);
        watcher.signal(Signal::STOP);
        overflow(&headspace);
        // No room for a hint of these: one file grew, another is new.
        append(&folder.join(session.file_name()), session.reply("unseen"));
        let mut hidden = Session::new("hidden", "/home/dev/flood");
        append(&headspace.project("-hidden").join(hidden.file_name()), hidden.prompt("unheard of"));
        watcher.signal(Signal::CONT);
        wait_for_set(&headspace, &["before", "unseen", "unheard of"].map(str::to_owned).into());
        oracle::assert_clean(&headspace);
        drop(watcher);
    }

    fn when_watches_run_out_everything_is_looked_at_often_and_it_says_so(kind: Kind) {
        let headspace = patient(kind);
        let watcher = watch_with(&headspace, "max_inotify_watches", 3);
        let texts = ten_projects(&headspace);
        wait_for_set(&headspace, &texts);
        watcher.wait_for_log("cannot watch a folder");
        let reason = "SELECT reason FROM watchers";
        eventually("the watcher's row says why", || {
            headspace.store.column(reason)[0].starts_with("not all folders can be watched")
        });
        oracle::assert_clean(&headspace);
    }

    fn without_any_notifications_everything_is_looked_at_often(kind: Kind) {
        let headspace = patient(kind);
        let watcher = watch_with(&headspace, "max_inotify_instances", 0);
        let texts = ten_projects(&headspace);
        wait_for_set(&headspace, &texts);
        oracle::assert_clean(&headspace);
        drop(watcher);
    }

    fn a_change_that_gives_no_notification_is_found_by_the_reconcile(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_WATCH__RECONCILE_INTERVAL_SECONDS", 1);
        let mut session = Session::new("silent", "/home/dev/silent");
        let path = headspace.project("-silent").join(session.file_name());
        let line = session.reply("written through memory");
        append(&path, session.prompt("before"));
        append(&path, " ".repeat(line.len()));
        let watcher = headspace.watch();
        headspace.store.wait_for_turns(&["before"]);
        write_through_memory(&path, &line);
        headspace.store.wait_for_turns(&["before", "written through memory"]);
        oracle::assert_clean(&headspace);
        drop(watcher);
    }
}

/// Looks at everything once an hour only: what is found is found by hints.
fn patient(kind: Kind) -> Headspace {
    let mut headspace = Headspace::on(kind);
    headspace.set("HEADSPACE_WATCH__RECONCILE_INTERVAL_SECONDS", 3600);
    headspace
}

/// Starts the watcher with a limit of the kernel's that holds for it alone.
fn watch_with(headspace: &Headspace, limit: &str, value: u32) -> Running {
    let mut unshare = Command::new("unshare");
    let script = format!("echo {value} > /proc/sys/user/{limit} && exec \"$0\" \"$@\"");
    unshare.args(["--user", "--map-root-user", "sh", "-c", &script]);
    let running = headspace.spawn(headspace.command_under(unshare, &["watch"]));
    running.wait_for_log("ready");
    running
}

fn ten_projects(headspace: &Headspace) -> BTreeSet<String> {
    (0..10)
        .map(|number| {
            let mut session = Session::new(&format!("project {number}"), "/home/dev/many");
            let text = format!("turn {number}");
            append(
                &headspace
                    .project(&format!("-many-{number}"))
                    .join(session.file_name()),
                session.prompt(&text),
            );
            text
        })
        .collect()
}

/// Makes more changes than the kernel keeps for a process that does not listen.
fn overflow(headspace: &Headspace) {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("a limit");
    let limit: usize = limit.trim().parse().expect("a number");
    let folder = headspace.project("-flood");
    let open = |name: &str| fs::File::create(folder.join(name)).expect("a file");
    // By turns: equal changes one after the other are one to the kernel.
    let mut files = [open("a.txt"), open("b.txt")];
    for number in 0..limit + 100 {
        files[number % 2].write_all(b"x").expect("it is written");
    }
}

fn wait_for_set(headspace: &Headspace, texts: &BTreeSet<String>) {
    eventually("all turns are stored", || {
        let turns = headspace.store.turns();
        turns.len() == texts.len() && turns.into_iter().collect::<BTreeSet<_>>() == *texts
    });
}

/// Writes over the file's end through a mapping, of which inotify does not hear.
fn write_through_memory(path: &std::path::Path, line: &str) {
    let script = "import mmap, sys
with open(sys.argv[1], 'r+b') as file, mmap.mmap(file.fileno(), 0) as memory:
    line = sys.stdin.buffer.read()
    memory[len(memory) - len(line):] = line
    memory.flush()";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    python
        .stdin
        .take()
        .expect("its input")
        .write_all(line.as_bytes())
        .expect("it is sent");
    assert!(python.wait().expect("it ends").success());
}
