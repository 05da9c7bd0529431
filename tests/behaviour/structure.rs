//! Who knows whom: the listing of `src` is the path of the data, and no arrow
//! points back.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What each module may use. A module that is missing here fails the test.
const MAY_USE: [(&str, &[&str]); 25] = [
    ("event", &[]),
    ("meaning", &["event"]),
    ("config", &[]),
    ("telemetry", &[]),
    ("supervise", &[]),
    ("client", &["config"]),
    ("install", &["client", "config", "supervise"]),
    ("process", &[]),
    ("hooks", &["process"]),
    ("spool", &[]),
    ("tail", &[]),
    ("archive", &["tail"]),
    ("derive", &["event", "meaning"]),
    ("store", &["archive", "event", "derive", "tail"]),
    ("dialect", &["event", "meaning", "spool", "tail"]),
    (
        "capture",
        &[
            "archive", "dialect", "event", "process", "spool", "store", "tail",
        ],
    ),
    ("stream", &["event", "store"]),
    ("health", &["store", "supervise"]),
    ("show", &["derive", "store"]),
    ("alert", &["event", "process", "show", "store", "telemetry"]),
    ("terminal", &["show", "store", "telemetry"]),
    ("content", &["archive", "event", "store"]),
    (
        "web",
        &[
            "alert",
            "content",
            "event",
            "spool",
            "store",
            "stream",
            "health",
            "show",
            "supervise",
            "terminal",
        ],
    ),
    (
        "doctor",
        &[
            "alert",
            "client",
            "config",
            "dialect",
            "health",
            "hooks",
            "install",
            "process",
            "show",
            "spool",
            "store",
            "supervise",
        ],
    ),
    (
        "cli",
        &[
            "alert",
            "archive",
            "derive",
            "event",
            "config",
            "client",
            "doctor",
            "hooks",
            "install",
            "telemetry",
            "supervise",
            "store",
            "capture",
            "dialect",
            "process",
            "spool",
            "tail",
            "stream",
            "health",
            "show",
            "terminal",
            "web",
        ],
    ),
];

#[test]
fn no_arrow_points_back() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeSet::new();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let allowed = MAY_USE.iter().find(|(module, _)| *module == name);
            let (_, allowed) = allowed.unwrap_or_else(|| panic!("src/{name} is not in the table"));
            for used in uses(&path) {
                if used != name && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{name} uses {used}"));
                }
            }
            modules.insert(name);
        } else {
            assert!(
                ["lib", "main"].contains(&name.as_str()),
                "src/{name}.rs is no stage"
            );
        }
    }
    assert_eq!(
        modules.len(),
        MAY_USE.len(),
        "the table names a module that is gone"
    );
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn only_the_writer_writes() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for module in ["stream", "web"] {
        for text in sources(&src.join(module)) {
            assert!(
                !text.contains("Writer"),
                "{module} must not hold the store's writer"
            );
        }
    }
}

/// Decisions are functions of a time that is handed to them: the path from a
/// file to a plan reads the clock in one place, and only the loop asks there.
#[test]
fn decisions_read_no_clock() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let readers = ["capture/clock.rs", "event/timestamp.rs"];
    let doers = [
        "capture/run.rs",
        "capture/deliver.rs",
        "capture/beat.rs",
        "capture/registry/appender.rs",
    ];
    for module in ["event", "tail", "dialect", "derive", "capture"] {
        for (path, text) in files(&src.join(module)) {
            let name = path.strip_prefix(&src).unwrap().to_string_lossy();
            let reads = text.contains("::now()") || text.contains(".elapsed()");
            assert!(
                !reads || readers.contains(&&*name),
                "{name} reads a clock; take the time as an argument"
            );
            let asks = text.contains("Now::read()");
            assert!(
                !asks || doers.contains(&&*name),
                "{name} asks for the time; take it as an argument"
            );
        }
    }
}

/// The modules of ours that a folder's files name.
fn uses(folder: &Path) -> BTreeSet<String> {
    sources(folder)
        .iter()
        .flat_map(|text| named(text))
        .collect()
}

/// Finds `crate::name` and the names in `crate::{a, b::c}`, at the first level.
fn named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => names.extend(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut fresh = true;
                for (i, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => fresh = true,
                        c if fresh && c.is_alphabetic() => {
                            names.extend(word(&list[i..]));
                            fresh = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

fn word(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let name = &text[..end];
    // A macro or a type at the crate's root is none of the modules.
    (!name.is_empty() && name.starts_with(char::is_lowercase)).then(|| name.to_owned())
}

fn sources(folder: &Path) -> Vec<String> {
    files(folder).into_iter().map(|(_, text)| text).collect()
}

/// The sources of a folder without their tests, which may use what they like.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            if path.file_name().is_some_and(|name| name != "tests.rs") {
                let program = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                found.push((path, program.to_owned()));
            }
        }
    }
    found
}

#[test]
fn names_are_found_in_every_form() {
    let text = "use crate::event::X;\nuse crate::{\n  store::{Entry, read::Reader},\n  web,\n};\ncrate::config::load()";
    let found: Vec<String> = named(text).into_iter().collect();
    assert_eq!(found, ["config", "event", "store", "web"]);
}
