//! Wrong settings are all named, and what needs none is still looked at.

use super::report::{command, doctor, examined};
use crate::support::headspace::{Headspace, Kind};

#[test]
fn every_wrong_setting_is_a_finding() {
    let headspace = Headspace::on(Kind::Sqlite);
    let file = headspace.dir().join("config.yaml");
    std::fs::write(
        &file,
        "sse: {max_connection: 3}\nwatch: {max_line_bytes: 1}\n",
    )
    .expect("written");
    let mut command = command(&headspace);
    command.arg("--config").arg(&file);
    let report = examined(command);
    assert_eq!(report.code, 1);
    let fix = "headspace config check";
    report.says("settings", "failed", "sse.max_connection", fix);
    report.says("settings", "failed", "watch.max_line_bytes", fix);
    report.says("database", "note", "not checked: without settings", "");
    assert_eq!(
        report.of("units").len(),
        1,
        "the service managers are asked all the same"
    );
}

#[test]
fn a_valid_file_is_named() {
    let headspace = Headspace::on(Kind::Sqlite);
    let file = headspace.dir().join("config.yaml");
    std::fs::write(&file, "sse: {max_connections: 3}\n").expect("written");
    let mut command = command(&headspace);
    command.arg("--config").arg(&file);
    examined(command).says("settings", "ok", "config.yaml is valid", "");
    doctor(&headspace).says("settings", "ok", "no settings file", "");
}
