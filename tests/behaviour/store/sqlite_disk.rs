//! The disk under the SQLite file is full: hold, and go on when there is room.

use crate::support::{
    conversation::Conversation,
    disk::SmallDisk,
    headspace::{Headspace, Kind},
    oracle,
};

#[test]
fn a_full_disk_holds_the_events_and_room_lets_them_in() {
    let headspace = Headspace::on(Kind::Sqlite);
    let disk = SmallDisk::at(&headspace.state());
    let mut watcher = headspace.watch();
    let mut talk = Conversation::new(&headspace, "disk");
    talk.say();
    talk.wait_until_stored(&headspace);
    for round in 1..=3 {
        disk.fill();
        talk.say_all(2000);
        watcher.wait_for_log("degraded: positions are kept");
        assert!(
            watcher.log().contains("database or disk is full"),
            "{}",
            watcher.log()
        );
        assert!(
            !talk.is_stored(&headspace),
            "round {round}: the disk was not full"
        );
        disk.free();
        talk.wait_until_stored(&headspace);
        watcher.wait_for_log("the database is back");
    }
    assert!(watcher.stop().success());
    let sound = headspace
        .store
        .column("SELECT integrity_check FROM pragma_integrity_check");
    assert_eq!(sound, ["ok"]);
    oracle::assert_clean(&headspace);
}
