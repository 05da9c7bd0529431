//! Waiting for the end of a process that is no child of ours.

/// Ends when the process does; at once if it is over, or is another one.
#[cfg(target_os = "linux")]
pub async fn ended(pid: u32, started: Option<String>) {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use tokio::io::{Interest, unix::AsyncFd};

    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    // Without one it is over; or the kernel has none to give, and nothing tells.
    let handle = match pidfd_open(id, PidfdFlags::NONBLOCK) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => return,
        Err(_) => return std::future::pending().await,
    };
    // The handle holds this process; only now is it known to be the right one. One
    // that is hidden lives as long as the handle says.
    if super::of(pid).is_some_and(|process| !process.began(started.as_deref())) {
        return;
    }
    // SAFETY: the handle is owned, and stays what it is until it is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) };
    match registered {
        Ok(handle) => drop(handle.readable().await),
        Err(_) => std::future::pending().await,
    }
}

/// Ends when the process does; at once if it is over, or is another one.
#[cfg(target_os = "macos")]
pub async fn ended(pid: u32, started: Option<String>) {
    if !super::lives(pid, started.as_deref()) {
        return;
    }
    // A thread of its own waits: the runtime has no filter for processes.
    let waited = tokio::task::spawn_blocking(move || wait(pid)).await;
    if !matches!(waited, Ok(Ok(()))) && super::lives(pid, started.as_deref()) {
        std::future::pending::<()>().await;
    }
}

#[cfg(target_os = "macos")]
fn wait(pid: u32) -> rustix::io::Result<()> {
    use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue};
    use rustix::process::Pid;

    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let queue = kqueue()?;
    let filter = EventFilter::Proc {
        pid: id,
        flags: ProcessEvents::EXIT,
    };
    let change = Event::new(
        filter,
        EventFlags::ADD | EventFlags::ONESHOT,
        std::ptr::null_mut(),
    );
    let mut events = Vec::with_capacity(1);
    // SAFETY: the filter names a process, no descriptor that could be closed.
    unsafe {
        kevent(
            &queue,
            &[change],
            rustix::buffer::spare_capacity(&mut events),
            None,
        )?
    };
    Ok(())
}
