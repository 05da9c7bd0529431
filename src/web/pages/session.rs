//! A session: what it needs and is at, the conversation, and what stands beside it.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{
    Answer,
    beside::{Beside, Moves},
    conversation::{Item, Step, items},
    frame::{Frame, name, state_word},
    html,
    inbox::Inbox,
    links::{Link, Links},
    rows::{context, cut, model, place, shown_thing, terminal},
    today::many,
    when::When,
};
use crate::{
    content::{self, Kept, Lost, Marks},
    event::Timestamp,
    show::{self, Mark, Session},
    store::read::{AgentRow, CommandRow, PAGE_ROWS, ToolUseRow, TurnRow},
    web::{
        Shared,
        error::Problem,
        routes::agents::{Id, agent},
        routes::query::Query,
    },
};

/// The newest turns that a page opens with.
const OPENING: usize = 80;
/// The most turns in a window.
const WINDOW: usize = 240;
/// The most calls of tools in a window.
const CALLS: usize = 1500;

/// Which turns are shown; without a choice, the newest.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// From this turn on.
    from: Option<i64>,
    /// Around this turn: a permalink.
    turn: Option<i64>,
    /// From this turn on to the end: what is shown already.
    tail: Option<i64>,
}

#[derive(Template)]
#[template(path = "session.html", blocks = ["page"])]
struct Page {
    frame: Frame,
    id: i64,
    title: String,
    mark: &'static str,
    glyph: char,
    /// What it needs or is, in one sentence.
    sentence: String,
    /// The thing it asks for.
    thing: Option<String>,
    is_code: bool,
    since: When,
    /// It happened then, and does not last.
    is_over: bool,
    place: String,
    about: String,
    started: When,
    resume: String,
    terminal: Option<String>,
    parent: Option<i64>,
    /// Since when there is something of it that no person has looked at.
    news: Option<String>,
    earlier: Option<i64>,
    later: Option<i64>,
    newest: i64,
    links: Links,
    items: Vec<Item>,
    beside: Beside,
    moves: Moves,
}

/// Why an agent shows as what it does.
#[derive(Template)]
#[template(path = "why.html")]
struct Why {
    title: String,
    sentence: String,
    since: When,
    is_over: bool,
    moves: Moves,
}

pub async fn show(State(app): State<Shared>, id: Id, Query(choice): Query<Choice>) -> Answer {
    html(&page(&app, id, &choice).await?)
}

pub async fn fragment(State(app): State<Shared>, id: Id, Query(choice): Query<Choice>) -> Answer {
    html(&page(&app, id, &choice).await?.as_page())
}

pub async fn why(State(app): State<Shared>, id: Id) -> Answer {
    let (inbox, agent) = tokio::join!(Inbox::read(&app), agent(&app, id));
    let (inbox, agent) = (inbox?, agent?);
    let moves = Moves::read(&app, &agent, &inbox.now).await?;
    let known = of(&inbox, &agent);
    let shown = Shown::of(&inbox, &agent, known.as_ref());
    html(&Why {
        title: cut(show::title(&agent), 160),
        sentence: shown.sentence,
        since: shown.since,
        is_over: shown.is_over,
        moves,
    })
}

/// What an agent shows as.
struct Shown {
    mark: Mark,
    sentence: String,
    thing: Option<String>,
    is_code: bool,
    since: When,
    is_over: bool,
    news: Option<String>,
}

struct Window {
    turns: Vec<TurnRow>,
    earlier: Option<i64>,
    /// The turn that follows: what stands before it is of this window.
    later: Option<TurnRow>,
}

async fn page(app: &Shared, id: Id, choice: &Choice) -> Result<Page, Problem> {
    let (inbox, agent) = tokio::join!(Inbox::read(app), agent(app, id));
    let (inbox, agent) = (inbox?, agent?);
    let now = &inbox.now;
    let (window, beside, moves, links, tokens) = tokio::join!(
        window(app, &agent, choice),
        Beside::read(app, &agent),
        Moves::read(app, &agent, now),
        Links::read(app, &agent),
        app.reader.tokens_of(agent.id)
    );
    let (window, mut beside, mut links) = (window?, beside?, links?);
    let (done, (marks, origin)) =
        tokio::join!(done_in(app, &agent, &window), between(app, &agent, &window));
    let (uses, commands) = done?;
    links.origin = links.origin.or(origin);
    let known = of(&inbox, &agent);
    let shown = Shown::of(&inbox, &agent, known.as_ref());
    let sessions = inbox.sessions();
    let title = cut(show::title(&agent), 160);
    let mut frame = Frame::new(&inbox, &sessions, &title);
    frame.on = format!("agent-{}", agent.id);
    let first = window.turns.first().map_or(0, |turn| turn.id);
    let part = match window.later {
        Some(_) => format!("from={first}"),
        None => format!("tail={first}"),
    };
    frame.fragment = format!("/fragments/agents/{}?{part}", agent.id);
    beside.mark_shown(first);
    Ok(Page {
        id: agent.id,
        mark: name(shown.mark),
        glyph: shown.mark.glyph(),
        sentence: shown.sentence,
        thing: shown.thing,
        is_code: shown.is_code,
        since: shown.since,
        is_over: shown.is_over,
        place: place(&agent, inbox.has_several_hosts()),
        about: about(&agent, tokens?),
        started: When::clock(&agent.started_at, now),
        resume: show::resume_command(&agent),
        terminal: terminal(&agent),
        parent: agent.parent_agent_id,
        news: shown.news,
        earlier: window.earlier,
        later: window.later.map(|turn| turn.id),
        newest: window.turns.last().map_or(0, |turn| turn.id),
        links,
        items: items(&agent, &window.turns, &uses, &commands, &marks, now),
        beside,
        moves: moves?,
        title,
        frame,
    })
}

/// How the agent stands among the sessions of now.
fn of<'a>(inbox: &'a Inbox, agent: &AgentRow) -> Option<Session<'a>> {
    let mut sessions = inbox.sessions().into_iter();
    sessions.find(|session| session.agent.id == agent.id)
}

impl Shown {
    /// An agent that is no session of now, a subagent say, stands for itself.
    fn of(inbox: &Inbox, agent: &AgentRow, known: Option<&Session<'_>>) -> Shown {
        let alone = show::session(agent, []);
        let session = known.unwrap_or(&alone);
        let asker = session.asker.unwrap_or(agent);
        let need = match session.mark {
            Mark::NeedsYou => show::need(asker, &inbox.now),
            _ => None,
        };
        let sentence = match &need {
            Some(need) => need.what.clone(),
            None => state_word(session.mark).to_owned(),
        };
        let is_over = [Mark::Finished, Mark::Ended].contains(&session.mark);
        Shown {
            mark: session.mark,
            sentence,
            is_code: need.as_ref().is_some_and(|need| need.tool.is_some()),
            thing: need
                .and_then(|need| need.thing)
                .map(|thing| shown_thing(agent, asker, &thing)),
            since: match is_over {
                true => When::ago(session.since(), &inbox.now),
                false => When::lasting(session.since(), &inbox.now),
            },
            is_over,
            news: news(agent, session),
        }
    }
}

/// What an alert tells of, or an unread end: since when it is so.
fn news(agent: &AgentRow, session: &Session<'_>) -> Option<String> {
    let since = session.since();
    let is_new_need = session.asker.is_some() && agent.viewed_at.as_deref() < Some(since);
    (agent.unseen || is_new_need).then(|| since.to_owned())
}

fn about(agent: &AgentRow, tokens: i64) -> String {
    let mut parts = Vec::new();
    parts.extend(agent.model.as_deref().map(model));
    parts.extend(context(agent));
    parts.extend((tokens > 0).then(|| format!("{} tokens", many(tokens))));
    parts.extend(
        agent
            .permission_mode
            .clone()
            .filter(|mode| mode != "default"),
    );
    parts.join(" · ")
}

async fn window(app: &Shared, agent: &AgentRow, choice: &Choice) -> Result<Window, Problem> {
    let reader = &app.reader;
    if let Some(tail) = choice.tail {
        let turns = reader.turns_from(agent.id, tail, WINDOW + 1).await?;
        if turns.len() <= WINDOW && !turns.is_empty() {
            return bounded(app, agent, turns, WINDOW).await;
        }
    }
    let from = match (choice.turn, choice.from) {
        (Some(turn), _) => {
            let before = reader.turns_of(agent.id, Some(turn), OPENING / 4).await?;
            Some(before.last().map_or(turn, |first| first.id))
        }
        (None, from) => from,
    };
    let turns = match from {
        Some(from) => reader.turns_from(agent.id, from, OPENING + 1).await?,
        None => {
            let mut newest = reader.turns_of(agent.id, None, OPENING).await?;
            newest.reverse();
            newest
        }
    };
    bounded(app, agent, turns, OPENING).await
}

/// At most so many turns, with the one at which the window before begins, and the one
/// behind.
async fn bounded(
    app: &Shared,
    agent: &AgentRow,
    mut turns: Vec<TurnRow>,
    limit: usize,
) -> Result<Window, Problem> {
    let later = (turns.len() > limit).then(|| turns.pop()).flatten();
    let first = turns.first().map(|turn| turn.id);
    let before = app.reader.turns_of(agent.id, first, OPENING).await?;
    let earlier = first.and(before.last()).map(|turn| turn.id);
    Ok(Window {
        turns,
        earlier,
        later,
    })
}

/// What the transcript holds between the turns of a window, and at its beginning. Where it
/// cannot be read, the page does without.
async fn between(app: &Shared, agent: &AgentRow, window: &Window) -> (Marks, Option<Link>) {
    let read = async {
        let kept = Kept::of(&app.reader, agent, &app.host).await?;
        // What a subagent says makes no turns.
        let with_words = agent.parent_agent_id.is_some();
        let marks = marks(app, &kept, window, with_words).await?;
        let origin = match window.earlier {
            None if agent.forked_from_id.is_none() => content::origin(&app.reader, &kept).await?,
            _ => None,
        };
        Ok::<_, Lost>((marks, origin))
    };
    let (marks, origin) = read.await.unwrap_or_else(|lost| {
        tracing::debug!(agent = agent.id, %lost, "a page does without its transcript: {lost}");
        (Marks::default(), None)
    });
    let origin = match origin {
        Some(uuid) => Some(Link::named(app, &uuid).await),
        None => None,
    };
    (marks, origin)
}

async fn marks(
    app: &Shared,
    kept: &Kept,
    window: &Window,
    with_words: bool,
) -> Result<Marks, Lost> {
    let turns = window.turns.iter().chain(&window.later);
    let events: Vec<i64> = turns.map(|turn| turn.event_id).collect();
    let lines = app.reader.lines_of(&events).await?.into_iter();
    let own = lines.filter(|(checkpoint, _)| *checkpoint == kept.checkpoint_id);
    let own: Vec<u64> = own.map(|(_, line)| line.cast_unsigned()).collect();
    let first = match (own.iter().min(), window.turns.is_empty()) {
        (Some(first), _) => *first,
        (None, true) => 0,
        (None, false) => return Ok(Marks::default()),
    };
    let until = match &window.later {
        Some(_) => own.iter().max().copied().unwrap_or(first),
        None => u64::MAX,
    };
    content::marks(&app.reader, kept, first..until, with_words).await
}

/// What was done within a window, oldest first, and the commands it belongs to.
async fn done_in(
    app: &Shared,
    agent: &AgentRow,
    window: &Window,
) -> Result<(Vec<ToolUseRow>, Vec<CommandRow>), Problem> {
    let turns = &window.turns;
    let at = |text: &str| Timestamp::parse(text).unwrap_or(Timestamp::UNIX_EPOCH);
    let from = match (window.earlier, turns.first()) {
        (Some(_), Some(turn)) => at(&turn.timestamp),
        _ => Timestamp::UNIX_EPOCH,
    };
    let until = match &window.later {
        Some(turn) => at(&turn.timestamp),
        None => Timestamp::from_micros(i64::MAX),
    };
    let mut ids: Vec<i64> = turns.iter().map(|turn| turn.command_id).collect();
    ids.dedup();
    ids.truncate(PAGE_ROWS);
    let (uses, commands) = tokio::join!(
        app.reader.tool_uses_between(agent.id, from, until, CALLS),
        app.reader.commands_among(&ids)
    );
    let mut uses = uses?;
    uses.reverse();
    uses.sort_by(|a, b| a.started_at.cmp(&b.started_at));
    Ok((uses, commands?))
}
