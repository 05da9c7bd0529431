//! A database for a system service, made on this machine's PostgreSQL by its
//! superuser.
//!
//! There is no password: the server sees on its socket which account connects.
//! That account takes on one of two roles, the owner's for the watcher and the
//! reader's for the page. The page's role guards against a mistake in it; it is
//! the same account, so it is no wall against somebody who has taken it over.

use std::collections::BTreeMap;

use super::{
    InstallRefused,
    account::{self, Account},
    command::{self, Failed},
    service_env::URL,
    target::ServiceManager,
};

const DATABASE: &str = "headspace";
/// Where there is always something to connect to.
const MAINTENANCE: &str = "postgres";
const SUPERUSER: &str = "postgres";
const SOCKET_FOLDER: &str = "/var/run/postgresql";
const PORT: &str = "5432";

/// Owns the database and makes its tables.
pub const OWNER: &str = "headspace_owner";
/// Reads, and nothing else.
pub const READER: &str = "headspace_web";

/// What is to be so on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    database: &'static str,
    sql: String,
    /// The condition, in SQL, under which it is so already.
    pub(super) is_applied: String,
}

impl Statement {
    pub fn line(&self) -> String {
        format!("in {}: {}", self.database, self.sql)
    }

    pub fn execute(&self) -> Result<(), Failed> {
        command::run(&psql(self.database, &self.sql)).map(drop)
    }
}

/// With this address an account's service has the rights of that role.
pub fn url(account: &str, role: &str) -> String {
    format!(
        "postgres://{}@localhost/{DATABASE}?host={SOCKET_FOLDER}&options=-c%20role%3D{role}",
        encoded(account)
    )
}

/// Whether the services are told to use the database that is made here.
pub fn is_used(environment: &BTreeMap<String, String>, account: &str) -> bool {
    environment.get(URL) == Some(&url(account, OWNER))
}

/// The same environment, for a service that only reads.
pub fn for_reader(
    environment: &BTreeMap<String, String>,
    account: &str,
) -> BTreeMap<String, String> {
    let mut theirs = environment.clone();
    if is_used(environment, account) {
        theirs.insert(URL.into(), url(account, READER));
    }
    theirs
}

/// What an uninstallation leaves behind, and how it goes.
pub fn farewell(account: &str) -> Vec<String> {
    vec![
        format!(
            "The database {DATABASE} stays in PostgreSQL, with everything recorded. To drop it:"
        ),
        format!("  sudo -u {SUPERUSER} dropdb {DATABASE}"),
        format!("  sudo -u {SUPERUSER} psql -c 'DROP ROLE {OWNER}, {READER}'"),
        format!("The role {account} stays, too."),
    ]
}

/// Everything that has to be so, in this order.
pub fn statements(account: &str) -> Vec<Statement> {
    [in_server(account), in_database()].concat()
}

fn in_server(account: &str) -> Vec<Statement> {
    let role = identifier(account);
    let member = literal(&role);
    let exists = |name: &str| {
        let name = literal(name);
        format!("EXISTS (SELECT FROM pg_roles WHERE rolname = {name})")
    };
    let holds = |granted: &str| {
        format!(
            "EXISTS (SELECT FROM pg_auth_members WHERE member = to_regrole({member}) \
             AND roleid = to_regrole('{granted}'))"
        )
    };
    let acl = format!(
        "FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) \
         WHERE datname = '{DATABASE}'"
    );
    let is_there = format!("EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}')");
    let statement = |sql: String, is_applied: String| Statement {
        database: MAINTENANCE,
        sql,
        is_applied,
    };
    vec![
        statement(format!("CREATE ROLE {role} LOGIN"), exists(account)),
        statement(format!("CREATE ROLE {OWNER} NOLOGIN"), exists(OWNER)),
        statement(format!("CREATE ROLE {READER} NOLOGIN"), exists(READER)),
        statement(
            format!("GRANT {OWNER}, {READER} TO {role}"),
            format!("{} AND {}", holds(OWNER), holds(READER)),
        ),
        statement(
            format!("CREATE DATABASE {DATABASE} OWNER {OWNER} ENCODING 'UTF8' TEMPLATE template0"),
            is_there.clone(),
        ),
        statement(
            format!("REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC"),
            format!("{is_there} AND NOT EXISTS (SELECT {acl} AND grantee = 0)"),
        ),
        statement(
            format!("GRANT CONNECT ON DATABASE {DATABASE} TO {READER}"),
            format!(
                "EXISTS (SELECT {acl} AND grantee = to_regrole('{READER}') \
                 AND privilege_type = 'CONNECT')"
            ),
        ),
    ]
}

/// Until PostgreSQL 14 everybody could make tables in `public`, and its owner
/// was the superuser.
fn in_database() -> Vec<Statement> {
    let statement = |sql: String, is_applied: String| Statement {
        database: DATABASE,
        sql,
        is_applied,
    };
    vec![
        statement(
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC".into(),
            CLOSED.into(),
        ),
        statement(
            format!("GRANT CREATE ON SCHEMA public TO {OWNER}"),
            // While everybody may, the owner may only as one of them.
            format!("{CLOSED} AND has_schema_privilege(to_regrole('{OWNER}'), 'public', 'CREATE')"),
        ),
        statement(
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT ON TABLES TO {READER}"),
            format!(
                "EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl) \
                 WHERE defaclrole = to_regrole('{OWNER}') AND defaclnamespace = 0 \
                 AND defaclobjtype = 'r' AND grantee = to_regrole('{READER}') \
                 AND privilege_type = 'SELECT')"
            ),
        ),
        statement(
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}"),
            format!(
                "to_regrole('{READER}') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_tables \
                 WHERE schemaname = 'public' AND NOT has_table_privilege(to_regrole('{READER}'), \
                 format('%I.%I', schemaname, tablename), 'SELECT'))"
            ),
        ),
    ]
}

const CLOSED: &str = "NOT EXISTS (SELECT FROM pg_namespace, \
     aclexplode(coalesce(nspacl, acldefault('n', nspowner))) \
     WHERE nspname = 'public' AND grantee = 0 AND privilege_type = 'CREATE')";

/// The statements, and whether each is so already.
pub fn inspect(
    manager: ServiceManager,
    account: &Account,
) -> Result<Vec<(Statement, bool)>, InstallRefused> {
    refuse_without_postgres(manager)?;
    let statements = statements(&account.name);
    let found = query(MAINTENANCE, FOUND)?;
    let is_there = match found.trim() {
        "" => false,
        found if found == format!("{OWNER} UTF8") => true,
        found => {
            return Err(InstallRefused(format!(
                "PostgreSQL has a database {DATABASE} already, which is not one of ours (owner and \
             encoding: {found}). Rename it, or use it as it is: --database-url \
             'postgres://{}@/{DATABASE}?host={SOCKET_FOLDER}'",
                encoded(&account.name)
            )));
        }
    };
    let mut all = Vec::new();
    for statement in statements {
        let can_be = statement.database == MAINTENANCE || is_there;
        let is_applied = can_be && query(statement.database, &question(&statement))?.trim() == "t";
        all.push((statement, is_applied));
    }
    Ok(all)
}

const FOUND: &str = "SELECT pg_get_userbyid(datdba) || ' ' || pg_encoding_to_char(encoding) \
     FROM pg_database WHERE datname = 'headspace'";

fn question(statement: &Statement) -> String {
    format!("SELECT {}", statement.is_applied)
}

fn refuse_without_postgres(manager: ServiceManager) -> Result<(), InstallRefused> {
    let refused = |what: &str| Err(InstallRefused(format!("--create-database: {what}")));
    if manager == ServiceManager::Launchd {
        return refused(
            "this works where PostgreSQL has a system account, as on Linux; here: createdb \
             headspace, and name it with --database-url",
        );
    }
    let install = "sudo apt install postgresql";
    if command::query(&["psql", "--version"]).is_err() {
        return refused(&format!("there is no psql on this machine: {install}"));
    }
    if account::find(SUPERUSER).is_err() {
        return refused(&format!(
            "there is no account {SUPERUSER}, so no server, on this machine: {install}"
        ));
    }
    Ok(())
}

fn query(database: &str, sql: &str) -> Result<String, InstallRefused> {
    let words = psql(database, sql);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    command::query(&words).map_err(|failed| {
        let why = match failed {
            Failed::Status { message, .. } => message,
            other => other.to_string(),
        };
        InstallRefused(format!(
            "--create-database: the PostgreSQL server of this machine does not answer its \
             account {SUPERUSER} at {SOCKET_FOLDER}: {why}\nstart it: sudo systemctl start \
             postgresql (or first: sudo apt install postgresql)"
        ))
    })
}

/// As its superuser, and at this server whatever the shell's variables say.
fn psql(database: &str, sql: &str) -> Vec<String> {
    let words = [
        "runuser",
        "-u",
        SUPERUSER,
        "--",
        "psql",
        "-XAtqw",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        SOCKET_FOLDER,
        "-p",
        PORT,
        "-d",
        database,
        "-c",
        sql,
    ];
    words.map(str::to_owned).into()
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// For an address: everything but plain letters, digits and dashes as numbers.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
