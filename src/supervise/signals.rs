//! Signals: the first asks, the second insists.

use std::io;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
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
    /// Listens from now on. A second request to stop ends the process at once.
    pub fn listen() -> io::Result<Signals> {
        let mut signals = signal_hook_tokio::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let stop = CancellationToken::new();
        let (wants_reload, reload) = mpsc::channel(1);
        let asked = stop.clone();
        tokio::spawn(async move {
            while let Some(signal) = signals.next().await {
                match signal {
                    // One request is enough: a full channel has it already.
                    SIGHUP => drop(wants_reload.try_send(())),
                    signal if asked.is_cancelled() => std::process::exit(128 + signal),
                    _ => asked.cancel(),
                }
            }
        });
        Ok(Signals { stop, reload })
    }
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
