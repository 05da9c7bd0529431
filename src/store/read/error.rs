//! Why a read failed, as far as a reader acts on it.

use sqlx::Error;

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No SQLite file yet. The watcher makes it.
    #[error("there is no database yet")]
    Absent,
    /// Refused, reset, locked, too slow: the next try may work.
    #[error("the database cannot be reached")]
    Away(#[source] Error),
    /// It took the question and never answered: frozen, or the network is gone.
    #[error("the database does not answer")]
    Silent,
    #[error("the database has no tables of headspace yet")]
    SchemaMissing,
    #[error("the schema is version {found}, this program needs {known}: run `headspace migrate`")]
    SchemaOlder { found: i64, known: i64 },
    #[error("the schema is version {found}, newer than this program, which knows {known}")]
    SchemaNewer { found: i64, known: i64 },
    /// Answered, and said no: rights, password, a table that is not ours.
    #[error("the database refuses to be read")]
    Refused(#[source] Error),
}

impl ReadError {
    /// Whether waiting alone may help, without a person.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            ReadError::Absent | ReadError::Away(_) | ReadError::Silent | ReadError::SchemaMissing
        )
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        if is_missing_table(&error) {
            return ReadError::SchemaMissing;
        }
        match &error {
            Error::Database(db) if refuses(db.code().as_deref().unwrap_or("")) => {
                ReadError::Refused(error)
            }
            Error::Configuration(_) | Error::ColumnDecode { .. } | Error::ColumnNotFound(_) => {
                ReadError::Refused(error)
            }
            _ => ReadError::Away(error),
        }
    }
}

/// Compares what was migrated with what this program knows.
pub(super) fn check_schema(found: Option<i64>, known: i64) -> Result<i64, ReadError> {
    match found {
        None => Err(ReadError::SchemaMissing),
        Some(found) if found < known => Err(ReadError::SchemaOlder { found, known }),
        Some(found) if found > known => Err(ReadError::SchemaNewer { found, known }),
        Some(found) => Ok(found),
    }
}

/// 42P01 is PostgreSQL's undefined table; SQLite has only words for it.
fn is_missing_table(error: &Error) -> bool {
    let Error::Database(db) = error else {
        return false;
    };
    db.code().as_deref() == Some("42P01") || db.message().starts_with("no such table")
}

/// PostgreSQL's classes for a wrong login, a wrong database and wrong rights,
/// and SQLite's primary codes AUTH, CORRUPT and NOTADB.
fn refuses(code: &str) -> bool {
    let sqlstate = code.len() == 5;
    (sqlstate && ["28", "3D", "42"].contains(&&code[..2])) || ["23", "11", "26"].contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_used_only_at_the_known_version() {
        assert!(matches!(check_schema(Some(3), 3), Ok(3)));
        assert!(matches!(
            check_schema(None, 3),
            Err(ReadError::SchemaMissing)
        ));
        assert!(matches!(
            check_schema(Some(2), 3),
            Err(ReadError::SchemaOlder { found: 2, known: 3 })
        ));
        assert!(matches!(
            check_schema(Some(4), 3),
            Err(ReadError::SchemaNewer { found: 4, known: 3 })
        ));
    }

    #[test]
    fn rights_and_logins_need_a_person() {
        for (code, refused) in [
            ("42501", true),
            ("28P01", true),
            ("3D000", true),
            ("57P03", false),
            ("53300", false),
            ("5", false),
            ("26", true),
        ] {
            assert_eq!(refuses(code), refused, "{code}");
        }
    }
}
