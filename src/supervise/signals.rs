//! Signals: the first starts the shutdown, the second exits at once, and so does
//! the timeout in between.
//!
//! They are received on a thread of their own: whatever the process is busy with,
//! the process exits within its budget.

use std::{io, thread, time::Duration};

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::SignalsInfo;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What the process is asked to do.
pub struct Signals {
    /// Stop: take nothing new, finish what is in hand.
    pub stop: CancellationToken,
    /// Read the settings again.
    pub reload: mpsc::Receiver<()>,
}

impl Signals {
    /// Listens from now on. A second request to stop ends the process at once,
    /// and so does the end of `budget` after the first: what is not committed
    /// by then stays in its file for the next start.
    pub fn listen(budget: Duration) -> io::Result<Signals> {
        let stop = CancellationToken::new();
        let (wants_reload, reload) = mpsc::channel(1);
        let asked = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let signals = {
            let _inside = runtime.enter();
            signal_hook_tokio::Signals::new([SIGTERM, SIGINT, SIGHUP])?
        };
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || runtime.block_on(receive(signals, asked, wants_reload, budget)))?;
        Ok(Signals { stop, reload })
    }
}

async fn receive(
    mut signals: SignalsInfo,
    stop: CancellationToken,
    wants_reload: mpsc::Sender<()>,
    budget: Duration,
) {
    while let Some(signal) = signals.next().await {
        if signal == SIGHUP {
            // One request is enough: a full channel has it already.
            let _ = wants_reload.try_send(());
        } else if stop.is_cancelled() {
            std::process::exit(128 + signal);
        } else {
            stop.cancel();
            tokio::spawn(exit_after(budget));
        }
    }
}

async fn exit_after(budget: Duration) {
    tokio::time::sleep(budget).await;
    tracing::warn!("shutdown timed out; exiting now: what is not committed stays in its file");
    std::process::exit(0);
}

/// Asks the kernel to end `command` when this process does, however it ends.
#[cfg(target_os = "linux")]
pub fn die_with_parent(command: &mut tokio::process::Command) {
    // SAFETY: between fork and exec this makes one system call and touches no memory.
    unsafe {
        command.pre_exec(|| {
            let signal = Some(rustix::process::Signal::TERM);
            rustix::process::set_parent_process_death_signal(signal).map_err(io::Error::from)
        });
    }
}

/// Only Linux can; elsewhere a killed parent leaves the child to its own supervisor.
#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_command: &mut tokio::process::Command) {}
