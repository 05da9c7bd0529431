//! The clocks: ours, and that of the database's server. Times in the log come
//! from the transcripts and from us; those of commits from the database.

use super::{ask::ask, finding::Finding};
use crate::store::read::Condition;

const CHECK: &str = "clock";
/// Less than this is the network's doing.
const APART: f64 = 2.0;
const SYNCHRONISE: &str = "sudo timedatectl set-ntp true";

/// Whether the kernel's clock follows a time server.
pub async fn synchronised() -> Result<String, String> {
    ask("timedatectl", &["show", "-p", "NTPSynchronized", "--value"]).await
}

pub fn judge(synchronised: &Result<String, String>) -> Finding {
    match synchronised.as_deref() {
        Ok("yes") => Finding::ok(CHECK, "follows a time server"),
        Ok("no") => Finding::warning(CHECK, "the clock follows no time server", SYNCHRONISE),
        Ok(_) => Finding::unchecked(CHECK, "timedatectl does not tell"),
        Err(why) => Finding::unchecked(CHECK, why),
    }
}

/// SQLite has no clock of its own.
pub fn judge_server(condition: Option<&Condition>) -> Option<Finding> {
    let ahead = condition?.clock_ahead_seconds;
    (ahead.abs() > APART).then(|| {
        let way = if ahead > 0.0 { "ahead of" } else { "behind" };
        let found = format!(
            "the database server's clock is {:.0} s {way} this one",
            ahead.abs()
        );
        Finding::warning(CHECK, found, format!("on both machines: {SYNCHRONISE}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Note, Ok as Fine, Warning};

    #[test]
    fn a_clock_is_right_wrong_or_not_to_be_judged() {
        let absent = "there is no timedatectl here".to_owned();
        for (said, state) in [
            (Ok("yes".into()), Fine),
            (Ok("no".into()), Warning),
            (Ok(String::new()), Note),
            (Err(absent), Note),
        ] {
            assert_eq!(judge(&said).state, state, "{said:?}");
        }
    }

    #[test]
    fn two_clocks_may_be_a_little_apart() {
        let at = |ahead| Condition {
            server: String::new(),
            version: None,
            encoding: String::new(),
            schema: Ok(1),
            role: None,
            is_read_only: false,
            lacking: vec![],
            clock_ahead_seconds: ahead,
            integrity: crate::store::read::Integrity::NotAsked,
        };
        assert_eq!(judge_server(None), None);
        assert_eq!(judge_server(Some(&at(-1.9))), None);
        for (ahead, said) in [(60.0, "60 s ahead of"), (-3.2, "3 s behind")] {
            let found = judge_server(Some(&at(ahead))).expect("a warning").found;
            assert!(found.contains(said), "{found}");
        }
    }
}
