//! A headless browser, asked through its debugging pipe.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use serde_json::{Value, json};

use super::headspace::{PATIENCE, eventually};

pub struct Chromium {
    process: Child,
    requests: File,
    answers: mpsc::Receiver<Value>,
    number: u64,
}

/// A tab with a page in it.
pub struct Tab<'a> {
    browser: &'a mut Chromium,
    session: Value,
}

/// A tab to come back to.
pub struct Target {
    id: Value,
    session: Value,
}

impl Chromium {
    /// Its profile and its pipes are in `folder`. Every name below `.test` is
    /// this machine.
    pub fn start(folder: &Path) -> Chromium {
        if let Err(error) = Command::new("chromium")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
        {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            panic!("the browser is missing: install the Debian package chromium");
        }
        let [requests, answers] = ["requests", "answers"].map(|name| {
            let path = folder.join(name);
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)
                .expect("a pipe");
            // Open at both ends, so that neither side waits for the other.
            File::options()
                .read(true)
                .write(true)
                .open(&path)
                .expect("a pipe")
        });
        let process = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<requests 4>answers", "sh"])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args([
                "--host-resolver-rules=MAP *.test 127.0.0.1",
                "--user-data-dir=chromium",
            ])
            .args(["--remote-debugging-pipe", "about:blank"])
            .current_dir(folder)
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("chromium-log")).expect("a log"))
            .spawn()
            .expect("a shell");
        Chromium {
            process,
            requests,
            answers: read(answers),
            number: 0,
        }
    }

    /// A new tab, which stays open. What its pages' policy refuses is noted.
    pub fn open(&mut self, address: &str) -> Tab<'_> {
        let target = self.target(address);
        self.tab(&target)
    }

    /// The same, to come back to it.
    pub fn target(&mut self, address: &str) -> Target {
        let blank = json!({"url": "about:blank"});
        let created = self.ask("Target.createTarget", blank, &Value::Null);
        let id = created["targetId"].clone();
        let attach = json!({"targetId": id, "flatten": true});
        let attached = self.ask("Target.attachToTarget", attach, &Value::Null);
        let session = attached["sessionId"].clone();
        let target = Target { id, session };
        let mut tab = self.tab(&target);
        tab.ask("Page.enable", json!({}));
        let note = "globalThis.refused = []; document.addEventListener('securitypolicyviolation', \
                    ({violatedDirective, blockedURI}) => refused.push(violatedDirective + ' ' + blockedURI));";
        tab.ask(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": note}),
        );
        tab.go(address);
        target
    }

    pub fn tab(&mut self, target: &Target) -> Tab<'_> {
        Tab {
            session: target.session.clone(),
            browser: self,
        }
    }

    /// Brings a tab to the front.
    pub fn show(&mut self, target: &Target) {
        let it = json!({"targetId": target.id});
        self.ask("Target.activateTarget", it, &Value::Null);
    }

    pub fn close(&mut self, target: &Target) {
        let it = json!({"targetId": target.id});
        self.ask("Target.closeTarget", it, &Value::Null);
    }

    /// The result; nothing while there is no document yet to be asked.
    fn ask(&mut self, method: &str, parameters: Value, session: &Value) -> Value {
        self.number += 1;
        let mut request = json!({"id": self.number, "method": method, "params": parameters});
        if session.is_string() {
            request["sessionId"] = session.clone();
        }
        self.requests
            .write_all(format!("{request}\0").as_bytes())
            .expect("asked");
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let mut answer = answer.unwrap_or_else(|_| panic!("chromium does not answer {method}"));
            if answer["id"] == self.number {
                return answer["result"].take();
            }
        }
    }
}

impl Tab<'_> {
    pub fn go(&mut self, address: &str) {
        self.ask("Page.navigate", json!({"url": address}));
    }

    /// As if a person had allowed it to pages of this origin.
    pub fn grant(&mut self, permission: &str, origin: &str) {
        let it = json!({"permissions": [permission], "origin": origin});
        self.browser
            .ask("Browser.grantPermissions", it, &Value::Null);
    }

    /// Without scripts, from the next page on.
    pub fn without_scripts(&mut self) {
        let off = json!({"value": true});
        self.ask("Emulation.setScriptExecutionDisabled", off);
    }

    /// A screen so wide, in the light or the dark.
    pub fn looks_like(&mut self, width: u32, scheme: &str) {
        let screen =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500});
        self.ask("Emulation.setDeviceMetricsOverride", screen);
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", scheme);
    }

    /// Presses a key, which types its text.
    pub fn press(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "text": text});
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    pub fn point_at(&mut self, x: f64, y: f64) {
        let event = json!({"type": "mouseMoved", "x": x, "y": y});
        self.ask("Input.dispatchMouseEvent", event);
    }

    /// What the page's policy refused.
    pub fn refused(&mut self) -> Value {
        self.evaluate("refused")
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        let session = self.session.clone();
        self.browser.ask(method, parameters, &session)
    }

    /// The document as it is now.
    pub fn html(&mut self) -> String {
        let expression = json!({"expression": "document.documentElement.outerHTML"});
        let answer = self.ask("Runtime.evaluate", expression);
        answer["result"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The value of an expression; a promise is awaited. Fails on an exception.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.ask("Runtime.evaluate", parameters);
        let failed = &answer["exceptionDetails"];
        assert!(failed.is_null(), "{expression}: {failed}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true; while a page loads it may fail.
    pub fn wait_until(&mut self, expression: &str) {
        let parameters = json!({"expression": expression, "returnByValue": true});
        eventually(expression, || {
            self.ask("Runtime.evaluate", parameters.clone())["result"]["value"] == true
        });
    }

    /// Waits until the document has all of these in it, and returns it.
    pub fn wait_for(&mut self, wanted: &[&str]) -> String {
        let mut html = String::new();
        let mut look = || {
            html = self.html();
            wanted.iter().all(|text| html.contains(text))
        };
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the page shows it", &mut look)
        }));
        assert!(seen.is_ok(), "not all of {wanted:?} are in\n{html}");
        html
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Its helpers end when it is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers end with a NUL each.
fn read(pipe: File) -> mpsc::Receiver<Value> {
    let (answered, answers) = mpsc::channel();
    thread::spawn(move || {
        for answer in BufReader::new(pipe).split(0).map_while(Result::ok) {
            let answer = serde_json::from_slice(&answer).expect("an answer is JSON");
            if answered.send(answer).is_err() {
                return;
            }
        }
    });
    answers
}
