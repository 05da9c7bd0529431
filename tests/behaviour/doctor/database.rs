//! A database that is away, the wrong one, closed to us, from a later day, damaged.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    time::{Duration, Instant},
};

use super::report::{command, doctor, examined};
use crate::support::{
    headspace::{Headspace, Kind, Store, on_both},
    postgres::Database,
    proxy::Proxy,
    talk::{stored, tamper},
};

/// All of it is over by then, whatever the database does.
const WHOLE: Duration = Duration::from_secs(10);

on_both! {
    fn a_newer_schema_fails(kind: Kind) {
        let headspace = Headspace::on(kind);
        assert!(headspace.run(&["migrate"]).status.success());
        tamper(
            &headspace.store,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (99, 'later', TRUE, '', 0)",
        );
        let report = doctor(&headspace);
        assert_eq!(report.code, 1);
        report.says("schema", "failed", "has schema version 99, this program knows up to ", "install the newer headspace");
        report.says("database", "ok", "answers", "");
    }

    fn a_database_without_tables_is_a_note(kind: Kind) {
        let headspace = Headspace::on(kind);
        fs::create_dir(headspace.state()).expect("a folder");
        empty_file(&headspace);
        let report = doctor(&headspace);
        assert_eq!(report.code, 0);
        report.says("schema", "note", "there are no tables yet", "headspace migrate");
    }
}

#[test]
fn a_server_that_is_away_or_rejects_us_fails() {
    let mut headspace = Headspace::on(Kind::Postgres);
    let url = headspace.store.url();
    let closed = super::report::free_port();
    for (url, found, fix) in [
        (
            format!("postgres://me:geheim@127.0.0.1:{closed}/log"),
            "refused",
            "sudo systemctl start postgresql",
        ),
        (
            url.replace("/test_", "/no_such_"),
            "does not exist",
            "headspace config show",
        ),
        (
            url.replace("postgres@", "stranger:geheim@"),
            "stranger",
            "headspace config show",
        ),
    ] {
        headspace.set("HEADSPACE_DATABASE__URL", &url);
        let report = doctor(&headspace);
        assert_eq!(report.code, 1);
        report.says("database", "failed", found, fix);
        report.says(
            "watcher",
            "warning",
            "no watcher is running",
            "headspace up",
        );
        let said = format!("{report:?}");
        assert!(!said.contains("geheim"), "{said}");
    }
}

#[test]
fn the_report_is_there_in_time_although_a_server_does_not_answer() {
    let mut headspace = Headspace::on(Kind::Postgres);
    stored(&headspace, "stalled", 1);
    let proxy = Proxy::before(database(&headspace));
    headspace.set("HEADSPACE_DATABASE__URL", proxy.url());
    doctor(&headspace).says("database", "ok", "answers: PostgreSQL", "");
    for stall in [Proxy::stall, |proxy: &Proxy| proxy.silence_new(true)] {
        stall(&proxy);
        let began = Instant::now();
        let report = doctor(&headspace);
        assert!(began.elapsed() < WHOLE, "{:?}", began.elapsed());
        assert_eq!(report.code, 1);
        report.says(
            "database",
            "failed",
            "does not answer",
            "sudo systemctl start postgresql",
        );
        report.says("transcripts", "note", "not checked", "");
        proxy.flow();
    }
}

#[test]
fn missing_rights_are_named_and_the_grants_given_are_enough() {
    let mut headspace = Headspace::on(Kind::Postgres);
    stored(&headspace, "rights", 1);
    let role = format!("doctor_{}", database(&headspace).name);
    database(&headspace).sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    ));
    let url = headspace
        .store
        .url()
        .replace("//postgres@", &format!("//{role}@"));
    headspace.set("HEADSPACE_DATABASE__URL", url);
    let report = doctor(&headspace);
    assert_eq!(report.code, 1);
    let fix = report.says(
        "rights",
        "failed",
        &format!("the role {role} lacks"),
        "GRANT INSERT ON events TO",
    );
    let (_, grants) = fix.split_once(": ").expect("the grants");
    database(&headspace).sql(grants);
    doctor(&headspace).says("rights", "ok", "may read and write", "");
    // And they are: the watcher works with these alone.
    stored(&headspace, "granted", 3);
}

#[test]
fn a_role_that_may_not_make_the_tables_fails() {
    let mut headspace = Headspace::on(Kind::Postgres);
    let role = format!("doctor_{}", database(&headspace).name);
    database(&headspace).sql(&format!(
        "CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    ));
    let url = headspace
        .store
        .url()
        .replace("//postgres@", &format!("//{role}@"));
    headspace.set("HEADSPACE_DATABASE__URL", url);
    let report = doctor(&headspace);
    report.says(
        "rights",
        "failed",
        "lacks CREATE ON SCHEMA public",
        &format!("GRANT CREATE ON SCHEMA public TO {role};"),
    );
}

#[test]
fn a_server_that_takes_no_writes_fails() {
    let headspace = Headspace::on(Kind::Postgres);
    stored(&headspace, "standby", 1);
    let name = &database(&headspace).name;
    database(&headspace).sql(&format!(
        "ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    doctor(&headspace).says("rights", "failed", "takes no writes", "primary server");
}

#[test]
fn another_encoding_fails() {
    let headspace = Headspace::on(Kind::Postgres);
    let (cluster, name) = (&database(&headspace).cluster, &database(&headspace).name);
    cluster.sql("postgres", &format!("DROP DATABASE {name}"));
    let make = format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    cluster.sql("postgres", &make);
    doctor(&headspace).says(
        "database",
        "failed",
        "encoding is LATIN1",
        "createdb --encoding=UTF8",
    );
}

#[test]
fn a_file_that_is_no_database_or_is_damaged_fails() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored(&headspace, "damage", 400);
    let Store::Sqlite(path) = &headspace.store else {
        panic!("made on SQLite");
    };
    doctor(&headspace).says("integrity", "ok", "no damage", "");
    let mv = format!("mv {} ", path.display());
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .expect("the database");
    let pages = file.metadata().expect("its size").len() / 4096;
    // Far behind the schema, so that it opens as if nothing were wrong.
    for page in pages * 3 / 4..pages {
        file.write_all_at(&[0xa5; 4096], page * 4096)
            .expect("written");
    }
    let report = doctor(&headspace);
    assert_eq!(report.code, 1);
    report.says("integrity", "failed", "damaged", &mv);
    fs::write(path, "Dear diary, this is no database. ".repeat(200)).expect("written");
    doctor(&headspace).says("database", "failed", "not a database", &mv);
}

#[test]
fn what_is_being_written_is_looked_at_as_well() {
    let headspace = Headspace::on(Kind::Sqlite);
    let watcher = headspace.watch();
    let report = examined(command(&headspace));
    report.says("integrity", "ok", "no damage", "");
    // What a killed watcher leaves beside the file is read with it.
    watcher.kill();
    doctor(&headspace).says(
        "schema",
        "ok",
        &format!("version {}", headspace::store::SCHEMA_VERSION),
        "",
    );
}

fn empty_file(headspace: &Headspace) {
    if let Store::Sqlite(path) = &headspace.store {
        drop(File::create(path).expect("an empty file"));
    }
}

fn database(headspace: &Headspace) -> &Database {
    match &headspace.store {
        Store::Postgres(database) => database,
        Store::Sqlite(_) => panic!("made on PostgreSQL"),
    }
}
