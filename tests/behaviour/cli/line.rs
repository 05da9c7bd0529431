//! `line` is a few signs for the bar of a terminal, or nothing.

use crate::support::{
    agents::{ago, change, session, subagent, yes},
    headspace::{Headspace, Kind, on_both},
};

on_both! {
    fn it_counts_what_needs_a_person_and_what_works(kind: Kind) {
        let headspace = Headspace::on(kind);
        assert_eq!(line(&headspace), "", "nothing is recorded yet");
        let shop = session(&headspace, "shop", &format!("unseen = {}", yes(kind)));
        let blog = session(&headspace, "blog", "background = 1");
        assert_eq!(line(&headspace), "", "all is quiet");
        change(&headspace, shop, "state = 'processing'");
        assert_eq!(line(&headspace), "◐1\n");
        change(&headspace, blog, "state = 'awaiting_input', needs = 'plan'");
        assert_eq!(line(&headspace), "■1 ◐1\n");
        subagent(&headspace, shop, "a", "needs = 'permission'");
        assert_eq!(line(&headspace), "■2\n", "a subagent needs it");
        change(&headspace, blog, &format!("snoozed_until = {}", ago(-600)));
        assert_eq!(line(&headspace), "■1\n", "the other is put off");
        change(&headspace, shop, "state = 'idle'");
        assert_eq!(line(&headspace), "■1\n", "its session is at rest");
        change(&headspace, shop, &format!("ended_at = {}", ago(0)));
        assert_eq!(line(&headspace), "", "its session has ended");
    }
}

fn line(headspace: &Headspace) -> String {
    let output = headspace.run(&["line"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}
