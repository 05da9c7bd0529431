//! `headspace wait`: returns when a session is idle, or when it needs you.

use std::{process::ExitCode, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{agents, complete, news::News};
use crate::{
    config::{self, Settings},
    show::{self, Mark},
    store::read::{ReadError, Reader},
};

pub const EXAMPLES: &str = "Examples:
  headspace wait                                  until all are idle, or one needs you
  headspace wait 7 && notify-send 'it is done'
  headspace wait 'fix login' --for blocked --timeout 600

Exit codes: 0 idle or ended, 3 it needs you, 124 timed out.";

const BLOCKED: u8 = 3;
const TIMED_OUT: u8 = 124;
/// One that is idle for longer has finished.
const BETWEEN_TURNS: Duration = Duration::from_millis(300);

#[derive(clap::Args)]
pub struct WaitArgs {
    /// Which session: its id, the beginning of its uuid, or its title [default: all open ones]
    #[arg(value_name = "SESSION", add = complete::of_open())]
    session: Option<String>,
    /// What to wait for [default: what comes first]
    #[arg(long = "for", value_name = "STATE", value_enum)]
    wanted: Option<Wanted>,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Wanted {
    /// No turn is open, nothing runs in the background, and it needs nothing
    Idle,
    /// It needs you
    Blocked,
}

pub fn main(flags: &config::Flags, args: &WaitArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    let runtime = super::runtime()?;
    let found = runtime.block_on(async {
        let reader = super::reader(&settings)?;
        wait(&settings, &reader, args).await
    });
    runtime.shutdown_background();
    Ok(match found? {
        Some(Wanted::Idle) => ExitCode::SUCCESS,
        Some(Wanted::Blocked) => BLOCKED.into(),
        None => TIMED_OUT.into(),
    })
}

/// What it came to; nothing if the time is over before.
async fn wait(
    settings: &Settings,
    reader: &Reader,
    args: &WaitArgs,
) -> anyhow::Result<Option<Wanted>> {
    let deadline = args
        .timeout
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut news = News::begin(settings);
    let of = match &args.session {
        Some(wanted) => Some(agents::find_root(reader, wanted).await?.session_uuid),
        None => None,
    };
    loop {
        let mut found = comes_to(&look(reader, of.as_deref()).await?);
        if found == Some(Wanted::Idle) {
            // Between two turns it is idle too, for some milliseconds.
            sleep_until(soonest(Instant::now() + BETWEEN_TURNS, deadline)).await;
            found = comes_to(&look(reader, of.as_deref()).await?);
        }
        if found.is_some() && args.wanted.is_none_or(|wanted| found == Some(wanted)) {
            return Ok(found);
        }
        match deadline {
            None => news.wait().await,
            Some(deadline) => match timeout_at(deadline, news.wait()).await {
                Ok(()) => {}
                Err(_) => return Ok(None),
            },
        }
    }
}

fn soonest(at: Instant, deadline: Option<Instant>) -> Instant {
    deadline.map_or(at, |deadline| at.min(deadline))
}

/// What the session shows as; without one, all open ones.
async fn look(reader: &Reader, session_uuid: Option<&str>) -> Result<Vec<Mark>, ReadError> {
    let Some(uuid) = session_uuid else {
        let agents = reader.open_agents().await?;
        return Ok(show::sessions(&agents)
            .iter()
            .map(|session| session.mark)
            .collect());
    };
    match reader.session(uuid).await? {
        None => Ok(Vec::new()),
        Some(agent) => {
            let below = agents::below(reader, &agent).await?;
            Ok(vec![show::session(&agent, &below).mark])
        }
    }
}

/// Blocked if one needs a person, idle if none is at work or has tasks in the background.
fn comes_to(marks: &[Mark]) -> Option<Wanted> {
    let works = |mark: &Mark| [Mark::Working, Mark::Background].contains(mark);
    match marks {
        _ if marks.contains(&Mark::NeedsYou) => Some(Wanted::Blocked),
        _ if marks.iter().any(works) => None,
        _ => Some(Wanted::Idle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pause_is_longer_than_the_time_that_is_left() {
        let now = Instant::now();
        let [soon, later] = [100, 900].map(|millis| now + Duration::from_millis(millis));
        assert_eq!(soonest(soon, Some(later)), soon);
        assert_eq!(soonest(later, Some(soon)), soon);
        assert_eq!(soonest(later, None), later);
    }
}
