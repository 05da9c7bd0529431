//! The first minute, with a stopwatch.

use std::process::Command;

#[test]
fn from_nothing_to_a_page_that_is_right_in_time() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/first-minute");
    let output = Command::new(script)
        .arg(env!("CARGO_BIN_EXE_headspace"))
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{errors}");
    let last = said.lines().last().expect("a line");
    let seconds: f64 = last
        .trim()
        .strip_suffix("s  in all")
        .and_then(|number| number.trim().parse().ok())
        .expect("seconds");
    assert!(seconds < 60.0, "{said}");
}
