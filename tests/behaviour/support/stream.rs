//! Readers of the stream, and the oracle's judgement over what they read.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    headspace::{Headspace, PATIENCE},
    oracle,
    web::{Web, connect, find},
};

/// An open stream.
pub struct Stream {
    connection: TcpStream,
    /// The answer's head, once it is there.
    pub head: String,
    /// What came and was not read yet.
    raw: Vec<u8>,
}

/// What stands between two blank lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    pub text: String,
}

/// What readers asked for and got, as the oracle takes it.
#[derive(Debug, Default)]
pub struct Recording {
    lines: Vec<Value>,
}

impl Stream {
    /// Opens a stream and reads its head and its first block.
    pub fn open(web: &Web, path: &str) -> Stream {
        Stream::open_with(web.port, path, &[])
    }

    pub fn after(port: u16, id: i64) -> Stream {
        let last = format!("Last-Event-ID: {id}");
        Stream::open_with(port, "/api/events/stream", &[&last])
    }

    /// The same while the server may be gone, or about to go.
    pub fn try_after(port: u16, id: i64) -> Option<Stream> {
        let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        let last = format!("Last-Event-ID: {id}");
        let mut stream = Stream::send(connection, port, "/api/events/stream", &[&last]);
        let deadline = Instant::now() + PATIENCE;
        while !stream.try_read_head() {
            if !stream.receive(deadline) {
                return None;
            }
        }
        Some(stream)
    }

    pub fn open_with(port: u16, path: &str, headers: &[&str]) -> Stream {
        let mut stream = Stream::send(connect(port), port, path, headers);
        stream.read_head();
        assert!(
            stream.head.starts_with("HTTP/1.1 200 OK"),
            "{}",
            stream.head
        );
        let opening = stream.next();
        assert!(opening.text.contains("\n: connected"), "{opening:?}");
        stream
    }

    /// Sends the request over a connection and reads nothing yet.
    pub fn send(mut connection: TcpStream, port: u16, path: &str, headers: &[&str]) -> Stream {
        let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{more}\r\n");
        // A server that has just gone shows when its answer is read.
        let _ = connection.write_all(request.as_bytes());
        Stream {
            connection,
            head: String::new(),
            raw: Vec::new(),
        }
    }

    pub fn read_head(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.try_read_head() {
            assert!(self.receive(deadline), "no head: {:?}", self.raw);
        }
    }

    fn try_read_head(&mut self) -> bool {
        let Some(end) = find(&self.raw, b"\r\n\r\n") else {
            return false;
        };
        let rest = self.raw.split_off(end + 4);
        self.head = String::from_utf8(std::mem::replace(&mut self.raw, rest)).expect("text");
        true
    }

    /// The next block; fails if none comes.
    pub fn next(&mut self) -> Block {
        self.next_within(PATIENCE).expect("a block in time")
    }

    /// The next block that is an event; fails if none comes.
    pub fn next_frame(&mut self) -> Block {
        let frame = self.frame_within(PATIENCE);
        frame.unwrap_or_else(|| panic!("no frame in time; begun: {:?}", self.raw))
    }

    pub fn frame_within(&mut self, time: Duration) -> Option<Block> {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let block = self.next_within(left)?;
            if block.field("event").is_some() {
                return Some(block);
            }
        }
    }

    /// The next block, unless the time is over or the stream has ended.
    pub fn next_within(&mut self, time: Duration) -> Option<Block> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(end) = find(&self.raw, b"\n\n") {
                let rest = self.raw.split_off(end + 2);
                let block = std::mem::replace(&mut self.raw, rest);
                let text = String::from_utf8(block).expect("a stream is UTF-8");
                return Some(Block { text });
            }
            if !self.receive(deadline) {
                return None;
            }
        }
    }

    /// Whether it ended, and not just fell silent. Call it after `None`.
    pub fn has_ended(&mut self) -> bool {
        let soon = Some(Duration::from_millis(1));
        self.connection.set_read_timeout(soon).expect("a timeout");
        !matches!(self.connection.peek(&mut [0]), Err(error) if is_timeout(&error))
    }

    /// More bytes, until the deadline; no at the end.
    fn receive(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.connection
            .set_read_timeout(Some(left))
            .expect("a timeout");
        let mut part = [0; 16 * 1024];
        match self.connection.read(&mut part) {
            Ok(count) => {
                self.raw.extend(&part[..count]);
                count > 0
            }
            Err(error) if is_timeout(&error) => false,
            // A process that was killed resets what it had open.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Block {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn event(&self) -> &str {
        self.field("event").unwrap_or_default()
    }

    pub fn id(&self) -> i64 {
        self.field("id")
            .and_then(|id| id.parse().ok())
            .expect("an id")
    }

    pub fn data(&self) -> Value {
        serde_json::from_str(self.field("data").expect("data")).expect("data is JSON")
    }
}

impl Recording {
    /// A reader asks for what comes after this id.
    pub fn begins(&mut self, reader: &str, from: i64) {
        self.lines.push(json!({"reader": reader, "from": from}));
    }

    pub fn saw(&mut self, reader: &str, block: &Block) {
        self.lines.push(match block.event() {
            "reset" => json!({"reader": reader, "reset": true, "from": block.data()["from"]}),
            event => {
                json!({"reader": reader, "id": block.id(), "event": event, "data": block.data()})
            }
        });
    }

    /// The reader was open until this event was sent.
    pub fn ends(&mut self, reader: &str, until: i64) {
        self.lines.push(json!({"reader": reader, "until": until}));
    }

    pub fn absorb(&mut self, other: Recording) {
        self.lines.extend(other.lines);
    }

    pub fn frames(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| !line["id"].is_null())
            .count()
    }

    pub fn resets(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| !line["reset"].is_null())
            .count()
    }

    /// Fails if any reader missed, repeated or reordered anything, or saw an
    /// event otherwise than it is stored.
    pub fn assert_clean(&self, headspace: &Headspace, types: Option<&str>) {
        let path = headspace.dir().join("frames.jsonl");
        let lines: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, lines).expect("the frames are written");
        oracle::assert_stream(&headspace.store, &path, types);
    }
}

/// Reads until the event of this id, which must come.
pub fn read_until(stream: &mut Stream, reader: &str, last: i64, recording: &mut Recording) {
    loop {
        let block = stream.next_frame();
        recording.saw(reader, &block);
        if block.event() != "reset" && block.id() >= last {
            return recording.ends(reader, last);
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
