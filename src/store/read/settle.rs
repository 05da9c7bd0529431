//! Which ids may be delivered: the hole rule of PostgreSQL, as pure functions.
//!
//! Ids are drawn before they are committed, so a reader may see 4 while 3 is
//! still in a running transaction. Ids that follow the cursor without a hole go
//! at once. A missing id is noted together with the next transaction id to be
//! given out at that moment; the transaction that drew the missing id has a
//! smaller one. Once a snapshot shows that all transactions below the noted one
//! are over, an id that is missing in that same snapshot will stay missing.
//!
//! The snapshot's own xmax would not do as the note: it is one past the newest
//! *finished* transaction, and a younger running one may own the missing id.

use std::collections::VecDeque;

/// What one statement saw of the transactions around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transactions {
    /// Every transaction below this one is over.
    pub over_below: i64,
    /// No transaction from this one on had begun to write.
    pub next: i64,
}

/// Holes seen earlier and not yet settled. Ids missing up to `upto` belong to
/// transactions below `next`.
#[derive(Debug, Default)]
pub struct Holes {
    notes: VecDeque<Note>,
    settled: i64,
}

#[derive(Debug)]
struct Note {
    upto: i64,
    next: i64,
}

/// More notes than this are merged: the merged one waits a little longer.
const MOST_NOTES: usize = 32;

impl Holes {
    /// How many of `ids`, which are all that this snapshot sees after `cursor`,
    /// may be delivered.
    pub fn settle(&mut self, cursor: i64, ids: &[i64], seen: Transactions) -> usize {
        self.pass(seen);
        let ready = ready(cursor, ids, self.settled);
        if ready < ids.len() {
            self.note(ids[ids.len() - 1], seen.next);
        }
        ready
    }

    fn pass(&mut self, seen: Transactions) {
        while let Some(note) = self.notes.front() {
            if note.next > seen.over_below {
                break;
            }
            self.settled = self.settled.max(note.upto);
            self.notes.pop_front();
        }
    }

    fn note(&mut self, upto: i64, next: i64) {
        if self.notes.back().is_some_and(|last| upto <= last.upto) {
            return;
        }
        if self.notes.len() >= MOST_NOTES {
            self.notes.pop_back();
        }
        self.notes.push_back(Note { upto, next });
    }
}

/// The length of the beginning of `ids` whose holes are all at or below `settled`.
fn ready(cursor: i64, ids: &[i64], settled: i64) -> usize {
    let mut before = cursor;
    for (index, &id) in ids.iter().enumerate() {
        let hole = id > before + 1;
        if hole && id - 1 > settled {
            return index;
        }
        before = id;
    }
    ids.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(over_below: i64, next: i64) -> Transactions {
        Transactions { over_below, next }
    }

    #[test]
    fn a_run_without_a_hole_goes_at_once() {
        let mut holes = Holes::default();
        assert_eq!(holes.settle(4, &[5, 6, 7], seen(10, 99)), 3);
        assert_eq!(holes.settle(7, &[], seen(10, 99)), 0);
    }

    #[test]
    fn a_hole_waits_for_every_transaction_that_could_own_it() {
        let mut holes = Holes::default();
        assert_eq!(holes.settle(0, &[1, 3], seen(10, 12)), 1);
        assert_eq!(holes.settle(1, &[3], seen(11, 12)), 0, "11 still runs");
        assert_eq!(holes.settle(1, &[3], seen(12, 12)), 1, "11 rolled back");
    }

    #[test]
    fn what_fills_the_hole_goes_first() {
        let mut holes = Holes::default();
        assert_eq!(holes.settle(0, &[1, 4], seen(10, 12)), 1);
        assert_eq!(holes.settle(1, &[2, 4], seen(11, 12)), 1);
        assert_eq!(holes.settle(2, &[3, 4], seen(12, 12)), 2);
    }

    #[test]
    fn a_later_hole_has_its_own_note() {
        let mut holes = Holes::default();
        assert_eq!(holes.settle(0, &[2], seen(10, 12)), 0);
        assert_eq!(holes.settle(0, &[2, 4], seen(10, 15)), 0);
        assert_eq!(holes.settle(0, &[2, 4], seen(12, 15)), 1);
        assert_eq!(holes.settle(2, &[4], seen(14, 15)), 0);
        assert_eq!(holes.settle(2, &[4], seen(15, 15)), 1);
    }

    /// A model of the server: transactions draw ids in some order and end in
    /// another, by commit or by rollback, with looks in between.
    #[derive(Debug, Clone)]
    enum ModelStep {
        Begin,
        Draw(usize),
        End(usize, bool),
        Look,
    }

    fn step() -> impl Strategy<Value = ModelStep> {
        prop_oneof![
            Just(ModelStep::Begin),
            (0usize..8).prop_map(ModelStep::Draw),
            (0usize..8, any::<bool>()).prop_map(|(n, commit)| ModelStep::End(n, commit)),
            Just(ModelStep::Look),
        ]
    }

    #[derive(Default)]
    struct ModelServer {
        next_xid: i64,
        next_id: i64,
        running: Vec<(i64, Vec<i64>)>,
        visible: Vec<i64>,
    }

    impl ModelServer {
        fn act(&mut self, step: &ModelStep) {
            match *step {
                ModelStep::Begin if self.running.len() < 8 => {
                    self.running.push((self.next_xid, vec![]));
                    self.next_xid += 1;
                }
                ModelStep::Draw(n) if n < self.running.len() => {
                    self.next_id += 1;
                    self.running[n].1.push(self.next_id);
                }
                ModelStep::End(n, commit) if n < self.running.len() => {
                    let (_, ids) = self.running.remove(n);
                    if commit {
                        self.visible.extend(ids);
                        self.visible.sort();
                    }
                }
                _ => {}
            }
        }

        fn look(&self, cursor: i64, page: usize) -> (Vec<i64>, Transactions) {
            let after = self.visible.iter().copied().filter(|&id| id > cursor);
            let oldest = self.running.iter().map(|&(xid, _)| xid).min();
            (
                after.take(page).collect(),
                seen(oldest.unwrap_or(self.next_xid), self.next_xid),
            )
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn nothing_is_skipped_and_nothing_waits_for_ever(
            steps in proptest::collection::vec(step(), 0..120), page in 1usize..6
        ) {
            let (mut server, mut holes, mut got) = (ModelServer::default(), Holes::default(), vec![]);
            let mut look = |server: &ModelServer, got: &mut Vec<i64>| {
                let cursor = got.last().copied().unwrap_or(0);
                let (ids, snapshot) = server.look(cursor, page);
                let ready = holes.settle(cursor, &ids, snapshot);
                got.extend(&ids[..ready]);
            };
            for step in &steps {
                server.act(step);
                if matches!(step, ModelStep::Look) { look(&server, &mut got) }
            }
            while !server.running.is_empty() { server.act(&ModelStep::End(0, true)) }
            for _ in 0..2 * server.visible.len() + 2 { look(&server, &mut got) }
            prop_assert_eq!(got, server.visible);
        }
    }
}
