//! What may happen, and how often.

use proptest::prelude::*;

/// What happens next; files have numbers.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Write {
        file: usize,
        lengths: Vec<usize>,
        glued: bool,
    },
    /// A line of which so many thousandths are there for now.
    Half {
        file: usize,
        length: usize,
        part: usize,
    },
    /// To so many thousandths of its size, or to the end of a line near there.
    Truncate {
        file: usize,
        part: usize,
        at_line_end: bool,
    },
    /// The last line is taken back and another written in its place.
    DropLast {
        file: usize,
        length: usize,
    },
    /// Every n-th line stays, others are added.
    Rewrite {
        file: usize,
        every: usize,
        lengths: Vec<usize>,
        in_place: bool,
    },
    Rename {
        from: usize,
        to: usize,
    },
    Copy {
        from: usize,
        to: usize,
    },
    Delete {
        file: usize,
    },
    /// One look, at most so many events.
    Look {
        file: usize,
        events: usize,
        ending: Ending,
    },
    /// A look, and one behind it before the first is stored; what changes in between.
    LookAhead {
        files: [usize; 2],
        events: usize,
        between: Vec<Action>,
        endings: [Ending; 2],
    },
    /// Looks until there is nothing more.
    ReadAll {
        file: usize,
        take_tail: bool,
    },
    Restart,
    /// The database is copied away; or what was copied last is put in its place.
    Backup,
    Restore,
    /// The files come to rest: their times are old enough to be trusted.
    Settle,
}

/// What becomes of what a look found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Stored,
    /// The database is away; the watcher lives on.
    NotStored,
    /// The watcher dies before it is stored.
    DiedBefore,
    /// It is stored, and the watcher dies before it knows.
    DiedAfter,
    /// It is stored, and the answer is lost, but not the connection.
    Unanswered,
    /// It is stored, and the answer is lost with the connection.
    Disconnected,
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    let file = || 0..FILES;
    let length =
        || prop_oneof![150 => 0..50usize, 8 => 5_000..20_000usize, 1 => 250_000..300_000usize];
    let lengths = move || prop::collection::vec(length(), 1..4);
    let ending = prop_oneof![
        4 => Just(Ending::Stored),
        1 => Just(Ending::NotStored),
        1 => Just(Ending::DiedBefore),
        1 => Just(Ending::DiedAfter),
        1 => Just(Ending::Unanswered),
        1 => Just(Ending::Disconnected),
    ];
    let then = prop_oneof![
        Just(Ending::Stored),
        Just(Ending::NotStored),
        Just(Ending::Disconnected)
    ];
    let two = prop_oneof![file().prop_map(|file| [file, file]), [file(), file()]];
    let between = prop::collection::vec(change(), 0..2);
    prop_oneof![
        300 => (file(), lengths(), any::<bool>())
            .prop_map(|(file, lengths, glued)| Action::Write { file, lengths, glued }),
        100 => (file(), length(), 0..1001usize)
            .prop_map(|(file, length, part)| Action::Half { file, length, part }),
        60 => (file(), 0..1001usize, any::<bool>())
            .prop_map(|(file, part, at_line_end)| Action::Truncate { file, part, at_line_end }),
        30 => (file(), length()).prop_map(|(file, length)| Action::DropLast { file, length }),
        60 => (file(), 1..4usize, lengths(), any::<bool>())
            .prop_map(|(file, every, lengths, in_place)| Action::Rewrite { file, every, lengths, in_place }),
        60 => (file(), file()).prop_map(|(from, to)| Action::Rename { from, to }),
        40 => (file(), file()).prop_map(|(from, to)| Action::Copy { from, to }),
        40 => file().prop_map(|file| Action::Delete { file }),
        250 => (file(), 1..6usize, ending.clone())
            .prop_map(|(file, events, ending)| Action::Look { file, events, ending }),
        150 => (two, 1..6usize, between, ending.clone(), then)
            .prop_map(|(files, events, between, first, second)| Action::LookAhead {
                files,
                events,
                between,
                endings: [first, second],
            }),
        150 => (file(), any::<bool>())
            .prop_map(|(file, take_tail)| Action::ReadAll { file, take_tail }),
        40 => Just(Action::Restart),
        20 => Just(Action::Backup),
        20 => Just(Action::Restore),
        1 => Just(Action::Settle),
    ]
}

/// What happens to a file between two looks.
fn change() -> impl Strategy<Value = Action> {
    let file = || 0..FILES;
    let lengths = prop::collection::vec(0..50usize, 1..4);
    prop_oneof![
        (file(), lengths).prop_map(|(file, lengths)| Action::Write {
            file,
            lengths,
            glued: false
        }),
        (file(), 0..1001usize).prop_map(|(file, part)| Action::Truncate {
            file,
            part,
            at_line_end: true
        }),
        (file(), file()).prop_map(|(from, to)| Action::Rename { from, to }),
        file().prop_map(|file| Action::Delete { file }),
    ]
}

/// Two names in two folders.
pub(super) const FILES: usize = 4;
