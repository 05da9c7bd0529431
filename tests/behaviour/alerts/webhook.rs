//! Messages by HTTP, to receivers of the test's own.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use serde_json::Value;

use crate::support::{
    asking::Asking,
    headspace::{Headspace, Kind, PATIENCE, on_both},
};

/// A server that gives these answers, one after the other and then the last one.
struct Webhook {
    port: u16,
    requests: Receiver<Request>,
}

struct Request {
    head: String,
    body: Vec<u8>,
}

impl Webhook {
    fn start(answers: &'static [&'static str]) -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let mut client = client.expect("a client");
                let request = read(&mut client);
                let answer = answers.get(number).or(answers.last()).expect("an answer");
                let _ = write!(client, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Webhook { port, requests }
    }

    fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }
}

fn read(client: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).expect("a head");
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).expect("text");
    let length = header(&head, "content-length").parse().expect("a length");
    let mut body = vec![0; length];
    client.read_exact(&mut body).expect("a body");
    Request { head, body }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value.trim())
}

impl Request {
    fn header(&self, name: &str) -> &str {
        header(&self.head, name)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// What a receiver computes, with another program's HMAC.
    fn signature(&self, key: &str, folder: &Path) -> String {
        let signed = folder.join("signed");
        let head = format!(
            "{}.{}.",
            self.header("webhook-id"),
            self.header("webhook-timestamp")
        );
        fs::write(&signed, [head.as_bytes(), &self.body].concat()).expect("written");
        let sum = Command::new("sh")
            .arg("-c")
            .arg("openssl dgst -sha256 -hmac \"$1\" -binary \"$2\" | base64 -w0")
            .args(["sh", key, &signed.to_string_lossy()])
            .output()
            .expect("openssl runs");
        format!("v1,{}", String::from_utf8_lossy(&sum.stdout))
    }
}

fn ask(headspace: &Headspace, name: &str) -> Asking {
    let mut asking = Asking::new(headspace, name);
    asking.prompt(name);
    asking.ask(headspace, "make");
    asking
}

on_both! {
    fn it_gets_the_alert_and_its_withdrawal_each_signed(kind: Kind) {
        let webhook = Webhook::start(&["204 No Content"]);
        let mut headspace = Headspace::on(kind);
        headspace
            .set("HEADSPACE_NOTIFY__WEBHOOK_URL", format!("http://127.0.0.1:{}/geheim?t=1", webhook.port))
            .set("HEADSPACE_NOTIFY__WEBHOOK_SECRET", "0815");
        let watcher = headspace.watch();
        let mut asking = ask(&headspace, "shop");
        let alert = webhook.next();
        assert!(alert.head.starts_with("POST /geheim?t=1 HTTP/1.1\r\n"), "{}", alert.head);
        assert_eq!(alert.header("host"), format!("127.0.0.1:{}", webhook.port));
        assert_eq!(alert.header("content-type"), "application/json");
        let message = alert.json();
        assert_eq!((&message["type"], &message["text"]),
            (&"alert".into(), &"shop · shop: asks to run `make`".into()));
        assert_eq!(message["id"], alert.header("webhook-id"));
        let now = jiff::Timestamp::now().as_second();
        let at: i64 = alert.header("webhook-timestamp").parse().expect("seconds");
        assert!((now - 120..=now).contains(&at), "{at}, {now}");
        assert_eq!(alert.header("webhook-signature"), alert.signature("0815", headspace.dir()));
        asking.answered();
        let withdrawn = webhook.next();
        assert_eq!((&withdrawn.json()["type"], &withdrawn.json()["id"]), (&"withdrawn".into(), &message["id"]));
        assert_eq!(withdrawn.header("webhook-signature"), withdrawn.signature("0815", headspace.dir()));
        assert_ne!(withdrawn.header("webhook-id"), alert.header("webhook-id"));
        let log = watcher.log();
        assert!(!log.contains("geheim") && !log.contains("0815"), "{log}");
    }
}

#[test]
fn what_was_not_taken_is_tried_again_under_the_same_id_and_what_was_refused_is_not() {
    let webhook = Webhook::start(&["503 Busy", "429 Slow Down", "200 OK", "404 Gone", "200 OK"]);
    let mut headspace = Headspace::on(Kind::Sqlite);
    headspace.set(
        "HEADSPACE_NOTIFY__WEBHOOK_URL",
        format!("http://127.0.0.1:{}/geheim", webhook.port),
    );
    let watcher = headspace.watch();
    let mut first = ask(&headspace, "first");
    let tries = [webhook.next(), webhook.next(), webhook.next()];
    let ids: Vec<&str> = tries
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    assert!(
        ids[0] == ids[1] && ids[1] == ids[2] && ids[0].len() == 32,
        "{ids:?}"
    );
    assert_eq!(tries[0].header("webhook-signature"), "", "there is no key");
    first.answered();
    assert_eq!(webhook.next().json()["type"], "withdrawn");
    watcher.wait_for_log(
        "an alert was not withdrawn by webhook, and is not tried again: the receiver answered 404",
    );
    let _second = ask(&headspace, "second");
    assert_eq!(
        webhook.next().json()["text"],
        "second · second: asks to run `make`"
    );
    assert!(!watcher.log().contains("geheim"), "{}", watcher.log());
}

#[test]
fn a_chat_gets_its_own_shape_and_no_withdrawal() {
    for (shape, key, text) in [
        ("slack", "text", "shop · shop: asks to run `make`"),
        ("discord", "content", "shop · shop: asks to run `make`"),
        ("ntfy", "message", "asks to run `make`"),
    ] {
        let webhook = Webhook::start(&["200 OK"]);
        let mut headspace = Headspace::on(Kind::Sqlite);
        headspace
            .set(
                "HEADSPACE_NOTIFY__WEBHOOK_URL",
                format!("http://localhost:{}/mine", webhook.port),
            )
            .set("HEADSPACE_NOTIFY__WEBHOOK_SHAPE", shape);
        let _watcher = headspace.watch();
        let mut asking = ask(&headspace, "shop");
        let request = webhook.next();
        assert_eq!(request.json()[key], text, "{shape}");
        let path = if shape == "ntfy" {
            "POST / "
        } else {
            "POST /mine "
        };
        assert!(request.head.starts_with(path), "{}", request.head);
        asking.answered();
        let _other = ask(&headspace, "other");
        let next = webhook.next().json();
        assert!(next.to_string().contains("other"), "{shape}: {next}");
    }
}

/// Ends with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A receiver with TLS that is not ours: Python's.
const SERVER: &str = r#"
import http.server, signal, ssl, sys
signal.alarm(120)  # what never comes ends the test
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        sys.stdout.write(body.decode() + "\n")
        sys.stdout.flush()
    def log_message(self, *what):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

#[test]
fn by_https_only_a_receiver_that_the_machine_trusts_is_told() {
    let mut headspace = Headspace::on(Kind::Sqlite);
    let (key, certificate) = (
        headspace.dir().join("key.pem"),
        headspace.dir().join("cert.pem"),
    );
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let mut server = Command::new("python3");
    server
        .arg("-c")
        .arg(SERVER)
        .arg(&certificate)
        .arg(&key)
        .stdout(Stdio::piped());
    let mut server = Served(server.spawn().expect("Python runs"));
    let mut said = std::io::BufReader::new(server.0.stdout.take().expect("piped"));
    let line = |said: &mut dyn std::io::BufRead| {
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        line
    };
    let port = line(&mut said);
    headspace.set(
        "HEADSPACE_NOTIFY__WEBHOOK_URL",
        format!("https://localhost:{}/mine", port.trim()),
    );
    let watcher = headspace.watch();
    let _first = ask(&headspace, "first");
    watcher.wait_for_log("an alert was not sent by webhook");
    assert!(watcher.log().contains("certificate"), "{}", watcher.log());
    drop(watcher);
    headspace.set("SSL_CERT_FILE", certificate.display());
    let _watcher = headspace.watch();
    let _second = ask(&headspace, "second");
    let told: Value = serde_json::from_str(&line(&mut said)).expect("JSON");
    assert_eq!(told["text"], "second · second: asks to run `make`");
}
