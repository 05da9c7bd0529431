//! The files of installed units: whether they are this program's, and whether
//! what they name is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{install::units::Unit, supervise::unit::Files};

/// What was found in a unit folder and beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    pub folder: PathBuf,
    /// Units that are not this program's, byte for byte, or not there.
    pub different: Vec<PathBuf>,
    pub needs_reload: bool,
    /// A unit or drop-in, and what it names that is not there.
    pub dangling: Vec<(PathBuf, PathBuf)>,
    /// What the services start.
    pub programs: Vec<PathBuf>,
    /// As whom they run, as far as a drop-in says.
    pub user: Option<String>,
}

/// Compares what is installed with what is shipped.
pub fn look(shipped: &[Unit], files: &[Files]) -> Option<Installed> {
    let unit = files.iter().find_map(|files| files.unit.as_deref())?;
    let folder = unit.parent()?.to_owned();
    let mut installed = Installed {
        different: different(&folder, shipped),
        needs_reload: files.iter().any(|files| files.needs_reload),
        folder,
        ..Installed::default()
    };
    for files in files {
        installed.read(files);
    }
    Some(installed)
}

fn different(folder: &Path, shipped: &[Unit]) -> Vec<PathBuf> {
    shipped
        .iter()
        .filter(|unit| {
            fs::read(folder.join(unit.name)).ok().as_deref() != Some(unit.text.as_bytes())
        })
        .map(|unit| folder.join(unit.name))
        .collect()
}

impl Installed {
    /// The drop-ins come after the unit, and what they say counts.
    fn read(&mut self, files: &Files) {
        let mut program = None;
        for path in files.unit.iter().chain(&files.drop_ins) {
            let Ok(text) = fs::read_to_string(path) else {
                continue;
            };
            for (key, value) in settings(&text) {
                match key {
                    "ExecStart" => program = first_word(value).map(PathBuf::from),
                    "User" => self.user = Some(value.to_owned()),
                    _ => self
                        .dangling
                        .extend(missing(key, value).map(|what| (path.clone(), what))),
                }
            }
        }
        self.programs
            .extend(program.filter(|path| path.is_absolute()));
        self.programs.sort();
        self.programs.dedup();
    }
}

/// `Key=value` of every line that is one.
fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', ';', '[']))
        .filter_map(|line| line.split_once('='))
        .filter(|(_, value)| !value.is_empty())
}

/// A path that a setting needs and that is not there. One that begins with `-`
/// may be missing, one with `%` is systemd's to work out.
fn missing(key: &str, value: &str) -> Option<PathBuf> {
    let word = first_word(value)?;
    let path = match key {
        "BindPaths" | "BindReadOnlyPaths" => word.split(':').next()?.to_owned(),
        "ReadWritePaths" | "ReadOnlyPaths" | "WorkingDirectory" | "EnvironmentFile" => word,
        "LoadCredential" => word.split_once(':')?.1.to_owned(),
        _ => return None,
    };
    let is_known = path.starts_with('/') && !path.contains('%');
    let gone = |path: &PathBuf| {
        fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    is_known.then(|| PathBuf::from(path)).filter(gone)
}

/// The first word, out of its quotes.
fn first_word(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return value
            .split_whitespace()
            .next()
            .map(|word| word.replace("%%", "%"));
    };
    let mut word = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(word.replace("%%", "%")),
            '\\' => word.push(chars.next()?),
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::units;

    #[test]
    fn words_come_out_of_their_quotes() {
        for (value, word) in [
            ("/usr/bin/headspace watch", Some("/usr/bin/headspace")),
            (
                r#""/opt/my apps/headspace" watch"#,
                Some("/opt/my apps/headspace"),
            ),
            (r#""/a\"b" web"#, Some("/a\"b")),
            ("/50%%/headspace", Some("/50%/headspace")),
            (r#""open"#, None),
            ("", None),
        ] {
            assert_eq!(first_word(value).as_deref(), word, "{value}");
        }
    }

    #[test]
    fn only_what_must_be_there_is_missed() {
        for (key, value, is_missed) in [
            ("LoadCredential", "database-url:/no/such/file", true),
            ("LoadCredential", "database-url:/etc/passwd", false),
            ("ReadWritePaths", "/no/such/folder", true),
            ("ReadWritePaths", "-/no/such/folder", false),
            ("BindReadOnlyPaths", "/no/such/folder:/there", true),
            ("ReadOnlyPaths", "%t/no/such", false),
            ("Description", "/no/such/file", false),
        ] {
            assert_eq!(missing(key, value).is_some(), is_missed, "{key}={value}");
        }
    }

    #[test]
    fn installed_units_are_compared_and_read_with_their_drop_ins() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for unit in units::SYSTEM {
            fs::write(at(unit.name), unit.text).unwrap();
        }
        let drop_in = at("10-install.conf");
        let program = at("headspace");
        let lines = format!(
            "# Ours.\n[Service]\nUser=me\nExecStart=\nExecStart=\"{}\" watch\nReadWritePaths=/no/such\n",
            program.display()
        );
        fs::write(&drop_in, lines).unwrap();
        let files = Files {
            unit: Some(at("headspace-watcher.service")),
            drop_ins: vec![drop_in.clone()],
            needs_reload: false,
        };
        let installed = look(&units::SYSTEM, std::slice::from_ref(&files)).unwrap();
        assert!(installed.different.is_empty(), "{installed:?}");
        assert_eq!(installed.programs, [program]);
        assert_eq!(installed.user.as_deref(), Some("me"));
        assert_eq!(installed.dangling, [(drop_in, PathBuf::from("/no/such"))]);
        fs::write(at("headspace.socket"), "[Socket]\n").unwrap();
        fs::remove_file(at("headspace.service")).unwrap();
        let installed = look(&units::SYSTEM, &[files]).unwrap();
        assert_eq!(
            installed.different,
            [at("headspace.service"), at("headspace.socket")]
        );
        assert_eq!(look(&units::SYSTEM, &[Files::default()]), None);
    }
}
