//! A hook through the whole door: the installed command, the spool, the watcher, the log.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{super::finding::Finding, CHECK, reader};
use crate::{
    config::Settings,
    spool::SELF_TEST,
    store::read::{ReadError, Reader},
};

/// More than a busy watcher takes.
const LIMIT: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(1);

/// Calls one of our hooks as the CLI does, and waits for it in the log.
pub async fn run(settings: &Settings, command: &str) -> Finding {
    let Some(reader) = reader(settings) else {
        return Finding::unchecked(CHECK, "the database cannot be asked");
    };
    let began = Instant::now();
    match timeout(LIMIT, through(&reader, command)).await {
        Ok(Ok(())) => {
            let millis = began.elapsed().as_millis();
            Finding::ok(
                CHECK,
                format!("a test of them is in the log after {millis} ms"),
            )
        }
        Ok(Err(error)) => {
            let fix = "run that command by hand, as `sh -c`";
            Finding::failed(CHECK, format!("a test of them failed: {error}"), fix)
        }
        Err(_) => {
            let found = format!(
                "a test of them is not in the log after {} s; they call: {command}",
                LIMIT.as_secs()
            );
            let fix = "headspace hooks install, if the state folder there is another one; \
                       else the watcher's log says what holds it up";
            Finding::failed(CHECK, found, fix)
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum SelfTestError {
    #[error("{0}")]
    Call(#[from] std::io::Error),
    #[error("{0}")]
    Read(#[from] ReadError),
}

async fn through(reader: &Reader, command: &str) -> Result<(), SelfTestError> {
    let before = received(reader).await?;
    call(command)?;
    while received(reader).await? <= before {
        // Asked for, not waited for: doctor needs no web process that would wake it.
        sleep(POLL).await;
    }
    Ok(())
}

async fn received(reader: &Reader) -> Result<i64, ReadError> {
    let rows = reader.hooks().await?;
    let row = rows.iter().find(|row| row.hook_type == SELF_TEST);
    Ok(row.map_or(0, |row| row.count))
}

/// The hook itself ends within a second, whatever hangs.
fn call(command: &str) -> std::io::Result<()> {
    // The same hook twice would be one.
    let at = jiff::Timestamp::now().as_nanosecond();
    let hook = serde_json::json!({
        "hook_event_name": SELF_TEST, "session_id": SELF_TEST, "cwd": "/", "at": at.to_string(),
    });
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(hook.to_string().as_bytes())?;
    }
    child.wait().map(drop)
}
