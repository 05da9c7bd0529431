//! No page of another site, and no rebound name, can send a hook.

use serde_json::json;

use super::page::serve;
use crate::{
    spool::lines,
    support::{
        agents::session,
        chromium::Chromium,
        headspace::{Headspace, Kind},
        tmux::Tmux,
        web::Web,
    },
};

/// What a program would send.
const HOOK: &str = r#"{"session_id":"evil","cwd":"/","hook_event_name":"Stop"}"#;

#[test]
fn a_page_cannot_send_a_hook_or_a_session_and_neither_can_a_rebound_name() {
    let headspace = Headspace::on(Kind::Sqlite);
    let mut tmux = Tmux::start(&headspace);
    tmux.attach("work");
    let pane = tmux.window("cat");
    session(
        &headspace,
        "shop",
        &format!("terminal = '{}'", tmux.variables(&pane)),
    );
    let shown = tmux.run(&["display-message", "-p", "#{pane_id}"]);
    assert_ne!(shown, pane);
    let web = Web::start(&headspace);
    let port = web.port;
    let mut browser = Chromium::start(headspace.dir());
    let site = serve(hostile_page(port));
    let mut tab = browser.open(&format!("http://evil.test:{site}/"));
    let page = tab.wait_for(&[
        "json: refused",
        "named: refused",
        "plain: refused",
        "blind: refused",
        "bare: refused",
        "form: sent",
        "multipart: sent",
        "beacon: sent",
        "request: refused",
        "register: refused",
        "register blind: refused",
        "end: refused",
        "end blind: refused",
        "show: refused",
        "status: refused",
        "socket: refused",
        "seen: refused",
        "seen blind: refused",
        "snooze: refused",
        "snooze blind: refused",
        "go: refused",
        "go blind: refused",
    ]);
    let (report, _) = page.split_once("</pre>").expect("its report");
    assert!(!report.contains("read: "), "{report}");
    // Its own name, made to point here: to the browser that is one origin.
    let send = |path: &str| {
        let headers = "{'Content-Type': 'application/json'}";
        format!(
            "fetch('{path}', {{method: 'POST', headers: {headers}, body: '{HOOK}'}}).then((answer) => answer.status)"
        )
    };
    let mut tab = browser.open(&format!("http://evil.test:{port}/"));
    tab.wait_for(&["this Host is not served here"]);
    for path in ["/hook", "/hook/stop"] {
        assert_eq!(tab.evaluate(&send(path)), json!(403), "{path}");
    }
    let ways = [
        ("POST", "/api/sessions"),
        ("DELETE", "/api/sessions/s"),
        ("GET", "/api/sessions/s"),
        ("GET", "/hook/status"),
        ("POST", "/api/agents/1/seen"),
        ("POST", "/api/agents/1/snooze"),
        ("POST", "/api/agents/1/go"),
        ("GET", "/api/agents/1/transcript"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
    ];
    for (method, path) in ways {
        let asked =
            format!("fetch('{path}', {{method: '{method}'}}).then((answer) => answer.status)");
        assert_eq!(tab.evaluate(&asked), json!(403), "{method} {path}");
    }
    assert_eq!(lines(&headspace), Vec::<String>::new());
    assert_eq!(
        tmux.run(&["display-message", "-p", "#{pane_id}"]),
        shown,
        "no pane moved"
    );
    // It is the name that is refused: the same browser may by ours.
    let mut tab = browser.open(&format!("http://localhost:{port}/"));
    tab.wait_for(&["<title>headspace</title>"]);
    assert_eq!(tab.evaluate(&send("/hook")), json!(200));
    assert_eq!(lines(&headspace).len(), 1);
}

/// A page that sends a hook in every way it has.
fn hostile_page(port: u16) -> String {
    format!(
        "<!doctype html><title>evil</title><pre id=out></pre>
        <iframe name=form></iframe><iframe name=multipart></iframe><script>
        const to = 'http://localhost:{port}/hook';
        const hook = '{HOOK}';
        const report = (name, how) => out.append(`${{name}}: ${{how}}\\n`);
        const json = {{'Content-Type': 'application/json'}};
        const send = (name, address, options) => fetch(address, {{method: 'POST', body: hook, ...options}})
          .then((answer) => report(name, 'read: ' + answer.status), () => report(name, 'refused'));
        send('json', to, {{headers: json}});
        send('named', to + '/stop', {{headers: json}});
        send('plain', to, {{mode: 'no-cors', headers: {{'Content-Type': 'text/plain'}}}});
        send('blind', to, {{mode: 'no-cors', headers: json}});
        send('bare', to, {{mode: 'no-cors', body: new Blob([hook])}});
        const sessions = 'http://localhost:{port}/api/sessions';
        const session = JSON.stringify({{session_uuid: 's', project_path: '/p'}});
        send('register', sessions, {{headers: json, body: session}});
        send('register blind', sessions, {{mode: 'no-cors', body: session}});
        send('end', sessions + '/s', {{method: 'DELETE', body: null}});
        send('end blind', sessions + '/s', {{method: 'DELETE', body: null, mode: 'no-cors'}});
        send('show', sessions + '/s', {{method: 'GET', body: null}});
        send('status', to + '/status', {{method: 'GET', body: null}});
        for (const verb of ['seen', 'snooze', 'go']) {{
          const address = 'http://localhost:{port}/api/agents/1/' + verb;
          send(verb, address, {{headers: json, body: '{{}}'}});
          send(verb + ' blind', address, {{mode: 'no-cors', headers: json, body: '{{}}'}});
          navigator.sendBeacon(address, '{{}}');
        }}
        navigator.sendBeacon(sessions, session);
        const opened = new WebSocket('ws://localhost:{port}/hook');
        opened.onopen = () => report('socket', 'read: open');
        opened.onerror = () => report('socket', 'refused');
        const request = new XMLHttpRequest();
        request.onload = () => report('request', 'read: ' + request.status);
        request.onerror = () => report('request', 'refused');
        request.open('POST', to);
        request.setRequestHeader('Content-Type', 'application/json');
        request.send(hook);
        navigator.sendBeacon(to, hook);
        navigator.sendBeacon(to, new Blob([hook], {{type: 'text/plain'}}));
        try {{ navigator.sendBeacon(to, new Blob([hook], {{type: 'application/json'}})); }} catch {{}}
        report('beacon', 'sent');
        onload = () => [['form', 'text/plain'], ['multipart', 'multipart/form-data']].forEach(([name, enctype]) => {{
          const form = document.createElement('form');
          Object.assign(form, {{method: 'post', action: to, enctype, target: name}});
          const field = document.createElement('input');
          // As text/plain this is the hook, with a last field of its own.
          field.name = hook.slice(0, -1) + ',\"x\":\"';
          field.value = '\"}}';
          form.append(field);
          document.body.append(form);
          document.querySelector(`iframe[name=${{name}}]`).onload = () => report(name, 'sent');
          form.submit();
        }});
        </script>"
    )
}
