//! Messages to the service manager (sd_notify). Without one every call does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// Settings are valid, the work has begun; also after a reload.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub fn status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

/// The settings are read again; [`ready`] says when that is over.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "cannot notify the service manager"),
    }
}

pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// The start takes longer, at most for `time` from now.
pub fn starting_for(time: Duration, status: &str) {
    let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    notify(&[
        NotifyState::ExtendTimeoutUsec(micros),
        NotifyState::Status(status),
    ]);
}

/// Called by the loop that does the work, and by nothing else.
pub fn watchdog_ping() {
    notify(&[NotifyState::Watchdog]);
}

/// How long the service manager waits for a ping before it takes us for hung.
pub fn watchdog_time() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|time| !time.is_zero())
}

/// Whether launchd started this process, which then has no other parent.
pub fn is_launchd() -> bool {
    cfg!(target_os = "macos") && std::os::unix::process::parent_id() == 1
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}
