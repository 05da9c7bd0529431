"""Figures of catching up: speed on realistic and on event-dense transcripts, memory on extreme ones."""

import json
import os
import subprocess
import time

import generate
import growth
from measure import MIB, Failed

JSON_SAMPLE = 20_000_000


def speed(bench):
    """How fast `watch --once` takes in a tree, beside what the machine does without it."""
    trees = {
        "realistic": generate.realistic(bench.folder("realistic"), bench.options.megabytes, bench.options.seed),
        "dense": generate.dense(bench.folder("dense"), bench.options.events, bench.options.seed),
    }
    for name, tree in trees.items():
        bench.note(f"{name}: {tree.bytes / 1e6:.0f} MB, {tree.files} files, {tree.lines} lines, {tree.turns} turns")
    read_baseline(bench, trees["realistic"])
    for kind in bench.databases.kinds:
        for name, tree in trees.items():
            catch_up(bench, kind, name, tree)


def catch_up(bench, kind, name, tree):
    database = bench.databases.create(kind)
    run = bench.program.once(tree.root, database)
    turns = database.count("event_type = 'turn_detected'")
    if turns != tree.turns:
        raise Failed(f"{turns} turns stored of {tree.turns}: {run.output}")
    events = database.count()
    label = f"catch-up {name}, {kind}"
    floor = {"sqlite": 80, "postgres": 60}[kind] if name == "realistic" else None
    bench.at_least(f"{label}: MB/s", tree.bytes / 1e6 / run.seconds, floor)
    bench.at_least(f"{label}: events/s", events / run.seconds, 5000 if name == "dense" else None)
    bench.at_most(f"{label}: CPU s per 100 MB", run.cpu_seconds / tree.bytes * 1e8, None)
    bench.at_most(f"{label}: peak memory MiB", run.peak_rss / MIB, 40)
    share = sum(size for _, size in growth.sizes(database)) / tree.bytes
    bench.at_most(f"{label}: database, % of the transcripts", share * 100, 35 if name == "realistic" else None)
    bench.at_least(f"  plain insertion of those rows, {kind}: rows/s", events / database.insert_seconds(), None)


def read_baseline(bench, tree):
    files = [os.path.join(folder, name) for folder, _, names in os.walk(tree.root) for name in names]
    started = time.monotonic()
    subprocess.run(["xargs", "-0", "cat"], input="\0".join(files).encode(), stdout=subprocess.DEVNULL, check=True)
    bench.at_least("  plain reading (cat): MB/s", tree.bytes / 1e6 / (time.monotonic() - started), None)
    size, started = 0, time.monotonic()
    for path in files:
        with open(path, "rb") as file:
            for line in file:
                json.loads(line)
                size += len(line)
        if size > JSON_SAMPLE:
            break
    bench.at_least("  plain parsing (Python's json): MB/s", size / 1e6 / (time.monotonic() - started), None)


def memory(bench):
    """Peak memory with lines and files far above the usual."""
    longest = bench.options.line_mib * MIB
    inputs = {
        f"a tool result of {bench.options.line_mib} MiB": lambda root: one_line(root, "user", longest),
        f"an answer of {bench.options.line_mib} MiB": lambda root: one_line(root, "assistant", longest),
        f"a file of {bench.options.file_mb} MB": lambda root: one_file(root, bench.options.file_mb, bench.options.seed),
    }
    for number, (name, make) in enumerate(inputs.items()):
        root = bench.folder(f"extreme-{number}")
        make(root)
        for kind in bench.databases.kinds:
            run = bench.program.once(root, bench.databases.create(kind))
            bench.at_most(f"memory, {name}, {kind}: peak MiB", run.peak_rss / MIB, 40)
            bench.at_most(f"memory, {name}, {kind}: seconds", run.seconds, None)
        bench.remove(root)


def one_line(root, kind, length):
    """A file with a prompt and one line of exactly `length` bytes, newline not counted."""
    session = generate.Session(*make_voice(1), "/home/dev/code/long", generate.ERAS[4][1])
    session.prompt()
    mark = "@@"
    if kind == "user":
        session.user([{"tool_use_id": "toolu_1", "type": "tool_result", "content": mark}])
    else:
        session.say(mark, "end_turn")
    line = session.lines.pop().rstrip(b"\n")
    filling = json.dumps(session.text.pool[:1_000_000])[1:-1].encode()
    missing = length - len(line) + len(mark)
    # Escapes and characters of several bytes must not be cut: the rest is filled with x.
    times = missing // len(filling)
    text = filling * times + b"x" * (missing - times * len(filling))
    session.lines.append(line.replace(mark.encode(), text) + b"\n")
    generate.Tree(root).save(session, "long")


def one_file(root, megabytes, seed):
    """One session that went on for that long."""
    session = generate.Session(*make_voice(seed), "/home/dev/code/large", generate.ERAS[4][1])
    os.makedirs(f"{root}/projects/large")
    with open(f"{root}/projects/large/{session.id}.jsonl", "wb") as file:
        while session.bytes < megabytes * 1_000_000:
            session.turn()
            file.writelines(session.lines)
            session.lines.clear()
            session.agents.clear()


def make_voice(seed):
    rng = generate.random.Random(seed)
    return rng, generate.Text(rng)
