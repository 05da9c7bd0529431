//! Where things live: the configuration file, the state folder, the run folder.

use std::path::{Component, Path, PathBuf};

use super::environment::Environment;
use super::{Flags, Problem};

/// The folders of this process. [`prepare`](super::prepare) makes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The file that was read, if there is one.
    pub config_file: Option<PathBuf>,
    /// The database of a single user, the spool, locks.
    pub state: PathBuf,
    /// Sockets and wake-ups.
    pub run: PathBuf,
    /// The flag or variable that led to `state`, for messages.
    pub state_chosen_by: &'static str,
    /// The flag or variable that led to `run`, for messages.
    pub run_chosen_by: &'static str,
}

/// The configuration file to try, and what named it; a default one may be missing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub path: PathBuf,
    pub asked_by: Option<&'static str>,
}

/// What `~`, `<state>` and `<run>` at the head of a path stand for.
pub(super) struct Base {
    home: Option<String>,
    state: String,
    run: String,
}

pub(super) fn find(
    flags: &Flags,
    environment: &Environment,
) -> Result<(Places, Option<Candidate>), Problem> {
    find_on(cfg!(target_os = "macos"), flags, environment)
}

fn find_on(
    macos: bool,
    flags: &Flags,
    environment: &Environment,
) -> Result<(Places, Option<Candidate>), Problem> {
    let candidate = config_file(macos, flags, environment)?;
    let (state, state_chosen_by) = state(macos, flags, environment)?;
    let (run, run_chosen_by) = run(macos, &state, state_chosen_by, environment)?;
    let places = Places {
        config_file: None,
        state,
        run,
        state_chosen_by,
        run_chosen_by,
    };
    Ok((places, candidate))
}

fn config_file(
    macos: bool,
    flags: &Flags,
    environment: &Environment,
) -> Result<Option<Candidate>, Problem> {
    let asked = |path: PathBuf, by| {
        Ok(Some(Candidate {
            path,
            asked_by: Some(by),
        }))
    };
    if let Some(path) = &flags.config {
        return asked(path.clone(), "--config");
    }
    if let Some(path) = environment.text("HEADSPACE_CONFIG")? {
        return asked(path.into(), "HEADSPACE_CONFIG");
    }
    let folder = match environment.unit_folder("CONFIGURATION_DIRECTORY")? {
        Some(folder) => Some(folder),
        None => {
            user_folder(macos, environment, "XDG_CONFIG_HOME", ".config")?.map(|(folder, _)| folder)
        }
    };
    Ok(folder.map(|folder| Candidate {
        path: folder.join("config.yaml"),
        asked_by: None,
    }))
}

fn state(
    macos: bool,
    flags: &Flags,
    environment: &Environment,
) -> Result<(PathBuf, &'static str), Problem> {
    if let Some(folder) = &flags.state_dir {
        return Ok((named(folder, "--state-dir")?, "--state-dir"));
    }
    if let Some(folder) = environment.text("HEADSPACE_STATE_DIR")? {
        let by = "HEADSPACE_STATE_DIR";
        return Ok((named(Path::new(folder), by)?, by));
    }
    if let Some(folder) = environment.unit_folder("STATE_DIRECTORY")? {
        return Ok((folder, "STATE_DIRECTORY"));
    }
    default_state(macos, environment)
}

fn default_state(
    macos: bool,
    environment: &Environment,
) -> Result<(PathBuf, &'static str), Problem> {
    user_folder(macos, environment, "XDG_STATE_HOME", ".local/state")?.ok_or_else(|| {
        let message = "no home folder is known; set HOME or give --state-dir DIR";
        Problem::new("HOME", "", message)
    })
}

/// Both processes of one state folder must meet in the same run folder, so it
/// follows from the state folder wherever the service manager does not give one.
fn run(
    macos: bool,
    state: &Path,
    state_chosen_by: &'static str,
    environment: &Environment,
) -> Result<(PathBuf, &'static str), Problem> {
    if let Some(folder) = environment.unit_folder("RUNTIME_DIRECTORY")? {
        return Ok((folder, "RUNTIME_DIRECTORY"));
    }
    let is_default = default_state(macos, environment).is_ok_and(|(default, _)| default == state);
    if macos && is_default {
        return Ok((state.to_path_buf(), state_chosen_by));
    }
    match environment.folder("XDG_RUNTIME_DIR")? {
        Some(folder) if is_default => Ok((folder.join("headspace"), "XDG_RUNTIME_DIR")),
        _ => Ok((state.join("run"), state_chosen_by)),
    }
}

/// `$<variable>/headspace`, or the folder that stands for it under the home folder.
fn user_folder(
    macos: bool,
    environment: &Environment,
    variable: &'static str,
    under_home: &str,
) -> Result<Option<(PathBuf, &'static str)>, Problem> {
    if !macos && let Some(folder) = environment.folder(variable)? {
        return Ok(Some((folder.join("headspace"), variable)));
    }
    let under_home = if macos {
        "Library/Application Support"
    } else {
        under_home
    };
    let home = environment.folder("HOME")?;
    Ok(home.map(|home| (home.join(under_home).join("headspace"), "HOME")))
}

/// A folder from the command line or a variable: relative to the working folder.
fn named(folder: &Path, by: &'static str) -> Result<PathBuf, Problem> {
    let wrong = |message: String| Problem::new(by, "", message);
    let text = folder
        .to_str()
        .ok_or_else(|| wrong("is not UTF-8 text".into()))?;
    if text.is_empty() {
        return Err(wrong("names no folder".into()));
    }
    let full = std::path::absolute(text).map_err(|error| wrong(error.to_string()))?;
    absolute(&full.to_string_lossy()).map_err(wrong)
}

impl Base {
    pub(super) fn new(home: Option<&str>, places: &Places) -> Result<Base, Problem> {
        let text = |path: &Path, by: &'static str| {
            path.to_str()
                .map(String::from)
                .ok_or_else(|| Problem::new(by, "", "is not UTF-8 text"))
        };
        Ok(Base {
            home: home.map(String::from),
            state: text(&places.state, places.state_chosen_by)?,
            run: text(&places.run, places.run_chosen_by)?,
        })
    }

    pub(super) fn home(&self) -> Option<&str> {
        self.home.as_deref()
    }

    /// The text with its folder written out, after a scheme if there is one. What
    /// stands for no folder stays, and is refused as no absolute path.
    pub(super) fn expand(&self, text: &str) -> String {
        let scheme = ["sqlite://", "sqlite:", "unix:"]
            .into_iter()
            .find(|scheme| text.starts_with(scheme))
            .unwrap_or("");
        let path = &text[scheme.len()..];
        let heads = [
            ("~", self.home()),
            ("<state>", Some(self.state.as_str())),
            ("<run>", Some(self.run.as_str())),
        ];
        for (head, folder) in heads {
            if let (Some(rest), Some(folder)) = (path.strip_prefix(head), folder)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                return format!("{scheme}{folder}{rest}");
            }
        }
        text.to_owned()
    }
}

/// Two processes with different working folders must mean the same file, and
/// nothing may climb out of the folder it names.
pub(super) fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if text.is_empty() {
        return Err("the path is empty".into());
    }
    if text.contains('\0') {
        return Err("a path cannot hold a NUL character".into());
    }
    if !path.is_absolute() {
        return Err(format!("expected an absolute path, got {text:?}"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("a path must not contain `..`, got {text:?}"));
    }
    Ok(path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places<const N: usize>(variables: [(&str, &str); N]) -> Places {
        on(false, &Flags::default(), variables).0
    }

    fn on<const N: usize>(
        macos: bool,
        flags: &Flags,
        variables: [(&str, &str); N],
    ) -> (Places, Option<Candidate>) {
        find_on(macos, flags, &Environment::from(variables)).expect("places")
    }

    fn file(path: &str) -> Option<Candidate> {
        Some(Candidate {
            path: path.into(),
            asked_by: None,
        })
    }

    fn state_flag(folder: &str) -> Flags {
        Flags {
            state_dir: Some(folder.into()),
            ..Flags::default()
        }
    }

    #[test]
    fn a_user_has_the_xdg_folders() {
        let (found, candidate) = on(
            false,
            &Flags::default(),
            [
                ("HOME", "/home/a"),
                ("XDG_CONFIG_HOME", "/c"),
                ("XDG_STATE_HOME", "/s"),
                ("XDG_RUNTIME_DIR", "/r"),
            ],
        );
        assert_eq!(candidate, file("/c/headspace/config.yaml"));
        assert_eq!(found.state, Path::new("/s/headspace"));
        assert_eq!(found.run, Path::new("/r/headspace"));
        assert_eq!(found.state_chosen_by, "XDG_STATE_HOME");
    }

    #[test]
    fn home_stands_in_for_unset_and_relative_xdg_folders() {
        let found = places([("HOME", "/home/a"), ("XDG_STATE_HOME", "relative")]);
        assert_eq!(found.state, Path::new("/home/a/.local/state/headspace"));
        assert_eq!(found.run, Path::new("/home/a/.local/state/headspace/run"));
    }

    #[test]
    fn a_system_service_has_the_folders_of_its_unit() {
        let (found, candidate) = on(
            false,
            &Flags::default(),
            [
                ("CONFIGURATION_DIRECTORY", "/etc/headspace"),
                ("STATE_DIRECTORY", "/var/lib/headspace:/var/lib/other"),
                ("RUNTIME_DIRECTORY", "/run/headspace"),
            ],
        );
        assert_eq!(candidate, file("/etc/headspace/config.yaml"));
        assert_eq!(found.state, Path::new("/var/lib/headspace"));
        assert_eq!(found.run, Path::new("/run/headspace"));
    }

    #[test]
    fn a_mac_has_one_folder_for_all() {
        let (found, candidate) = on(true, &Flags::default(), [("HOME", "/Users/a")]);
        let folder = Path::new("/Users/a/Library/Application Support/headspace");
        assert_eq!(found.state, folder);
        assert_eq!(found.run, folder);
        assert_eq!(
            candidate.map(|file| file.path),
            Some(folder.join("config.yaml"))
        );
    }

    #[test]
    fn the_run_folder_follows_a_chosen_state_folder() {
        let variables = [
            ("HOME", "/home/a"),
            ("XDG_RUNTIME_DIR", "/r"),
            ("HEADSPACE_STATE_DIR", "/env"),
        ];
        assert_eq!(places(variables).run, Path::new("/env/run"));
        let (found, _) = on(false, &state_flag("/flag"), variables);
        assert_eq!(found.state, Path::new("/flag"));
        assert_eq!(found.run, Path::new("/flag/run"));
        // Naming the default folder is no other choice.
        let (found, _) = on(
            false,
            &state_flag("/home/a/.local/state/headspace"),
            variables,
        );
        assert_eq!(found.run, Path::new("/r/headspace"));
    }

    #[test]
    fn a_state_folder_that_climbs_and_a_lost_home_are_named() {
        let wrong = |flags: &Flags| {
            find_on(false, flags, &Environment::from([]))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            wrong(&state_flag("/a/../b")),
            r#"--state-dir: a path must not contain `..`, got "/a/../b""#
        );
        assert!(wrong(&Flags::default()).starts_with("HOME: no home folder"));
        // With a state folder given, a home is not needed.
        assert_eq!(on(false, &state_flag("/a"), []).1, None);
    }

    #[test]
    fn heads_of_paths_are_expanded_only_where_they_stand_alone() {
        let found = places([("HOME", "/home/a")]);
        let base = Base::new(Some("/home/a"), &found).expect("base");
        let run = found.run.display();
        for (text, expanded) in [
            ("~/x", "/home/a/x"),
            ("sqlite:~/x", "sqlite:/home/a/x"),
            ("unix:<run>/x", &format!("unix:{run}/x")),
            ("/<state>/x", "/<state>/x"),
        ] {
            assert_eq!(base.expand(text), expanded);
        }
        for wrong in [
            "~bob/x",
            "<state>x",
            "x",
            "",
            "/a/../b",
            "<run>/../x",
            "/a\0b",
        ] {
            assert!(absolute(&base.expand(wrong)).is_err(), "{wrong:?}");
        }
    }
}
