//! The protocol of systemd, which others speak too: `LISTEN_FDS` descriptors
//! from 3 on, meant for the process `LISTEN_PID`, called as `LISTEN_FDNAMES`
//! says, with colons in between.

use std::{
    env,
    os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use listenfd::ListenFd;
use rustix::io::fcntl_getfd;

use super::{Passed, SocketError};

/// Far more than a service manager passes on.
const MOST: usize = 64;
/// The first descriptor after the standard ones.
const FIRST: RawFd = 3;

/// The descriptors meant for this process, and their variables out of the way.
///
/// # Safety
///
/// No other thread may run, and no other file may be open.
pub unsafe fn take() -> Result<Vec<Passed>, SocketError> {
    if let Some(count) = variable("LISTEN_FDS") {
        check_count(&count)?;
    }
    // Read first: what takes the descriptors knows nothing of names.
    let names = variable("LISTEN_FDNAMES");
    let mut sockets = ListenFd::from_env();
    // SAFETY: no other thread runs.
    unsafe { env::remove_var("LISTEN_FDNAMES") };
    let names = names_of(sockets.len(), names.as_deref())?;
    let numbers = (0..sockets.len()).filter_map(|index| sockets.take_raw_fd(index).ok()?);
    Ok(numbers
        .zip(names)
        .map(|(number, name)| Passed {
            number,
            name,
            // SAFETY: the parent of this process opened it for us, and nothing
            // here has opened anything since.
            file: unsafe { open(number) },
        })
        .collect())
}

/// An empty one counts as not set.
fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    Some(value.to_string_lossy().into_owned())
}

fn check_count(count: &str) -> Result<(), SocketError> {
    match count.parse::<usize>() {
        Ok(count) if count <= MOST => Ok(()),
        _ => Err(SocketError(vec![format!(
            "LISTEN_FDS: expected a number of descriptors up to {MOST}, got {count:?}; unset it or let the socket unit set it"
        )])),
    }
}

/// A name for each descriptor that has one.
fn names_of(count: usize, names: Option<&str>) -> Result<Vec<Option<String>>, SocketError> {
    let mut given: Vec<Option<String>> = names
        .filter(|_| count > 0)
        .map(|names| names.split(':').map(|name| Some(name.into())).collect())
        .unwrap_or_default();
    if given.len() > count {
        return Err(SocketError(vec![format!(
            "LISTEN_FDNAMES: {} names for {count} descriptors; let the socket unit set both",
            given.len()
        )]));
    }
    given.resize(count, None);
    Ok(given)
}

/// The file behind a number, if there is one and it is not a standard one.
///
/// # Safety
///
/// Nothing else may own it.
unsafe fn open(number: RawFd) -> Option<OwnedFd> {
    if number < FIRST {
        return None;
    }
    // SAFETY: it is only asked whether it is open.
    fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) }).ok()?;
    // SAFETY: it is open, and ours as the caller promises.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_descriptors() {
        let named = |count, names| {
            let names = names_of(count, names).map_err(|refused| refused.to_string())?;
            let names = names.into_iter().map(|name| name.unwrap_or("-".into()));
            Ok(names.collect::<Vec<_>>().join(" "))
        };
        for (count, names, expected) in [
            (0, None, ""),
            (0, Some("http"), ""),
            (1, None, "-"),
            (2, Some("http:other"), "http other"),
            (2, Some("http"), "http -"),
            (2, Some("http:"), "http "),
        ] {
            assert_eq!(named(count, names), Ok(expected.to_string()), "{names:?}");
        }
        let wrong: Result<String, String> = named(1, Some("http:http"));
        assert!(wrong.unwrap_err().contains("2 names for 1 descriptors"));
    }
}
