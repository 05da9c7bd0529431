//! What hooks say: dialogs at once, exact ends.

use crate::event::{ObservedStatus, Timestamp, Words};

use super::{
    facts::Facts,
    input::Running,
    parts::{Command, Dialog, DialogKind, Outcome, Said},
    prompts,
    work::{self, joins, outcome},
};

/// It comes at Enter: for a prompt that waits in the queue too.
pub fn submitted(facts: &mut Facts, at: Timestamp, id: Option<&String>, text: &str) -> u8 {
    let known = |command: &Command| id.is_some_and(|id| command.prompt_ids.contains(id));
    if facts.commands.iter().any(known) {
        return 8;
    }
    if facts.turn.as_ref().is_some_and(|turn| turn.quiet.is_none()) {
        facts.queue(text.to_owned());
        return 8;
    }
    if facts.over_at().is_some_and(|over| at <= over) {
        return 46;
    }
    let quiet = facts.turn.as_ref().and_then(|turn| turn.quiet);
    facts.close_turn(quiet.unwrap_or(at), Outcome::Interrupted, 27);
    facts.close_dialogs(None, at);
    let asked = facts
        .command()
        .is_some_and(|command| command.outcome == Some(Outcome::Asked));
    if asked && !text.starts_with('/') {
        facts.reopen(at);
        let id = id.cloned();
        let turn = facts.turn.as_mut().expect("just opened");
        turn.belongs(id.as_ref());
        turn.filled = false;
        turn.awaits = Some(text.to_owned());
        facts
            .command()
            .into_iter()
            .for_each(|command| command.belongs(id.as_ref()));
        return 4;
    }
    let key = id.cloned().unwrap_or_else(|| format!("at:{}", at.micros()));
    facts.begin_command(key, crate::event::Origin::Human, at, id);
    facts
        .command()
        .into_iter()
        .for_each(|command| command.filled = false);
    if let Some(turn) = &mut facts.turn {
        turn.filled = false;
        turn.awaits = Some(text.to_owned());
    }
    8
}

/// A subagent begins: its first record belongs to the turn.
pub fn started(facts: &mut Facts, at: Timestamp) -> u8 {
    if facts.is_turn_open() || facts.over_at().is_some_and(|over| at <= over) {
        return 33;
    }
    let key = format!("at:{}", at.micros());
    facts.begin_command(key, crate::event::Origin::Unknown, at, None);
    if let Some(turn) = &mut facts.turn {
        turn.filled = false;
    }
    33
}

/// The end of a turn, by a hook that names its prompt or by a record.
pub fn ended(
    facts: &mut Facts,
    at: Timestamp,
    prompt_id: Option<&String>,
    last: Option<&Words>,
    background: Option<&Running>,
    by_hook: bool,
) -> u8 {
    if !is_of_newest(facts, at, prompt_id, by_hook) {
        return 46;
    }
    match background {
        Some(running) if by_hook => facts.run_on(running.clone()),
        // A record counts agents and workflows, and no shells.
        Some(running) => facts.background.working = running.working,
        None => {}
    }
    let runs = facts.background.working > 0 || !facts.background.tasks.is_empty();
    let rule = if runs { 21 } else { 20 };
    if let Some(words) = last {
        facts.said = Some(Said {
            words: words.clone(),
            at,
        });
    }
    if !facts.is_turn_open() {
        if let Some(command) = facts.command()
            && command.closed_by == 22
        {
            command.closed_by = 20;
        }
        if let Some(words) = last {
            joins(facts, words);
        } else if facts.command().is_some_and(|command| {
            command.closed_by == 26 && command.outcome == Some(Outcome::Interrupted)
        }) {
            let said = facts.said.as_ref();
            let outcome = said.map_or(Outcome::Done, |said| outcome(facts, &said.words));
            let command = facts.command().expect("there is one");
            command.outcome = Some(outcome);
            command.closed_by = 20;
        }
        return rule;
    }
    let since = facts.turn.as_ref().map(|turn| turn.since);
    let said = facts.said.as_ref().filter(|said| since <= Some(said.at));
    let outcome = said.map_or(Outcome::Done, |said| outcome(facts, &said.words));
    let rule = if outcome == Outcome::Asked { 23 } else { rule };
    facts.close_turn(at, outcome, rule);
    rule
}

/// Whether an end is that of the newest command.
fn is_of_newest(facts: &Facts, at: Timestamp, id: Option<&String>, by_hook: bool) -> bool {
    let Some(turn) = &facts.turn else {
        let Some(id) = id else { return true };
        let older = facts.commands.iter().rev().skip(1);
        return !older
            .into_iter()
            .any(|command| command.prompt_ids.contains(id))
            || facts
                .commands
                .last()
                .is_some_and(|newest| newest.prompt_ids.contains(id));
    };
    if !by_hook {
        // The record of an earlier turn's end comes after the next turn's hook.
        return turn.filled && at >= turn.since;
    }
    match id {
        Some(id) if turn.prompt_ids.contains(id) => true,
        Some(id) => !facts
            .commands
            .iter()
            .any(|command| command.prompt_ids.contains(id)),
        None => at >= turn.since,
    }
}

/// A dialog for a permission. In a headless session none is shown.
pub fn asked(
    facts: &mut Facts,
    at: Timestamp,
    agent: Option<&String>,
    tool: &str,
    asks: Option<&String>,
) -> u8 {
    if facts.headless {
        return 0;
    }
    let rule = if agent.is_some() { 35 } else { 14 };
    if agent.is_none() {
        work::must_have_turn(facts, at);
        if !facts.is_turn_open() {
            return 46;
        }
        facts.works();
    }
    let kind = DialogKind::of_tool(tool);
    let call = facts.tools.iter().find(|call| {
        agent.is_none() && call.name == tool && (asks.is_none() || call.asks.as_ref() == asks)
    });
    let call = call.map(|call| call.id.clone());
    let fits = |dialog: &&mut Dialog| {
        let same_call = call.is_some() && dialog.call == call;
        let same = dialog.agent.as_ref() == agent
            && dialog.tool.as_deref() == Some(tool)
            && dialog.asks.as_ref() == asks;
        same_call || same || dialog.vague
    };
    if let Some(dialog) = facts.dialogs.iter_mut().find(fits) {
        if dialog.vague {
            dialog.kind = kind;
            dialog.agent = agent.cloned();
            dialog.tool = Some(tool.to_owned());
            dialog.call = call;
            dialog.asks = asks.cloned();
            dialog.vague = false;
        }
        return rule;
    }
    facts.open_dialog(Dialog {
        kind,
        agent: agent.cloned(),
        tool: Some(tool.to_owned()),
        call,
        asks: asks.cloned(),
        since: at,
        vague: false,
    });
    rule
}

/// The CLI's notice that it wants a person: late, and without what it is about.
pub fn notified(facts: &mut Facts, at: Timestamp, kind: &str) -> u8 {
    let dialog = match kind {
        "permission_prompt" => DialogKind::Permission,
        "elicitation_dialog" | "elicitation_url_dialog" | "agent_needs_input" => DialogKind::Dialog,
        "idle_prompt" => return idle_prompt(facts, at),
        _ => return 0,
    };
    let unseen_by_registry = facts.registry.is_empty() || facts.is_any(ObservedStatus::Waiting);
    if facts.headless || !facts.is_turn_open() || !facts.dialogs.is_empty() || !unseen_by_registry {
        return 16;
    }
    let open = facts.call_in_question().cloned();
    facts.open_dialog(Dialog {
        kind: match &open {
            Some(call) if dialog == DialogKind::Permission => DialogKind::of_tool(&call.name),
            _ => dialog,
        },
        agent: None,
        tool: open.as_ref().map(|call| call.name.clone()),
        asks: open.as_ref().and_then(|call| call.asks.clone()),
        call: open.map(|call| call.id),
        since: at,
        vague: true,
    });
    16
}

/// It waits for its person since a while: so no turn is open.
fn idle_prompt(facts: &mut Facts, at: Timestamp) -> u8 {
    let busy = facts.is_any(ObservedStatus::Busy) || facts.is_any(ObservedStatus::Waiting);
    let is_later = facts.turn.as_ref().is_some_and(|turn| turn.since < at);
    if is_later && !busy {
        let said = facts.said.as_ref();
        let outcome = said.map_or(Outcome::Done, |said| outcome(facts, &said.words));
        facts.close_turn(at, outcome, 30);
    }
    30
}

/// A session begins, or goes on in another process.
pub fn begun(facts: &mut Facts, at: Timestamp, source: &str) -> u8 {
    if source == "compact" {
        return 32;
    }
    let lives = |status| facts.is_any(status);
    let other = lives(ObservedStatus::Busy) || lives(ObservedStatus::Waiting);
    if facts.turn.as_ref().is_some_and(|turn| turn.since < at) && !other {
        facts.close_turn(at, Outcome::Abandoned, 39);
        facts.dialogs.clear();
    }
    facts.revive();
    39
}

/// What its process left hanging when it went stays as it is.
pub fn over(facts: &mut Facts, at: Timestamp, rule: u8) -> u8 {
    let is_over = facts.ended.is_some_and(|ended| ended <= at);
    if is_over || facts.turn.as_ref().is_some_and(|turn| turn.since > at) {
        return 46;
    }
    prompts::over(facts, at, rule);
    rule
}
