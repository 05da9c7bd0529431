//! The testbed is a real systemd, and leaves nothing behind.

use std::fs;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::{
    headspace::eventually,
    testbed::{Testbed, WATCHER},
};

#[test]
fn process_one_is_systemd_and_it_is_alone() {
    let testbed = Testbed::boot();
    assert_eq!(testbed.sh("cat /proc/1/comm"), "systemd");
    assert_eq!(testbed.systemctl(&["is-system-running"]), "running");
    // Nothing that this machine has enabled was started.
    assert_eq!(testbed.property(WATCHER, "ActiveState"), "inactive");
    let interfaces = testbed.sh("ls /sys/class/net");
    assert_eq!(interfaces.split_whitespace().collect::<Vec<_>>(), ["lo"]);
}

#[test]
fn nothing_is_left_when_it_is_gone() {
    let testbed = Testbed::boot();
    let (init, script) = testbed.pids();
    assert!(groups_of(script), "it has cgroups");
    drop(testbed);
    assert!(test_kill_process(init).is_err(), "its first process lives");
    assert!(!groups_of(script), "its cgroups are there");
}

#[test]
fn its_processes_die_with_the_script_even_if_that_is_killed() {
    let testbed = Testbed::boot();
    let (init, script) = testbed.pids();
    kill_process(script, Signal::KILL).expect("the script runs");
    eventually("its first process ends", || {
        fs::read_to_string(format!("/proc/{}/stat", init.as_raw_nonzero())).is_err()
    });
    // Its empty groups stay until the next one sweeps them away.
    drop(testbed);
    drop(Testbed::boot());
    assert!(!groups_of(script), "its cgroups are there");
}

fn groups_of(script: Pid) -> bool {
    let name = format!("headspace-testbed.*.{}", script.as_raw_nonzero());
    let all = std::process::Command::new("find")
        .args(["/sys/fs/cgroup", "-name", &name])
        .output();
    !all.expect("find runs").stdout.is_empty()
}
