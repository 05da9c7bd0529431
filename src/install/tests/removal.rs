//! Taken away is what was installed, and nothing else.

use super::*;
use crate::install::{
    database,
    remove::{Data, Removal},
    service_env, systemd,
};

fn removal(machine: &Machine, facts: &InstallFacts) -> Removal {
    Removal {
        manager: facts.manager,
        scope: facts.scope,
        account: facts.account.clone(),
        config_folder: facts.config_folder.clone(),
        manifest: machine.manifest.clone().unwrap(),
        states: running(),
    }
}

fn execute(machine: &mut Machine, facts: &InstallFacts) -> Vec<InstallStep> {
    let removal = removal(machine, facts);
    let mut steps = removal.services(&|path| machine.inspect(path));
    machine.execute(&steps);
    let rest = removal.rest(Data::Keep, &|path| machine.inspect(path));
    machine.execute(&rest);
    steps.extend(rest);
    steps
}

#[test]
fn everything_goes_and_the_data_stays() {
    for scope in [Scope::User, Scope::System] {
        let facts = facts(scope);
        let mut machine = Machine::default();
        machine.install(&facts);
        machine.folders.insert(facts.state.clone());
        let steps = execute(&mut machine, &facts);
        assert_eq!(machine.files.len(), 0, "{:?}", machine.files.keys());
        assert!(machine.manifest.is_none());
        let left: Vec<_> = machine.folders.iter().collect();
        assert_eq!(left, [&facts.state]);
        assert!(steps.contains(&InstallStep::Kept(facts.state.clone())));
        let stop = lines(&steps)[0].clone();
        let services = "disable --now headspace.service headspace-watcher.service headspace.socket";
        assert!(stop.ends_with(services), "{stop}");
    }
}

#[test]
fn data_goes_only_when_asked_and_only_from_a_folder_of_ours() {
    let data = |facts: &InstallFacts| {
        let mut machine = Machine::default();
        machine.install(facts);
        machine.folders.insert(facts.state.clone());
        let steps = removal(&machine, facts).rest(Data::Remove, &|path| machine.inspect(path));
        lines(&steps).join("\n")
    };
    let usual = data(&facts(Scope::System));
    assert!(
        usual.contains("remove /var/lib/headspace and everything in it"),
        "{usual}"
    );
    let mut chosen = facts(Scope::User);
    chosen.state = "/home/ada/papers".into();
    chosen.run = "/home/ada/papers/run".into();
    let message = data(&chosen);
    assert!(!message.contains("everything in it"), "{message}");
    assert!(
        message.contains("/home/ada/papers was chosen by you"),
        "{message}"
    );
}

#[test]
fn a_database_that_was_made_stays_and_how_it_goes_is_said() {
    let refused = |facts: &InstallFacts, data| {
        let mut machine = Machine::default();
        machine.install(facts);
        let steps = removal(&machine, facts).rest(data, &|path| machine.inspect(path));
        lines(&steps).join("\n")
    };
    let mut made = facts(Scope::System);
    let url = database::url("ada", database::OWNER);
    made.environment.insert(service_env::URL.into(), url);
    for data in [Data::Keep, Data::Remove] {
        let message = refused(&made, data);
        assert!(message.contains("database headspace stays"), "{message}");
        assert!(
            message.contains("sudo -u postgres dropdb headspace"),
            "{message}"
        );
    }
    let other = refused(&facts(Scope::System), Data::Keep);
    assert!(!other.contains("dropdb"), "{other}");
}

#[test]
fn what_was_changed_stays_and_is_named() {
    let facts = facts(Scope::System);
    let mut machine = Machine::default();
    machine.install(&facts);
    machine.change(systemd::TMPFILES, "d /run/headspace 0700 bob\n");
    let steps = execute(&mut machine, &facts);
    assert!(steps.contains(&InstallStep::Changed(systemd::TMPFILES.into())));
    assert_eq!(machine.files.len(), 1);
}

#[test]
fn an_installation_that_stopped_anywhere_can_be_taken_away() {
    let facts = facts(Scope::System);
    let whole = Machine::default().plan(&facts).unwrap();
    let recorded = whole
        .iter()
        .position(|step| matches!(step, InstallStep::Record(..)))
        .unwrap();
    for stop in recorded + 1..=whole.len() {
        let mut machine = Machine::default();
        machine.execute(&whole[..stop]);
        execute(&mut machine, &facts);
        assert_eq!(
            machine.files.len(),
            0,
            "after {stop} steps: {:?}",
            machine.files.keys()
        );
    }
}
