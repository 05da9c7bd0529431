//! Removed is what was installed, and nothing else.

use super::*;
use crate::install::{
    systemd,
    uninstall::{Data, Removal},
};

fn removal(machine: &Machine, facts: &InstallFacts, data: Data) -> Vec<InstallStep> {
    let removal = Removal {
        target: facts.target.clone(),
        manifest: machine.manifest.clone().unwrap(),
        states: running(),
    };
    removal.plan(data, &|path| machine.inspect(path))
}

/// Removes it, and returns what is printed.
fn uninstall(machine: &mut Machine, facts: &InstallFacts, data: Data) -> Vec<String> {
    let steps = removal(machine, facts, data);
    machine.execute(&steps);
    lines(&steps)
}

#[test]
fn everything_goes_and_the_data_stays() {
    for manager in [Manager::User, Manager::System] {
        let facts = facts(manager);
        let mut machine = Machine::installed(&facts);
        let state = &facts.settings.places.state;
        machine.folders.insert(state.clone());
        let printed = uninstall(&mut machine, &facts, Data::Keep);
        assert_eq!(machine.files.len(), 0, "{:?}", machine.files.keys());
        assert!(machine.manifest.is_none());
        let left: Vec<_> = machine.folders.iter().collect();
        assert_eq!(left, [Path::new("/"), state]);
        assert!(printed.contains(&format!("keep {} as it is", state.display())));
        let services = "disable --now headspace.service headspace-watcher.service headspace.socket";
        assert!(printed[0].ends_with(services), "{printed:?}");
    }
}

#[test]
fn data_goes_only_on_request_and_only_from_a_folder_of_ours() {
    let printed = |facts: &InstallFacts| {
        let mut machine = Machine::installed(facts);
        let state = facts.settings.places.state.clone();
        machine.folders.insert(state);
        uninstall(&mut machine, facts, Data::Remove).join("\n")
    };
    let usual = printed(&facts(Manager::System));
    let removed = "remove /var/lib/headspace and everything in it";
    assert!(usual.contains(removed), "{usual}");
    let mut chosen = facts(Manager::User);
    chosen.settings.places.state = "/home/ada/papers".into();
    chosen.settings.places.run = "/home/ada/papers/run".into();
    let chosen = printed(&chosen);
    assert!(!chosen.contains("everything in it"), "{chosen}");
    let kept = "/home/ada/papers is a folder of your choice, so it stays";
    assert!(chosen.contains(kept), "{chosen}");
}

#[test]
fn what_was_changed_stays_and_is_named() {
    let facts = facts(Manager::System);
    let mut machine = Machine::installed(&facts);
    machine.change(systemd::TMPFILES, "d /run/headspace 0700 bob\n");
    let printed = uninstall(&mut machine, &facts, Data::Keep).join("\n");
    let left = "leave /etc/tmpfiles.d/headspace.conf: it was changed since it was installed";
    assert!(printed.contains(left), "{printed}");
    assert_eq!(machine.files.len(), 1);
}

#[test]
fn an_installation_that_stopped_anywhere_can_be_removed() {
    let facts = facts(Manager::System);
    let whole = Machine::default().plan(&facts).unwrap();
    assert!(matches!(&whole[0], InstallStep::Write(file) if file.path.ends_with(NAME)));
    for stop in 1..=whole.len() {
        let mut machine = Machine::default();
        machine.execute(&whole[..stop]);
        uninstall(&mut machine, &facts, Data::Keep);
        let left: Vec<_> = machine.files.keys().collect();
        assert!(left.is_empty(), "after {stop} steps: {left:?}");
    }
}
