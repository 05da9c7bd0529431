//! The failures a writer acts on, decided next to the driver's error.

use super::SchemaError;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The checkpoint is not where the writer believed: another writer, a lost
    /// answer to COMMIT, or a database restored from an older day.
    #[error("the checkpoint of {path} has moved")]
    Moved { path: String },
    /// Another writer stored the same fact in this moment; try again at once.
    #[error("another writer stored the same fact at the same time")]
    Raced,
    /// The database is away. Nothing is wrong with the event: wait.
    #[error("the database is away: {0}")]
    Away(String),
    /// The database will never take this.
    #[error("the database refuses: {0}")]
    Refused(String),
    /// The schema does not fit this program.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        use sqlx::Error::{Database, Encode};
        match &error {
            Encode(_) => Failure::Refused(error.to_string()),
            Database(database) => {
                let code = database.code().unwrap_or_default();
                let kind = if database
                    .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                    .is_some()
                {
                    postgres(&code, database.table())
                } else {
                    sqlite(&code)
                };
                kind(format!("{} ({code})", database.message()))
            }
            _ => Failure::Away(error.to_string()),
        }
    }
}

/// SQLSTATE classes 22 (data), 23 (integrity), 54 (too large or too deep) and
/// P0 (a trigger's own refusal) speak of the row. Everything else speaks of the
/// server, the role or the schema, and holding loses nothing.
fn postgres(code: &str, table: Option<&str>) -> fn(String) -> Failure {
    match (code, table) {
        ("23505", Some("projects" | "agents" | "checkpoints" | "facts")) => |_| Failure::Raced,
        // A row that this one belongs to was deleted meanwhile.
        ("23503", _) => |_| Failure::Raced,
        _ if ["22", "23", "54", "P0"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Failure::Refused
        }
        _ => Failure::Away,
    }
}

/// Primary result codes: 18 too big, 19 constraint, 20 type mismatch. Extended
/// codes keep the primary one in the low byte.
fn sqlite(code: &str) -> fn(String) -> Failure {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(18..=20) => Failure::Refused,
        _ => Failure::Away,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_row_itself_is_refused() {
        let refused =
            |kind: fn(String) -> Failure| matches!(kind(String::new()), Failure::Refused(_));
        for code in ["22P05", "22001", "23514", "23502", "54001", "P0001"] {
            assert!(refused(postgres(code, None)), "{code}");
        }
        for code in [
            "08006", "25006", "28P01", "40001", "40P01", "42501", "42P01", "53100", "53300",
            "55P03", "57P01", "57014", "58030", "XX000", "",
        ] {
            assert!(!refused(postgres(code, None)), "{code}");
        }
        for code in ["19", "275", "1811", "18"] {
            assert!(refused(sqlite(code)), "{code}");
        }
        for code in [
            "1", "5", "517", "8", "10", "778", "11", "13", "14", "26", "",
        ] {
            assert!(!refused(sqlite(code)), "{code}");
        }
    }

    #[test]
    fn a_race_for_one_fact_is_no_refusal() {
        let kind = postgres("23505", Some("facts"));
        assert!(matches!(kind(String::new()), Failure::Raced));
    }
}
