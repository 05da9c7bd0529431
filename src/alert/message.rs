//! What is sent: a message as JSON, and as the chats take it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::text;
use crate::{
    show::{self, Wait, is_blocked},
    store::read::AlertRow,
};

/// Waits named in the words of a message for several.
const NAMED: usize = 3;
/// Discord refuses what is longer, in units of UTF-16.
const DISCORD_UNITS: usize = 2000;

/// What the body of a webhook's request looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Json,
    Slack,
    Discord,
    Ntfy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The same in an alert and its withdrawal.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    /// When it was sent.
    pub at: String,
    pub host: String,
    /// All in one line: “shop_api · fix login: asks to run `npm test`”.
    pub text: String,
    /// The watcher sent this alert before, ten minutes ago.
    pub repeat: bool,
    pub waits: Vec<Subject>,
    /// The same in two parts, as a desktop shows it.
    #[serde(skip)]
    pub title: String,
    #[serde(skip)]
    pub body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Alert,
    Withdrawn,
}

/// What a message is beside its waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    pub repeat: bool,
    pub late: bool,
}

/// A wait that a message tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Wait")]
pub struct Subject {
    pub agent_id: i64,
    pub session_uuid: String,
    pub kind: String,
    /// It keeps the session from going on.
    pub blocked: bool,
    pub opened_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

impl Message {
    /// One that is `late` says for how long each has waited.
    pub fn alert(id: String, at: String, host: &str, waits: &[&Wait], how: How) -> Message {
        let subjects: Vec<Subject> = waits.iter().map(|wait| Subject::of(wait)).collect();
        let sent = at.parse().ok().filter(|_| how.late);
        let (title, body) = match &subjects[..] {
            [one] => (one.name(), one.said(sent)),
            many => several(many, sent),
        };
        Message {
            id,
            kind: Kind::Alert,
            at,
            host: host.to_owned(),
            text: format!("{title}: {}", body.replace('\n', "; ")),
            repeat: how.repeat,
            waits: subjects,
            title,
            body,
        }
    }

    /// Takes a message back; `rows` are what was noted of it.
    pub fn withdrawn(id: String, at: String, host: &str, rows: &[&AlertRow]) -> Message {
        let subject = |row: &&AlertRow| Subject {
            agent_id: row.agent_id,
            session_uuid: row.session_uuid.clone(),
            kind: row.kind.clone(),
            blocked: is_blocked(&row.kind),
            opened_at: row.opened_at.to_string(),
            project: None,
            title: None,
            words: None,
        };
        Message {
            id,
            kind: Kind::Withdrawn,
            at,
            host: host.to_owned(),
            text: "answered, seen or put off".to_owned(),
            repeat: false,
            waits: rows.iter().map(subject).collect(),
            title: String::new(),
            body: String::new(),
        }
    }

    /// The body of a webhook's request. The topic is ntfy's name of the address.
    pub fn shaped(&self, shape: Shape, topic: &str) -> Value {
        match shape {
            Shape::Json => json!(self),
            Shape::Slack => json!({
                "text": text::markup(&self.text), "mrkdwn": false,
                "unfurl_links": false, "unfurl_media": false,
            }),
            // 4: no previews of what is behind an address.
            Shape::Discord => json!({
                "content": escaped(&self.text), "allowed_mentions": {"parse": []}, "flags": 4,
            }),
            Shape::Ntfy => json!({
                "topic": topic, "title": self.title, "message": self.body, "tags": ["headspace"],
            }),
        }
    }
}

impl Subject {
    pub fn of(wait: &Wait) -> Subject {
        Subject {
            agent_id: wait.agent_id,
            session_uuid: wait.session_uuid.clone(),
            kind: wait.kind.clone(),
            blocked: wait.is_blocked(),
            opened_at: wait.opened_at.clone(),
            project: Some(text::title(&wait.project)),
            title: Some(text::title(&wait.title)),
            words: Some(text::words(&wait.words)),
        }
    }

    fn name(&self) -> String {
        // A withdrawal names its wait alone: it has no parts.
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{} · {}", part(&self.project), part(&self.title))
    }

    /// What it waits for; where that is of interest, for how long.
    fn said(&self, late: Option<Timestamp>) -> String {
        // None in a withdrawal, which says nothing of its own.
        let words = self.words.as_deref().unwrap_or_default();
        let Some(now) = late else {
            return words.to_owned();
        };
        let age = show::age(&self.opened_at, now).words();
        match self.blocked {
            true => format!("{words} · for {age}"),
            false => format!("{words} · {age} ago"),
        }
    }
}

/// “4 sessions need you”, and the first of them.
fn several(subjects: &[Subject], late: Option<Timestamp>) -> (String, String) {
    let over = subjects.iter().filter(|subject| !subject.blocked).count();
    let blocked = subjects.len() - over;
    let title = match (blocked, over) {
        (0, over) => format!("{over} sessions finished"),
        (1, 0) => "1 session needs you".to_owned(),
        (blocked, 0) => format!("{blocked} sessions need you"),
        (blocked, over) => format!("{blocked} need you, {over} finished"),
    };
    let line = |one: &Subject| format!("{}: {}", one.name(), one.said(late));
    let mut lines: Vec<String> = subjects.iter().take(NAMED).map(line).collect();
    if subjects.len() > NAMED {
        lines.push(format!("and {} more", subjects.len() - NAMED));
    }
    (title, lines.join("\n"))
}

/// Text that Discord shows as it is, as much as it takes.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 16);
    let mut left = DISCORD_UNITS;
    for c in text.chars() {
        let is_marked = "\\*_~|<>[]()#".contains(c);
        let units = c.len_utf16() + usize::from(is_marked);
        // One is kept for the sign that there was more.
        if units >= left {
            plain.push('…');
            break;
        }
        left -= units;
        if is_marked {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}
