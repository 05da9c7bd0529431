//! Hooks of ours in Claude Code's settings: put in, taken out, called.

mod called;
mod files;
mod first_minute;
mod refused;
mod round_trip;
mod samples;
mod status;
mod terminal;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

use crate::support::headspace::{Headspace, Kind, json_list};

/// A headspace that has this settings file.
fn with_settings(text: &str) -> (Headspace, PathBuf) {
    let headspace = Headspace::on(Kind::Sqlite);
    let path = headspace.root().join("settings.json");
    fs::write(&path, text).expect("written");
    (headspace, path)
}

/// Folders of the CLI, each with its settings, that are all watched.
fn folders(headspace: &mut Headspace, texts: &[String]) -> Vec<PathBuf> {
    let folder = |at: usize| headspace.dir().join(format!("roots/{at}"));
    let roots: Vec<PathBuf> = (0..texts.len()).map(folder).collect();
    for (root, text) in roots.iter().zip(texts) {
        fs::create_dir_all(root).expect("a folder");
        fs::write(root.join("settings.json"), text).expect("written");
    }
    headspace.set("HEADSPACE_CLAUDE__ROOTS", json_list(&roots));
    roots
}

/// What it prints when it succeeds.
fn done(headspace: &Headspace, arguments: &[&str]) -> String {
    let output = headspace.run(&[&["hooks"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    said(&output)
}

fn failed(headspace: &Headspace, arguments: &[&str]) -> String {
    let output = headspace.run(&[&["hooks"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    said(&output)
}

fn said(output: &Output) -> String {
    let bytes = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(bytes).expect("text")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

/// The commands of an event's hooks.
fn commands(settings: &str, event: &str) -> Vec<String> {
    let settings: Value = serde_json::from_str(settings.trim_start_matches('\u{feff}')).unwrap();
    let groups = settings["hooks"][event].as_array();
    let handlers = groups.into_iter().flatten().flat_map(|group| {
        let handlers = group["hooks"].as_array();
        handlers.into_iter().flatten()
    });
    handlers
        .filter_map(|handler| Some(handler["command"].as_str()?.to_owned()))
        .collect()
}

/// Which of them are ours.
fn ours(settings: &str, event: &str) -> usize {
    let commands = commands(settings, event);
    let is_ours = |command: &&String| command.contains("headspace") && command.contains(" hook");
    commands.iter().filter(is_ours).count()
}
