//! `headspace status --watch`: the same lines, as they change.

use std::time::Duration;

use anyhow::Context;
use jiff::Zoned;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until},
};

use super::{
    Beside,
    list::{self, Line},
    look,
    screen::{Screen, Size},
};
use crate::{
    cli::{
        self, agents,
        columns::{Paper, clipped},
        explain, go,
        news::News,
        pager::Pager,
    },
    config::Settings,
    show,
    store::read::{AgentRow, ReadError, Reader},
    telemetry::visible,
};

/// How often the relative times are drawn again.
const TICK: Duration = Duration::from_secs(1);

const HELP: &str = "j k move   Enter show   g go   e explain   a idle ones   q quit";

/// What is on the screen, and what was chosen there.
struct View {
    agents: Vec<AgentRow>,
    beside: Beside,
    all: bool,
    chosen: Option<i64>,
    /// In place of the help: what the last key did.
    note: Option<String>,
}

enum Act {
    Draw,
    Leave,
    /// Give the terminal to a pager for this session.
    Page(What, i64),
    Go(i64),
}

#[derive(Clone, Copy)]
enum What {
    Conversation,
    Explanation,
}

pub async fn watch(settings: &Settings, reader: &Reader, all: bool) -> anyhow::Result<bool> {
    let signals = cli::signals(settings)?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut news = News::begin(settings);
    let mut view = View::look(reader, settings, all).await?;
    let mut screen = Screen::take().context("cannot take the terminal")?;
    loop {
        screen.draw(&view.lines(Screen::size(), &Zoned::now()))?;
        let act = tokio::select! {
            () = signals.stop.cancelled() => Act::Leave,
            () = news.wait() => {
                view.refresh(reader, settings).await;
                Act::Draw
            }
            keys = screen.keys() => view.press(&keys?),
            _ = resized.recv() => Act::Draw,
            () = sleep_until(Instant::now() + TICK) => Act::Draw,
        };
        match act {
            Act::Draw => {}
            Act::Leave => return Ok(false),
            Act::Page(what, id) => {
                screen.leave();
                let paged = page(reader, what, id).await;
                screen.enter()?;
                view.note = paged.err().map(|error| format!("{error:#}"));
                view.refresh(reader, settings).await;
            }
            Act::Go(id) => {
                let agent = view.agents.iter().find(|agent| agent.id == id);
                let gone = match agent {
                    Some(agent) => go::reach(agent).await,
                    None => Err("it has ended".into()),
                };
                view.note = Some(gone.unwrap_or_else(|why_not| why_not));
            }
        }
    }
}

impl View {
    async fn look(reader: &Reader, settings: &Settings, all: bool) -> Result<View, ReadError> {
        let (agents, beside) = look(settings, reader).await?;
        Ok(View {
            agents,
            beside,
            all,
            chosen: None,
            note: None,
        })
    }

    /// While the database is away the lines stay as they were.
    async fn refresh(&mut self, reader: &Reader, settings: &Settings) {
        match View::look(reader, settings, self.all).await {
            Ok(new) => (self.agents, self.beside) = (new.agents, new.beside),
            Err(error) => self.note = Some(error.to_string()),
        }
    }

    /// As many lines as there is room for, the chosen one among them, and the help below.
    fn lines(&self, size: Size, now: &Zoned) -> Vec<String> {
        let paper = Paper::of_output().as_wide_as(size.width);
        let room = size.height.saturating_sub(1);
        let all = self.all_lines(paper, now);
        let chosen = all
            .iter()
            .position(|line| line.agent.is_some() && line.agent == self.chosen);
        let skipped = chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(room));
        let shown = all.iter().enumerate().skip(skipped).take(room);
        let mut lines: Vec<String> = shown
            .map(|(number, line)| match Some(number) == chosen {
                true => paper.chosen(&line.text),
                false => line.text.clone(),
            })
            .collect();
        lines.resize(room, String::new());
        let help = self.note.as_deref().map_or(HELP.into(), visible);
        lines.push(paper.faint(&clipped(&help, size.width)));
        lines
    }

    fn all_lines(&self, paper: Paper, now: &Zoned) -> Vec<Line> {
        let sessions = show::sessions(&self.agents);
        list::lines(&sessions, &self.beside, self.all, now, paper)
    }

    fn press(&mut self, keys: &[u8]) -> Act {
        for key in keys {
            self.note = None;
            match (key, self.chosen) {
                (b'j', _) => self.step(1),
                (b'k', _) => self.step(-1),
                (b'a', _) => self.all = !self.all,
                (b'q', _) => return Act::Leave,
                (b'\r' | b'\n', Some(id)) => return Act::Page(What::Conversation, id),
                (b'e', Some(id)) => return Act::Page(What::Explanation, id),
                (b'g', Some(id)) => return Act::Go(id),
                _ => {}
            }
        }
        Act::Draw
    }

    /// Chooses the session so many lines below; without a chosen one, the first.
    fn step(&mut self, by: isize) {
        let lines = self.all_lines(Paper::of_output(), &Zoned::now());
        let ids: Vec<i64> = lines.iter().filter_map(|line| line.agent).collect();
        let at = self
            .chosen
            .and_then(|chosen| ids.iter().position(|id| *id == chosen));
        let at = at.map_or(0, |at| {
            at.saturating_add_signed(by)
                .min(ids.len().saturating_sub(1))
        });
        self.chosen = ids.get(at).copied();
    }
}

async fn page(reader: &Reader, what: What, id: i64) -> anyhow::Result<()> {
    let agent = agents::find(reader, &id.to_string()).await?;
    let pager = Pager::open(true)?;
    match what {
        What::Conversation => cli::show::page(reader, &agent, pager).await,
        What::Explanation => explain::page(reader, &agent, pager).await,
    }
}
