//! When the watcher sends an alert of a wait, sends it again and withdraws it: pure.
//!
//! Ages are by the clock of the rows, which goes on while the machine sleeps; what is
//! waited for here is by the clock that does not.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::{show::Wait, store::read::AlertRow};

/// What is answered within this has no alert.
pub const GRACE: Duration = Duration::from_secs(5);
/// A wait that lasts for this after its alert is alerted again.
pub const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// A wait that is older when its alert is due is no news: one message for all such waits.
pub const FRESH: Duration = Duration::from_secs(60);
/// So many messages may go out within a window; what is more becomes one.
pub const MOST: usize = 3;
pub const WINDOW: Duration = Duration::from_secs(10);
/// The rows may be on their way to something else.
const SETTLED: Duration = Duration::from_secs(1);

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub steady: Instant,
    pub wall: Timestamp,
}

/// What is remembered of one way between two looks; the rest is in its rows.
#[derive(Debug, Default)]
pub struct Timing {
    noticed: HashMap<Key, Noticed>,
    /// When the last messages went out.
    sent: VecDeque<Instant>,
}

/// Agent, kind and opening.
type Key = (i64, String, String);

#[derive(Debug)]
struct Noticed {
    at: Instant,
    /// How long it had been open then.
    age: Duration,
    /// Since when its alert is known to be out.
    told: Option<Instant>,
    /// Its row could not be added: it was there, and no look shows it.
    is_known: bool,
}

/// What is to be done now, and when to look again if nothing happens before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub tell: Vec<Telling>,
    /// Messages all of whose waits are over.
    pub withdraw: Vec<String>,
    pub look_at: Option<Instant>,
}

/// What one message tells of.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Telling {
    /// Places in the list of waits.
    pub waits: Vec<Told>,
    /// They had been open for long before they were found.
    pub is_late: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub wait: usize,
    pub is_repeat: bool,
}

/// What is to be done of one wait.
enum Due {
    At(Instant, Told, bool),
    Never,
}

impl Timing {
    /// `told` holds this way's rows of these waits, and all that are not withdrawn.
    pub fn plan(&mut self, waits: &[Wait], told: &[AlertRow], now: Now, caught_up: bool) -> Plan {
        self.notice(waits, told, now);
        let mut plan = Plan {
            withdraw: over(waits, told),
            ..Plan::default()
        };
        let (mut late, mut fresh) = (Vec::new(), Vec::new());
        let mut are_late_settled = caught_up;
        for (place, wait) in waits.iter().enumerate() {
            match self.due(place, wait, told, now) {
                Due::Never => {}
                Due::At(at, told, is_late) if at <= now.steady => match is_late {
                    true => late.push(told),
                    false => fresh.push(told),
                },
                Due::At(at, _, is_late) => {
                    plan.look_again(at);
                    are_late_settled &= !is_late;
                }
            }
        }
        // They go out together, when all is read: some may be over further down.
        if !are_late_settled {
            late.clear();
        }
        while self
            .sent
            .front()
            .is_some_and(|sent| now.steady - *sent >= WINDOW)
        {
            self.sent.pop_front();
        }
        let mut room = MOST.saturating_sub(self.sent.len());
        if !late.is_empty() && room > 0 {
            room -= 1;
            plan.tell.push(Telling {
                waits: std::mem::take(&mut late),
                is_late: true,
            });
        }
        if fresh.len() <= room {
            let alone = |told| Telling {
                waits: vec![told],
                is_late: false,
            };
            plan.tell.extend(fresh.drain(..).map(alone));
        } else if room > 0 {
            plan.tell.push(Telling {
                waits: std::mem::take(&mut fresh),
                is_late: false,
            });
        }
        if let (false, Some(first)) = (late.is_empty() && fresh.is_empty(), self.sent.front()) {
            plan.look_again(*first + WINDOW);
        }
        // From its row on a wait may be told again.
        if !plan.tell.is_empty() {
            plan.look_again(now.steady + SETTLED);
        }
        plan
    }

    /// The table `alerts` has a row of this wait that the plan was not given: the plan
    /// sends no further message of it by this way.
    pub fn known(&mut self, wait: &Wait) {
        if let Some(noticed) = self.noticed.get_mut(&key(wait)) {
            noticed.is_known = true;
        }
    }

    /// A message went out.
    pub fn sent(&mut self, now: Instant) {
        self.sent.push_back(now);
    }

    fn notice(&mut self, waits: &[Wait], told: &[AlertRow], now: Now) {
        let open: HashSet<Key> = waits.iter().map(key).collect();
        self.noticed.retain(|key, _| open.contains(key));
        for wait in waits {
            let noticed = self.noticed.entry(key(wait)).or_insert_with(|| Noticed {
                at: now.steady,
                age: age(wait, now.wall),
                told: None,
                is_known: false,
            });
            if told.iter().any(|row| covers(row, wait)) {
                noticed.told.get_or_insert(now.steady);
            }
        }
    }

    fn due(&self, place: usize, wait: &Wait, told: &[AlertRow], now: Now) -> Due {
        let noticed = &self.noticed[&key(wait)];
        let rows = || told.iter().filter(|row| covers(row, wait));
        let is_late = age(wait, now.wall) > FRESH;
        let once = |is_repeat| Told {
            wait: place,
            is_repeat,
        };
        let Some(row) = rows().next() else {
            if noticed.is_known {
                return Due::Never;
            }
            let grace = match is_late {
                true => GRACE,
                false => GRACE.saturating_sub(noticed.age).max(SETTLED),
            };
            return Due::At(noticed.at + grace, once(false), is_late);
        };
        let is_over = rows().any(|row| row.repeat || row.withdrawn_at.is_some());
        match noticed.told {
            Some(at) if wait.is_blocked() && !is_over && !was_late(row) => {
                Due::At(at + AGAIN_AFTER, once(true), false)
            }
            _ => Due::Never,
        }
    }
}

impl Plan {
    fn look_again(&mut self, at: Instant) {
        self.look_at = Some(self.look_at.map_or(at, |known| known.min(at)));
    }
}

/// Whether this row tells of this wait. A wait's opening may be found to be earlier than
/// was known; a later one is another wait.
fn covers(row: &AlertRow, wait: &Wait) -> bool {
    (row.agent_id, &row.kind) == (wait.agent_id, &wait.kind) && *row.opened_at >= *wait.opened_at
}

/// Messages that are not withdrawn, and none of whose waits goes on.
fn over(waits: &[Wait], told: &[AlertRow]) -> Vec<String> {
    let goes_on = |row: &&AlertRow| waits.iter().any(|wait| covers(row, wait));
    let open = || told.iter().filter(|row| row.withdrawn_at.is_none());
    let alive: HashSet<&str> = open().filter(goes_on).map(|row| &*row.message).collect();
    let mut over: Vec<String> = Vec::new();
    for row in open() {
        if !alive.contains(&*row.message) && !over.contains(&row.message) {
            over.push(row.message.clone());
        }
    }
    over
}

fn was_late(row: &AlertRow) -> bool {
    // A time that cannot be read is no reason to repeat an alert: it counts as late.
    let parsed = |text: &str| text.parse::<Timestamp>().ok();
    let (Some(opened), Some(sent)) = (parsed(&row.opened_at), parsed(&row.sent_at)) else {
        return true;
    };
    span(opened, sent) > FRESH
}

fn age(wait: &Wait, now: Timestamp) -> Duration {
    let opened = wait.opened_at.parse().unwrap_or(now);
    span(opened, now)
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn key(wait: &Wait) -> Key {
    (wait.agent_id, wait.kind.clone(), wait.opened_at.clone())
}
