//! The configuration file, read with suspicion.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use figment::value::{Dict, Value};
use rustix::fs::OFlags;

use super::Problem;
use super::places::Candidate;

/// Far more than any settings file needs; a wrong path to a huge file stops here.
const MAX_BYTES: u64 = 1 << 20;

/// The file's top-level map, or nothing when there is no file and none was named.
pub(super) fn read(candidate: &Candidate) -> Result<Option<Dict>, Problem> {
    let origin = candidate.path.display().to_string();
    let wrong = |message: String| Problem::new(&origin, "", message);
    let file = match open(candidate) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match candidate.asked_by {
                None => Ok(None),
                Some(by) => Err(wrong(format!("no such file (named by {by})"))),
            };
        }
        Err(error) => return Err(wrong(format!("cannot be read: {error}"))),
    };
    let text = text_of(file).map_err(wrong)?;
    parse(&text).map(Some).map_err(wrong)
}

/// Without NONBLOCK, a named pipe in the file's place would hang the start.
fn open(candidate: &Candidate) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(&candidate.path)
}

fn text_of(file: File) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is not a regular file".into());
    }
    if metadata.mode() & 0o002 != 0 {
        return Err("any user may write to it, so it is not trusted; run chmod o-w on it".into());
    }
    if metadata.len() > MAX_BYTES {
        return Err(format!("is larger than {MAX_BYTES} bytes"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("is not UTF-8 text (byte {at})")
    })
}

pub(super) fn parse(text: &str) -> Result<Dict, String> {
    let options = serde_saphyr::options! {
        // `mode: off` is a word, not a boolean.
        strict_booleans: true,
        // A snippet would repeat the line, and the line may hold a password.
        with_snippet: false,
        reject_unsupported_tags: true,
    };
    match serde_saphyr::from_str_with_options::<Value>(text, options) {
        Ok(Value::Dict(_, sections)) => Ok(sections),
        Ok(Value::Empty(..)) => Ok(Dict::new()),
        Ok(_) => Err("expected sections such as `web:` at the top".into()),
        Err(error) => Err(format!("is not valid YAML: {}", for_people(&error))),
    }
}

/// The parser adds advice for programmers after a semicolon; where it stands comes last.
fn for_people(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    match (text.split_once("; use "), text.rsplit_once(" at line ")) {
        (Some((what, _)), Some((_, place))) => format!("{what} at line {place}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn read_path(path: &Path) -> Result<Option<Dict>, String> {
        let candidate = Candidate {
            path: path.to_path_buf(),
            asked_by: Some("--config"),
        };
        read(&candidate).map_err(|problem| problem.message)
    }

    #[test]
    fn an_empty_file_is_no_settings_and_a_wrong_one_names_its_line_and_quotes_nothing() {
        for text in ["", "# only a comment\n"] {
            assert!(parse(text).expect(text).is_empty());
        }
        for (text, parts) in [
            (
                "web:\n  listen: [\"a\"\ndatabase:\n  url: secret\n",
                ["line ", ""],
            ),
            ("web: {}\nweb: {}\n", ["duplicate", "line 2"]),
            (
                "web: {}\n---\nsse: {}\n",
                ["multiple YAML documents", "at line 3"],
            ),
            ("- a\n", ["expected sections", ""]),
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(parts.iter().all(|part| wrong.contains(part)), "{wrong}");
            let is_one_line = !wrong.contains('\n') && !wrong.contains("; use ");
            assert!(is_one_line && !wrong.contains("secret"), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_any_user_may_write_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "web: {}\n").expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o646)).expect("mode");
        assert!(read_path(&path).unwrap_err().contains("any user may write"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o664)).expect("mode");
        assert!(read_path(&path).expect("trusted").is_some());
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(
            read_path(folder.path()).unwrap_err(),
            "is not a regular file"
        );
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).expect("pipe");
        assert_eq!(read_path(&pipe).unwrap_err(), "is not a regular file");
    }

    #[test]
    fn a_missing_file_matters_only_when_it_was_asked_for() {
        let path = Path::new("/nonexistent/config.yaml").to_path_buf();
        assert!(read_path(&path).unwrap_err().contains("--config"));
        let candidate = Candidate {
            path,
            asked_by: None,
        };
        assert_eq!(read(&candidate), Ok(None));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, b"web:\xff\n").expect("written");
        assert_eq!(read_path(&path).unwrap_err(), "is not UTF-8 text (byte 4)");
    }
}
