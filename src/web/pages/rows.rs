//! A session as a card, if it needs a person, else as a row.

use jiff::Zoned;

use super::{frame::name, inbox::Inbox, visible::visible, when::When};
use crate::{
    show::{self, Age, Mark, Session, Terminal},
    store::read::{AgentRow, WorkRow},
};

/// What is shown of a line at most.
const LINE_CHARS: usize = 160;
/// What is shown of a question with its options at most.
const ASK_CHARS: usize = 1200;
const ASK_LINES: usize = 14;
/// What is shown of a terminal's name at most.
const PLACE_CHARS: usize = 60;
/// A plan is shown by its head.
const PLAN_LINES: usize = 3;
const CONTEXT: i64 = 200_000;
const LARGE_CONTEXT: i64 = 1_000_000;

/// A session that needs a person.
pub struct Card {
    pub id: i64,
    pub title: String,
    pub place: String,
    pub since: When,
    pub what: String,
    pub thing: Option<String>,
    pub is_code: bool,
    /// The subagent that asks.
    pub subagent: Option<String>,
    pub prompt: Option<String>,
    pub resume: String,
    pub terminal: Option<String>,
    /// It waits for an answer, not for a person to see that it failed.
    pub waits: bool,
}

pub struct Row {
    pub id: i64,
    pub mark: &'static str,
    pub glyph: char,
    pub title: String,
    pub place: String,
    pub now: String,
    pub is_code: bool,
    pub is_silent: bool,
    pub extra: String,
    pub when: When,
    pub after: Option<String>,
}

pub fn cards(inbox: &Inbox, sessions: &[&Session<'_>]) -> Vec<Card> {
    sessions
        .iter()
        .filter_map(|session| Card::new(inbox, session))
        .collect()
}

impl Card {
    fn new(inbox: &Inbox, session: &Session<'_>) -> Option<Card> {
        let (agent, asker) = (session.agent, session.asker?);
        let need = show::need(asker, &inbox.now)?;
        let thing = need.thing.map(|thing| shown_thing(agent, asker, &thing));
        Some(Card {
            id: agent.id,
            title: cut(show::title(agent), LINE_CHARS),
            place: place(agent, inbox.has_several_hosts()),
            since: When::lasting(session.since(), &inbox.now),
            what: need.what,
            thing,
            is_code: need.tool.is_some(),
            subagent: (asker.id != agent.id).then(|| cut(show::title(asker), LINE_CHARS)),
            prompt: inbox
                .work(agent)
                .prompt
                .map(|prompt| line(&show::typed(&prompt))),
            resume: show::resume_command(agent),
            terminal: terminal(agent),
            waits: !["error", "limit"].contains(&asker.needs.as_str()),
        })
    }
}

impl Row {
    pub fn new(inbox: &Inbox, session: &Session<'_>) -> Row {
        let (agent, mark) = (session.agent, session.mark);
        let work = inbox.work(agent);
        let now = &inbox.now;
        let mut row = Row {
            id: agent.id,
            mark: name(mark),
            glyph: mark.glyph(),
            title: cut(show::title(agent), LINE_CHARS),
            place: place(agent, inbox.has_several_hosts()),
            now: show::last_words(agent).map(plain).unwrap_or_default(),
            is_code: false,
            is_silent: false,
            extra: String::new(),
            when: When::ago(session.since(), now),
            after: None,
        };
        match mark {
            Mark::Working => row.at_work(session, &work, now),
            Mark::Finished => {
                row.after = took(
                    work.command_started_at.as_deref(),
                    work.command_completed_at.as_deref(),
                );
            }
            Mark::Background => {
                row.when = When::lasting(session.since(), now);
                row.extra = match agent.background {
                    0 => String::new(),
                    1 => "1 task runs".to_owned(),
                    tasks => format!("{tasks} tasks run"),
                };
            }
            Mark::Ended => row.now = wanted(agent, now).unwrap_or(row.now),
            Mark::NeedsYou => {
                let asker = session.asker.unwrap_or(agent);
                row.now = wanted(asker, now).unwrap_or(row.now);
            }
            Mark::Idle => {}
        }
        row
    }
}

impl Row {
    /// Says what it is at.
    fn at_work(&mut self, session: &Session<'_>, work: &WorkRow, now: &Zoned) {
        let since = work.command_started_at.as_deref();
        self.when = When::lasting(since.unwrap_or(session.since()), now);
        let silence = session.silence(now.timestamp());
        self.is_silent = silence.is_some();
        self.is_code = work.tool_name.is_some();
        self.now = match (silence, &work.tool_name, &work.tool_summary) {
            (Some(silence), ..) => format!("no sign of life for {}", Age::of(silence).words()),
            (None, Some(tool), argument) => line(&format!(
                "{tool} {}",
                from_folder(session.agent, argument.as_deref().unwrap_or_default())
            )),
            _ => "thinking".to_owned(),
        };
        self.extra = extra(session);
    }
}

/// What an agent of this session asks for, as much as is read at a glance.
pub fn shown_thing(agent: &AgentRow, asker: &AgentRow, thing: &str) -> String {
    match asker.needs.as_str() {
        "plan" => head(&without_marks(thing), PLAN_LINES),
        _ => head(from_folder(agent, thing), ASK_LINES),
    }
}

/// What it wants of a person, or wanted when it ended.
fn wanted(agent: &AgentRow, now: &Zoned) -> Option<String> {
    let need = show::need(agent, now)?;
    Some(line(&need.sentence()))
}

/// What stands beside the work of an agent.
fn extra(session: &Session<'_>) -> String {
    let agent = session.agent;
    let mut parts = Vec::new();
    if let Some((done, all)) = show::todo_counts(agent) {
        parts.push(format!("todo {done}/{all}"));
    }
    match session.subagents {
        0 => {}
        1 => parts.push("1 subagent".to_owned()),
        many => parts.push(format!("{many} subagents")),
    }
    match agent.queue_length {
        0 => {}
        1 => parts.push("1 prompt queued".to_owned()),
        many => parts.push(format!("{many} prompts queued")),
    }
    parts.extend(context(agent));
    parts.extend(agent.model.as_deref().map(model));
    parts.join(" · ")
}

/// `context 38 %`
pub fn context(agent: &AgentRow) -> Option<String> {
    let tokens = agent.context_tokens?;
    let is_large = tokens > CONTEXT || agent.model.as_deref().is_some_and(|m| m.contains("[1m]"));
    let all = if is_large { LARGE_CONTEXT } else { CONTEXT };
    Some(format!("context {} %", tokens * 100 / all))
}

/// `claude-opus-4-5-20251101` is `opus-4-5`.
pub fn model(name: &str) -> String {
    let name = name.strip_prefix("claude-").unwrap_or(name);
    let parts: Vec<&str> = name.split('-').collect();
    let is_date = |part: &&str| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = parts.into_iter().filter(|part| !is_date(part)).collect();
    cut(&parts.join("-"), 40)
}

fn took(started: Option<&str>, completed: Option<&str>) -> Option<String> {
    let completed = completed?.parse().ok()?;
    Some(show::age(started?, completed).words())
}

/// `shop_api · main`
pub fn place(agent: &AgentRow, with_host: bool) -> String {
    let mut parts = vec![&*agent.project_name];
    parts.extend(agent.branch.as_deref());
    if with_host {
        parts.push(&agent.host);
    }
    cut(&parts.join(" · "), LINE_CHARS)
}

/// Where its terminal is.
pub fn terminal(agent: &AgentRow) -> Option<String> {
    Terminal::of(agent).map(|terminal| cut(&terminal.name(), PLACE_CHARS))
}

fn line(text: &str) -> String {
    cut(show::first_line(text), LINE_CHARS)
}

/// A path below the session's folder, named from there; anything else as it is.
pub fn from_folder<'a>(agent: &AgentRow, text: &'a str) -> &'a str {
    let folders = [&agent.working_directory, &agent.project_path];
    let below = folders.into_iter().find_map(|folder| {
        let rest = text.strip_prefix(&**folder)?.strip_prefix('/')?;
        Some(rest).filter(|rest| !rest.is_empty())
    });
    below.unwrap_or(text)
}

/// A plan's heads are words as others.
fn without_marks(plan: &str) -> String {
    let lines = plan.lines().map(|line| line.trim_start_matches(['#', ' ']));
    lines.collect::<Vec<_>>().join("\n")
}

/// A line of Markdown without its marks.
fn plain(text: &str) -> String {
    let text = show::first_line(text).trim_start_matches(['#', '>', ' ']);
    line(&text.replace("**", "").replace('`', ""))
}

fn head(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let mut head = all[..all.len().min(lines)].join("\n");
    if all.len() > lines {
        head.push_str("\n…");
    }
    cut(&head, ASK_CHARS)
}

/// At most so many characters of a text, all of them seen.
pub fn cut(text: &str, chars: usize) -> String {
    let text = &*visible(text);
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}
