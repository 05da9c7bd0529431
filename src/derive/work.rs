//! What an agent works at, beside what it says: the newest of each thing counts.

use serde::{Deserialize, Serialize};

use crate::event::{Evidence, Shows, Timestamp, TitleKind, Todo, Usage};

use super::{LineOrigin, Planner, tools::countable};

/// A list of what is to do has no more entries: of a longer one the oldest go.
const MAX_TODOS: usize = 200;

/// The part of an agent's row that shows what it works at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub title: Option<String>,
    pub title_kind: Option<TitleKind>,
    pub model: Option<String>,
    pub context_tokens: Option<u64>,
    pub todos: Option<Vec<Todo>>,
    pub queue_length: u64,
    pub permission_mode: Option<String>,
    pub newest: Newest,
}

/// Where each part of the work comes from. What is older changes nothing: so a file
/// that is read again, or late, takes no step back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Newest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Mark>,
    /// Of the model and the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub todos: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<Mark>,
}

/// When a line was written; of the same moment, the one further down is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark(pub Timestamp, pub u64);

impl<'a> Planner<'a> {
    /// What is shown of a session that has no row is passed over.
    pub(super) fn evidence(&mut self, evidence: &'a Evidence, source: LineOrigin) {
        let is_read_again = self.is_read_again(source);
        let Some(agent) = self.known.agents.get_mut(&evidence.session_uuid) else {
            return;
        };
        let mut at = evidence.moment.at;
        if evidence.moment.observed
            && !is_read_again
            && let Some(seen) = self.seen_before.get(&evidence.session_uuid)
        {
            at = at.max(*seen);
        }
        let is_own = !evidence.in_sidechain;
        if is_own && agent.work.take_in(&evidence.shows, Mark(at, source.offset)) {
            self.change(&evidence.session_uuid);
        }
        self.started(evidence);
        let agent_id = self.known.agents[&evidence.session_uuid].id;
        self.tools(&evidence.shows, agent_id, at);
        if let Shows::ToolCall { tool_use_id, .. } = &evidence.shows {
            self.called_on_line(&evidence.session_uuid, self.calls[tool_use_id.as_str()]);
        }
    }
}

impl Work {
    /// Whether it changes anything.
    pub fn take_in(&mut self, shows: &Shows, mark: Mark) -> bool {
        match shows {
            Shows::Title { kind, text } => self.title(*kind, text, mark),
            Shows::Usage(usage) => self.reply(usage, mark),
            Shows::Todos(list) => self.write_todos(list, mark),
            Shows::TaskCreated { id, subject } => self.add_todo(id, subject, mark),
            Shows::TaskUpdated { id, status } => self.update_todo(id, status, mark),
            Shows::Queue { operation } => self.queue(operation, mark),
            Shows::PermissionMode { mode } => self.permission_mode(mode, mark),
            _ => false,
        }
    }

    /// Its process is gone, and with it what waited there.
    pub fn ended(&mut self) {
        self.queue_length = 0;
    }

    /// A stronger kind stands over a weaker one. Of the prompts the first one counts,
    /// of the others the newest.
    fn title(&mut self, kind: TitleKind, text: &str, mark: Mark) -> bool {
        let known = self.title_kind.zip(self.newest.title);
        let counts = known.is_none_or(|(known, at)| match kind {
            _ if kind != known => kind < known,
            TitleKind::Prompt => mark < at,
            _ => mark > at,
        });
        if counts {
            self.newest.title = Some(mark);
            self.title_kind = Some(kind);
            self.title = Some(text.to_owned());
        }
        counts
    }

    fn reply(&mut self, usage: &Usage, mark: Mark) -> bool {
        let counts = is_newer(&mut self.newest.reply, mark);
        if counts {
            let Usage {
                input,
                cache_read,
                cache_write,
                ..
            } = usage;
            let context = input
                .saturating_add(*cache_read)
                .saturating_add(*cache_write);
            self.context_tokens = Some(countable(context));
            if usage.model.is_some() {
                self.model.clone_from(&usage.model);
            }
        }
        counts
    }

    fn write_todos(&mut self, list: &[Todo], mark: Mark) -> bool {
        let counts = is_newer(&mut self.newest.todos, mark);
        if counts {
            self.todos = Some(list.to_vec());
        }
        counts
    }

    fn add_todo(&mut self, id: &str, subject: &str, mark: Mark) -> bool {
        let counts = is_newer(&mut self.newest.todos, mark);
        if counts {
            let todos = self.todos.get_or_insert_default();
            todos.retain(|todo| todo.id.as_deref() != Some(id));
            if todos.len() >= MAX_TODOS {
                todos.remove(0);
            }
            todos.push(Todo {
                id: Some(id.to_owned()),
                content: subject.to_owned(),
                status: "pending".to_owned(),
            });
        }
        counts
    }

    /// A team shares its tasks: one that is not in this list is another's.
    fn update_todo(&mut self, id: &str, status: &str, mark: Mark) -> bool {
        let counts = is_newer(&mut self.newest.todos, mark);
        if counts && let Some(todos) = &mut self.todos {
            let is_it = |todo: &Todo| todo.id.as_deref() == Some(id);
            if status == "deleted" {
                todos.retain(|todo| !is_it(todo));
            } else if let Some(todo) = todos.iter_mut().find(|todo| is_it(todo)) {
                status.clone_into(&mut todo.status);
            }
        }
        counts
    }

    /// All that is not an entry is one that leaves.
    fn queue(&mut self, operation: &str, mark: Mark) -> bool {
        let counts = is_newer(&mut self.newest.queue, mark);
        if counts {
            self.queue_length = match operation {
                "enqueue" => self.queue_length.saturating_add(1),
                _ => self.queue_length.saturating_sub(1),
            };
        }
        counts
    }

    fn permission_mode(&mut self, mode: &str, mark: Mark) -> bool {
        let counts = is_newer(&mut self.newest.permission_mode, mark);
        if counts {
            self.permission_mode = Some(mode.to_owned());
        }
        counts
    }
}

/// Whether it is newer than the newest that is known, which it then is.
fn is_newer(newest: &mut Option<Mark>, mark: Mark) -> bool {
    let newer = newest.is_none_or(|known| mark > known);
    if newer {
        *newest = Some(mark);
    }
    newer
}
