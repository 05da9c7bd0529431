//! What the kernel's own calls say.

use std::{ffi::CStr, mem::MaybeUninit, time::SystemTime};

use super::Process;

pub fn of(pid: u32) -> Option<Process> {
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let size = i32::try_from(size_of::<libc::proc_bsdinfo>()).ok()?;
    let pid = i32::try_from(pid).ok()?;
    // SAFETY: the buffer is as large as is said, and any bytes are a valid value.
    let info = unsafe {
        let flavor = libc::PROC_PIDTBSDINFO;
        if libc::proc_pidinfo(pid, flavor, 0, info.as_mut_ptr().cast(), size) != size {
            return None;
        }
        info.assume_init()
    };
    let name = info.pbi_comm.iter().take_while(|c| **c != 0);
    Some(Process {
        pid: info.pbi_pid,
        parent: info.pbi_ppid,
        name: name.map(|c| char::from(c.cast_unsigned())).collect(),
        started: format!("{}.{:06}", info.pbi_start_tvsec, info.pbi_start_tvusec),
        tty: tty(info.e_tdev),
    })
}

/// Nothing hides a process here.
pub fn is_hidden(_pid: u32) -> bool {
    false
}

/// Needed only for what is hidden.
pub fn booted() -> Option<SystemTime> {
    None
}

/// There are no process namespaces here.
pub fn is_of_this_machine(_domain: &str) -> bool {
    true
}

fn tty(device: u32) -> Option<String> {
    let device = libc::dev_t::try_from(device)
        .ok()
        .filter(|device| *device > 0)?;
    // SAFETY: the answer is nothing or a text that this thread's next call replaces.
    let name = unsafe {
        let name = libc::devname(device, libc::S_IFCHR);
        (!name.is_null()).then(|| CStr::from_ptr(name))?
    };
    Some(format!("/dev/{}", name.to_str().ok()?))
}
