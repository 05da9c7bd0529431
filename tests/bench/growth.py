"""Figures of a log that grows: ten times as many turns, and ten times again.

Turns of text only, 250 bytes each, in sessions of a thousand. After each step: how fast the new ones went in, how large
the database is beside the transcripts, and what reading costs by then.
"""

import random
import statistics
import time

import generate
from live import Live
from measure import Failed
from program import get

TEXT = 250
TURNS_OF_SESSION = 1000
LOOKS = 20
# The largest relations are shown one by one.
SHOWN = 12
SIZES = {
    "sqlite": "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC",
    "postgres": "SELECT relname, pg_relation_size(oid) FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
    " UNION ALL SELECT relname || ' (toast)', pg_total_relation_size(reltoastrelid) FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND reltoastrelid <> 0 ORDER BY 2 DESC",
}


def growth(bench):
    for kind in bench.databases.kinds:
        root = bench.folder(f"growth-{kind}")
        database = bench.databases.create(kind)
        turns, read_seconds, tree = 0, 0, Writer(root, bench.options.seed)
        for step in bench.options.decades:
            tree.grow(step)
            run = bench.program.once(root, database)
            if (stored := database.count("event_type = 'turn_detected'")) != step:
                raise Failed(f"{stored} turns stored of {step}: {run.output}")
            label = f"growth to {step:,} turns, {kind}"
            bench.at_least(f"{label}: turns/s", (step - turns) / run.seconds, 25_000)
            turns, read_seconds = step, read_seconds + run.seconds
            size(bench, database, label, tree.bytes)
            reading(bench, database, label, root)
            verify = bench.program.run(["verify"], root, database)
            bench.at_most(f"{label}: verify s", verify.seconds, None)
            bench.at_most("  beside reading it for the first time: times", verify.seconds / read_seconds, 1)
        bench.remove(root)


class Writer:
    """A tree of sessions that grows to any number of turns."""

    def __init__(self, root, seed):
        self.rng = random.Random(seed)
        self.text = generate.Text(self.rng)
        self.tree = generate.Tree(root)

    @property
    def bytes(self):
        return self.tree.bytes

    def grow(self, turns):
        while self.tree.turns < turns:
            project = self.tree.files % 10
            session = generate.Session(self.rng, self.text, f"/home/dev/code/growth-{project}", generate.ERAS[0][1])
            for _ in range(min(TURNS_OF_SESSION, turns - self.tree.turns)):
                self.turn(session)
            self.tree.save(session, f"-home-dev-code-growth-{project}")

    def turn(self, session):
        """A prompt: the record with the least beside its text."""
        text = self.text.exactly(TEXT).encode()[:TEXT].decode(errors="ignore").ljust(TEXT)
        session.user(text, is_turn=True)


def size(bench, database, label, transcripts):
    """What is on disk, and which tables and indexes it is."""
    relations = sizes(database)
    total = sum(size for _, size in relations)
    bench.at_most(f"{label}: database beside transcripts: times", total / transcripts, 1)
    bench.note(f"  transcripts {transcripts / 1e6:.1f} MB, database {total / 1e6:.1f} MB")
    shown = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in relations[:SHOWN])
    bench.note(f"  in MB: {shown}")


def sizes(database):
    return [(name, int(size)) for name, size in database.open()(SIZES[database.kind])]


def reading(bench, database, label, root):
    """Pages anywhere in the log, and `status`, while both services run."""
    with Live(bench, database.kind, with_web=True, root=root, database=database) as running:
        last = int(database.open()("SELECT max(id) FROM events")[0][0])
        rng = random.Random(bench.options.seed)
        pages = [page_ms(running, rng.randrange(last)) for _ in range(LOOKS)]
        bench.at_most(f"{label}: page of 100 events: median ms", statistics.median(pages), 10)
        newest = [page_ms(running, None) for _ in range(LOOKS)]
        bench.at_most(f"{label}: newest page: median ms", statistics.median(newest), 10)
        status = [bench.program.run(["status"], root, database, running.watcher.state).seconds for _ in range(5)]
        bench.at_most(f"{label}: status ms", statistics.median(status) * 1000, 50)


def page_ms(running, after):
    started = time.monotonic()
    path = "/api/events" if after is None else f"/api/events?after={after}"
    answer = get(running.web.port, path)
    if answer.status != 200 or not answer.read():
        raise Failed(f"{path} answers {answer.status}")
    return (time.monotonic() - started) * 1000
