//! Pages can be read and used on any screen, by eye or by ear.

use serde_json::json;

use crate::support::{
    agents::stored_at_rest,
    chromium::Chromium,
    headspace::{Headspace, Kind},
    talk::{converse, tamper},
    web::Web,
};

/// What is wrong with a page, in words.
const LOOK: &str = r#"(() => {
  const wrong = [];
  const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push('two of #' + id);
  const seen = (one) => one.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  for (const one of document.querySelectorAll('a, button, input, summary')) {
    const name = one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim();
    if (!name) wrong.push('no name: ' + one.outerHTML.slice(0, 120));
  }
  if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');
  const levels = [...document.querySelectorAll('h1, h2, h3, h4')].filter(seen).map((one) => Number(one.tagName[1]));
  levels.forEach((level, at) => at && level > levels[at - 1] + 1 && wrong.push('a heading skips a level: ' + levels));
  if (!document.querySelector('main') || !document.documentElement.lang) wrong.push('no main or no lang');
  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth) wrong.push(`wider than the screen: ${root.scrollWidth} of ${innerWidth}`);

  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const paint = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = new Set();
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !seen(one) || one.closest('.unseen, .skip, script')) continue;
    const grounds = [];
    for (let up = one; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
    const ground = light(paint(['#fff', ...grounds]));
    const text = light(paint(['#fff', ...grounds, getComputedStyle(one).color]));
    const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    if (contrast < 4.5) poor.add(`${one.tagName}.${one.className}: ${contrast.toFixed(2)}`);
  }
  poor.forEach((one) => wrong.push('poor contrast: ' + one));
  return wrong;
})()"#;

#[test]
fn pages_have_names_order_and_contrast_on_any_screen() {
    let headspace = Headspace::on(Kind::Sqlite);
    for (name, id) in ["one", "two", "three", "four", "five"].into_iter().zip(1..) {
        stored_at_rest(&headspace, name, 1);
        let said = "## A head\n\ntext, `code`, a [link](https://example.test)\n\n> quoted\n\n|a|b|\n|-|-|\n|1|2|";
        let long = "a_very_long_word_without_any_break_".repeat(20);
        let turns = [
            ("user", "Do it".into()),
            ("agent", said.into()),
            ("agent", long),
        ];
        converse(&headspace.store, id, &turns);
    }
    tamper(
        &headspace.store,
        "UPDATE agents SET title = 'A title that goes on and on until it fits into no line of a small screen'; \
         UPDATE agents SET needs = 'permission', asks = 'Bash: ' || replace(hex(zeroblob(200)), '0', 'x') WHERE id = 1; \
         UPDATE agents SET unseen = 1, last_words = 'Done.' WHERE id = 2; \
         UPDATE agents SET state = 'processing', todos = '[{\"content\":\"a\",\"status\":\"in_progress\"}]' WHERE id = 3; \
         UPDATE agents SET background = 1 WHERE id = 4; \
         UPDATE agents SET last_seen_at = strftime('%Y-%m-%dT%H:%M:%S.000000Z') WHERE id = 5; \
         INSERT INTO tool_uses (agent_id, command_id, tool_use_id, name, summary, started_at, outcome) \
         SELECT 1, command_id, 'u' || id, 'Bash', 'cargo test', timestamp, 'error' FROM turns WHERE id < 9;",
    );
    let web = Web::start(&headspace);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open("about:blank");
    for scheme in ["light", "dark"] {
        for width in [360, 1280, 3840] {
            tab.looks_like(width, scheme);
            for path in [
                "/",
                "/?state=work&q=title",
                "/agents/1",
                "/agents/3",
                "/log",
                "/log/2",
            ] {
                tab.go(&format!("http://127.0.0.1:{}{path}", web.port));
                tab.wait_until("document.documentElement.dataset.stream === 'open'");
                assert_eq!(
                    tab.evaluate(LOOK),
                    json!([]),
                    "{path} at {width} in the {scheme}"
                );
            }
        }
    }
    tab.looks_like(360, "light");
    tab.go(&format!("http://127.0.0.1:{}/", web.port));
    tab.wait_until("document.documentElement.dataset.stream === 'open'");
    let small = "[...document.querySelectorAll('.card button, .bottom a')].filter((one) => one.getBoundingClientRect().height < 44).length";
    assert_eq!(tab.evaluate(small), 0, "a thumb needs room");
}
