//! The database file is taken away while it is open. SQLite goes on reporting
//! success; headspace notices, and reads everything again from the transcripts.

use std::{fs, path::Path};

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Running},
    oracle,
};

const COMPANIONS: [&str; 3] = ["headspace.db", "headspace.db-wal", "headspace.db-shm"];

#[test]
fn a_deleted_file_is_made_again_from_the_transcripts() {
    let (headspace, talks, mut watcher) = start();
    for name in COMPANIONS {
        fs::remove_file(headspace.state().join(name)).expect("it is there");
    }
    // Nothing new is written anywhere: it notices by itself.
    for talk in &talks {
        talk.wait_until_recovered(&headspace);
    }
    goes_on(&headspace, talks, &mut watcher);
}

#[test]
fn a_file_deleted_without_its_companions_is_made_again_too() {
    let (headspace, talks, mut watcher) = start();
    fs::remove_file(headspace.state().join("headspace.db")).expect("it is there");
    for talk in &talks {
        talk.wait_until_recovered(&headspace);
    }
    goes_on(&headspace, talks, &mut watcher);
}

#[test]
fn an_older_copy_put_in_its_place_is_brought_up_to_date() {
    let (headspace, mut talks, mut watcher) = start();
    // A sound copy of now.
    assert!(watcher.stop().success());
    let (state, backup) = (headspace.state(), headspace.dir().join("backup"));
    fs::create_dir(&backup).expect("a folder");
    fs::copy(state.join("headspace.db"), backup.join("headspace.db")).expect("a copy");
    let mut watcher = headspace.watch();
    talks.iter_mut().for_each(|talk| talk.say_all(10));
    talks.push(Conversation::new(&headspace, "later"));
    talks[3].say_all(3);
    for talk in &talks {
        talk.wait_until_stored(&headspace);
    }
    restore(&backup, &state);
    for talk in &talks {
        talk.wait_until_recovered(&headspace);
    }
    goes_on(&headspace, talks, &mut watcher);
}

#[test]
fn a_deleted_state_folder_is_no_end() {
    let (headspace, talks, mut watcher) = start();
    let aside = headspace.dir().join("aside");
    fs::rename(headspace.state(), &aside).expect("it is moved");
    watcher.wait_for_log("trying again");
    fs::create_dir(headspace.state()).expect("a new one");
    for talk in &talks {
        talk.wait_until_recovered(&headspace);
    }
    goes_on(&headspace, talks, &mut watcher);
}

/// Three talks, stored, and quiet since.
fn start() -> (Headspace, Vec<Conversation>, Running) {
    let headspace = Headspace::on(Kind::Sqlite);
    let watcher = headspace.watch();
    let mut talks: Vec<Conversation> = ["one", "two", "three"]
        .iter()
        .map(|name| Conversation::new(&headspace, name))
        .collect();
    for talk in &mut talks {
        talk.say_all(10);
        talk.wait_until_stored(&headspace);
    }
    (headspace, talks, watcher)
}

fn goes_on(headspace: &Headspace, mut talks: Vec<Conversation>, watcher: &mut Running) {
    for talk in &mut talks {
        talk.say();
        talk.wait_until_stored(headspace);
    }
    assert!(watcher.stop().success());
    oracle::assert_clean(headspace);
}

/// As a person would: the old files away, the copy in their place.
fn restore(backup: &Path, state: &Path) {
    for name in COMPANIONS {
        fs::remove_file(state.join(name)).expect("it is there");
    }
    fs::rename(backup.join("headspace.db"), state.join("headspace.db")).expect("it is moved");
}
