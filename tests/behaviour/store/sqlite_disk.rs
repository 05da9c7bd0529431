//! The disk under the SQLite file is full: hold, and go on when there is room.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    conversation::Conversation,
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

/// A file system of a few megabytes; it is gone when this is dropped.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    fn at(folder: &Path) -> SmallDisk {
        fs::create_dir(folder).expect("a folder");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs"])
            .arg(folder);
        let mounted = mount.status().expect("mount").success();
        assert!(mounted, "a small disk can only be made by root");
        SmallDisk {
            folder: folder.to_owned(),
        }
    }

    fn fill(&self) {
        let mut file = File::create(self.folder.join("filler")).expect("a file");
        // Down to the last page.
        for size in [1 << 16, 1 << 12] {
            let zeros = vec![0; size];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.folder.join("filler")).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a watcher may still have its files open.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
