//! Which sessions home shows, and how: all of it stands in the address.

use serde::Deserialize;

use super::{frame::name, inbox::Inbox};
use crate::show::{Mark, Session};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    state: Option<String>,
    project: Option<String>,
    host: Option<String>,
    q: Option<String>,
    group: Option<String>,
}

/// A part of the choice; the link takes it away or adds it.
pub struct Chip {
    pub text: String,
    pub address: String,
    pub is_on: bool,
}

impl Choice {
    /// What was given without a value was not given.
    fn parts(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("state", given(&self.state)),
            ("project", given(&self.project)),
            ("host", given(&self.host)),
            ("q", given(&self.q)),
            ("group", given(&self.group)),
        ]
    }

    pub fn state(&self) -> Option<&str> {
        given(&self.state)
    }

    /// The letters that are searched for.
    pub fn search(&self) -> Option<&str> {
        given(&self.q)
    }

    pub fn is_grouped(&self) -> bool {
        given(&self.group).is_some()
    }

    /// Something is left out.
    pub fn is_narrow(&self) -> bool {
        self.parts()[..4].iter().any(|(_, value)| value.is_some())
    }

    /// Sessions with this mark are shown.
    pub fn shows(&self, mark: Mark) -> bool {
        self.state().is_none_or(|state| state == name(mark))
    }

    pub fn takes(&self, inbox: &Inbox, session: &Session<'_>) -> bool {
        let agent = session.agent;
        let project = given(&self.project);
        let host = given(&self.host);
        project.is_none_or(|id| id == agent.project_id.to_string())
            && host.is_none_or(|host| agent.is_on(host))
            && self.search().is_none_or(|q| says(inbox, session, q))
    }

    /// A path with this choice behind it.
    pub fn address(&self, path: &str) -> String {
        self.but(path, "", None)
    }

    /// The same with another value of one part, or without it.
    pub fn but(&self, path: &str, part: &str, value: Option<&str>) -> String {
        let parts = self
            .parts()
            .into_iter()
            .map(|(name, own)| match name == part {
                true => (name, value),
                false => (name, own),
            });
        let pairs: Vec<_> = parts
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        match serde_html_form::to_string(pairs).unwrap_or_default() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// What is chosen, each part with the way without it.
    pub fn chips(&self, all: &[Session<'_>]) -> Vec<Chip> {
        let parts = self.parts().into_iter().take(4);
        let parts = parts.filter_map(|(part, value)| Some((part, value?)));
        let chip = |(part, value): (&str, &str)| Chip {
            text: match part {
                "project" => project_name(all, value),
                "q" => format!("“{value}”"),
                "state" => state_title(value).to_owned(),
                _ => value.to_owned(),
            },
            address: self.but("/", part, None),
            is_on: true,
        };
        parts.map(chip).collect()
    }

    pub fn grouping(&self) -> Chip {
        let is_on = self.is_grouped();
        Chip {
            text: "by project".to_owned(),
            address: self.but("/", "group", (!is_on).then_some("project")),
            is_on,
        }
    }
}

fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

fn project_name(all: &[Session<'_>], id: &str) -> String {
    let mut agents = all.iter().map(|session| session.agent);
    let found = agents.find(|agent| agent.project_id.to_string() == id);
    found.map_or_else(|| "project".to_owned(), |agent| agent.project_name.clone())
}

fn state_title(state: &str) -> &'static str {
    match state {
        "need" => "needs you",
        "done" => "finished",
        "work" => "working",
        "back" => "in the background",
        "left" => "left hanging",
        _ => "idle",
    }
}

/// Whether these letters are in what is shown of a session.
fn says(inbox: &Inbox, session: &Session<'_>, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    let agent = session.agent;
    let asks = session.asker.and_then(|asker| asker.asks.clone());
    let texts = [
        agent.title.clone(),
        Some(agent.project_name.clone()),
        agent.branch.clone(),
        agent.last_words.clone(),
        inbox.work(agent).prompt,
        asks,
    ];
    let mut texts = texts.iter().flatten();
    texts.any(|text| text.to_lowercase().contains(&wanted))
}
