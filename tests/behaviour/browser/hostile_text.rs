//! Whatever stands in a transcript is text on a page.

use serde_json::{Value, json};

use crate::support::{
    agents::stored_at_rest,
    chromium::Chromium,
    headspace::{Headspace, Kind},
    talk::{converse, tamper},
    web::Web,
};

const HOSTILE: [&str; 9] = [
    "<script>taken = true</script>",
    "<img src=x onerror=\"taken = true\">",
    "<svg onload=\"taken = true\"><style>* { display: none }</style></svg>",
    "[click](javascript:taken=true) ![pixel](https://evil.test/pixel.png)",
    "</div></main><h1 id=\"page\">taken</h1>",
    "<a href=\"javascript:taken=true\">x</a><base href=\"https://evil.test/\">",
    "\u{202e}reversed\u{2066}\u{200b}zero\u{feff}width",
    "\u{1b}]0;taken\u{7}\u{1b}[31mred\u{1b}[0m",
    "|a|\n|:-:|\n|<b style=\"color:red\">1</b>|",
];

#[test]
fn text_of_a_transcript_is_text_on_every_page() {
    let headspace = Headspace::on(Kind::Sqlite);
    stored_at_rest(&headspace, "hostile", 3);
    let said = HOSTILE.iter().map(|text| ("user", text.to_string()));
    converse(&headspace.store, 1, &said.collect::<Vec<_>>());
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut sql = String::new();
    for (number, text) in HOSTILE.iter().enumerate() {
        let (user, text) = (number + 1, quoted(text));
        sql += &format!(
            "INSERT INTO turns (command_id, actor, intent, text, timestamp, event_id) \
             SELECT command_id, 'agent', 'progress', {text}, timestamp, event_id FROM turns WHERE actor = 'user' AND text = {text};\
             INSERT INTO tool_uses (agent_id, command_id, tool_use_id, name, summary, started_at) \
             SELECT 1, command_id, 'u{user}', {text}, {text}, timestamp FROM turns WHERE actor = 'user' AND text = {text};\
             INSERT INTO agents (session_uuid, project_id, working_directory, cli, started_at, last_seen_at, title, state, needs, asks, last_words) \
             SELECT 's{user}', 1, {text}, 'claude', started_at, last_seen_at, {text}, 'awaiting_input', 'permission', 'Bash: ' || {text}, {text} FROM agents WHERE id = 1;"
        );
    }
    sql += &format!(
        "UPDATE agents SET title = {0}, state = 'processing' WHERE id = 1; UPDATE projects SET name = {0}, current_branch = {0};",
        quoted(HOSTILE[0])
    );
    tamper(&headspace.store, &sql);
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    for path in [
        "/",
        "/?state=need",
        "/?q=%3Cscript%3E",
        "/agents/1",
        "/agents/2",
        "/log",
        "/log/3",
        "/fragments/agents/2/why",
    ] {
        let mut tab = browser.open(&format!("http://127.0.0.1:{}{path}", web.port));
        tab.wait_until(&format!(
            "'{path}' && document.readyState === 'complete' && document.body.textContent.length > 30"
        ));
        let seen = tab.evaluate(
            "({taken: globalThis.taken ?? false, \
               foreign: [...document.querySelectorAll('script:not([src]), img, style, base, [style], [onerror], [onload], a[href^=javascript]')].map((one) => one.outerHTML), \
               pages: document.querySelectorAll('#page').length, \
               title: document.title})",
        );
        assert_eq!(seen["taken"], false, "{path}");
        assert_eq!(seen["foreign"], json!([]), "{path}");
        assert_ne!(seen["pages"], 2, "{path}");
        assert_eq!(tab.refused(), json!([]), "{path}");
    }
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/agents/1", web.port));
    tab.wait_until("document.querySelectorAll('.turn').length === 18");
    let texts = tab.evaluate(
        "[...document.querySelectorAll('.prompt')].map((one) => one.lastChild.textContent.trim())",
    );
    let texts: Vec<Value> = texts.as_array().expect("a list").clone();
    assert_eq!(texts[0], HOSTILE[0]);
    assert_eq!(texts[4], HOSTILE[4]);
    // What would change how the rest reads is shown as what it is.
    assert_eq!(
        texts[6],
        "⟨U+202E⟩reversed⟨U+2066⟩⟨U+200B⟩zero⟨U+FEFF⟩width"
    );
    assert_eq!(texts[7], "␛]0;taken␇␛[31mred␛[0m");
}
