//! The page shows the log, and no other page can read it.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use crate::support::{
    chromium::Chromium,
    headspace::{Headspace, Kind},
    talk::{Talk, wait_for_count},
    up::Up,
};

#[test]
fn the_log_shows_what_is_said_and_new_words_by_themselves() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut talk = Talk::new(&headspace, "shop");
    talk.say("Please add a basket");
    talk.say(
        "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title='taken over'\">",
    );
    let up = Up::start(&headspace);
    wait_for_count(&headspace.store, 3);
    let mut browser = Chromium::start(headspace.dir());
    let mut tab = browser.open(&format!("http://127.0.0.1:{}/log", up.web.port));
    tab.wait_for(&["Please add a basket", "headspace is well"]);
    tab.wait_until("document.documentElement.dataset.stream === 'open'");
    talk.say("<b>Live</b> and without a reload");
    let page = tab.wait_for(&[
        "&lt;b&gt;Live&lt;/b&gt; and without a reload",
        "&lt;script&gt;document.title = 'taken over'&lt;/script&gt;&lt;img src=x",
        "<title>Log</title>",
    ]);
    assert!(!page.contains("<img"), "{page}");
    assert_eq!(tab.evaluate("document.title"), "Log");
    // A reader who reads is not disturbed; what comes meanwhile is counted.
    tab.evaluate("document.querySelector('#pause').click()");
    talk.say("Not to be seen yet");
    tab.wait_until("document.querySelector('#pause').textContent === 'Resume (1)'");
    assert!(!tab.html().contains("Not to be seen yet"));
    tab.evaluate("document.querySelector('#pause').click()");
    tab.wait_for(&["Not to be seen yet"]);
    assert_eq!(tab.refused(), serde_json::json!([]));
}

#[test]
fn a_page_of_another_origin_reads_nothing() {
    let headspace = Headspace::on(Kind::Sqlite);
    Talk::new(&headspace, "secret").say("the secret plan");
    let up = Up::start(&headspace);
    wait_for_count(&headspace.store, 2);
    let port = up.web.port;
    let mut browser = Chromium::start(headspace.dir());
    // Another site's page, which asks ours in every way it has.
    let mut tab = browser.open(&format!("http://evil.test:{}/", hostile_site(port)));
    let page = tab.wait_for(&[
        "fetch: refused",
        "blind: refused",
        "stream: refused",
        "script: refused",
        "image: refused",
        "frame: shown",
    ]);
    let (report, _) = page.split_once("</pre>").expect("its report");
    assert!(
        !report.contains("secret plan") && !report.contains("read:"),
        "{report}"
    );
    // Its own name, made to point here: to the browser that is one origin.
    for path in ["/", "/health", "/api/events", "/app.js"] {
        let mut tab = browser.open(&format!("http://evil.test:{port}{path}"));
        let page = tab.wait_for(&["this Host is not served here"]);
        assert!(
            !page.contains("secret plan") && !page.contains("version"),
            "{path}: {page}"
        );
    }
    // It is the name that is refused: the same browser reads it by ours.
    browser
        .open(&format!("http://localhost:{port}/api/events"))
        .wait_for(&["the secret plan"]);
}

/// Another web server, with a page that tries every way in.
fn hostile_site(port: u16) -> u16 {
    let page = format!(
        "<!doctype html><title>evil</title><pre id=out></pre><script>
        const base = 'http://localhost:{port}';
        const report = (name, how) => out.append(`${{name}}: ${{how}}\\n`);
        const ask = (name, mode) => fetch(base + '/api/events', {{mode}})
          .then(async (answer) => report(name, await answer.text() ? 'read: all of it' : 'refused'), () => report(name, 'refused'));
        ask('fetch', 'cors');
        ask('blind', 'no-cors');
        const stream = new EventSource(base + '/api/events/stream?last_event_id=0');
        stream.onopen = () => report('stream', 'read: it opened');
        stream.onerror = () => {{ stream.close(); report('stream', 'refused'); }};
        const load = (tag, name, path, loaded) => {{
          const made = document.createElement(tag);
          made.onload = () => report(name, loaded(made));
          made.onerror = () => report(name, 'refused');
          made.src = base + path;
          document.body.append(made);
        }};
        onload = () => {{
          load('script', 'script', '/app.js', () => 'read: it ran');
          load('img', 'image', '/api/events', () => 'read: it showed');
          load('iframe', 'frame', '/', (frame) => {{
            try {{ return 'read: ' + frame.contentWindow.document.body.innerText; }} catch {{ return 'shown, not readable'; }}
          }});
        }};
        </script>"
    );
    serve(page)
}

/// A web server that answers everything with this page; its port.
pub fn serve(page: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let site = listener.local_addr().expect("an address").port();
    // It ends with the test's process.
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _ = connection.read(&mut [0; 4096]);
            let length = page.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = connection.write_all(format!("{head}{page}").as_bytes());
        }
    });
    site
}
