//! The sessions as lines of a terminal.

use std::collections::{BTreeSet, HashMap};

use jiff::Zoned;

use crate::{
    cli::columns::{Paper, clipped, padded, width},
    show::{self, Age, Mark, Session},
    store::read::ToolUseRow,
    telemetry::visible,
};

/// The most columns for what stands in front of a session's doing, and behind it.
const TITLE: usize = 20;
const PROJECT: usize = 12;
const BRANCH: usize = 10;
const PLACE: usize = 16;
/// A doing that has fewer columns says nothing.
const DOING: usize = 16;
/// What it keeps where more stands behind it.
const LEAST: usize = 12;

/// What is known beside the sessions.
pub struct Beside {
    /// The call at which an agent works, by its id.
    pub tools: HashMap<i64, ToolUseRow>,
    /// Where a session's terminal is, by its agent's id.
    pub places: HashMap<i64, String>,
    /// One word of the watcher, and what is wrong with it.
    pub health: String,
    pub reasons: Vec<String>,
}

/// A line, and the agent whose session it shows.
pub struct Line {
    pub agent: Option<i64>,
    pub text: String,
}

/// A session's line, by columns.
struct Row {
    agent: i64,
    mark: Mark,
    title: String,
    project: String,
    branch: String,
    age: String,
    doing: String,
    more: Vec<String>,
    place: String,
}

/// How many columns each of them gets; none is left out.
struct Widths {
    title: usize,
    project: usize,
    branch: usize,
    age: usize,
    doing: usize,
    place: usize,
}

/// The first line counts, the next ones say what is wrong with the watcher, and then
/// each session has a line. Idle ones have one together, and those that were put off,
/// unless `all` are asked for.
pub fn lines(
    sessions: &[Session<'_>],
    beside: &Beside,
    all: bool,
    now: &Zoned,
    paper: Paper,
) -> Vec<Line> {
    let (snoozed, awake): (Vec<_>, Vec<_>) = sessions
        .iter()
        .partition(|session| session.is_snoozed(now.timestamp()));
    let mut texts = vec![head(&awake, &beside.health, paper)];
    let reasons = beside.reasons.iter();
    texts.extend(reasons.map(|reason| format!("! {}", visible(reason))));
    let (idle, mut shown): (Vec<_>, Vec<_>) = awake
        .into_iter()
        .partition(|session| session.mark == Mark::Idle && !all);
    if all {
        shown.extend(&snoozed);
    }
    let rows: Vec<Row> = shown
        .into_iter()
        .map(|session| row(session, beside, now))
        .collect();
    let widths = Widths::of(&rows, paper.width);
    let of_none = |text| Line { agent: None, text };
    let mut lines: Vec<Line> = texts.into_iter().map(of_none).collect();
    lines.extend(rows.iter().map(|row| Line {
        agent: Some(row.agent),
        text: line(row, &widths, paper),
    }));
    lines.extend(folded(&idle, paper).map(of_none));
    if !snoozed.is_empty() && !all {
        let text = format!("{} {} snoozed", Mark::NeedsYou.glyph(), snoozed.len());
        lines.push(of_none(paper.faint(&format!("{text} (-a shows them)"))));
    }
    lines
}

fn head(sessions: &[&Session<'_>], health: &str, paper: Paper) -> String {
    let counts = Mark::ALL.map(|mark| {
        let with_it = sessions.iter().filter(|session| session.mark == mark);
        (mark, with_it.count())
    });
    let counted: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
    let texts = counted.iter().map(|(mark, count)| mark.counted(*count));
    let texts: Vec<String> = texts.collect();
    let plain = match texts.is_empty() {
        true => "all is quiet".to_owned(),
        false => texts.join("   "),
    };
    let gap = paper.width.saturating_sub(width(&plain) + width(health));
    let painted: Vec<String> = counted
        .iter()
        .zip(&texts)
        .map(|((mark, _), text)| paper.marked(*mark, text))
        .collect();
    let counts = match painted.is_empty() {
        true => plain,
        false => painted.join("   "),
    };
    format!("{counts}{}{}", " ".repeat(gap.max(3)), paper.faint(health))
}

/// `○ 8 idle in 3 projects (-a shows them)`
fn folded(idle: &[&Session<'_>], paper: Paper) -> Option<String> {
    let projects: BTreeSet<i64> = idle.iter().map(|s| s.agent.project_id).collect();
    let places = match projects.len() {
        0 => return None,
        1 => "1 project".to_owned(),
        many => format!("{many} projects"),
    };
    let count = Mark::Idle.counted(idle.len());
    let text = format!("{} {count} in {places} (-a shows them)", Mark::Idle.glyph());
    Some(paper.faint(&text))
}

fn row(session: &Session<'_>, beside: &Beside, now: &Zoned) -> Row {
    let agent = session.agent;
    Row {
        agent: agent.id,
        mark: session.mark,
        title: show::title(agent).to_owned(),
        project: agent.project_name.clone(),
        branch: agent.branch.clone().unwrap_or_default(),
        age: show::age(session.since(), now.timestamp()).brief(),
        doing: doing(session, beside, now),
        more: more(session),
        place: beside.places.get(&agent.id).cloned().unwrap_or_default(),
    }
}

/// What it asks for, says or works at.
fn doing(session: &Session<'_>, beside: &Beside, now: &Zoned) -> String {
    let agent = session.agent;
    let said = || show::last_words(agent).map(|words| format!("“{words}”"));
    match session.mark {
        Mark::NeedsYou => {
            let asker = session.asker.unwrap_or(agent);
            show::need(asker, now).map_or(String::new(), |need| need.brief())
        }
        Mark::Working => match (
            session.silence(now.timestamp()),
            beside.tools.get(&agent.id),
        ) {
            (Some(silence), _) => format!("no sign of life for {}", Age::of(silence).words()),
            (None, Some(tool)) => format!("{} {}", tool.name, tool.summary).trim().to_owned(),
            (None, None) => "thinking".to_owned(),
        },
        Mark::Background => match agent.background {
            0 => "waits for its subagents".to_owned(),
            1 => "1 task in the background".to_owned(),
            tasks => format!("{tasks} tasks in the background"),
        },
        Mark::Finished | Mark::Idle | Mark::Ended => said().unwrap_or_default(),
    }
}

/// What stands behind the doing, the most telling first.
fn more(session: &Session<'_>) -> Vec<String> {
    if ![Mark::Working, Mark::Background].contains(&session.mark) {
        return Vec::new();
    }
    let todo = show::todo_counts(session.agent).map(|(done, all)| format!("todo {done}/{all}"));
    let subagents = match session.subagents {
        0 => None,
        1 => Some("1 subagent".to_owned()),
        many => Some(format!("{many} subagents")),
    };
    let queued = Some(session.agent.queue_length).filter(|length| *length > 0);
    let queued = queued.map(|length| format!("{length} queued"));
    [todo, subagents, queued].into_iter().flatten().collect()
}

impl Widths {
    fn of(rows: &[Row], paper: usize) -> Widths {
        let widest = |text: fn(&Row) -> &String, most: usize| {
            let widths = rows.iter().map(|row| width(&clipped(text(row), most)));
            widths.max().unwrap_or(0)
        };
        let mut widths = Widths {
            title: widest(|row| &row.title, TITLE),
            project: widest(|row| &row.project, PROJECT),
            branch: widest(|row| &row.branch, BRANCH),
            age: widest(|row| &row.age, usize::MAX),
            place: widest(|row| &row.place, PLACE),
            doing: 0,
        };
        // A narrow terminal does without the least telling ones.
        for dispensable in 0..3 {
            if widths.taken() + DOING <= paper {
                break;
            }
            match dispensable {
                0 => widths.place = 0,
                1 => widths.branch = 0,
                _ => widths.project = 0,
            }
        }
        widths.doing = paper.saturating_sub(widths.taken());
        widths
    }

    /// All columns but the doing, with the gap behind each.
    fn taken(&self) -> usize {
        let gaps = |width: usize, gap: usize| if width == 0 { 0 } else { width + gap };
        2 + gaps(self.title, 1)
            + gaps(self.project, 1)
            + gaps(self.branch, 1)
            + gaps(self.age, 2)
            + gaps(self.place, 2)
    }
}

fn line(row: &Row, widths: &Widths, paper: Paper) -> String {
    let column = |text: &str, width: usize, gap: &str| match width {
        0 => String::new(),
        width => padded(text, width) + gap,
    };
    let title = column(&row.title, widths.title, " ");
    let title = match row.mark {
        Mark::NeedsYou => paper.bold(&title),
        _ => title,
    };
    let place = match row.place.is_empty() {
        true => String::new(),
        false => clipped(&row.place, widths.place),
    };
    let doing = match place.is_empty() {
        true => said(
            row,
            widths.doing + widths.place + 2 * usize::from(widths.place > 0),
        ),
        false => padded(&said(row, widths.doing), widths.doing) + "  ",
    };
    let line = format!(
        "{} {title}{}{}{:>age$}  {doing}{}",
        paper.marked(row.mark, &row.mark.glyph().to_string()),
        column(&row.project, widths.project, " "),
        paper.faint(&column(&row.branch, widths.branch, " ")),
        row.age,
        paper.faint(&place),
        age = widths.age,
    );
    line.trim_end().to_owned()
}

/// The doing, cut, with as much more behind it as there is room for.
fn said(row: &Row, most: usize) -> String {
    let mut more = String::new();
    let least = width(&row.doing).min(LEAST);
    for part in &row.more {
        if least + width(&more) + 2 + width(part) <= most {
            more.push_str("  ");
            more.push_str(part);
        }
    }
    clipped(&row.doing, most - width(&more)) + &more
}
