//! Where the log is kept.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;

use super::places::absolute;

/// A checked database URL. Shown, serialised or logged, it hides its password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum DatabaseUrl {
    /// The absolute path of the database file.
    Sqlite(PathBuf),
    /// The URL as the driver takes it, password included.
    Postgres(String),
}

/// The parameters of a PostgreSQL URL, and whether their values may be shown.
const PARAMETERS: &[(&str, bool)] = &[
    ("host", true),
    ("hostaddr", true),
    ("port", true),
    ("dbname", true),
    ("user", true),
    ("password", false),
    ("sslmode", true),
    ("sslrootcert", true),
    ("sslcert", true),
    ("sslkey", true),
    ("application_name", true),
    ("statement-cache-capacity", true),
    ("options", false),
];

impl DatabaseUrl {
    /// What is wrong is said without repeating the URL.
    pub(super) fn parse(text: &str) -> Result<DatabaseUrl, String> {
        let expected = "expected sqlite:<path> or postgres://user@host/database";
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(format!("{expected}, got no scheme"));
        };
        match scheme {
            "sqlite" => sqlite(rest).map(DatabaseUrl::Sqlite),
            "postgres" | "postgresql" => postgres(rest).map(DatabaseUrl::Postgres),
            other if other.chars().all(|c| c.is_ascii_alphanumeric()) && other.len() < 20 => {
                Err(format!("{expected}, got the scheme {other}"))
            }
            _ => Err(format!("{expected}, got another scheme")),
        }
    }

    /// The whole URL, for the driver alone.
    pub(super) fn secret_text(&self) -> String {
        match self {
            DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            DatabaseUrl::Postgres(url) => url.clone(),
        }
    }

    /// The host of a server on another machine.
    pub fn remote_host(&self) -> Option<String> {
        let DatabaseUrl::Postgres(url) = self else {
            return None;
        };
        let options = PgConnectOptions::from_str(url).ok()?;
        let host = options.get_host().trim_matches(['[', ']']).to_owned();
        let is_near = options.get_socket().is_some()
            || host == "localhost"
            || host.starts_with('/')
            || host
                .parse()
                .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        (!is_near).then_some(host)
    }

    pub(super) fn has_password(&self) -> bool {
        self.to_string() != self.secret_text()
    }
}

fn sqlite(rest: &str) -> Result<PathBuf, String> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path == ":memory:" {
        return Err("a database in memory would not outlive the process; name a file".into());
    }
    if path.contains('?') {
        return Err("a sqlite URL takes no parameters; give only the path".into());
    }
    if path.ends_with('/') {
        return Err("expected the path of a file, got that of a folder".into());
    }
    absolute(path)
}

/// The URL with a host where it had none, checked by the driver itself.
fn postgres(rest: &str) -> Result<String, String> {
    let Some(rest) = rest.strip_prefix("//") else {
        return Err("expected postgres://user@host/database".into());
    };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // `user@/db?host=/run/postgresql` is how libpq names a socket, but to a URL
    // parser a user without a host is an error. The parameter replaces this host.
    let host = if authority.is_empty() || authority.ends_with('@') {
        "localhost"
    } else {
        ""
    };
    let url = format!("postgres://{authority}{host}{tail}");
    let database = tail.split(['?', '#']).next().unwrap_or_default();
    let parameters: Vec<&str> = parameters(tail).map(|(name, _)| name).collect();
    if database.trim_start_matches('/').is_empty() && !parameters.contains(&"dbname") {
        return Err("names no database; expected postgres://user@host/database".into());
    }
    for name in parameters {
        if !PARAMETERS.iter().any(|(known, _)| *known == name) {
            return Err(format!("unknown parameter {name:?} in the URL"));
        }
    }
    PgConnectOptions::from_str(&url)
        .map_err(|error| format!("is not a valid PostgreSQL URL: {error}"))?;
    Ok(url)
}

fn parameters(tail: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = tail.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<DatabaseUrl, String> {
        DatabaseUrl::parse(&text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(_) => f.write_str(&self.secret_text()),
            DatabaseUrl::Postgres(url) => f.write_str(&masked(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn masked(url: &str) -> String {
    let rest = url.strip_prefix("postgres://").unwrap_or(url);
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => authority.to_string(),
    };
    let path = tail.split(['?', '#']).next().unwrap_or_default();
    let query: Vec<String> = parameters(tail)
        .map(|(name, value)| match may_be_shown(name, value) {
            true => format!("{name}={value}"),
            false => format!("{name}=***"),
        })
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("postgres://{authority}{path}{mark}{}", query.join("&"))
}

/// Options may hold anything, so only a lone role is shown.
fn may_be_shown(name: &str, value: &str) -> bool {
    let role = value.strip_prefix("-c%20role%3D");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    PARAMETERS.contains(&(name, true))
        || name == "options" && role.is_some_and(|role| role.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, String> {
        DatabaseUrl::parse(text)
    }

    #[test]
    fn reads_sqlite_paths() {
        for text in ["sqlite:/a/b c.db", "sqlite:///a/b c.db"] {
            assert_eq!(parse(text), Ok(DatabaseUrl::Sqlite("/a/b c.db".into())));
        }
    }

    #[test]
    fn refuses_what_names_no_database() {
        for (text, part) in [
            ("", "no scheme"),
            ("/a/b.db", "no scheme"),
            ("mysql://h/db", "the scheme mysql"),
            ("sqlite:", "empty"),
            ("sqlite://", "empty"),
            ("sqlite::memory:", "in memory"),
            ("sqlite:a.db", "absolute"),
            ("sqlite:/a/../b.db", "`..`"),
            ("sqlite:/a/", "folder"),
            ("sqlite:/a.db?mode=ro", "no parameters"),
            ("postgres:db", "expected postgres://"),
            ("postgres://", "names no database"),
            ("postgres://host", "names no database"),
            ("postgres://host/?sslmode=require", "names no database"),
            ("postgres://host/db?sslmod=require", "\"sslmod\""),
            ("postgres://host/db?pass%77ord=x", "unknown parameter"),
            ("postgres://host:notaport/db", "not a valid"),
            ("postgres://host/db?sslmode=maybe", "not a valid"),
        ] {
            let wrong = parse(text).expect_err(text);
            assert!(wrong.contains(part), "{text}: {wrong}");
        }
    }

    #[test]
    fn a_refused_url_is_not_repeated() {
        for text in [
            "mysql://u:geheim@h/db",
            "geheim",
            "geheim:x",
            "postgres://u:ge/heim@host/db",
            "postgres://u:geheim@host:x/db",
            "postgres://u:geheim@host/db?sslmode=geheim2",
        ] {
            // A lone word before a colon is a scheme and may be shown.
            let wrong = parse(text).expect_err(text);
            let shown = wrong.replace("the scheme geheim", "");
            assert!(
                !shown.contains("geheim@") && !shown.contains("u:"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_socket_folder_needs_no_host() {
        let url = parse("postgres://me@/db?host=/run/postgresql").expect("valid");
        let DatabaseUrl::Postgres(text) = &url else {
            panic!("{url}");
        };
        let options = PgConnectOptions::from_str(text).expect("driver takes it");
        assert_eq!(
            options.get_socket().map(|path| path.display().to_string()),
            Some("/run/postgresql".into())
        );
        assert_eq!(options.get_database(), Some("db"));
        assert_eq!(options.get_username(), "me");
        assert!(!url.has_password());
    }

    #[test]
    fn of_the_options_only_a_lone_role_is_shown() {
        for (options, is_shown) in [
            ("-c%20role%3Dreader_2", true),
            ("-c%20role%3Da%20-c%20x.token%3Dgeheim", false),
            ("-c%20role%3Da+-c+x.token%3Dgeheim", false),
            ("-c%20x.token%3Dgeheim", false),
            ("geheim", false),
        ] {
            let given = format!("postgres://u@h/db?options={options}");
            let url = parse(&given).expect(&given);
            assert_eq!(url.to_string() == given, is_shown, "{url}");
            assert_eq!(url.has_password(), !is_shown, "{url}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (given, shown) in [
            ("postgres://u:geheim@h:5/db", "postgres://u:***@h:5/db"),
            ("postgresql://u:ge@heim@h/db", "postgres://u:***@h/db"),
            ("postgres://u:ge:heim@h/db", "postgres://u:***@h/db"),
            (
                "postgres://h/db?password=geheim",
                "postgres://h/db?password=***",
            ),
            (
                "postgres://u@h/db?sslmode=disable&password=geheim&port=7",
                "postgres://u@h/db?sslmode=disable&password=***&port=7",
            ),
        ] {
            let url = parse(given).expect(given);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown})"));
            let json = serde_json::to_string(&url).expect("json");
            assert_eq!(json, format!("\"{shown}\""));
            assert!(url.has_password(), "{given}");
            assert!(url.secret_text().contains("heim"), "{given}");
        }
    }
}
