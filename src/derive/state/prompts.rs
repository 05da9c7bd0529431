//! What the transcript says was put in: prompts, commands, the queue.

use crate::event::{Origin, PromptKind, Timestamp};

use super::{
    facts::Facts,
    input::{Prompt, Queue},
    parts::{Dialog, Outcome},
};

/// So many words of the queue that nothing came of are no start.
const MAX_STARTS: u8 = 16;
/// How long a hook and its record may lie apart if only their words join them.
const JOIN_MICROS: i64 = 10_000_000;
/// Commands of the CLI that end the session.
const LEAVES: [&str; 4] = ["/exit", "/quit", "exit", "quit"];

impl Prompt {
    /// It ends the session.
    pub fn leaves(&self) -> bool {
        self.kind == PromptKind::BuiltIn && LEAVES.contains(&self.text.as_str())
    }
}

/// Each function gives the number of the rule it follows.
pub fn prompt(facts: &mut Facts, at: Timestamp, prompt: &Prompt) -> u8 {
    facts.headless |= prompt.headless;
    match (prompt.kind, prompt.by) {
        (PromptKind::BuiltIn, _) => built_in(facts, at, prompt),
        (PromptKind::Shell, _) => shell(facts, at, prompt),
        (PromptKind::Injected, _) | (_, Origin::Task | Origin::Cron | Origin::Peer) => {
            begin(facts, at, prompt);
            forget_task(facts, prompt);
            9
        }
        _ => human(facts, at, prompt),
    }
}

fn built_in(facts: &mut Facts, at: Timestamp, prompt: &Prompt) -> u8 {
    facts.starting = None;
    if !prompt.leaves() {
        return 6;
    }
    over(facts, at, 40);
    40
}

/// The session is over, and what was under way with it.
pub fn over(facts: &mut Facts, at: Timestamp, rule: u8) {
    facts.close_turn(at, Outcome::Abandoned, rule);
    facts.dialogs.clear();
    facts.starting = None;
    facts.compacting = None;
    facts.background = Default::default();
    facts.ended = Some(at);
}

fn shell(facts: &mut Facts, at: Timestamp, prompt: &Prompt) -> u8 {
    if !facts.is_turn_open() {
        new_command(facts, at, prompt);
        if let Some(command) = facts.command() {
            command.shell = true;
        }
    }
    7
}

/// No command of its own if one is open: it belongs to that.
fn begin(facts: &mut Facts, at: Timestamp, prompt: &Prompt) {
    match &mut facts.turn {
        Some(turn) => turn.belongs(prompt.prompt_id.as_ref()),
        None => new_command(facts, at, prompt),
    }
    if prompt.kind == PromptKind::Injected || prompt.by != Origin::Human {
        facts.works();
    }
}

fn new_command(facts: &mut Facts, at: Timestamp, prompt: &Prompt) {
    let time = || format!("at:{}", at.micros());
    let id = prompt.prompt_id.clone().or(prompt.uuid.clone());
    let taken = |key: &String| facts.commands.iter().any(|command| command.key == *key);
    // A shell line and a notification share their prompt's id with what follows.
    let key = match id {
        Some(key) if !taken(&key) => key,
        _ => prompt
            .uuid
            .clone()
            .filter(|key| !taken(key))
            .unwrap_or_else(time),
    };
    facts.begin_command(key, prompt.by, at, prompt.prompt_id.as_ref());
}

fn human(facts: &mut Facts, at: Timestamp, prompt: &Prompt) -> u8 {
    facts.revive();
    facts.starting = None;
    facts.queued.retain(|queued| *queued != prompt.text);
    if fills(facts, at, prompt) {
        return 8;
    }
    let own_dialog = |dialog: &Dialog| dialog.agent.is_none() && dialog.since < at;
    if facts.dialogs.iter().any(own_dialog) && prompt.kind != PromptKind::MidTurn {
        facts.close_turn(at, Outcome::Superseded, 3);
        facts.dialogs.retain(|dialog| dialog.agent.is_some());
        new_command(facts, at, prompt);
        return 3;
    }
    if facts.is_turn_open() {
        return steers(facts, at, prompt);
    }
    let asked = facts
        .command()
        .is_some_and(|command| command.outcome == Some(Outcome::Asked));
    if asked && prompt.kind == PromptKind::Words && !prompt.text.starts_with('/') {
        facts.reopen(at);
        let id = prompt.prompt_id.as_ref();
        facts.turn.iter_mut().for_each(|turn| turn.belongs(id));
        facts
            .command()
            .into_iter()
            .for_each(|command| command.belongs(id));
        return 4;
    }
    new_command(facts, at, prompt);
    if prompt.kind == PromptKind::Skill {
        5
    } else {
        1
    }
}

/// The record of a prompt whose hook came before it.
fn fills(facts: &mut Facts, at: Timestamp, prompt: &Prompt) -> bool {
    let id = prompt.prompt_id.as_ref();
    if let Some(turn) = facts.turn.as_mut() {
        let near = (at.micros() - turn.since.micros()).abs() <= JOIN_MICROS;
        let same_id = id.is_some_and(|id| turn.prompt_ids.contains(id));
        let same_words = near && turn.awaits.as_deref() == Some(prompt.text.as_str());
        let same_words = same_words && !turn.filled;
        let is_first = facts.is_child && !turn.filled;
        if !same_id && !same_words && !is_first {
            return false;
        }
        turn.filled = true;
        turn.awaits = None;
        turn.belongs(id);
        let command = facts.commands.last_mut();
        command.into_iter().for_each(|command| {
            command.filled = true;
            command.belongs(id);
            if is_first {
                command.by = prompt.by;
            }
        });
        return true;
    }
    // The turn was over before its first record came.
    let late =
        facts.commands.iter_mut().rev().find(|command| {
            !command.filled && id.is_some_and(|id| command.prompt_ids.contains(id))
        });
    late.is_some_and(|command| {
        command.filled = true;
        true
    })
}

/// A prompt while a turn is open.
fn steers(facts: &mut Facts, at: Timestamp, prompt: &Prompt) -> u8 {
    let turn = facts.turn.as_mut().expect("a turn is open");
    if prompt.kind != PromptKind::MidTurn {
        if let Some(quiet) = turn.quiet {
            facts.close_turn(quiet, Outcome::Interrupted, 27);
            new_command(facts, at, prompt);
            return 27;
        }
        // What is typed while an agent works follows a result, or comes by the
        // queue: a text that stands before a prompt was the last one.
        if facts.text_is_last && facts.tools.is_empty() {
            facts.close_turn(at, Outcome::Done, 22);
            new_command(facts, at, prompt);
            return if prompt.kind == PromptKind::Skill {
                5
            } else {
                1
            };
        }
    }
    turn.belongs(prompt.prompt_id.as_ref());
    2
}

/// A task that reports to the agent runs no more.
fn forget_task(facts: &mut Facts, prompt: &Prompt) {
    let tag = "<task-id>";
    let Some(start) = prompt.text.find(tag).map(|at| at + tag.len()) else {
        return;
    };
    let id = &prompt.text[start..];
    let id = id[..id.find('<').unwrap_or(id.len())].to_owned();
    child_ended(facts, &id);
}

pub fn child_ended(facts: &mut Facts, agent: &str) {
    let before = facts.background.tasks.len();
    facts.background.tasks.retain(|(id, _)| id != agent);
    let counted = before == 0 || facts.background.tasks.len() < before;
    if counted {
        facts.background.working = facts.background.working.saturating_sub(1);
    }
    facts
        .dialogs
        .retain(|dialog| dialog.agent.as_deref() != Some(agent));
}

/// The queue opens no turn. It says that a prompt starts, until its record
/// comes; not if nothing came of it before, as in a flood.
pub fn queue(facts: &mut Facts, at: Timestamp, queue: Queue) -> u8 {
    let idle = !facts.is_turn_open() && facts.dialogs.is_empty();
    match queue {
        Queue::Enqueue if !idle => {}
        Queue::Enqueue | Queue::Dequeue => {
            facts.starts = facts.starts.saturating_add(1);
            facts.starting = (facts.starts <= MAX_STARTS).then_some(at);
        }
        Queue::Remove => facts.starting = None,
    }
    11
}

pub fn output(facts: &mut Facts, at: Timestamp, shell: bool) -> u8 {
    facts.starting = None;
    if !shell {
        return 6;
    }
    if facts.is_turn_open() && facts.command().is_some_and(|command| command.shell) {
        facts.close_turn(at, Outcome::Done, 7);
        facts.unseen = false;
    }
    7
}

/// The CLI answered for an agent that was not asked: no work was begun.
pub fn filler(facts: &mut Facts, at: Timestamp) -> u8 {
    if facts.tools.is_empty() {
        facts.close_turn(at, Outcome::Done, 31);
    }
    31
}
