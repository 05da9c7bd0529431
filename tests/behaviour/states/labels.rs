//! Points of real transcripts that a person labelled by reading, before any rule was
//! written: the file up to a line, and what goes on there.
//!
//! `tests/states` prints the agreement, of these or of any other folder with labels.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use headspace::derive::state::{Rule, State};
use tempfile::TempDir;

use super::replay;

struct Point {
    file: String,
    line: usize,
    label: String,
    basis: String,
    why: String,
}

/// How many points were agreed on, of how many.
#[derive(Default, Clone, Copy, PartialEq, Debug)]
struct Agreed(u32, u32);

#[test]
fn states_agree_with_what_a_person_read() {
    let folder = env::var_os("HEADSPACE_STATES").map(PathBuf::from);
    let own = unpacked();
    let by_basis = judge(folder.as_deref().unwrap_or(own.path()));
    if folder.is_none() {
        let expected = [
            ("ambiguous", Agreed(37, 38)),
            ("evidence", Agreed(336, 336)),
            ("wording", Agreed(60, 60)),
        ];
        let expected = expected.map(|(basis, agreed)| (basis.to_owned(), agreed));
        assert_eq!(by_basis, BTreeMap::from(expected));
    }
}

/// The labelled transcripts of this tree, in a folder of their own.
pub fn unpacked() -> TempDir {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/states");
    let folder = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xf")
        .arg(data.join("files.tar.xz"))
        .arg("-C")
        .arg(folder.path());
    assert!(tar.status().unwrap().success());
    fs::copy(data.join("labels.tsv"), folder.path().join("labels.tsv")).unwrap();
    folder
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let points = points(&folder.join("labels.tsv"));
    let mut files: Vec<PathBuf> = points
        .iter()
        .map(|point| folder.join("files").join(&point.file))
        .collect();
    files.dedup();
    files
}

fn judge(folder: &Path) -> BTreeMap<String, Agreed> {
    let points = points(&folder.join("labels.tsv"));
    let mut files: BTreeMap<&str, Vec<&Point>> = BTreeMap::new();
    for point in &points {
        files.entry(&point.file).or_default().push(point);
    }
    let mut tables: BTreeMap<&str, BTreeMap<String, Agreed>> = BTreeMap::new();
    for (file, points) in files {
        let path = folder.join("files").join(file);
        let views = replay::views(&path);
        let version = version(&path);
        for point in points {
            let (view, rule) = &views[point.line - 1];
            let found = match view.state {
                State::Idle => "idle",
                State::Commanded | State::Processing => "working",
                State::AwaitingInput => "waiting",
            };
            let agrees = point.label.split('|').any(|label| label == found);
            if !agrees {
                println!(
                    "{file}:{} is {}, found {found} by rule {rule} ({}): {}",
                    point.line, point.label, point.basis, point.why
                );
            }
            let rule = Rule::of(*rule).map_or("at the start".into(), |rule| {
                format!("{:2} {}", rule.number, rule.input)
            });
            let rows = [
                ("basis", point.basis.clone()),
                ("label", point.label.clone()),
                ("CLI", version.clone()),
                ("rule", rule),
            ];
            for (table, row) in rows {
                let Agreed(agreed, all) = tables.entry(table).or_default().entry(row).or_default();
                *agreed += u32::from(agrees);
                *all += 1;
            }
        }
    }
    for (table, rows) in &tables {
        println!("\n{table}");
        for (row, Agreed(agreed, all)) in rows {
            println!("  {agreed:4} of {all:4}  {row}");
        }
    }
    tables.remove("basis").unwrap_or_default()
}

fn points(path: &Path) -> Vec<Point> {
    let table = fs::read_to_string(path).unwrap();
    let rows = table
        .lines()
        .skip(1)
        .map(|row| row.split('\t').collect::<Vec<_>>());
    rows.map(|row| Point {
        file: row[0].to_owned(),
        line: row[1].parse().unwrap(),
        label: row[2].to_owned(),
        basis: row[3].to_owned(),
        why: row[4].to_owned(),
    })
    .collect()
}

/// The generation of the CLI that wrote a file.
fn version(path: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let Some((_, rest)) = text.split_once("\"version\":\"") else {
        return "unknown".into();
    };
    let version = rest.split('"').next().unwrap_or_default();
    let mut parts = version.split('.');
    let (major, minor) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let patch: u32 = parts
        .next()
        .and_then(|patch| patch.parse().ok())
        .unwrap_or(0);
    match (major, minor) {
        ("2", "1") => format!("2.1.{}..", patch / 100 * 100),
        _ => format!("{major}.{minor}"),
    }
}
