//! A program that is run for an alert: bounded in time and in what it says, and without
//! what the watcher's environment holds of secrets.

use std::{io, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

use super::Fault;
use crate::process::Group;

pub const LIMIT: Duration = Duration::from_secs(10);
const MAX_SAID: u64 = 4096;

/// What only the watcher itself needs.
const OURS: [&str; 8] = [
    "DATABASE_URL",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];

/// What a program printed, and whether it succeeded.
#[derive(Debug)]
pub struct Ended {
    pub is_ok: bool,
    pub status: String,
    pub output: String,
    pub errors: String,
}

#[derive(Debug)]
pub enum NotRun {
    /// There is no such program.
    Missing,
    Fault(Fault),
}

/// Runs it to its end, with this on its standard input.
pub async fn run(program: &str, arguments: &[&str], input: &[u8]) -> Result<Ended, NotRun> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let is_ours = |name: &str| name.starts_with("HEADSPACE_") || OURS.contains(&name);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_ours) {
            command.env_remove(&name);
        }
    }
    // Where its time is up, or the watcher stops, what it started ends with it.
    let mut group = Group::spawn(&mut command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NotRun::Missing,
        _ => fault(format!("{program} cannot be run: {error}")),
    })?;
    match timeout(LIMIT, to_the_end(&mut group.child, input)).await {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(error)) => Err(fault(format!("{program}: {error}"))),
        Err(_) => {
            let seconds = LIMIT.as_secs();
            Err(fault(format!(
                "{program} timed out after {seconds} s and was killed"
            )))
        }
    }
}

async fn to_the_end(child: &mut Child, input: &[u8]) -> io::Result<Ended> {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let write = async {
        // A program may end, or close it, without reading all.
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(input).await;
        }
    };
    // What it leaves running may hold its output open: its end counts.
    let mut said = (Vec::new(), Vec::new());
    let status = {
        let read =
            async { tokio::join!(write, read(stdout, &mut said.0), read(stderr, &mut said.1)) };
        let mut read = std::pin::pin!(read);
        tokio::select! {
            status = child.wait() => {
                // What was printed before the end is there already.
                // What comes later than this is not waited for.
                let _ = timeout(Duration::from_millis(100), &mut read).await;
                status?
            }
            _ = &mut read => child.wait().await?,
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(Ended {
        is_ok: status.success(),
        status: status.to_string(),
        output: text(&said.0),
        errors: text(&said.1),
    })
}

/// Reads all, and keeps the beginning.
async fn read(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    if (&mut from).take(MAX_SAID).read_to_end(into).await.is_ok() {
        // The rest is read only so that the program does not block: an error ends it too.
        let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    }
}

fn fault(why: String) -> NotRun {
    NotRun::Fault(Fault(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_gets_its_input_and_is_heard() {
        let ended = run("sh", &["-c", "cat; echo wrong >&2; exit 3"], b"hello\n")
            .await
            .unwrap();
        assert!(!ended.is_ok);
        assert_eq!((&*ended.output, &*ended.errors), ("hello", "wrong"));
        assert!(ended.status.contains('3'), "{}", ended.status);
    }

    #[tokio::test]
    async fn a_program_that_reads_nothing_or_says_much_or_leaves_one_behind_is_no_matter() {
        let input = vec![b'x'; 1 << 20];
        assert!(run("true", &[], &input).await.unwrap().is_ok);
        let much = run("sh", &["-c", "yes | head -c 1000000"], b"")
            .await
            .unwrap();
        assert!(much.is_ok && much.output.len() <= MAX_SAID as usize);
        let left = run("sh", &["-c", "sleep 60 & echo done"], b"")
            .await
            .unwrap();
        assert!(left.is_ok && left.output == "done", "{left:?}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_missing() {
        let missing = run("/no/such/program", &[], b"").await;
        assert!(matches!(missing, Err(NotRun::Missing)));
    }
}
