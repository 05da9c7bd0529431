//! Wrong settings fail at once and are never tried again.

use crate::support::{
    headspace::eventually,
    testbed::{Testbed, WATCHER, WEB, is_ours, priority},
};

const CONFIG: &str = "/etc/headspace/config.yaml";

#[test]
fn wrong_settings_stop_a_service_at_its_first_start() {
    let testbed = Testbed::installed();
    testbed.write(CONFIG, "watch: {max_line_byte: 5000}\n");
    for unit in [WATCHER, WEB] {
        assert!(!testbed.try_systemctl(&["start", unit]), "{unit} started");
        let names = ["SubState", "ExecMainStatus", "NRestarts"];
        assert_eq!(
            testbed.properties(unit, &names),
            ["failed", "78", "0"],
            "{unit}"
        );
        notice(&testbed, unit);
    }
    testbed.write(CONFIG, "watch: {max_line_bytes: 5000}\n");
    testbed.systemctl(&["start", WATCHER]);
}

/// The cause is an error that names the key; the notice says what to do then.
fn notice(testbed: &Testbed, unit: &str) {
    let name = unit.trim_end_matches(".service");
    let errors = || -> Vec<String> {
        let entries = testbed.journal(&["-u", unit]).into_iter();
        let ours = entries.filter(|entry| is_ours(entry) && priority(entry) <= 3);
        ours.map(|entry| entry["MESSAGE"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    eventually("the notice is written", || errors().len() == 2);
    let errors = errors();
    assert!(errors[0].contains("watch.max_line_byte"), "{errors:?}");
    assert!(errors[1].contains("its settings are wrong"), "{errors:?}");
    assert!(
        errors[1].contains(&format!("systemctl start {name}")),
        "{errors:?}"
    );
}
