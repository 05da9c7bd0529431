"""What deriving adds to catching up: states, calls and costs, against the same run without them."""

import json
import os
import statistics
import subprocess
import tempfile

import generate
import measure
from measure import Failed

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROUNDS = 5


def deriving(bench):
    driver = build()
    megabytes = bench.options.megabytes
    tree = generate.realistic(bench.folder("deriving"), megabytes, bench.options.seed)
    bench.note(f"deriving: {tree.bytes / 1e6:.0f} MB, {tree.lines} lines, the median of {ROUNDS} rounds of each, in turns")
    reading = {way: [run(bench, driver, tree, "-", way) for _ in range(ROUNDS)] for way in ("with", "without")}
    compare(bench, "reading and translating alone", reading, None)
    for kind in bench.databases.kinds:
        runs = {"with": [], "without": []}
        for _ in range(ROUNDS):
            for way, found in runs.items():
                database = bench.databases.create(kind)
                found.append(run(bench, driver, tree, database.url, way))
                if (turns := database.count("event_type = 'turn_detected'")) != tree.turns:
                    raise Failed(f"{turns} turns stored of {tree.turns}")
        compare(bench, f"catch-up, {kind}", runs, 20)


def compare(bench, what, runs, floor):
    seconds = {way: statistics.median(run.seconds for run in found) for way, found in runs.items()}
    cpu = {way: statistics.median(run.cpu_seconds for run in found) for way, found in runs.items()}
    for way in ("without", "with"):
        bench.at_most(f"  {what}, {way}: s", seconds[way], None)
        bench.at_most(f"  {what}, {way}: CPU s of the watcher", cpu[way], None)
    bench.at_most(f"deriving adds to {what}: %", (seconds["with"] / seconds["without"] - 1) * 100, floor)


def run(bench, driver, tree, url, way):
    with tempfile.TemporaryDirectory(dir=bench.work) as state:
        return measure.run([driver, tree.root, state, url, way], {"PATH": os.environ["PATH"], "HOME": state})


def build():
    """The driver: the program's own loop with a switch that the program does not have."""
    command = ["cargo", "build", "--release", "--bench", "deriving", "--message-format=json"]
    built = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout.splitlines()
    made = [json.loads(line) for line in built if line.startswith(b"{")]
    return next(one["executable"] for one in made if one.get("executable") and one["target"]["name"] == "deriving")
