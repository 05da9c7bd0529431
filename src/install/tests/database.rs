//! A database on this machine's server, and who is who in it.

use super::*;
use crate::install::{
    database::{self, OWNER, READER, statements},
    service_env::URL,
};

const WATCHER: &str = "/etc/systemd/system/headspace-watcher.service.d/10-install.conf";
const WEB: &str = "/etc/systemd/system/headspace.service.d/10-install.conf";

fn with_database(is_applied: bool) -> InstallFacts {
    let mut facts = facts(Scope::System);
    let pair = |statement| (statement, is_applied);
    facts.in_postgres = statements("ada").into_iter().map(pair).collect();
    facts
        .environment
        .insert(URL.into(), database::url("ada", OWNER));
    facts
}

#[test]
fn everything_that_is_missing_is_made_before_a_service_starts() {
    let steps = Machine::default().plan(&with_database(false)).unwrap();
    let executed: Vec<String> = acts(&steps)
        .into_iter()
        .filter(|line| line.starts_with("execute"))
        .collect();
    let expected = [
        "execute in postgres: CREATE ROLE \"ada\" LOGIN",
        "execute in postgres: CREATE ROLE headspace_owner NOLOGIN",
        "execute in postgres: CREATE ROLE headspace_web NOLOGIN",
        "execute in postgres: GRANT headspace_owner, headspace_web TO \"ada\"",
        "execute in postgres: CREATE DATABASE headspace OWNER headspace_owner ENCODING 'UTF8' TEMPLATE template0",
        "execute in postgres: REVOKE ALL ON DATABASE headspace FROM PUBLIC",
        "execute in postgres: GRANT CONNECT ON DATABASE headspace TO headspace_web",
        "execute in headspace: REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "execute in headspace: GRANT CREATE ON SCHEMA public TO headspace_owner",
        "execute in headspace: ALTER DEFAULT PRIVILEGES FOR ROLE headspace_owner GRANT SELECT ON TABLES TO headspace_web",
        "execute in headspace: GRANT SELECT ON ALL TABLES IN SCHEMA public TO headspace_web",
    ];
    assert_eq!(executed, expected);
    let place = |start: &str| acts(&steps).iter().position(|line| line.starts_with(start));
    assert!(place("execute") > place("note"), "it can be undone");
    assert!(place("run systemctl start") > place("execute in headspace: GRANT SELECT"));
}

#[test]
fn what_is_installed_already_is_left_alone() {
    let steps = Machine::default().plan(&with_database(true)).unwrap();
    let message = lines(&steps).join("\n");
    assert!(!message.contains("execute"), "{message}");
    assert_eq!(message.matches("already in ").count(), 11, "{message}");
}

#[test]
fn a_role_is_named_whatever_its_account_is_called() {
    for (account, role, exists, user) in [
        ("ada", r#""ada""#, "'ada'", "ada"),
        ("ada.l-1", r#""ada.l-1""#, "'ada.l-1'", "ada.l-1"),
        ("Ada", r#""Ada""#, "'Ada'", "Ada"),
        ("o'neil", r#""o'neil""#, "'o''neil'", "o%27neil"),
        (r#"a"b"#, r#""a""b""#, r#"'a"b'"#, "a%22b"),
        ("ada@site", r#""ada@site""#, "'ada@site'", "ada%40site"),
        (r"corp\ada", r#""corp\ada""#, r"'corp\ada'", "corp%5Cada"),
        ("zoë", r#""zoë""#, "'zoë'", "zo%C3%AB"),
        ("x; DROP", r#""x; DROP""#, "'x; DROP'", "x%3B%20DROP"),
    ] {
        let made = &statements(account)[0];
        let line = format!("in postgres: CREATE ROLE {role} LOGIN");
        assert_eq!(made.line(), line);
        assert!(
            made.is_applied.ends_with(&format!("rolname = {exists})")),
            "{made:?}"
        );
        let member = format!("to_regrole('{}')", role.replace('\'', "''"));
        assert!(
            statements(account)[3].is_applied.contains(&member),
            "{account}"
        );
        let url = database::url(account, READER);
        let whole =
            "localhost/headspace?host=/var/run/postgresql&options=-c%20role%3Dheadspace_web";
        assert_eq!(url, format!("postgres://{user}@{whole}"));
        assert!(!crate::config::has_password(&url), "it may be shown");
    }
}

#[test]
fn the_watcher_is_the_owner_and_the_page_reads() {
    let mut machine = Machine::default();
    machine.install(&with_database(false));
    for (drop_in, role) in [(WATCHER, OWNER), (WEB, READER)] {
        let text = machine.text(drop_in);
        let role = format!("options=-c%%20role%%3D{role}\"\n");
        assert!(text.ends_with(&role), "{text}");
        assert_eq!(text.matches("Environment=").count(), 1, "{text}");
    }
    // An installation that does not say so again leaves it.
    let mut again = with_database(true);
    again.in_postgres = Vec::new();
    again.states = running();
    machine.folders.insert(again.run.clone());
    assert_eq!(acts(&machine.plan(&again).unwrap()), [""; 0]);
}

#[test]
fn an_address_of_somebodys_own_is_the_same_for_both() {
    let own = BTreeMap::from([(URL.to_owned(), "postgres://ada@localhost/log".to_owned())]);
    assert_eq!(database::for_reader(&own, "ada"), own);
    assert!(!database::is_used(&own, "ada"));
}
