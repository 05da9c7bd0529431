//! An agent is named the same way everywhere: by its id, the beginning of its uuid, or
//! its title.

use crate::support::{
    agents::{session, subagent},
    headspace::{Headspace, Kind, on_both},
};

on_both! {
    fn an_id_the_beginning_of_a_uuid_and_a_title_name_an_agent(kind: Kind) {
        let headspace = Headspace::on(kind);
        let shop = session(&headspace, "shop", "title = 'Fix the login'");
        let blog = session(&headspace, "blog", "title = 'Fix the logo'");
        subagent(&headspace, shop, "a1", "title = 'look around'");
        let uuid = headspace.store.column(&format!("SELECT session_uuid FROM agents WHERE id = {shop}")).remove(0);
        let agents = |wanted: &str| {
            let output = headspace.run(&["events", "--json", "--agent", wanted]);
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let text = String::from_utf8(output.stdout).expect("text");
            let ids = text.lines().map(|line| {
                let event: serde_json::Value = serde_json::from_str(line).expect("an event");
                event["agent_id"].as_i64().expect("an id")
            });
            let mut ids: Vec<i64> = ids.collect();
            ids.dedup();
            (output.status.code(), ids, errors)
        };
        for (wanted, id) in [
            (&*shop.to_string(), shop),
            (&*blog.to_string(), blog),
            (&uuid, shop),
            (&uuid[..8], shop),
            ("Fix the logo", blog),
            ("fix THE logo", blog),
            ("Fix the logi", shop),
        ] {
            assert_eq!(agents(wanted), (Some(0), vec![id], String::new()), "{wanted}");
        }
        for wanted in ["Fix the lo", "fix"] {
            let (code, _, said) = agents(wanted);
            assert_eq!(code, Some(2), "{said}");
            for expected in ["several sessions", "Fix the login", "Fix the logo", &uuid] {
                assert!(said.contains(expected), "{expected} is not in {said}");
            }
        }
        for wanted in ["nothing", "", "99", "%"] {
            let (code, _, said) = agents(wanted);
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains("no session has this"), "{said}");
        }
    }
}
