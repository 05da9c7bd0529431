//! Whatever an input floods an agent with, its row stays small.

use super::*;

/// The open facts of one agent as JSON, but for words that wait for their transcript.
const MOST_BYTES: usize = 128 * 1024;

/// What comes in each second.
type Flood = fn(i64) -> Said;

pub fn shown(second: i64, shows: Shows) -> Said {
    Said::Line(line(What::Evidence(Box::new(Evidence {
        session_uuid: "s0".into(),
        moment: Moment {
            at: at(second),
            observed: false,
        },
        in_sidechain: false,
        is_copied: false,
        shows,
    }))))
}

fn queued(second: i64) -> Said {
    let operation = "enqueue".into();
    shown(second, Shows::Queue { operation })
}

fn called(second: i64) -> Said {
    shown(
        second,
        Shows::ToolCall {
            tool_use_id: format!("toolu_{second:024}"),
            name: "Bash".into(),
            argument: Some("x".repeat(200)),
        },
    )
}

fn asked(second: i64) -> Said {
    let asks = json!({"agent_id": format!("a{second}"), "agent_type": "general-purpose",
        "tool_name": "Bash", "tool_input": {"command": "y".repeat(2000)}});
    Said::Line(line(hook(0, second, "PermissionRequest", asks)))
}

#[test]
fn a_flood_leaves_the_open_facts_below_their_bound() {
    let mut known = Known::default();
    stored(&[Said::Line(line(What::Seen(seen(0, 0))))], 1, &mut known);
    let floods: [(i64, Flood); 3] = [(3000, queued), (10_000, called), (1000, asked)];
    let mut second = 1;
    let mut greatest = 0;
    for (many, of) in floods {
        let flood: Vec<Said> = (second..second + many).map(of).collect();
        second += many;
        for some in flood.chunks(1000) {
            stored(some, 500, &mut known);
            let facts = serde_json::to_string(&known.agents["s0"].open_facts).expect("JSON");
            greatest = greatest.max(facts.len());
        }
    }
    println!("{greatest} bytes at most");
    assert!(greatest < MOST_BYTES, "{greatest}");
    // No flood holds a turn open for longer than its last command.
    assert_eq!(
        known.agents["s0"].open_facts.states.command_ids().count(),
        1
    );
}
