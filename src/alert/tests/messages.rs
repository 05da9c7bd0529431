//! What a message says, in each shape.

use super::{
    super::message::{How, Message, Shape},
    at, wait,
};
use crate::show::Wait;

#[test]
fn a_message_says_it_in_one_line_and_in_two_parts() {
    let one = wait(1, "permission", 0.0);
    let message = Message::alert("id".into(), at(5.0), "devbox", &[&one], How::default());
    assert_eq!(message.text, "shop_api · fix login: asks to run `npm test`");
    assert_eq!(message.title, "shop_api · fix login");
    assert_eq!(message.body, "asks to run `npm test`");
    let late = How {
        late: true,
        repeat: false,
    };
    let message = Message::alert("id".into(), at(10_800.0), "devbox", &[&one], late);
    assert_eq!(message.body, "asks to run `npm test` · for 3 h");
    let many: Vec<Wait> = (1..=5).map(|id| wait(id, "permission", 0.0)).collect();
    let many: Vec<&Wait> = many.iter().collect();
    let message = Message::alert("id".into(), at(5.0), "devbox", &many, How::default());
    assert_eq!(message.title, "5 sessions need you");
    assert!(message.body.ends_with("\nand 2 more"), "{}", message.body);
    assert!(!message.text.contains('\n'), "{}", message.text);
    assert_eq!(message.waits.len(), 5);
}

#[test]
fn text_of_a_session_is_no_markup_of_a_chat() {
    let mut hostile = wait(1, "permission", 0.0);
    hostile.title = "<!channel> @everyone [x](http://evil)".into();
    hostile.words = "\u{1b}]0;gone\u{7}*bold* <@U1>".into();
    let message = Message::alert("id".into(), at(5.0), "devbox", &[&hostile], How::default());
    let json = message.shaped(Shape::Json, "");
    assert_eq!(
        json["text"],
        "shop_api · <!channel> @everyone [x](http://evil): *bold* <@U1>"
    );
    let slack = message.shaped(Shape::Slack, "");
    let text = slack["text"].as_str().unwrap();
    assert!(
        !text.contains(['<', '>']) && slack["mrkdwn"] == false,
        "{slack}"
    );
    let discord = message.shaped(Shape::Discord, "");
    assert_eq!(discord["allowed_mentions"]["parse"], serde_json::json!([]));
    let text = discord["content"].as_str().unwrap();
    assert!(
        text.contains(r"\[x\]\(http") && text.contains(r"\*bold\*"),
        "{text}"
    );
    // What doubles by that is cut: Discord refuses more than 2,000.
    hostile.title = "*".repeat(300);
    hostile.words = "[🚀]".repeat(200);
    let many: Vec<&Wait> = vec![&hostile; 5];
    let long = Message::alert("id".into(), at(5.0), "devbox", &many, How::default());
    let discord = long.shaped(Shape::Discord, "");
    let units = discord["content"].as_str().unwrap().encode_utf16().count();
    assert!((1_990..=2_000).contains(&units), "{units}");
    let ntfy = message.shaped(Shape::Ntfy, "mine");
    assert_eq!(
        (&ntfy["topic"], &ntfy["title"]),
        (&"mine".into(), &message.title.as_str().into())
    );
}
