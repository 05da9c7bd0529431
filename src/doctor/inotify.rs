//! The kernel's limits on notices about files. Without them the watcher still
//! looks, once a reconcile interval, and is late.

use std::{fs, path::Path, time::Instant};

use super::finding::Finding;

const CHECK: &str = "inotify";
/// Where the limits are raised for good.
const FILE: &str = "/etc/sysctl.d/90-headspace.conf";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub watches: u64,
    pub instances: u64,
}

/// What processes of this user hold already, as far as it can be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub watches: u64,
    pub instances: u64,
}

pub fn limits() -> Option<Limits> {
    let read = |name: &str| {
        let path = Path::new("/proc/sys/fs/inotify").join(name);
        fs::read_to_string(path).ok()?.trim().parse().ok()
    };
    Some(Limits {
        watches: read("max_user_watches")?,
        instances: read("max_user_instances")?,
    })
}

/// Counts what other processes than `watcher` hold, until `end`.
pub fn used(us: u32, watcher: Option<i64>, end: Instant) -> Used {
    use std::os::unix::fs::MetadataExt;
    let mut used = Used::default();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i64>().ok());
        let is_ours = process.metadata().is_ok_and(|process| process.uid() == us);
        if pid.is_none() || pid == watcher || !is_ours {
            continue;
        }
        if Instant::now() > end {
            break;
        }
        for fd in fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let is_one =
                fs::read_link(fd.path()).is_ok_and(|to| to == Path::new("anon_inode:inotify"));
            if is_one {
                let info = process.path().join("fdinfo").join(fd.file_name());
                // Gone since it was listed: then it takes no watches any more.
                let info = fs::read_to_string(info).unwrap_or_default();
                used.instances += 1;
                used.watches += info
                    .lines()
                    .filter(|line| line.starts_with("inotify "))
                    .count() as u64;
            }
        }
    }
    used
}

/// `folders` is how many have to be watched.
pub fn judge(limits: Option<Limits>, used: Used, folders: usize) -> Vec<Finding> {
    let Some(limits) = limits else {
        let why = "the limits of inotify are not to be seen on this system";
        return vec![Finding::unchecked(CHECK, why)];
    };
    let needed = folders as u64;
    let wanted = used.watches + needed;
    let mut findings = Vec::new();
    if wanted > limits.watches {
        let found = format!(
            "{needed} folders need a watch, and {} of {} are taken by other programs",
            used.watches, limits.watches
        );
        findings.push(Finding::warning(
            CHECK,
            found,
            raise("max_user_watches", wanted * 2),
        ));
    }
    if used.instances >= limits.instances {
        let found = format!(
            "all {} inotify instances are taken by other programs",
            limits.instances
        );
        findings.push(Finding::warning(
            CHECK,
            found,
            raise("max_user_instances", limits.instances * 2),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            format!(
                "{needed} watches needed, {} of {} in use by other programs; {} of {} instances",
                used.watches, limits.watches, used.instances, limits.instances
            ),
        ));
    }
    findings
}

fn raise(name: &str, to: u64) -> String {
    let to = to.next_power_of_two();
    format!("echo fs.inotify.{name}={to} | sudo tee -a {FILE} && sudo sysctl -p {FILE}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Note, Ok, Warning};

    #[test]
    fn the_limits_are_judged_with_what_is_taken() {
        let limits = Some(Limits {
            watches: 1000,
            instances: 128,
        });
        for (watches, instances, folders, states, fix) in [
            (0, 1, 1000, &[Ok][..], ""),
            (1, 1, 1000, &[Warning], "max_user_watches=2048 "),
            (900, 127, 100, &[Ok], ""),
            (0, 128, 1, &[Warning], "max_user_instances=256 "),
            (1000, 128, 1, &[Warning, Warning], "max_user_watches=2048 "),
        ] {
            let found = judge(limits, Used { watches, instances }, folders);
            assert_eq!(
                found.iter().map(|one| one.state).collect::<Vec<_>>(),
                states
            );
            assert!(
                found[0].fix.as_deref().unwrap_or("").contains(fix),
                "{found:?}"
            );
        }
        assert_eq!(judge(None, Used::default(), 1)[0].state, Note);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn watches_of_this_very_process_are_counted() {
        use notify::{RecursiveMode, Watcher};
        let dir = tempfile::tempdir().unwrap();
        let us = rustix::process::geteuid().as_raw();
        let end = Instant::now() + std::time::Duration::from_secs(60);
        let mut watcher = notify::recommended_watcher(|_| {}).unwrap();
        watcher
            .watch(dir.path(), RecursiveMode::NonRecursive)
            .unwrap();
        let seen = used(us, None, end);
        assert!(seen.watches > 0 && seen.instances > 0);
        assert!(limits().is_some_and(|limits| limits.watches > 0));
    }
}
