//! A bad line between headspace and PostgreSQL: our own proxy on loopback. It
//! knows enough of the protocol to see a COMMIT go by.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{postgres::Database, server::socket_folder};

pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
}

/// What happens to a COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    Answered,
    /// The server's answer is received and thrown away with the connection.
    AnswerSwallowed,
    /// The connection is cut as soon as the COMMIT is on its way.
    CutWhileRunning,
    /// It never arrives.
    Lost,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

#[derive(Default)]
struct Shared {
    line: Mutex<Line>,
    changed: Condvar,
    /// COMMITs that met something else than an answer.
    doubtful: AtomicU64,
    cuts: AtomicU64,
    opened: AtomicU64,
    /// Bytes that clients sent, passed on or not.
    heard: AtomicU64,
    /// Of each transaction that was asked to commit: how often its client waited.
    transactions: Mutex<Vec<u32>>,
    /// Prepared statements that clients had executed.
    statements: AtomicU64,
}

struct Line {
    commits: Commits,
    /// Cut after so many more bytes this way.
    cut_after: Option<(Way, u64)>,
    stalled: bool,
    silence_new: bool,
}

impl Default for Line {
    fn default() -> Line {
        Line {
            commits: Commits::Answered,
            cut_after: None,
            stalled: false,
            silence_new: false,
        }
    }
}

/// One connection through the proxy.
struct Pair {
    client: TcpStream,
    server: UnixStream,
    /// What the server says next is an answer nobody will hear.
    swallow: AtomicBool,
    /// After the greeting nothing the client says is passed on.
    silent: bool,
    shared: Arc<Shared>,
}

impl Proxy {
    pub fn before(database: &Database) -> Proxy {
        let server = socket_folder(database).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let line = shared.clone();
        // Both ends when the test process does.
        thread::spawn(move || accept(&listener, &server, &line));
        let name = &database.name;
        Proxy {
            url: format!("postgres://postgres@{address}/{name}?sslmode=disable"),
            shared,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn set_commits(&self, commits: Commits) {
        self.change(|line| line.commits = commits);
    }

    pub fn cut_after(&self, way: Way, bytes: u64) {
        self.change(|line| line.cut_after = Some((way, bytes)));
    }

    /// From now on nothing moves, and what connects hears nothing.
    pub fn stall(&self) {
        self.change(|line| line.stalled = true);
    }

    pub fn flow(&self) {
        self.change(|line| line.stalled = false);
    }

    /// Connections made from now on are greeted and then left without an answer.
    pub fn silence_new(&self, silence: bool) {
        self.change(|line| line.silence_new = silence);
    }

    /// How many COMMITs did not get their answer through.
    pub fn doubtful(&self) -> u64 {
        self.shared.doubtful.load(Ordering::SeqCst)
    }

    /// How many connections were cut after a number of bytes.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    pub fn heard(&self) -> u64 {
        self.shared.heard.load(Ordering::SeqCst)
    }

    /// Of each transaction that was asked to commit: how often its client waited
    /// for an answer, BEGIN and COMMIT counted.
    pub fn round_trips(&self) -> Vec<u32> {
        self.shared.transactions().clone()
    }

    /// How many prepared statements were executed so far.
    pub fn statements(&self) -> u64 {
        self.shared.statements.load(Ordering::SeqCst)
    }

    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::SeqCst)
    }

    fn change(&self, change: impl FnOnce(&mut Line)) {
        change(&mut self.shared.line());
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Whoever is held up goes on, and finds both ends closed.
        self.flow();
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    fn transactions(&self) -> MutexGuard<'_, Vec<u32>> {
        self.transactions
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    fn wait_while_stalled(&self) {
        let line = self.line();
        let flowing = self.changed.wait_while(line, |line| line.stalled);
        drop(flowing);
    }

    /// How many of these bytes still go through before the cut, if it is due.
    fn due_cut(&self, way: Way, bytes: usize) -> Option<usize> {
        let mut line = self.line();
        let (cut_way, left) = line.cut_after?;
        if cut_way != way {
            return None;
        }
        if left >= bytes as u64 {
            line.cut_after = Some((way, left - bytes as u64));
            return None;
        }
        line.cut_after = None;
        self.cuts.fetch_add(1, Ordering::SeqCst);
        Some(left as usize)
    }
}

fn accept(listener: &TcpListener, server: &PathBuf, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        shared.opened.fetch_add(1, Ordering::SeqCst);
        let _ = client.set_nodelay(true);
        // A server that is down refuses: so does the proxy.
        let Ok(server) = UnixStream::connect(server) else {
            continue;
        };
        let pair = Arc::new(Pair {
            client,
            server,
            swallow: AtomicBool::new(false),
            silent: shared.line().silence_new,
            shared: shared.clone(),
        });
        let other = pair.clone();
        thread::spawn(move || other.run(Way::ToServer));
        thread::spawn(move || pair.run(Way::ToClient));
    }
}

impl Pair {
    fn run(&self, way: Way) {
        let mut commits = Transactions::default();
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = match way {
                Way::ToServer => (&self.client).read(&mut buffer),
                Way::ToClient => (&self.server).read(&mut buffer),
            };
            let Ok(count @ 1..) = read else { break };
            if way == Way::ToServer {
                self.shared.heard.fetch_add(count as u64, Ordering::SeqCst);
            }
            self.shared.wait_while_stalled();
            if self.pass(way, &buffer[..count], &mut commits).is_err() {
                break;
            }
        }
        self.cut();
    }

    /// Passes bytes on; an error ends the connection.
    fn pass(&self, way: Way, bytes: &[u8], commits: &mut Transactions) -> io::Result<()> {
        if let Some(count) = self.shared.due_cut(way, bytes.len()) {
            self.send(way, &bytes[..count])?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if way == Way::ToClient {
            if self.swallow.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            return self.send(way, bytes);
        }
        if self.silent && commits.greeted {
            return Ok(());
        }
        let found = commits.finds_commit(bytes);
        let statements = std::mem::take(&mut commits.statements);
        self.shared
            .statements
            .fetch_add(statements, Ordering::SeqCst);
        if let Some(round_trips) = found {
            self.shared.transactions().push(round_trips);
            let what = self.shared.line().commits;
            if what != Commits::Answered {
                self.shared.doubtful.fetch_add(1, Ordering::SeqCst);
            }
            match what {
                Commits::Answered => {}
                Commits::AnswerSwallowed => self.swallow.store(true, Ordering::SeqCst),
                Commits::CutWhileRunning => {
                    self.send(way, bytes)?;
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Commits::Lost => return Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
        self.send(way, bytes)
    }

    fn send(&self, way: Way, bytes: &[u8]) -> io::Result<()> {
        match way {
            Way::ToServer => (&self.server).write_all(bytes),
            Way::ToClient => (&self.client).write_all(bytes),
        }
    }

    /// The client is reset, as by a router; the server sees an end.
    fn cut(&self) {
        let reset = socket2::SockRef::from(&self.client);
        let _ = reset.set_linger(Some(Duration::ZERO));
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// Finds the message `Query("COMMIT")` in what a client sends, and counts what
/// the client waits for until then: the answer to each Query and each Sync.
#[derive(Default)]
struct Transactions {
    greeted: bool,
    rest: Vec<u8>,
    round_trips: u32,
    statements: u64,
}

impl Transactions {
    /// Takes in the next bytes; how often the transaction's client waited, if a
    /// COMMIT became complete with them.
    fn finds_commit(&mut self, bytes: &[u8]) -> Option<u32> {
        self.rest.extend_from_slice(bytes);
        let mut found = None;
        while let Some((kind, length)) = self.head() {
            if self.rest.len() < length {
                break;
            }
            let message: Vec<u8> = self.rest.drain(..length).collect();
            let is =
                |word: &[u8]| kind == b'Q' && message[5..].to_ascii_uppercase().starts_with(word);
            if is(b"BEGIN") {
                self.round_trips = 0;
            }
            self.round_trips += u32::from(matches!(kind, b'Q' | b'S'));
            self.statements += u64::from(kind == b'E');
            if is(b"COMMIT") {
                found = Some(self.round_trips);
            }
        }
        found
    }

    /// The type and the whole length of the first message. The first one of a
    /// connection has no type.
    fn head(&mut self) -> Option<(u8, usize)> {
        let length = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four")) as usize;
        if !self.greeted {
            let whole = length(self.rest.get(..4)?);
            self.greeted = self.rest.len() >= whole;
            return Some((0, whole));
        }
        Some((
            self.rest[..].first().copied()?,
            1 + length(self.rest.get(1..5)?),
        ))
    }
}
