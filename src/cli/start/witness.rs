//! The process that stays until `claude` is gone, and says so.

use std::{fs::File, io, time::Duration};

use tokio::time::{sleep, timeout};

use super::register::Launch;
use crate::{hooks, process};

/// How often it is looked which session the CLI says it has, and for how long: a
/// user may take a while to choose one.
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(600);

/// Forks the witness of this process, which goes on to become `claude`. It is no child
/// of `claude`, which knows all of its own.
pub fn leave_behind(launch: &Launch) -> io::Result<()> {
    let own = process::of(std::process::id());
    let Some(own) = own else {
        return Err(io::Error::other("this process is hidden from itself"));
    };
    // SAFETY: this process has one thread, so the child has all of it and no lock is
    // held in it by a thread that is missing there.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: as above.
            let is_witness = step_aside().is_ok() && unsafe { libc::fork() } == 0;
            if is_witness {
                watch(launch, &own);
            }
            // SAFETY: ends the child at once; the parent's buffers are not flushed twice.
            unsafe { libc::_exit(0) }
        }
        child => {
            let child = rustix::process::Pid::from_raw(child);
            rustix::process::waitpid(child, rustix::process::WaitOptions::empty())?;
            Ok(())
        }
    }
}

/// Out of reach of the terminal's signals, and out of the way of what reads our output
/// or wants to unmount our folder.
fn step_aside() -> io::Result<()> {
    rustix::process::setsid()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    rustix::process::chdir("/")?;
    Ok(())
}

/// There is no one to tell of a failure: the registry and the hooks speak of the
/// session all the same.
fn watch(launch: &Launch, claude: &process::Process) {
    let Ok(runtime) = crate::cli::runtime() else {
        return;
    };
    let session = runtime.block_on(async {
        let ended = process::ended(claude.pid, Some(claude.started.clone()));
        let mut ended = std::pin::pin!(ended);
        let mut session = launch.session.clone();
        if session.is_none() {
            tokio::select! {
                () = &mut ended => return None,
                found = timeout(PATIENCE, find_session(launch, claude.pid)) => {
                    session = found.ok();
                }
            }
            let id = session.as_ref()?;
            let _ = launch.begin(id);
        }
        ended.await;
        session
    });
    if let Some(session) = session {
        let _ = launch.end(&session);
    }
}

/// An entry without a status may name a session that does not exist.
async fn find_session(launch: &Launch, pid: u32) -> String {
    loop {
        let running = launch.roots.iter().flat_map(|root| hooks::running(root));
        let mut known = running.filter(|one| one.pid == pid && one.has_status && !one.is_foreign);
        if let Some(one) = known.next() {
            return one.session;
        }
        // The registry's folder may not exist yet, so there is nothing to be woken by.
        sleep(LOOK).await;
    }
}
