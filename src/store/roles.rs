//! The roles of a log in PostgreSQL: each process may do what it does, and no more.
//!
//! They are groups, without a login of their own. A role that connects becomes a
//! member of one of them.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::{
    connect,
    failure::Failure,
    migrate::{self, POSTGRES},
};

/// Reads and inserts; updates only checkpoints, watchers, the archive and derived rows.
pub const WATCHER: &str = "headspace_watcher";
/// Reads.
pub const WEB: &str = "headspace_web";

/// Rows that are inserted and never changed.
const INSERTED_ONCE: [&str; 3] = ["events", "facts", "rejections"];
/// Rows that only a migration writes.
const MIGRATED: [&str; 2] = ["log", "_sqlx_migrations"];

/// A statement, and the condition under which it need not be executed.
struct Right {
    statement: String,
    is_granted: String,
}

/// Creates the roles and their rights that are missing, and returns the
/// statements that did. The URL's role must own the tables and may create roles.
pub async fn grant(url: &str) -> Result<Vec<String>, Failure> {
    let mut link = connect::postgres(url, "migrate")?.connect().await?;
    let schema = "SELECT quote_ident(current_schema())";
    let schema: String = sqlx::query_scalar(schema).fetch_one(&mut link).await?;
    let mut executed = Vec::new();
    for right in rights(&schema) {
        if is_granted(&mut link, &right).await? {
            continue;
        }
        let statement = AssertSqlSafe(right.statement.clone());
        sqlx::query(statement).execute(&mut link).await?;
        // A role that does not own a table gets a warning, and no error.
        if !is_granted(&mut link, &right).await? {
            let message = "had no effect: run this as the role that owns the tables";
            return Err(Failure::Refused(format!("{} {message}", right.statement)));
        }
        executed.push(right.statement);
    }
    link.close().await?;
    Ok(executed)
}

async fn is_granted(link: &mut PgConnection, right: &Right) -> Result<bool, sqlx::Error> {
    let question = AssertSqlSafe(format!("SELECT {}", right.is_granted));
    let answer: Option<bool> = sqlx::query_scalar(question).fetch_one(link).await?;
    Ok(answer.unwrap_or(true))
}

fn rights(schema: &str) -> Vec<Right> {
    let tables = migrate::made(&POSTGRES, "CREATE TABLE ");
    let changed: Vec<&str> = tables
        .iter()
        .copied()
        .filter(|table| !MIGRATED.contains(table))
        .collect();
    let updated: Vec<&str> = changed
        .iter()
        .copied()
        .filter(|table| !INSERTED_ONCE.contains(table))
        .collect();
    let views = migrate::made(&POSTGRES, "CREATE VIEW ");
    let readable = [&tables[..], &views, &["_sqlx_migrations"]].concat();
    let mut rights = vec![closed(schema)];
    for role in [WATCHER, WEB] {
        rights.push(created(role));
        rights.push(usable(schema, role));
        rights.push(on_tables("SELECT", &readable, role));
    }
    rights.push(on_tables("INSERT", &changed, WATCHER));
    rights.push(on_tables("UPDATE", &updated, WATCHER));
    // Small pieces become larger ones.
    rights.push(on_tables("DELETE", &["archive"], WATCHER));
    // The turn of an event may be known only later.
    rights.push(on_columns(
        "UPDATE",
        "events",
        &["command_id", "turn_id"],
        WATCHER,
    ));
    rights.push(on_sequences(schema, WATCHER));
    rights
}

/// Up to PostgreSQL 14 every role can make tables in `public`.
fn closed(schema: &str) -> Right {
    Right {
        statement: format!("REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC"),
        is_granted: format!(
            "NOT EXISTS (SELECT FROM pg_namespace,
                 aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
             WHERE oid = to_regnamespace('{schema}') AND grantee = 0
                 AND privilege_type = 'CREATE')"
        ),
    }
}

fn created(role: &str) -> Right {
    Right {
        statement: format!("CREATE ROLE {role} NOLOGIN"),
        is_granted: format!("EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"),
    }
}

fn usable(schema: &str, role: &str) -> Right {
    Right {
        statement: format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        is_granted: format!("has_schema_privilege('{role}', to_regnamespace('{schema}'), 'USAGE')"),
    }
}

fn on_tables(privilege: &str, tables: &[&str], role: &str) -> Right {
    Right {
        statement: format!("GRANT {privilege} ON {} TO {role}", tables.join(", ")),
        is_granted: format!(
            "bool_and(has_table_privilege('{role}', name, '{privilege}'))
             FROM unnest('{{{}}}'::text[]) AS name",
            tables.join(",")
        ),
    }
}

fn on_columns(privilege: &str, table: &str, columns: &[&str], role: &str) -> Right {
    let list = columns.join(", ");
    Right {
        statement: format!("GRANT {privilege} ({list}) ON {table} TO {role}"),
        is_granted: format!(
            "bool_and(has_column_privilege('{role}', '{table}', name, '{privilege}'))
             FROM unnest('{{{}}}'::text[]) AS name",
            columns.join(",")
        ),
    }
}

fn on_sequences(schema: &str, role: &str) -> Right {
    Right {
        statement: format!("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"),
        is_granted: format!(
            "bool_and(has_sequence_privilege('{role}', oid, 'USAGE')) FROM pg_class
             WHERE relkind = 'S' AND relnamespace = to_regnamespace('{schema}')"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_that_are_not_updated_are_tables_of_the_migrations() {
        let tables = migrate::made(&POSTGRES, "CREATE TABLE ");
        for table in INSERTED_ONCE.iter().chain(&MIGRATED[..1]) {
            assert!(tables.contains(table), "{table}");
        }
    }
}
