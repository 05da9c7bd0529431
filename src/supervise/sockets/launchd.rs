//! launchd hands its sockets over once, to the process it started, by name.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr, slice,
};

use rustix::io::Errno;

use super::{Passed, SocketError};

unsafe extern "C" {
    fn launch_activate_socket(
        name: *const c_char,
        fds: *mut *mut c_int,
        count: *mut usize,
    ) -> c_int;
    fn free(memory: *mut c_void);
}

/// The sockets of this name; none outside launchd, or when the agent has none.
pub fn take(name: &str) -> Result<Vec<Passed>, SocketError> {
    let sockets = match activate(name) {
        Ok(sockets) => sockets,
        Err(error) if [Errno::NOENT, Errno::SRCH].contains(&error) => Vec::new(),
        Err(error) => {
            let error = io::Error::from(error);
            return Err(SocketError(vec![format!(
                "launchd does not hand over the sockets {name:?}: {error}"
            )]));
        }
    };
    let passed = sockets.into_iter().map(|socket| Passed {
        number: socket.as_raw_fd(),
        name: Some(name.into()),
        file: Some(socket),
    });
    Ok(passed.collect())
}

fn activate(name: &str) -> Result<Vec<OwnedFd>, Errno> {
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    let (mut fds, mut count) = (ptr::null_mut(), 0);
    // SAFETY: the name ends with NUL, and both places outlive the call.
    let error = unsafe { launch_activate_socket(name.as_ptr(), &mut fds, &mut count) };
    if error != 0 {
        return Err(Errno::from_raw_os_error(error));
    }
    if fds.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: launchd allocated `count` descriptors there, which are ours now, as
    // is the memory.
    unsafe {
        let sockets = slice::from_raw_parts(fds, count);
        let sockets = sockets.iter().map(|fd| OwnedFd::from_raw_fd(*fd)).collect();
        free(fds.cast());
        Ok(sockets)
    }
}
