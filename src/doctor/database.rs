//! The database: whether it answers, is the right one, may be written, is whole.

use std::{path::Path, time::Duration};

use tokio::time::timeout;

use super::finding::{Finding, quoted};
use crate::{
    config::{DatabaseUrl, Settings},
    store::{
        Database, SchemaError,
        read::{Condition, Integrity, ReadError, condition},
    },
};

const CHECK: &str = "database";
/// How long it may take to answer everything, and of that SQLite to look for damage.
const ANSWER: Duration = Duration::from_secs(4);
const DAMAGE: Duration = Duration::from_millis(2500);
/// PostgreSQL 14, as the server counts.
const OLDEST: i64 = 140_000;

/// What it said, or why it cannot be read.
pub type DatabaseAnswer = Result<Condition, ReadError>;

pub async fn collect(database: &Database) -> DatabaseAnswer {
    let answer = timeout(ANSWER, condition(database, DAMAGE)).await;
    answer.unwrap_or(Err(ReadError::Silent))
}

pub fn judge(settings: &Settings, answer: &DatabaseAnswer) -> Vec<Finding> {
    let url = &settings.database.url;
    let condition = match answer {
        Ok(condition) => condition,
        Err(error) => return vec![unreachable(url, error)],
    };
    let mut findings = server(url, condition);
    findings.extend(rights(url, condition));
    findings.push(schema(condition));
    if let DatabaseUrl::Sqlite(path) = url {
        findings.push(integrity(path, &condition.integrity));
    }
    findings
}

fn unreachable(url: &DatabaseUrl, error: &ReadError) -> Finding {
    match error {
        ReadError::Silent => {
            let found = format!("{url} does not answer");
            return Finding::failed(CHECK, found, make_it_answer(url));
        }
        ReadError::Absent => {
            let found = format!("{url} is not there yet");
            return Finding::note(CHECK, found).with_fix("headspace migrate, or start the watcher");
        }
        _ => {}
    }
    let cause =
        std::error::Error::source(error).map_or(String::new(), |cause| format!(": {cause}"));
    let fix = match (url, error) {
        (DatabaseUrl::Sqlite(path), ReadError::Refused(_)) => restore(path),
        (DatabaseUrl::Postgres(_), ReadError::Refused(_)) => {
            "correct the user, the password or the name in database.url: headspace config show"
                .into()
        }
        _ => make_it_answer(url),
    };
    Finding::failed(CHECK, format!("{url}: {error}{cause}"), fix)
}

fn make_it_answer(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Sqlite(path) => {
            format!(
                "see which process holds the file: fuser -v {}",
                quoted(path)
            )
        }
        DatabaseUrl::Postgres(_) => {
            "start the server (sudo systemctl start postgresql), or correct database.url: \
             headspace config show"
                .into()
        }
    }
}

/// What was recorded comes back from the transcripts, as far as they are there.
fn restore(path: &Path) -> String {
    format!(
        "stop headspace, move it away (mv {0} {0}.damaged) and restore a copy, \
         or let `headspace watch` read the transcripts again",
        quoted(path)
    )
}

fn server(url: &DatabaseUrl, condition: &Condition) -> Vec<Finding> {
    let found = format!(
        "{url} answers: {}, {}",
        condition.server, condition.encoding
    );
    let mut findings = Vec::new();
    if condition.version.is_some_and(|version| version < OLDEST) {
        findings.push(Finding::failed(
            CHECK,
            format!("{found}; headspace needs PostgreSQL 14 or newer"),
            "upgrade the server, or name another in database.url",
        ));
    }
    if !["UTF8", "UTF-8"].contains(&condition.encoding.as_str()) {
        let error = SchemaError::Encoding {
            encoding: condition.encoding.clone(),
        };
        findings.push(Finding::failed(
            CHECK,
            error.to_string(),
            "createdb --encoding=UTF8 --template=template0 NAME, and name it in database.url",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

fn rights(url: &DatabaseUrl, condition: &Condition) -> Option<Finding> {
    let role = condition.role.as_ref()?;
    if condition.is_read_only {
        return Some(Finding::failed(
            "rights",
            format!("{url} takes no writes: it is a standby, or read-only by its settings"),
            "name the primary server in database.url, or ALTER SYSTEM RESET default_transaction_read_only",
        ));
    }
    let Some(first) = condition.lacking.first() else {
        return Some(Finding::ok(
            "rights",
            format!("the role {role} may read and write"),
        ));
    };
    let grants: Vec<String> = condition
        .lacking
        .iter()
        .map(|right| format!("GRANT {right} TO {role};"))
        .collect();
    let more = match condition.lacking.len() {
        1 => String::new(),
        many => format!(" and {} more", many - 1),
    };
    Some(Finding::failed(
        "rights",
        format!("the role {role} lacks {first}{more}"),
        format!("as the tables' owner: {}", grants.join(" ")),
    ))
}

fn schema(condition: &Condition) -> Finding {
    match &condition.schema {
        Ok(version) => Finding::ok(
            "schema",
            format!("version {version}, as this program needs"),
        ),
        Err(SchemaError::Missing) => {
            Finding::note("schema", "there are no tables yet").with_fix("headspace migrate")
        }
        Err(SchemaError::Older { found }) => Finding::warning(
            "schema",
            format!("version {found} is older than this program"),
            "headspace migrate",
        ),
        Err(other) => {
            let said = other.to_string();
            let (found, fix) = said
                .split_once(": ")
                .unwrap_or((&said, "use another database"));
            Finding::failed("schema", found, fix)
        }
    }
}

fn integrity(path: &Path, integrity: &Integrity) -> Finding {
    match integrity {
        Integrity::Sound => Finding::ok("integrity", "no damage found"),
        Integrity::Damaged(first) => {
            Finding::failed("integrity", format!("damaged: {first}"), restore(path))
        }
        Integrity::Unfinished | Integrity::NotAsked => {
            Finding::unchecked("integrity", "the database is too large for a quick look")
                .with_fix(format!("sqlite3 {} 'PRAGMA quick_check'", quoted(path)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity::{self, Failed, Ok as Fine, Warning};

    // Real databases are in the behaviour tests; here is what they cannot have.

    fn well() -> Condition {
        Condition {
            server: "PostgreSQL 15.4".into(),
            version: Some(150_004),
            encoding: "UTF8".into(),
            schema: Ok(1),
            role: Some("me".into()),
            is_read_only: false,
            lacking: vec![],
            integrity: Integrity::NotAsked,
        }
    }

    #[test]
    fn an_old_server_and_an_old_schema_say_how_they_are_upgraded() {
        let url = DatabaseUrl::try_from("postgres://me:geheim@localhost/log".to_owned()).unwrap();
        let old = Condition {
            version: Some(130_011),
            ..well()
        };
        for (condition, state, fix) in [(well(), Fine, None), (old, Failed, Some("upgrade"))] {
            let found = server(&url, &condition).remove(0);
            assert_eq!(found.state, state, "{found:?}");
            assert_eq!(
                found.fix.map(|found| found.contains(fix.unwrap())),
                fix.map(|_| true)
            );
            assert!(!found.found.contains("geheim"), "{}", found.found);
        }
        let state = |schema| -> (Severity, Option<String>) {
            let found = super::schema(&Condition { schema, ..well() });
            (found.state, found.fix)
        };
        assert_eq!(state(Ok(1)), (Fine, None));
        let older = state(Err(SchemaError::Older { found: 0 }));
        assert_eq!(older, (Warning, Some("headspace migrate".into())));
    }

    #[test]
    fn damage_that_could_not_be_looked_for_in_time_is_a_note_with_the_command() {
        let found = integrity(Path::new("/s/x.db"), &Integrity::Unfinished);
        assert_eq!(found.state, Severity::Note);
        assert_eq!(found.fix.unwrap(), "sqlite3 /s/x.db 'PRAGMA quick_check'");
    }
}
