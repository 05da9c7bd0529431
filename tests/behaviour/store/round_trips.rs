//! How often the watcher waits for PostgreSQL to store one event, counted on the
//! wire between the two.

use crate::support::{
    conversation::Conversation,
    headspace::{Headspace, Kind, Store},
    oracle,
    proxy::Proxy,
};

const AT_MOST: u32 = 5;

#[test]
fn a_live_event_takes_five_round_trips_at_most() {
    let (headspace, proxy) = behind_proxy();
    let watcher = headspace.watch();
    let mut talk = Conversation::new(&headspace, "first");
    // A statement that is used for the first time is prepared first.
    say(&headspace, &mut talk, 3);
    let before = proxy.round_trips().len();
    say(&headspace, &mut talk, 10);
    // A session that is registered, in a project that is made for it.
    let mut other = Conversation::new(&headspace, "second");
    say(&headspace, &mut other, 3);
    let counted = proxy.round_trips().split_off(before);
    assert!(
        counted.len() >= 13,
        "each event is one transaction: {counted:?}"
    );
    assert!(counted.iter().all(|&trips| trips <= AT_MOST), "{counted:?}");
    drop(watcher);
    oracle::assert_clean(&headspace);
}

fn say(headspace: &Headspace, talk: &mut Conversation, count: usize) {
    for _ in 0..count {
        talk.say();
        talk.wait_until_stored(headspace);
    }
}

fn behind_proxy() -> (Headspace, Proxy) {
    let mut headspace = Headspace::on(Kind::Postgres);
    let Store::Postgres(database) = &headspace.store else {
        panic!("made on PostgreSQL");
    };
    let proxy = Proxy::before(database);
    headspace.set("HEADSPACE_DATABASE__URL", proxy.url());
    (headspace, proxy)
}
