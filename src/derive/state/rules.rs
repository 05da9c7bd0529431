//! The rules, in the words of their table: what is said, what follows, how sure
//! that is. The functions that carry them out give these numbers.

/// `T` transcript, `H` hook, `R` registry, `P` process table, `W` wording, `C` clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    pub number: u8,
    pub witness: &'static str,
    pub input: &'static str,
    pub effect: &'static str,
    /// None for a rule that decides nothing.
    pub confidence: Option<f64>,
}

const fn rule(
    number: u8,
    witness: &'static str,
    input: &'static str,
    effect: &'static str,
    confidence: f64,
) -> Rule {
    Rule {
        number,
        witness,
        input,
        effect,
        confidence: Some(confidence),
    }
}

const fn still(
    number: u8,
    witness: &'static str,
    input: &'static str,
    effect: &'static str,
) -> Rule {
    Rule {
        number,
        witness,
        input,
        effect,
        confidence: None,
    }
}

#[rustfmt::skip]
pub const RULES: [Rule; 46] = [
    rule(1, "T", "a human's prompt, no command open", "a new command; its turn opens", 1.0),
    rule(2, "T", "the same, or a queued one, while the agent works", "a turn on the same command", 1.0),
    rule(3, "T", "the same, while a dialog is open", "the dialog closes; a new command, the old one superseded", 0.9),
    rule(4, "T", "the same, after it asked; no slash command", "an answer: that command opens again", 0.7),
    rule(5, "T", "a command that is a prompt, a skill", "as 1", 1.0),
    rule(6, "T", "a command of the CLI itself, its output", "a turn; nothing opens", 1.0),
    rule(7, "T", "a line for the shell", "a turn, complete with its output", 0.9),
    rule(8, "H", "UserPromptSubmit", "the turn opens; the record fills it", 1.0),
    rule(9, "T", "a task, a schedule, a peer, a Stop hook, “go on”", "a command of that origin, if none is open", 1.0),
    rule(10, "T", "work with no command open", "a command of unknown origin", 0.8),
    rule(11, "T", "the queue", "opens no turn; at the prompt it says that one starts", 1.0),
    rule(12, "T", "a call, a thought, a text before a call", "the agent works", 1.0),
    rule(13, "TH", "AskUserQuestion, ExitPlanMode without result", "a question or a plan waits", 1.0),
    rule(14, "H", "PermissionRequest", "a permission waits, joined to its call; not if headless", 1.0),
    rule(15, "R", "waiting", "a dialog; its kind from the open call", 1.0),
    rule(16, "H", "Notification of a dialog", "a dialog, if no witness is better", 0.9),
    rule(17, "R", "no longer waiting", "older dialogs close; busy opens no turn", 1.0),
    rule(18, "TH", "a result", "closes its call and no other", 1.0),
    rule(19, "T", "the model answers", "older dialogs of its chain close", 1.0),
    rule(20, "TH", "the turn's end, nothing in the background", "done", 1.0),
    rule(21, "THR", "the same, with tasks in the background", "done, and so many run", 1.0),
    rule(22, "TW", "a text that does not say how its reply stopped", "by its words: a step, or the end", 0.6),
    rule(23, "W", "the last text asks for a decision, an input or leave", "asked", 0.7),
    rule(24, "TH", "an interruption", "turn, calls, dialogs close", 1.0),
    rule(25, "T", "a refusal", "without a reason as 24; with one that call closes", 1.0),
    rule(26, "R", "idle, and no end within 2 s", "interrupted: Esc", 0.95),
    rule(27, "T", "a prompt, and the registry was idle before", "the earlier command is interrupted", 0.95),
    rule(28, "T", "a retry", "it works, “retrying n of m”", 1.0),
    rule(29, "TH", "the API's error", "failed; an error or a limit", 1.0),
    rule(30, "H", "idle_prompt", "closes a turn if the registry is not busy", 0.9),
    rule(31, "T", "“No response requested.”", "nothing", 1.0),
    rule(32, "TH", "compaction", "processing, and then as before", 1.0),
    rule(33, "HT", "a subagent begins", "its turn opens", 1.0),
    rule(34, "HT", "a subagent ends", "its turn closes", 1.0),
    rule(35, "H", "a subagent's dialog", "on the subagent, and shown on its session", 1.0),
    rule(36, "T", "a subagent works", "closes no dialog of its parent, opens no turn", 1.0),
    rule(37, "T", "Esc of the parent, of a subagent's dialog", "children close; only that call is refused", 0.8),
    rule(38, "T", "copied history", "no facts", 1.0),
    rule(39, "H", "SessionStart", "at the prompt", 1.0),
    rule(40, "HT", "SessionEnd, /exit", "the open command is abandoned", 1.0),
    rule(41, "P", "the process is gone", "abandoned; a wait is left hanging", 0.95),
    rule(42, "P", "the launcher's child exits", "as 41", 1.0),
    still(43, "P", "the process lives", "no clock ends the session or closes a dialog"),
    rule(44, "C", "no witness, silence", "no sign of life; at the timeout it ends", 0.5),
    still(45, "C", "sleep, a restart", "clocks count time awake"),
    rule(46, "TH", "what is older than what is known of its key", "no step back", 1.0),
];

impl Rule {
    pub fn of(number: u8) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers and confidences of the contract, as it was agreed on.
    const AGREED: &str = include_str!("rules.tsv");

    #[test]
    fn the_rules_are_those_of_the_contract() {
        let ours: Vec<String> = RULES
            .iter()
            .map(|rule| match rule.confidence {
                Some(confidence) => format!("{}\t{confidence}", rule.number),
                None => format!("{}\t", rule.number),
            })
            .collect();
        assert_eq!(ours, AGREED.lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_number_finds_its_rule() {
        for (place, rule) in RULES.iter().enumerate() {
            assert_eq!(usize::from(rule.number), place + 1);
            assert_eq!(Rule::of(rule.number), Some(rule));
        }
        assert_eq!(Rule::of(0), None);
    }
}
