//! Where a session came from, where it went on, and where else it was seen.

use super::rows::cut;
use crate::{
    show,
    store::read::{AgentFilter, AgentRow},
    web::{Shared, error::Problem},
};

/// What is shown of a title at most.
const TITLE_CHARS: usize = 80;

pub struct Links {
    /// The session that it began as a copy of.
    pub origin: Option<Link>,
    /// The session that its process went on in.
    pub successor: Option<Link>,
    /// The machines that it was seen on, beside its own.
    pub also_on: Vec<String>,
}

/// A session; its id if it is in the log.
pub struct Link {
    pub id: Option<i64>,
    pub title: String,
}

impl Links {
    pub async fn read(app: &Shared, agent: &AgentRow) -> Result<Links, Problem> {
        let linked = [agent.forked_from_id, agent.successor_id];
        let filter = AgentFilter {
            ids: linked.into_iter().flatten().collect(),
            ..AgentFilter::default()
        };
        let rows = match filter.ids.len() {
            0 => Vec::new(),
            some => app.reader.agents(&filter, None, some).await?,
        };
        let link = |id: Option<i64>| rows.iter().find(|row| Some(row.id) == id).map(Link::to);
        Ok(Links {
            origin: link(agent.forked_from_id),
            successor: link(agent.successor_id),
            also_on: also_on(agent),
        })
    }
}

impl Link {
    fn to(row: &AgentRow) -> Link {
        Link {
            id: Some(row.id),
            title: cut(show::title(row), TITLE_CHARS),
        }
    }

    /// To a session that a transcript names.
    pub async fn named(app: &Shared, session_uuid: &str) -> Link {
        let known = app.reader.session(session_uuid).await.ok().flatten();
        known.as_ref().map_or_else(
            || Link {
                id: None,
                title: cut(session_uuid, TITLE_CHARS),
            },
            Link::to,
        )
    }
}

fn also_on(agent: &AgentRow) -> Vec<String> {
    let hosts = agent.other_hosts.as_ref();
    let hosts: Option<Vec<String>> = hosts.and_then(|list| serde_json::from_str(list.get()).ok());
    // Null, for most; and a list that another program spoiled costs no page.
    let hosts = hosts.unwrap_or_default();
    hosts.iter().map(|host| cut(host, TITLE_CHARS)).collect()
}
