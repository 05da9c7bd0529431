"""Figures of living with it: how soon an event can be seen, what watching costs, how long starting and stopping take."""

import http.client
import json
import os
import subprocess
import sys
import time

import measure
from databases import TURNS
from measure import MIB, Failed
from program import free_port
from writer import LiveSession, sent, sent_of

HERE = os.path.dirname(os.path.abspath(__file__))
RATE = 100
BURST = 100
SESSIONS = 10
LIVE_SESSIONS = 100
MANY_SESSIONS = 1000
# A pause between two looks, so that looking leaves the processor to what is measured.
LOOK_SECONDS = 0.0003


def latency(bench):
    """From a line's append to whoever waits for it: in the database, and at a client of the stream."""
    for name, value in measure.fdatasync_ms(bench.work, RATE).items():
        bench.at_most(f"  one fdatasync of 4 KiB, {RATE}/s: {name} ms", value, None)
    readers = {"row": database_reader}
    if bench.program.has("web"):
        readers["client"] = stream_reader
    else:
        bench.failures.append("latency at a client: this build has no `headspace web`")
    for kind in bench.databases.kinds:
        for name, reader in readers.items():
            with Live(bench, kind, with_web=name == "client") as running:
                latencies_of(bench, running, reader, f"append to {name}, {kind}")


def latencies_of(bench, running, reader, label):
    look = reader(running)
    warm_up(running, look)
    seconds = bench.options.live_seconds
    found = receive(look, ["steady", f"--rate={RATE}", f"--seconds={seconds}"], running, RATE * seconds)
    for name, value in measure.percentiles(found).items():
        bench.at_most(f"{label}, {RATE}/s: {name} ms", value, 5 if name == "p99" else None)
    for sessions in (1, 10):
        slowest = sorted(
            max(receive(look, ["burst", f"--lines={BURST}", f"--sessions={sessions}"], running, BURST)) for _ in range(5)
        )
        where = "one file" if sessions == 1 else f"{sessions} files"
        bench.at_most(f"{label}, {BURST} at once in {where}: last ms (median of 5)", slowest[2], 50)


def warm_up(running, look):
    session = LiveSession(running.root, 0)
    session.append(session.line(sent(0)))
    deadline = time.monotonic() + 20
    while not look():
        if time.monotonic() > deadline:
            raise Failed(f"the first line was never seen: {running.watcher.said()}")


def receive(look, mode, running, expected):
    """Milliseconds from append to sight of all lines a writer of its own process writes."""
    writer = subprocess.Popen([sys.executable, f"{HERE}/writer.py", running.root, *mode])
    found = {}
    deadline = time.monotonic() + 120
    while len(found) < expected:
        for text in look():
            now = time.monotonic_ns()
            number, then = sent_of(text)
            if number in found:
                raise Failed(f"line {number} was seen twice")
            found[number] = (now - then) / 1e6
        if time.monotonic() > deadline:
            writer.kill()
            raise Failed(f"{len(found)} of {expected} lines were seen: {running.watcher.said()}")
    if writer.wait() != 0:
        raise Failed("the writer failed")
    return list(found.values())


def database_reader(running):
    """Looks for new rows by id, over and over."""
    query = running.database.open()
    sql = TURNS[running.database.kind]
    last = [0]

    def look():
        rows = query(sql.format(last[0]))
        if rows:
            last[0] = int(rows[-1][0])
        else:
            time.sleep(LOOK_SECONDS)
        return [text for _, text in rows]

    return look


def stream_reader(running):
    """Reads the stream, frame by frame."""
    connection = http.client.HTTPConnection("127.0.0.1", running.web.port, timeout=30)
    connection.request("GET", "/api/events/stream", headers={"Accept": "text/event-stream"})
    stream = connection.getresponse()
    if stream.status != 200:
        raise Failed(f"the stream answers {stream.status}: {stream.read()[:300]}")

    def look():
        while True:
            line = stream.readline()
            if not line:
                raise Failed("the stream ended")
            if line.startswith(b"data:"):
                event = json.loads(line[5:])
                if event.get("event_type") == "turn_detected":
                    return [event["payload"]["text"]]

    return look


class Live:
    """A watcher, and a web if wanted, on a root and a database, fresh if none is given."""

    def __init__(self, bench, kind, with_web, settings=(), root=None, database=None):
        self.database = database or bench.databases.create(kind)
        self.root = root or bench.folder(f"live-{kind}-{bench.databases.made}-{time.monotonic_ns()}")
        self.watcher = bench.program.start("watch", self.root, self.database)
        self.watcher_ready = self.watcher.wait_ready()
        self.web = None
        if with_web:
            port = free_port()
            self.web = bench.program.start("web", self.root, self.database, self.watcher.state, port, settings)

    def __enter__(self):
        try:
            if self.web:
                self.web.wait_healthy()
        except Failed:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for process in (self.web, self.watcher):
            if process:
                process.stop()


def idle(bench):
    """What it costs to watch many sessions in which nothing happens."""
    seconds = bench.options.idle_seconds
    has_web = bench.program.has("web")
    if not has_web:
        bench.failures.append("idle web: this build has no `headspace web`")
    for kind in bench.databases.kinds:
        for sessions in (LIVE_SESSIONS, MANY_SESSIONS):
            with Live(bench, kind, with_web=has_web) as running:
                idle_with(bench, running, sessions, seconds)


def idle_with(bench, running, number_of, seconds):
    sessions = [LiveSession(running.root, number) for number in range(number_of)]
    for session in sessions:
        session.append(b"".join(session.line(sent(number)) for number in range(3)))
        session.close()
    wait_for_rows(running, 3 * number_of)
    time.sleep(3)
    processes = {"watcher": running.watcher} | ({"web": running.web} if running.web else {})
    costs = measure.cost_over([process.pid for process in processes.values()], seconds)
    for name, process in processes.items():
        cost = costs[process.pid]
        label = f"idle {name}, {number_of} sessions, {running.database.kind}"
        bench.at_most(f"{label}: CPU %", cost.cpu_percent, 0.1)
        bench.at_most(f"{label}: wake-ups/s", cost.wakeups_per_second, 0.3 if name == "watcher" else 1)
        bench.at_most("  of these because another program had to run", cost.preempted_per_second, None)
        bench.at_most(f"{label}: PSS MiB", cost.pss / MIB, 8 if name == "watcher" else 15)


def wait_for_rows(running, rows):
    deadline = time.monotonic() + 60
    while running.database.count("event_type = 'turn_detected'") < rows:
        if time.monotonic() > deadline:
            raise Failed(f"not all rows arrived: {running.watcher.said()}")
        time.sleep(0.05)


def start(bench):
    """From start to ready, and from SIGTERM to the end; the second start finds the tables made."""
    for kind in bench.databases.kinds:
        database = bench.databases.create(kind)
        root = bench.folder(f"start-{kind}")
        for when in ("first", "second"):
            watcher = bench.program.start("watch", root, database)
            try:
                bench.at_most(f"{when} start of watch to ready, {kind}: ms", watcher.wait_ready() * 1000, 1000)
            finally:
                bench.at_most(f"stop of watch, {kind}: ms", watcher.stop() * 1000, 2000)
        if bench.program.has("up"):
            up = bench.program.start("up", root, database, port=free_port())
            try:
                bench.at_most(f"start of up to the first /health 200, {kind}: ms", up.wait_healthy() * 1000, 1000)
            finally:
                bench.at_most(f"stop of up, {kind}: ms", up.stop() * 1000, 2000)
        else:
            bench.failures.append("start: this build has no `headspace up`")
