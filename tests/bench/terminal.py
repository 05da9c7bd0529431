"""How long the commands of every day take, from start to exit, with a thousand open sessions."""

import socket
import sqlite3
import subprocess
import tempfile
import time
import uuid

import measure

SESSIONS, PROJECTS, RUNS = 1000, 40, 50
COMMANDS = {"status": 50, "status -a": 50, "line": 10}


def terminal(bench):
    for kind in bench.databases.kinds:
        database = bench.databases.create(kind)
        root = bench.folder(f"terminal-{kind}")
        state = tempfile.mkdtemp(dir=bench.program.folder)
        bench.program.run(["migrate"], root, database, state)
        fill(database)
        environment = bench.program.environment(root, database, state)
        for words, floor in COMMANDS.items():
            command = [bench.program.binary, *words.split()]
            p95 = measure.percentiles([seconds(command, environment) * 1000 for _ in range(RUNS)])["p95"]
            bench.at_most(f"{words} with {SESSIONS:,} open sessions, p95, {kind}: ms", p95, floor)


def seconds(command, environment):
    started = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def fill(database):
    """Of ten sessions six are idle, three work, and one waits."""
    now = time.time()
    script = []
    for project in range(1, PROJECTS + 1):
        path = f"/home/dev/project{project}"
        row = (project, socket.gethostname(), path, f"project{project}", "main", at(now))
        script.append(insert("projects", "id, host, path, name, current_branch, created_at", row))
    columns = "id, session_uuid, project_id, working_directory, cli, started_at, last_seen_at, title, state, needs, asks, since, last_words, terminal, todos, other_hosts"
    for agent in range(1, SESSIONS + 1):
        state = ("awaiting_input", *["processing"] * 3, *["idle"] * 6)[agent % 10]
        needs, asks = ("permission", "Bash: rm -rf build && make") if state == "awaiting_input" else ("none", None)
        project, since = agent % PROJECTS + 1, at(now - agent)
        row = (agent, str(uuid.UUID(int=agent)), project, f"/home/dev/project{project}", "claude", at(now - 5000), since)
        row += (f"The title of session {agent}", state, needs, asks, since, "word " * 100, '{"tty": "/dev/pts/7"}')
        # Of no other host: an older SQLite than the program's takes NULL for no JSON.
        script.append(insert("agents", columns, (*row, '[{"status": "completed"}, {"status": "pending"}]', "[]")))
        if state == "processing":
            call = (agent, f"call{agent}", "Bash", "cargo test", at(now))
            script.append(insert("tool_uses", "agent_id, tool_use_id, name, summary, started_at", call))
    if database.kind == "postgres":
        database.server.psql(database.url, "".join(script).encode())
    else:
        with sqlite3.connect(database.path) as connection:
            connection.executescript("".join(script))


def insert(table, columns, values):
    shown = ", ".join("NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'" for value in values)
    return f"INSERT INTO {table} ({columns}) VALUES ({shown});\n"


def at(seconds_since_1970):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(seconds_since_1970))
