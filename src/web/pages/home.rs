//! Home: an inbox of what needs a person, then what goes on.

use askama::Template;
use axum::extract::State;

use super::{
    Answer,
    choice::{Chip, Choice},
    frame::{Frame, name},
    html,
    inbox::Inbox,
    rows::{Card, Row, cards},
    today::Today,
};
use crate::{
    event::EventType,
    show::{Mark, Session},
    store::Filter,
    web::{Shared, error::Problem, routes::query::Query},
};

/// What is shown below those that need a person.
const OTHERS: [Mark; 5] = [
    Mark::Finished,
    Mark::Working,
    Mark::Background,
    Mark::Idle,
    Mark::Ended,
];
/// The most rows of a section; a link leads to all of them.
const ROWS: usize = 40;

#[derive(Template)]
#[template(path = "home.html", blocks = ["page"])]
struct Home {
    frame: Frame,
    is_chosen: bool,
    is_empty: bool,
    /// The folders that were looked at, where nothing was found yet.
    roots: Option<Vec<String>>,
    has_hooks: bool,
    chips: Vec<Chip>,
    grouping: Chip,
    needs: Option<Vec<Card>>,
    sections: Vec<Section>,
    today: Option<Today>,
    /// How long sessions waited for a person today.
    waited: Option<String>,
}

struct Section {
    mark: &'static str,
    glyph: char,
    title: &'static str,
    groups: Vec<Group>,
    /// How many more there are, and where.
    more: usize,
    address: String,
}

/// The rows of a project, or all.
struct Group {
    title: Option<String>,
    /// Of a folded group the line that stands for it.
    fold: Option<Fold>,
    rows: Vec<Row>,
}

struct Fold {
    id: i64,
    project: String,
    count: usize,
    last: super::when::When,
}

pub async fn show(State(app): State<Shared>, Query(choice): Query<Choice>) -> Answer {
    html(&home(&app, &choice).await?)
}

pub async fn fragment(State(app): State<Shared>, Query(choice): Query<Choice>) -> Answer {
    html(&home(&app, &choice).await?.as_page())
}

async fn home(app: &Shared, choice: &Choice) -> Result<Home, Problem> {
    let (inbox, has_hooks, today) = tokio::join!(
        Inbox::read(app),
        has_hooks(app),
        app.today.read(&app.reader)
    );
    let inbox = inbox?;
    let all = inbox.sessions();
    let is_blank = inbox.is_blank || all.is_empty() && app.reader.projects().await?.is_empty();
    let roots = is_blank.then(|| app.roots.clone());
    let chosen: Vec<&Session<'_>> = all
        .iter()
        .filter(|session| choice.takes(&inbox, session))
        .collect();
    let (needs, sections) = sections(&inbox, choice, &chosen);
    let today = today.ok();
    let waiting = all.iter().filter_map(|one| {
        let since = one.asker?.since.as_deref()?.parse().ok()?;
        Some((one.asker?.id, since))
    });
    let waiting = waiting.collect();
    let waited = today.as_ref().and_then(|today| today.waited(&waiting));
    Ok(Home {
        is_chosen: choice.is_narrow(),
        is_empty: chosen.is_empty(),
        roots,
        has_hooks: all.is_empty() || has_hooks?,
        chips: choice.chips(&all),
        grouping: choice.grouping(),
        needs,
        sections,
        today,
        waited,
        frame: frame(&inbox, choice, &all),
    })
}

fn frame(inbox: &Inbox, choice: &Choice, all: &[Session<'_>]) -> Frame {
    let mut frame = Frame::new(inbox, all, "headspace");
    frame.search = choice.search().unwrap_or_default().to_owned();
    frame.fragment = choice.address("/fragments/home");
    frame.tab = match choice.state() {
        Some("need") => "need",
        _ => "all",
    };
    for count in &mut frame.counts {
        count.is_chosen = choice.state() == Some(count.mark);
    }
    frame
}

/// The cards of those that need a person, and the others below.
fn sections(
    inbox: &Inbox,
    choice: &Choice,
    chosen: &[&Session<'_>],
) -> (Option<Vec<Card>>, Vec<Section>) {
    let needy = of(chosen, Mark::NeedsYou).into_iter();
    let (snoozed, needy): (Vec<_>, Vec<_>) = needy.partition(|one| inbox.is_snoozed(one));
    let others = OTHERS.map(|mark| (mark, of(chosen, mark)));
    let sections = [(Mark::NeedsYou, snoozed)].into_iter().chain(others);
    let sections = sections
        .filter(|(mark, own)| choice.shows(*mark) && !own.is_empty())
        .map(|(mark, own)| section(inbox, choice, mark, own));
    let needs = choice.shows(Mark::NeedsYou);
    (needs.then(|| cards(inbox, &needy)), sections.collect())
}

async fn has_hooks(app: &Shared) -> Result<bool, Problem> {
    let filter = Filter {
        types: vec![EventType::HookReceived],
        ..Filter::default()
    };
    Ok(!app
        .reader
        .page(&filter, None, None, 1)
        .await?
        .events
        .is_empty())
}

fn of<'a>(sessions: &[&'a Session<'a>], mark: Mark) -> Vec<&'a Session<'a>> {
    sessions
        .iter()
        .copied()
        .filter(|session| session.mark == mark)
        .collect()
}

fn section(inbox: &Inbox, choice: &Choice, mark: Mark, mut sessions: Vec<&Session<'_>>) -> Section {
    // A row stays where it is while its agent works.
    if mark == Mark::Working {
        sessions.sort_by_cached_key(|session| {
            let started = inbox.work(session.agent).command_started_at;
            (std::cmp::Reverse(started), session.agent.id)
        });
    }
    let is_alone = choice.state().is_some();
    let limit = if is_alone { usize::MAX } else { ROWS };
    let is_folded = mark == Mark::Idle && !is_alone && choice.search().is_none();
    let is_grouped = is_folded || choice.is_grouped() && mark != Mark::Finished;
    let more = if is_folded {
        0
    } else {
        sessions.len().saturating_sub(limit)
    };
    if !is_folded {
        sessions.truncate(limit);
    }
    Section {
        mark: match mark {
            Mark::NeedsYou => "snoozed",
            _ => name(mark),
        },
        glyph: mark.glyph(),
        title: match mark {
            Mark::Finished => "Finished, unread",
            Mark::Working => "Working",
            Mark::Background => "In the background",
            Mark::Ended => "Left hanging",
            Mark::Idle => "Idle",
            Mark::NeedsYou => "Snoozed",
        },
        groups: groups(inbox, &sessions, is_grouped, is_folded),
        more,
        address: choice.but("/", "state", Some(name(mark))),
    }
}

fn groups(
    inbox: &Inbox,
    sessions: &[&Session<'_>],
    is_grouped: bool,
    is_folded: bool,
) -> Vec<Group> {
    if !is_grouped {
        let rows = sessions
            .iter()
            .map(|session| Row::new(inbox, session))
            .collect();
        return vec![Group {
            title: None,
            fold: None,
            rows,
        }];
    }
    let mut projects: Vec<(i64, Vec<&Session<'_>>)> = Vec::new();
    for session in sessions {
        let id = session.agent.project_id;
        match projects.iter_mut().find(|(project, _)| *project == id) {
            Some((_, own)) => own.push(session),
            None => projects.push((id, vec![session])),
        }
    }
    projects
        .into_iter()
        .map(|(id, own)| group(inbox, id, &own, is_folded))
        .collect()
}

fn group(inbox: &Inbox, id: i64, own: &[&Session<'_>], is_folded: bool) -> Group {
    let project = own[0].agent.project_name.clone();
    if !is_folded {
        let rows = own.iter().map(|session| Row::new(inbox, session)).collect();
        return Group {
            title: Some(project),
            fold: None,
            rows,
        };
    }
    let last = own.iter().map(|session| &session.agent.last_seen_at).max();
    let fold = Fold {
        id,
        project,
        count: own.len(),
        last: super::when::When::ago(last.map_or("", |at| at), &inbox.now),
    };
    Group {
        title: None,
        fold: Some(fold),
        rows: Vec::new(),
    }
}
