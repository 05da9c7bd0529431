//! A question to a program that may be missing, hang or talk without end.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::fs::{Access, access};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

/// How long one manager may take; then its program is killed.
pub const LIMIT: Duration = Duration::from_secs(1);
/// More than this is not read. Real answers have less than 4 KiB.
const MOST: u64 = 64 * 1024;

/// What a program printed.
pub struct Output {
    /// None if it was killed.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a program of `PATH` to its end, or until it times out.
pub async fn run(mut command: Command) -> Result<Output, String> {
    let name = name_of(&command);
    command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    let Ok(output) = timeout(LIMIT, output_of(&mut child)).await else {
        // Fails only if it has ended meanwhile; dropping it reaps it.
        let _ = child.start_kill();
        return Err(format!("{name} does not answer"));
    };
    output.map_err(|error| format!("cannot read from {name}: {error}"))
}

/// The program's file, if there is one that we may run.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
}

async fn output_of(child: &mut Child) -> std::io::Result<Output> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::try_join!(read(out), read(err))?;
    Ok(Output {
        code: child.wait().await?.code(),
        out,
        err,
    })
}

/// Closing the pipe early stops a program that prints without end.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MOST).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn name_of(command: &Command) -> String {
    let program = Path::new(command.as_std().get_program());
    let name = program.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

impl Output {
    /// What went wrong, in the program's own first line.
    pub fn complaint(&self, program: &str) -> String {
        let line = self
            .err
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty());
        match line {
            Some(line) => format!("{program}: {line}"),
            None => format!("{program} gives no answer of use"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn output_and_exit_code_are_returned() {
        let output = run(shell("echo yes; echo no >&2; exit 3")).await.unwrap();
        assert_eq!((output.code, output.out.as_str()), (Some(3), "yes\n"));
        assert_eq!(output.complaint("systemctl"), "systemctl: no");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_within_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let script = format!("echo $$ >{}; exec sleep 600", pid_file.display());
        let began = Instant::now();
        let error = run(shell(&script)).await.err();
        assert_eq!(error.as_deref(), Some("sh does not answer"));
        assert!(began.elapsed() < LIMIT * 5, "{:?}", began.elapsed());
        let pid: i32 = std::fs::read_to_string(pid_file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        while rustix::process::test_kill_process(pid).is_ok() {
            assert!(began.elapsed() < LIMIT * 30, "it lives on");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn output_without_end_is_cut_short() {
        let output = run(shell("exec yes")).await.unwrap();
        assert_eq!(output.out.len() as u64, MOST);
    }

    #[test]
    fn a_program_is_found_on_the_path_or_not_at_all() {
        assert!(find("sh").is_some());
        assert_eq!(find("headspace-is-no-such-program"), None);
    }
}
