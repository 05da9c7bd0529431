//! What stands around every page: the counts, the search, the state of headspace.

use super::inbox::{Inbox, MUCH_BEHIND};
use crate::{
    show::{Mark, Session},
    web::routes::health::Verdict,
};

/// A page's surroundings.
pub struct Frame {
    pub title: String,
    pub counts: Vec<Count>,
    pub needs: usize,
    /// The sessions that need you, the most pressing first, for the key n.
    pub needy: String,
    pub search: String,
    /// Where the page's newest state is.
    pub fragment: String,
    /// The name of what must change before it is asked for.
    pub on: String,
    pub dot: &'static str,
    /// Why headspace is not well.
    pub sentence: Option<String>,
    /// How much of the history is still to be read.
    pub behind: Option<Behind>,
    /// The page's place in the bar at the bottom: `need`, `all`, `log` or none.
    pub tab: &'static str,
}

pub struct Behind {
    pub left: String,
    /// What has been read of what was to be read at most, in hundredths.
    pub done: u64,
}

/// How many sessions show as a mark; a link to these alone.
pub struct Count {
    pub mark: &'static str,
    pub glyph: char,
    pub count: usize,
    pub words: String,
    pub is_chosen: bool,
}

impl Frame {
    pub fn new(inbox: &Inbox, sessions: &[Session<'_>], title: &str) -> Frame {
        let shown = [
            Mark::NeedsYou,
            Mark::Finished,
            Mark::Working,
            Mark::Background,
            Mark::Idle,
        ];
        let counts = shown.map(|mark| Count::of(inbox, sessions, mark));
        let needs = counts[0].count;
        let ids: Vec<String> = with(inbox, sessions, Mark::NeedsYou)
            .map(|session| session.agent.id.to_string())
            .collect();
        let behind = inbox.health.bytes_behind();
        Frame {
            title: match needs {
                0 => title.to_owned(),
                _ => format!("({needs}) {title}"),
            },
            counts: counts.into_iter().filter(|count| count.count > 0).collect(),
            needs,
            needy: ids.join(" "),
            search: String::new(),
            fragment: String::new(),
            on: "agents".to_owned(),
            dot: match inbox.health.status {
                Verdict::Healthy => "good",
                Verdict::Degraded => "fair",
                Verdict::Unhealthy => "bad",
            },
            sentence: inbox.health.reasons.first().cloned(),
            behind: (behind >= MUCH_BEHIND).then(|| Behind {
                left: format!("{} MB", behind >> 20),
                done: 100 - behind * 100 / inbox.most_behind.max(behind),
            }),
            tab: "",
        }
    }
}

impl Count {
    fn of(inbox: &Inbox, sessions: &[Session<'_>], mark: Mark) -> Count {
        let count = with(inbox, sessions, mark).count();
        Count {
            mark: name(mark),
            glyph: mark.glyph(),
            count,
            words: mark.counted(count),
            is_chosen: false,
        }
    }
}

/// The sessions with a mark that are not put off.
fn with<'a>(
    inbox: &Inbox,
    sessions: &'a [Session<'a>],
    mark: Mark,
) -> impl Iterator<Item = &'a Session<'a>> {
    sessions
        .iter()
        .filter(move |session| session.mark == mark && !inbox.is_snoozed(session))
}

/// A mark in an address, and as a class.
pub fn name(mark: Mark) -> &'static str {
    match mark {
        Mark::NeedsYou => "need",
        Mark::Finished => "done",
        Mark::Working => "work",
        Mark::Background => "back",
        Mark::Idle => "idle",
        Mark::Ended => "left",
    }
}

/// What a session does, said of it.
pub fn state_word(mark: Mark) -> &'static str {
    match mark {
        Mark::NeedsYou => "waits for you",
        Mark::Finished => "finished",
        Mark::Working => "works",
        Mark::Background => "has tasks in the background",
        Mark::Idle => "is idle",
        Mark::Ended => "has ended",
    }
}
