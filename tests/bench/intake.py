"""Figures of the one door in: how soon a hook, a request or a change in the registry is committed, and what a hook costs."""

import http.client
import json
import os
import random
import subprocess
import time

import measure
from live import LOOK_SECONDS, Live
from measure import Failed

# By id, over and over; what was sent is recognised by its mark.
EVENTS = {
    "sqlite": "SELECT id, payload FROM events WHERE id > {} ORDER BY id",
    "postgres": "SELECT id, payload::text FROM events WHERE id > {} ORDER BY id",
}
JSON = {"Content-Type": "application/json"}
COMMITTED_MS = 100
HOOK_MS = 5


def intake(bench):
    """From each way in to the committed event, one after the other; then the hook beside a program that does nothing."""
    for kind in bench.databases.kinds:
        with Live(bench, kind, with_web=True) as running:
            seen = reader(running)
            for name, send in ways_in(bench, running).items():
                found = [committed_ms(send, seen, running) for _ in range(bench.options.sent)]
                report(bench, f"{name} to committed, {kind}", found, COMMITTED_MS)
    hook_beside_true(bench)


def ways_in(bench, running):
    """{what is measured: a function that sends one thing with a mark}"""
    hook = [bench.program.binary, "hook"]
    environment = bench.program.environment(running.root, running.database, running.watcher.state)
    entry = Entry(running.root)

    def post(mark):
        connection = http.client.HTTPConnection("127.0.0.1", running.web.port, timeout=10)
        connection.request("POST", "/hook", body_of(mark), JSON)
        status = connection.getresponse().status
        if status != 200:
            raise Failed(f"POST /hook answers {status}")

    return {
        "hook call": lambda mark: subprocess.run(hook, input=body_of(mark), env=environment, check=True),
        "POST /hook": post,
        "registry file change": entry.change,
    }


class Entry:
    """The file in the registry that would be this process's, rewritten in place as the CLI does."""

    def __init__(self, root):
        os.makedirs(f"{root}/sessions", exist_ok=True)
        self.path, self.statuses = f"{root}/sessions/{os.getpid()}.json", 0

    def change(self, mark):
        self.statuses += 1
        entry = {"pid": os.getpid(), "sessionId": "bench", "cwd": f"/home/dev/{mark}", "status": ["busy", "idle"][self.statuses % 2]}
        entry |= {"statusUpdatedAt": int(time.time() * 1000), "version": "2.1.329"}
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(entry, file)


def body_of(mark):
    hook = {"session_id": "bench", "cwd": "/home/dev/bench", "hook_event_name": "Stop", "prompt_id": mark}
    return json.dumps(hook).encode()


def reader(running):
    """A function that says whether an event with a mark has come since it was last asked."""
    query, last = running.database.open(), [0]

    def seen(mark):
        rows = query(EVENTS[running.database.kind].format(last[0]))
        if rows:
            last[0] = int(rows[-1][0])
        return any(mark in payload for _, payload in rows)

    return seen


def committed_ms(send, seen, running):
    # Not in step with anything that comes round.
    time.sleep(random.uniform(0, 0.05))
    mark = f"mark-{time.monotonic_ns()}"
    started = time.monotonic()
    send(mark)
    while not seen(mark):
        if time.monotonic() > started + 20:
            raise Failed(f"it was never committed: {running.watcher.said()}")
        # Until the next look at the condition: a bound on what is measured, see LOOK_SECONDS.
        time.sleep(LOOK_SECONDS)
    return (time.monotonic() - started) * 1000


def hook_beside_true(bench):
    """In turn, so that both meet the same machine."""
    root, state = bench.folder("hook-root"), bench.folder("hook-state")
    environment = bench.program.environment(root, bench.databases.create("sqlite"), state)
    took = {"headspace hook": [], "/bin/true": []}
    for _ in range(bench.options.sent):
        for name, command in (("headspace hook", [bench.program.binary, "hook"]), ("/bin/true", ["/bin/true"])):
            body = body_of(f"mark-{time.monotonic_ns()}")
            started = time.monotonic()
            child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
            try:
                child.communicate(body)
            except BrokenPipeError:
                pass
            took[name].append((time.monotonic() - started) * 1000)
    for name, value in measure.fdatasync_ms(bench.work, 100).items():
        bench.at_most(f"  one fdatasync of 4 KiB, 100/s: {name} ms", value, None)
    report(bench, "headspace hook, whole process", took["headspace hook"], HOOK_MS)
    report(bench, "  /bin/true, whole process", took["/bin/true"], None)


def report(bench, label, found, floor):
    for name, value in measure.percentiles(found).items():
        if name != "max":
            bench.at_most(f"{label}: {name} ms", value, floor if name == "p95" else None)
