//! Projects and agents over HTTP are the rows of the database, page by page.

use serde_json::{Value, json};

use crate::support::{
    headspace::{Headspace, Kind, json_list, on_both},
    talk::{stored, tamper},
    transcripts,
    web::Web,
};

on_both! {
    fn walking_on_by_cursor_meets_every_agent_once(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_CLAUDE__ROOTS", json_list(&[transcripts::real()]));
        headspace.watch_once();
        let all = headspace.store.column("SELECT id FROM agents ORDER BY last_seen_at DESC, id DESC");
        assert!(all.len() > 20, "{}", all.len());
        let web = Web::start(&headspace);
        for limit in [7, 500] {
            assert_eq!(walk(&web, &format!("limit={limit}")), all, "limit {limit}");
        }
        let children = headspace.store.column(
            "SELECT id FROM agents WHERE parent_agent_id IS NOT NULL ORDER BY last_seen_at DESC, id DESC");
        let parent = headspace.store.column("SELECT max(parent_agent_id) FROM agents").remove(0);
        let agent = web.get(&format!("/api/agents/{parent}")).json();
        assert_eq!(agent["id"].to_string(), parent);
        let shown = ids(&agent["children"]);
        assert!(!shown.is_empty() && shown.iter().all(|child| children.contains(child)), "{shown:?}");
        let of_one = headspace.store.column(
            "SELECT id FROM agents WHERE project_id = 2 ORDER BY last_seen_at DESC, id DESC");
        assert_eq!(walk(&web, "limit=2&project_id=2"), of_one);
        let projects = web.get("/api/projects").json();
        let counted = projects["projects"].as_array().expect("a list").iter()
            .map(|project| project["agents"].as_u64().expect("a number")).sum::<u64>();
        assert_eq!(counted, all.len() as u64);
    }

    fn filters_ask_for_what_is_in_the_rows(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored(&headspace, "pages", 3);
        let web = Web::start(&headspace);
        let agents = web.get("/api/agents").json();
        let [agent] = &agents["agents"].as_array().expect("a list")[..] else {
            panic!("one agent: {agents}");
        };
        assert_eq!(agent["project_path"], "/home/dev/pages");
        assert_eq!(agents["next_cursor"], Value::Null);
        let host = agent["host"].as_str().expect("a name");
        let found = |query: &str| web.get(&format!("/api/agents?{query}")).json()["agents"]
            .as_array().expect("a list").len();
        assert_eq!(found(&format!("host={host}&project_id={}", agent["project_id"])), 1);
        assert_eq!((found("host=elsewhere"), found("project_id=99")), (0, 0));
        for (column, others) in [
            ("state", "idle,commanded,processing,awaiting_input,complete"),
            ("needs", "permission,question,plan,dialog,asked,error,limit,none"),
        ] {
            let own = agent[column].as_str().expect("a word");
            let others: Vec<&str> = others.split(',').filter(|other| *other != own).collect();
            assert_eq!(found(&format!("{column}={own}")), 1);
            assert_eq!(found(&format!("{column}={},{own}", others[0])), 1);
            assert_eq!(found(&format!("{column}={}", others.join(","))), 0);
        }
        let open = agent["open"].as_bool().expect("true or false");
        assert_eq!((found(&format!("open={open}")), found(&format!("open={}", !open))), (1, 0));
    }

    fn a_session_is_found_by_each_of_its_machines(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored(&headspace, "one", 1);
        stored(&headspace, "two", 1);
        tamper(&headspace.store,
            r#"UPDATE agents SET other_hosts = '["laptop", "o\"dd"]' WHERE working_directory = '/home/dev/two'"#);
        let web = Web::start(&headspace);
        let found = |query: &str| {
            let found = web.get(&format!("/api/agents?{query}")).json();
            let found = found["agents"].as_array().expect("a list").iter();
            found.map(|agent| agent["project_name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        let own = headspace.store.column("SELECT DISTINCT host FROM projects").remove(0);
        assert_eq!(found("host=laptop"), ["two"]);
        assert_eq!(found("host=o%22dd"), ["two"]);
        assert_eq!(found("host=lap&host=o"), [""; 0]);
        let mut both = found(&format!("host=laptop&host={own}"));
        both.sort();
        assert_eq!(both, ["one", "two"]);
        assert_eq!(found("host=laptop&host=elsewhere&project_id=1"), [""; 0]);
    }

    fn what_is_no_agent_or_no_filter_is_said(kind: Kind) {
        let headspace = Headspace::on(kind);
        stored(&headspace, "pages", 1);
        let web = Web::start(&headspace);
        for (query, name) in [
            ("state=busy", "state: unknown word"),
            ("needs=", "needs: unknown word"),
            ("open=maybe", "open: "),
            ("project_id=x", "project_id: "),
            ("cursor=7", "cursor: "),
            ("limit=0", "limit: "),
            ("colour=red", "colour: "),
        ] {
            let detail = web.get(&format!("/api/agents?{query}")).problem(400);
            assert!(detail.starts_with(name), "{query}: {detail}");
        }
        for path in ["agents/99", "agents/99/turns", "agents/99/transitions", "commands/99"] {
            let detail = web.get(&format!("/api/{path}")).problem(404);
            assert!(detail.starts_with("there is no such "), "{path}: {detail}");
        }
        let detail = web.get("/api/agents/seven").problem(400);
        assert_eq!(detail, "the agent's id is no integer");
        assert_eq!(web.get("/api/agents/1/turns?before=9&limit=2").json()["next_before"], json!(null));
    }
}

fn walk(web: &Web, query: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = web.get(&format!("/api/agents?{query}{cursor}")).json();
        all.extend(ids(&page["agents"]));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn ids(agents: &Value) -> Vec<String> {
    let agents = agents.as_array().expect("a list").iter();
    agents.map(|agent| agent["id"].to_string()).collect()
}
