//! A command that failed: what it says, and its exit code.

use crate::{config, supervise::CrashLimit, telemetry};

/// A service logs why it failed, also when it failed before its log was started;
/// any other command prints it.
pub fn report(error: &anyhow::Error, service: Option<&str>, flags: &config::Flags) {
    let is_logged = service.is_some_and(|identifier| {
        telemetry::is_set_up() || {
            let logging = config::load(flags).map_or_else(|error| error.logging, |ok| ok.logging);
            super::start_log(identifier, logging).is_ok()
        }
    });
    for line in lines(error) {
        match is_logged {
            true => tracing::error!("{line}"),
            false => eprintln!("headspace: {}", telemetry::visible(&line)),
        }
    }
}

/// What went wrong with its causes; of wrong settings, one line for each.
fn lines(error: &anyhow::Error) -> Vec<String> {
    let inner = error
        .downcast_ref()
        .map_or(error, |SetupError(inner)| inner);
    match inner.downcast_ref::<config::Error>() {
        Some(error) => error.problems.iter().map(ToString::to_string).collect(),
        None => format!("{inner:#}").lines().map(str::to_owned).collect(),
    }
}

/// What starting again does not change: settings, or surroundings, are wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct SetupError(pub anyhow::Error);

/// launchd has no code that means “do not restart” but 0: it restarts after
/// every other one, without a limit.
pub fn exit_code(error: &anyhow::Error, is_service: bool, is_launchd: bool) -> u8 {
    match () {
        () if error.is::<super::agents::Ambiguous>() => 2,
        () if error.is::<CrashLimit>() && is_launchd => 0,
        () if error.is::<CrashLimit>() => 75,
        () if !is_service || !error.is::<SetupError>() => 1,
        () if is_launchd => 0,
        () => 78,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_restart_cannot_change_is_not_restarted_on_systemd_nor_on_launchd() {
        let crashes = || CrashLimit { restarts: 5 }.into();
        let refused = || SetupError(anyhow::anyhow!("web.listen: wrong")).into();
        let failed = || anyhow::anyhow!("the port is taken");
        let table: [(anyhow::Error, bool, [u8; 2]); 5] = [
            (crashes(), true, [75, 0]),
            (refused(), true, [78, 0]),
            (refused(), false, [1, 1]),
            (failed(), true, [1, 1]),
            (failed(), false, [1, 1]),
        ];
        for (error, is_service, codes) in table {
            let exit = |is_launchd| exit_code(&error, is_service, is_launchd);
            assert_eq!([exit(false), exit(true)], codes, "{error}");
        }
    }
}
