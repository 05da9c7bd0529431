//! What is no regular file inside the root is passed by, and never waited for.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    oracle,
    transcripts::{Session, append},
};

on_both! {
    fn pipes_links_sockets_and_folders_hold_nothing_up(kind: Kind) {
        let headspace = Headspace::on(kind);
        let folder = headspace.project("-odd");
        let mut outside = Session::new("outside", "/home/dev/outside");
        let secret = headspace.dir().join(outside.file_name());
        append(&secret, outside.prompt("outside the root"));

        let watcher = headspace.watch();
        let mode = Mode::from_raw_mode(0o600);
        mknodat(CWD, folder.join("pipe.jsonl"), FileType::Fifo, mode, 0).expect("a pipe");
        symlink(&secret, folder.join("link.jsonl")).expect("a link");
        symlink(&folder, folder.join("loop")).expect("a loop");
        symlink("self.jsonl", folder.join("self.jsonl")).expect("a link to itself");
        fs::create_dir(folder.join("folder.jsonl")).expect("a folder");
        let _socket = UnixListener::bind(folder.join("socket.jsonl")).expect("a socket");

        let mut inside = Session::new("inside", "/home/dev/inside");
        append(&folder.join(inside.file_name()), inside.prompt("inside"));
        headspace.store.wait_for_turns(&["inside"]);
        drop(watcher);
        // A second start sees them all at once.
        append(&folder.join(inside.file_name()), inside.reply("still inside"));
        headspace.watch_once();
        assert_eq!(headspace.store.turns(), ["inside", "still inside"]);
        assert_eq!(headspace.store.number("SELECT count(*) FROM rejections"), 0);
        oracle::assert_clean(&headspace);
    }
}
