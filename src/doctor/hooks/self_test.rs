//! A hook through the whole door: the installed command, the spool, the watcher, the log.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    process::Command,
    time::{sleep, timeout},
};

use super::{super::finding::Finding, CHECK, reader};
use crate::{
    config::Settings,
    process::Group,
    spool::SELF_TEST,
    store::read::{ReadError, Reader},
};

/// More than a busy watcher takes, and more than a hook.
const LIMIT: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(1);

/// Calls one of our hooks as the CLI does, and waits for it in the log.
pub async fn run(settings: &Settings, command: &str) -> Finding {
    let Some(reader) = reader(settings) else {
        return Finding::unchecked(CHECK, "the database cannot be asked");
    };
    let began = Instant::now();
    let limit = LIMIT.as_secs();
    match through(&reader, command).await {
        Ok(()) => {
            let millis = began.elapsed().as_millis();
            Finding::ok(
                CHECK,
                format!("a test of them is in the log after {millis} ms"),
            )
        }
        Err(SelfTestError::Hangs) => {
            let found = format!(
                "a test of them timed out: after {limit} s this command had not ended: {command}"
            );
            let fix = "run that command by hand, as `sh -c`; the CLI waits for it as well";
            Finding::failed(CHECK, found, fix)
        }
        Err(SelfTestError::Late) => {
            let found =
                format!("a test of them is not in the log after {limit} s; they call: {command}");
            let fix = "headspace hooks install, if the state folder there is another one; \
                       else the watcher's log says what holds it up";
            Finding::failed(CHECK, found, fix)
        }
        Err(error) => {
            let fix = "run that command by hand, as `sh -c`";
            Finding::failed(CHECK, format!("a test of them failed: {error}"), fix)
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum SelfTestError {
    #[error("the command does not end")]
    Hangs,
    #[error("it does not come through")]
    Late,
    #[error("{0}")]
    Call(#[from] std::io::Error),
    #[error("{0}")]
    Read(#[from] ReadError),
}

async fn through(reader: &Reader, command: &str) -> Result<(), SelfTestError> {
    let late = |_| SelfTestError::Late;
    let before = timeout(LIMIT, received(reader)).await.map_err(late)??;
    let called = timeout(LIMIT, call(command)).await;
    called.map_err(|_| SelfTestError::Hangs)??;
    timeout(LIMIT, arrived(reader, before))
        .await
        .map_err(late)?
}

/// Asked for, not waited for: doctor needs no web process that would wake it.
async fn arrived(reader: &Reader, before: i64) -> Result<(), SelfTestError> {
    while received(reader).await? <= before {
        sleep(POLL).await;
    }
    Ok(())
}

async fn received(reader: &Reader) -> Result<i64, ReadError> {
    let rows = reader.hooks().await?;
    let row = rows.iter().find(|row| row.hook_type == SELF_TEST);
    Ok(row.map_or(0, |row| row.count))
}

/// Calls it as the CLI does, and waits for its end: the hook itself ends within a second,
/// whatever hangs; what else is in the command may not.
async fn call(command: &str) -> std::io::Result<()> {
    // The same hook twice would be one.
    let at = jiff::Timestamp::now().as_nanosecond();
    let hook = serde_json::json!({
        "hook_event_name": SELF_TEST, "session_id": SELF_TEST, "cwd": "/", "at": at.to_string(),
    });
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut group = Group::spawn(&mut shell)?;
    if let Some(mut stdin) = group.child.stdin.take() {
        stdin.write_all(hook.to_string().as_bytes()).await?;
    }
    group.child.wait().await.map(drop)
}
