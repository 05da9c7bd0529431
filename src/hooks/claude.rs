//! The CLI's program: where it is, and its version.

use std::{
    ffi::OsStr,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Access, access},
};

use super::Version;

const NAME: &str = "claude";
/// A program that does not answer by then has no version that we know.
const LIMIT: Duration = Duration::from_secs(2);

/// The first one in these folders, a list as in `PATH`.
pub fn find(path: &OsStr) -> Option<PathBuf> {
    let programs = std::env::split_paths(path).map(|folder| folder.join(NAME));
    let is_program = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    programs.into_iter().find(is_program)
}

/// What the program says its version is.
pub fn version_of(program: &Path) -> Option<Version> {
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let said = child.stdout.take().and_then(line);
    // It has said what it had to say; if it still runs, it hangs.
    let _ = child.kill();
    let _ = child.wait();
    Version::parse(&said?)
}

/// Its first line, if that comes in time.
fn line(mut output: impl Read + std::os::fd::AsFd) -> Option<String> {
    let deadline = Instant::now() + LIMIT;
    let mut said = Vec::new();
    let mut buffer = [0; 256];
    while !said.contains(&b'\n') && said.len() < 4096 {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok()?;
        let mut fds = [PollFd::new(&output, PollFlags::IN)];
        if poll(&mut fds, Some(&left)).ok()? == 0 {
            return None;
        }
        match output.read(&mut buffer).ok()? {
            0 => break,
            read => said.extend_from_slice(&buffer[..read]),
        }
    }
    Some(String::from_utf8_lossy(&said).into_owned())
}
