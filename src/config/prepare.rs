//! Making the state folder and the run folder, for this user alone.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::{Error, Places, Problem};

/// One folder that has to be there.
struct Folder<'a> {
    path: &'a Path,
    kind: &'static str,
    chosen_by: &'a str,
}

/// Creates what is missing and closes what is open to others. The answer holds
/// one sentence for each repair, for the log.
pub fn prepare(places: &Places) -> Result<Vec<String>, Error> {
    let state = Folder {
        path: &places.state,
        kind: "state folder",
        chosen_by: places.state_chosen_by,
    };
    let run = Folder {
        path: &places.run,
        kind: "run folder",
        chosen_by: places.run_chosen_by,
    };
    let mut notes = Vec::new();
    notes.extend(state.prepare()?);
    if places.run != places.state {
        notes.extend(run.prepare()?);
    }
    Ok(notes)
}

impl Folder<'_> {
    fn prepare(&self) -> Result<Option<String>, Problem> {
        self.create()
            .map_err(|error| self.wrong(format!("cannot be created: {error}")))?;
        let unreadable = |error: io::Error| self.wrong(format!("cannot be read: {error}"));
        let link = fs::symlink_metadata(self.path).map_err(unreadable)?;
        let folder = fs::metadata(self.path).map_err(unreadable)?;
        if !folder.is_dir() {
            return Err(self.wrong("is not a folder"));
        }
        self.refuse_foreign(&link, &folder)?;
        let note = self.close(&folder)?;
        self.try_writing()?;
        Ok(note)
    }

    fn create(&self) -> io::Result<()> {
        if fs::symlink_metadata(self.path).is_ok() {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.path)
    }

    fn refuse_foreign(&self, at: &Metadata, folder: &Metadata) -> Result<(), Problem> {
        let us = rustix::process::geteuid().as_raw();
        let link = at.is_symlink().then(|| at.uid());
        foreign(us, link, folder.uid()).map_or(Ok(()), |wrong| Err(self.wrong(wrong)))
    }

    fn close(&self, folder: &Metadata) -> Result<Option<String>, Problem> {
        let mode = folder.mode() & 0o7777;
        if mode & 0o077 == 0 {
            return Ok(None);
        }
        // Closing `/tmp` or a home folder because it was named by mistake
        // would do more harm than any open folder of ours.
        if mode & 0o1000 != 0 || !self.is_ours() {
            return Err(self.wrong(format!(
                "is open to other users (mode {mode:04o}) and holds other things; \
                 choose a folder of its own, or run chmod 700 on it"
            )));
        }
        fs::set_permissions(self.path, PermissionsExt::from_mode(0o700))
            .map_err(|error| self.wrong(format!("is open to other users: {error}")))?;
        let path = self.path.display();
        Ok(Some(format!(
            "the {} {path} was open to other users (mode {mode:04o}); it is now 0700",
            self.kind
        )))
    }

    fn is_ours(&self) -> bool {
        const OURS: [&str; 4] = ["headspace.db", "spool", "watcher.lock", "web.sock"];
        let named_so = self
            .path
            .file_name()
            .is_some_and(|name| name == "headspace");
        let is_empty = || fs::read_dir(self.path).is_ok_and(|mut entries| entries.next().is_none());
        named_so || is_empty() || OURS.iter().any(|name| self.path.join(name).exists())
    }

    fn try_writing(&self) -> Result<(), Problem> {
        use rustix::fs::Access;
        let needed = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::access(self.path, needed)
            .map_err(|error| self.wrong(format!("cannot be written: {}", io::Error::from(error))))
    }

    fn wrong(&self, message: impl Into<String>) -> Problem {
        let folder = format!("{} {}", self.kind, self.path.display());
        Problem::new(self.chosen_by, folder, message)
    }
}

/// The owner of the link or the folder can put other files in our files' place.
/// A link made by root is how systemd gives a service its folder, and root may
/// use a plain folder that a container mounts with another owner.
fn foreign(us: u32, link: Option<u32>, folder: u32) -> Option<String> {
    match link {
        Some(owner) if owner != us && owner != 0 => {
            Some(format!("is a symbolic link of user {owner}"))
        }
        Some(_) if folder != us => Some(format!(
            "is a symbolic link to a folder of user {folder}, not of user {us}"
        )),
        None if folder != us && us != 0 => {
            Some(format!("belongs to user {folder}, not to user {us}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    struct Ground {
        folder: tempfile::TempDir,
    }

    impl Ground {
        fn new() -> Ground {
            Ground {
                folder: tempfile::tempdir().expect("folder"),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn places(&self, state: &str) -> Places {
            Places {
                config_file: None,
                state: self.path(state),
                run: self.path(state).join("run"),
                state_chosen_by: "--state-dir",
                run_chosen_by: "--state-dir",
            }
        }

        fn prepare(&self, state: &str) -> Result<Vec<String>, String> {
            prepare(&self.places(state)).map_err(|error| error.to_string())
        }

        fn folder_with_mode(&self, name: &str, mode: u32) {
            fs::create_dir(self.path(name)).expect("made");
            set_mode(&self.path(name), mode);
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("mode set");
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").mode() & 0o7777
    }

    #[test]
    fn missing_folders_are_made_for_this_user_alone() {
        let at = Ground::new();
        assert_eq!(at.prepare("deep/state"), Ok(vec![]));
        assert_eq!(mode(&at.path("deep/state")), 0o700);
        assert_eq!(mode(&at.path("deep/state/run")), 0o700);
        assert_eq!(at.prepare("deep/state"), Ok(vec![]));
    }

    #[test]
    fn an_open_folder_of_ours_is_closed_and_said_once() {
        let at = Ground::new();
        at.folder_with_mode("state", 0o755);
        fs::write(at.path("state/headspace.db"), "").expect("written");
        let notes = at.prepare("state").expect("repaired");
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("mode 0755"), "{notes:?}");
        assert_eq!(mode(&at.path("state")), 0o700);
        assert_eq!(at.prepare("state"), Ok(vec![]));
    }

    #[test]
    fn an_open_folder_of_others_is_left_as_it_is() {
        for mode_before in [0o755, 0o1777] {
            let at = Ground::new();
            at.folder_with_mode("home", mode_before);
            fs::write(at.path("home/letter"), "").expect("written");
            let wrong = at.prepare("home").unwrap_err();
            assert!(wrong.starts_with("--state-dir: state folder "), "{wrong}");
            assert!(wrong.contains("chmod 700"), "{wrong}");
            assert_eq!(mode(&at.path("home")), mode_before);
        }
    }

    #[test]
    fn a_file_in_the_folders_place_is_named() {
        let at = Ground::new();
        fs::write(at.path("state"), "").expect("written");
        let wrong = at.prepare("state").unwrap_err();
        assert!(wrong.ends_with("state: is not a folder"), "{wrong}");
        let wrong = at.prepare("state/below").unwrap_err();
        assert!(wrong.contains("cannot be created"), "{wrong}");
    }

    #[test]
    fn a_link_of_our_own_is_followed_and_one_into_nowhere_is_refused() {
        let at = Ground::new();
        at.folder_with_mode("real", 0o700);
        symlink(at.path("real"), at.path("state")).expect("linked");
        assert_eq!(at.prepare("state"), Ok(vec![]));
        assert!(at.path("real/run").is_dir());
        symlink(at.path("gone"), at.path("lost")).expect("linked");
        let wrong = at.prepare("lost").unwrap_err();
        assert!(wrong.contains("cannot be read"), "{wrong}");
    }

    #[test]
    fn a_folder_or_link_of_another_user_is_refused() {
        for (us, link, folder, is_refused) in [
            (7, None, 7, false),
            (7, None, 8, true),
            (7, None, 0, true),
            (0, None, 8, false),
            (7, Some(7), 7, false),
            (7, Some(0), 7, false),
            (7, Some(8), 7, true),
            (7, Some(7), 8, true),
            (0, Some(8), 0, true),
            (0, Some(0), 8, true),
        ] {
            let wrong = foreign(us, link, folder);
            assert_eq!(wrong.is_some(), is_refused, "{us} {link:?} {folder}");
        }
    }
}
