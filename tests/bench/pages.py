"""Figures of the pages: how long the server takes to make them, and how large they are."""

import datetime
import gzip
import sqlite3
import statistics
import time

import program

AGENTS = 200
TURNS = 5000
CALLS = 2000
REQUESTS = 200
ASSETS = ["style.css", "htmx.js", "app.js", "keys.js", "alerts.js", "talk.js", "sse-client.js"]
# Of a hundred open sessions so many each: they wait, finished, work, have tasks in the background; the rest is idle.
SHARES = {"need": 6, "done": 5, "work": 29, "back": 5, "idle": 55}
SAID = "All 412 tests pass. The only breaking change was the path syntax; I updated 14 routes and the guide."


def pages(bench):
    """Home with many open sessions, and a long session, from a log that is made by hand."""
    for kind in bench.databases.kinds:
        database = bench.databases.create(kind)
        root = bench.folder(f"pages-{kind}")
        bench.program.once(root, database)
        fill(database)
        web = bench.program.start("web", root, database, port=program.free_port())
        try:
            web.wait_healthy()
            home = measured(bench, web, kind, "home with 200 open sessions", "/", 30)
            bench.at_most(f"{kind}: home with 200 open sessions: kB", len(home) / 1000, 60)
            session = measured(bench, web, kind, f"a session of {TURNS:,} turns", "/agents/1", 100)
            bench.at_most(f"{kind}: a session of {TURNS:,} turns: kB", len(session) / 1000, None)
            measured(bench, web, kind, "the log", "/log", None)
            if kind == "sqlite":
                sizes = [len(gzip.compress(program.get(web.port, f"/{name}").read(), 9)) for name in ASSETS]
                bench.at_most("what pages load, compressed: kB", sum(sizes) / 1000, 60)
        finally:
            web.stop()


def measured(bench, web, kind, name, path, floor):
    times = []
    for _ in range(REQUESTS):
        started = time.monotonic()
        answer = program.get(web.port, path)
        body = answer.read()
        times.append(1000 * (time.monotonic() - started))
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]}")
    bench.at_most(f"{kind}: {name}, median: ms", statistics.median(times), None)
    bench.at_most(f"{kind}: {name}, p95: ms", statistics.quantiles(times, n=20)[-1], floor)
    return body


def fill(database):
    """The same text for both databases."""
    script = "BEGIN;\n" + "".join(statements()) + "COMMIT;\n"
    if database.kind == "postgres":
        database.server.psql(database.url, script.encode())
        return
    connection = sqlite3.connect(database.path, isolation_level=None)
    # The checks of JSON ask for a newer SQLite than Python may have.
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.executescript(script)
    connection.close()


def statements():
    now = datetime.datetime.now(datetime.timezone.utc)

    def ago(minutes):
        return f"'{now - datetime.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S.%fZ}'"

    for number in range(1, 9):
        yield (
            "INSERT INTO projects (id, host, path, name, current_branch, created_at) "
            f"VALUES ({number}, 'box', '/home/dev/project-{number}', 'project-{number}', 'main', {ago(9000)});\n"
        )
    kinds = [kind for kind, share in SHARES.items() for _ in range(AGENTS * share // 100)]
    for number, kind in enumerate(kinds, 1):
        state = {"need": "awaiting_input", "work": "processing"}.get(kind, "idle")
        needs, asks = ("'permission'", "'Bash: rm -rf build && make -j8 release'") if kind == "need" else ("'none'", "NULL")
        since = ago(number % 50 + 1)
        yield (
            "INSERT INTO agents (id, session_uuid, project_id, working_directory, cli, started_at, last_seen_at, title, "
            "model, context_tokens, state, needs, asks, since, background, unseen, last_words, queue_length) VALUES "
            f"({number}, 'aaaaaaaa-0000-4000-8000-{number:012}', {number % 8 + 1}, '/home/dev/project', 'claude', {ago(300)}, "
            f"{since}, 'Port the parser to the new grammar {number}', 'claude-opus-4-5-20251101', 90000, '{state}', {needs}, {asks}, "
            f"{since}, {2 if kind == 'back' else 0}, {'TRUE' if kind == 'done' else 'FALSE'}, '{SAID}', 0);\n"
            "INSERT INTO commands (id, agent_id, state, origin, started_at, completed_at) VALUES "
            f"({number}, {number}, 'processing', 'human', {ago(60)}, {'NULL' if kind == 'work' else since});\n"
            "INSERT INTO turns (command_id, actor, intent, text, timestamp, event_id) VALUES "
            f"({number}, 'user', 'command', 'make the billing schema ready for credit notes', {ago(60)}, 1);\n"
        )
        if kind == "work":
            yield call(number, f"open-{number}", ago(1), "NULL")
    for number in range(TURNS):
        actor, text = ("user", "go on, please") if number % 10 == 0 else ("agent", f"{SAID}\n\n- **one** `{number}`\n- two\n")
        yield (
            "INSERT INTO turns (command_id, actor, intent, text, timestamp, event_id) VALUES "
            f"(1, '{actor}', 'progress', '{text}', {ago(59 - number / TURNS * 50)}, 1);\n"
        )
    for number in range(CALLS):
        at = ago(59 - number / CALLS * 50)
        yield call(1, f"call-{number}", at, at)


def call(agent, name, at, ended):
    outcome = "NULL" if ended == "NULL" else "'ok'"
    return (
        "INSERT INTO tool_uses (agent_id, command_id, tool_use_id, name, summary, started_at, ended_at, outcome) VALUES "
        f"({agent}, {agent}, '{name}', 'Bash', 'cargo test --lib parser', {at}, {ended}, {outcome});\n"
    )
