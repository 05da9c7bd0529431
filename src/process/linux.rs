//! What `/proc` says.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
    time::{ClockId, clock_gettime},
};

use super::Process;

pub fn of(pid: u32) -> Option<Process> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Whether this is a process of which we may know nothing but that it is there:
/// `/proc` hides it, by `ProtectProc=` of a service or `hidepid=` of the machine.
pub fn is_hidden(pid: u32) -> bool {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
    id.is_some_and(|id| {
        !Path::new(&format!("/proc/{pid}")).exists() && test_kill_process(id) != Err(Errno::SRCH)
    })
}

/// When the machine was started.
pub fn booted() -> Option<SystemTime> {
    let up = Duration::try_from(clock_gettime(ClockId::Boottime)).ok()?;
    SystemTime::now().checked_sub(up)
}

/// Whether a pid of this domain (a machine and its process namespace) is one of ours.
pub fn is_of_this_machine(domain: &str) -> bool {
    let own = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let own: String = own
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    !own.is_empty() && domain.contains(&own)
}

/// The name may hold anything, so what follows is counted from its last
/// parenthesis. One that has ended and was not waited for yet does not live.
fn parse(stat: &str) -> Option<Process> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (pid, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    if ["Z", "X"].contains(fields.first()?) {
        return None;
    }
    Some(Process {
        pid: pid.trim().parse().ok()?,
        name: name.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        tty: fields.get(4)?.parse().ok().and_then(tty),
        started: (*fields.get(19)?).to_owned(),
    })
}

/// The terminal of a device number: a pseudo-terminal or a console.
fn tty(device: i32) -> Option<String> {
    let device = device.cast_unsigned();
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
    match major {
        136..=143 => Some(format!("/dev/pts/{}", (major - 136) * 256 + minor)),
        4 if minor < 64 => Some(format!("/dev/tty{minor}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "42 (a) b (c) S 7 42 42 34819 42 4194304 0 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";
        let process = parse(stat).unwrap();
        assert_eq!((process.pid, process.parent), (42, 7));
        assert_eq!(
            (process.name.as_str(), process.started.as_str()),
            ("a) b (c", "98765")
        );
        assert_eq!(process.tty.as_deref(), Some("/dev/pts/3"));
        assert!(parse(&stat.replace(" S ", " Z ")).is_none());
        assert!(tty(0).is_none() && tty(1025).as_deref() == Some("/dev/tty1"));
        assert_eq!(
            tty(0x8800 | 44 | (1 << 20)).as_deref(),
            Some("/dev/pts/300")
        );
    }

    #[test]
    fn a_domain_is_ours_by_its_process_namespace() {
        let own = fs::read_link("/proc/self/ns/pid").unwrap();
        let number: String = own
            .to_string_lossy()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        assert!(is_of_this_machine(&format!("box:{number}")));
        assert!(!is_of_this_machine("box:1234567890") && !is_of_this_machine(""));
    }
}
