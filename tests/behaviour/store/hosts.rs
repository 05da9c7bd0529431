//! A session that is seen on two machines, in a home folder that is synced say, is one.

use headspace::event::What;

use super::log::{Blocking, File, Log, session_seen};
use crate::support::headspace::{Kind, on_both};

on_both! {
    fn a_session_on_two_machines_stays_one_and_names_both(kind: Kind) {
        let mut log = Log::on(kind);
        let seen = || vec![What::Seen(session_seen("s", 1, 2))];
        let mut file = File::new("/home/dev/.claude/projects/-p/s.jsonl");
        log.append(&file.clone().next(seen()));
        let hosts = "SELECT p.host || ' ' || coalesce(CAST(other_hosts AS text), '-')
                     FROM agents JOIN projects p ON p.id = project_id";
        let before = log.store().column(hosts);
        let own = before[0].split(' ').next().expect("a host").to_owned();
        assert_eq!(before, [format!("{own} -")]);
        let mut other = Blocking::new(log.store(), "laptop");
        for _ in 0..2 {
            // Read once more, it says nothing new.
            other.append(&[file.next(seen())]).expect("it is stored");
        }
        assert_eq!(log.store().column(hosts), [format!("{own} [\"laptop\"]")]);
    }
}
