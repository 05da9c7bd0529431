use super::*;

#[test]
fn a_record_is_the_turn_of_its_hook_by_id_or_by_words_of_the_same_time() {
    let stored_with = |prompt_id: Option<&str>, second, text| {
        let id = json!({"prompt": "words 1", "prompt_id": "p1"});
        let heard = [
            line(What::Seen(seen(0, 1))),
            line(hook(0, 1, "UserPromptSubmit", id)),
            line(hook(
                0,
                1,
                "Stop",
                json!({"last_assistant_message": " words 2\n"}),
            )),
        ];
        let mut record = turn(0, second, text);
        record.prompt_id = prompt_id.map(str::to_owned);
        let heard = heard.into_iter().map(Said::Line);
        let said: Vec<Said> = heard
            .chain([Said::Line(line(What::Event(Box::new(record))))])
            .collect();
        let at_once = stored(&said, 9, &mut Known::default()).len();
        assert_eq!(at_once, stored(&said, 1, &mut Known::default()).len());
        at_once
    };
    let (joined, apart) = (7, 8);
    assert_eq!(stored_with(Some("p1"), 900, 1), joined);
    assert_eq!(
        stored_with(Some("p1"), 3, 3),
        joined,
        "a command's record has other words"
    );
    assert_eq!(stored_with(Some("p2"), 3, 1), joined, "it was queued");
    assert_eq!(stored_with(None, 3, 1), joined);
    assert_eq!(stored_with(Some("p1"), 900, 3), apart, "of another time");
    assert_eq!(stored_with(None, 900, 1), apart);
    assert_eq!(
        stored_with(None, 1, 2),
        apart,
        "the agent's words are none of the user's"
    );
}

#[test]
fn open_facts_have_bounds() {
    let mut known = Known::default();
    let seen = Said::Line(line(What::Seen(seen(0, 1))));
    let many = |name: &str, more: &dyn Fn(i64) -> Value| -> Vec<Said> {
        (0..100)
            .map(|n| Said::Line(line(hook(0, n * 60, name, more(n)))))
            .collect()
    };
    stored(&[seen], 1, &mut known);
    let text = "x".repeat(100_000);
    let prompt = |n| json!({"prompt": format!("{n} {text}")});
    stored(&many("UserPromptSubmit", &prompt), 7, &mut known);
    let facts = &known.agents["s0"].open_facts;
    assert_eq!(
        (facts.prompts.len(), facts.prompts[9].at),
        (10, at(99 * 60))
    );
    let reply = |n| json!({"last_assistant_message": format!("{n}")});
    stored(&many("Stop", &reply), 7, &mut known);
    let facts = &known.agents["s0"].open_facts;
    assert_eq!((facts.prompts.len(), facts.heard.len()), (0, 32));
}
