//! The subagents of an agent, and theirs, as a tree.

use std::collections::HashMap;

use super::{
    frame::{name, state_word},
    rows::cut,
};
use crate::{
    show,
    store::read::{AgentFilter, AgentRow, ReadError},
    web::Shared,
};

const MOST: usize = 50;
/// How deep they are looked for: the CLI's nest up to five deep.
const DEPTH: usize = 8;

pub struct Subagent {
    pub id: i64,
    /// How many subagents stand between it and the agent.
    pub depth: usize,
    pub mark: &'static str,
    pub glyph: char,
    pub word: &'static str,
    pub title: String,
}

/// Each before its own, the ones that were seen last first.
pub async fn of(app: &Shared, agent: &AgentRow) -> Result<Vec<Subagent>, ReadError> {
    let mut children: HashMap<i64, Vec<AgentRow>> = HashMap::new();
    let mut room = MOST;
    let mut parents = vec![agent.id];
    for _ in 0..DEPTH {
        if parents.is_empty() || room == 0 {
            break;
        }
        let filter = AgentFilter {
            parent_ids: parents,
            ..AgentFilter::default()
        };
        let rows = app.reader.agents(&filter, None, room).await?;
        room -= rows.len();
        parents = rows.iter().map(|row| row.id).collect();
        for row in rows {
            let parent = row.parent_agent_id.unwrap_or(agent.id);
            children.entry(parent).or_default().push(row);
        }
    }
    let mut tree = Vec::new();
    put(&mut children, agent.id, 0, &mut tree);
    Ok(tree)
}

/// Takes them out: rows that name each other as parents come once.
fn put(
    children: &mut HashMap<i64, Vec<AgentRow>>,
    parent: i64,
    depth: usize,
    tree: &mut Vec<Subagent>,
) {
    for row in children.remove(&parent).unwrap_or_default() {
        tree.push(subagent(&row, depth));
        put(children, row.id, depth + 1, tree);
    }
}

fn subagent(row: &AgentRow, depth: usize) -> Subagent {
    let mark = show::session(row, []).mark;
    Subagent {
        id: row.id,
        depth,
        mark: name(mark),
        glyph: mark.glyph(),
        word: state_word(mark),
        title: cut(show::title(row), 80),
    }
}
