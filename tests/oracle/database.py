"""The tables, read as plain SQL: SQLite through the standard library, PostgreSQL through `psql`.

In:  a database URL. Out: rows as dictionaries, the same from both: times as microseconds since 1970, payloads as
dictionaries, bytes as bytes. Nothing is written; SQLite is opened read-only so that closing it moves no pages.
"""

import json
import os
import sqlite3
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

TABLES = ("events", "rejections", "checkpoints", "agents", "projects")
TIMES = ("timestamp", "recorded_at", "started_at", "last_seen_at", "ended_at", "at", "updated_at", "created_at")
BYTES = ("excerpt", "sha256")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Unreadable(Exception):
    """The database could not be read; nothing can be said about it."""


@dataclass
class Turn:
    """A `turn_detected` event, flattened."""

    id: int
    session: str
    actor: str
    text: str
    origin: str
    time: int | None
    turn_time: int | None
    observed: bool
    message_id: str | None
    part: int | None
    agent_id: int | None
    path: str | None  # the file it was read from, as far as the database still says
    offset: int | None


def read_tables(url, names=TABLES):
    """{table: rows in id order}, all from one snapshot."""
    if url.startswith("sqlite:"):
        tables = from_sqlite(sqlite_path(url), names)
    elif url.startswith(("postgres:", "postgresql:")):
        tables = from_postgres(url, names)
    else:
        raise Unreadable(f"neither a sqlite: nor a postgres: URL: {url}")
    for rows in tables.values():
        for row in rows:
            normalise(row)
    return tables


def sqlite_path(url):
    path = url.removeprefix("sqlite:").split("?")[0]
    return path[2:] if path.startswith("//") else path


def from_sqlite(path, names):
    try:
        connection = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        connection.isolation_level = None
        connection.execute("BEGIN")
        tables = {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY id")] for name in names}
        connection.close()
        return tables
    except sqlite3.Error as error:
        raise Unreadable(f"{path}: {error}") from error


def from_postgres(url, names):
    selects = [f"SELECT '{name}', row_to_json(t) FROM (SELECT * FROM {name} ORDER BY id) t" for name in names]
    script = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n" + ";\n".join(selects) + ";\nCOMMIT;\n"
    command = ["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"]
    environment = dict(os.environ, PGOPTIONS="-c timezone=UTC -c client_encoding=UTF8", PGCONNECT_TIMEOUT="10")
    try:
        done = subprocess.run(command, input=script.encode(), capture_output=True, env=environment, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreadable(f"psql: {error}") from error
    if done.returncode != 0:
        raise Unreadable(done.stderr.decode(errors="replace").strip())
    tables = {name: [] for name in names}
    for line in filter(None, done.stdout.decode().split("\n")):
        name, row = line.split("\t", 1)
        tables[name].append(json.loads(row))
    return tables


def normalise(row):
    for name in TIMES:
        if name in row:
            row[name] = microseconds(row[name])
    for name in BYTES:
        if name in row:
            row[name] = plain_bytes(row[name])
    if isinstance(row.get("payload"), str):
        row["payload"] = json.loads(row["payload"])


def microseconds(value):
    """A stored or sent time; None if there is none or if it is none."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return (moment - EPOCH) // timedelta(microseconds=1)


def plain_bytes(value):
    """PostgreSQL sends bytes as `\\x...` in JSON."""
    if isinstance(value, str):
        return bytes.fromhex(value[2:]) if value.startswith("\\x") else value.encode()
    return value


def turns(tables):
    """The `turn_detected` events in id order."""
    paths = {row["id"]: os.path.realpath(row["path"]) for row in tables["checkpoints"]}
    return [turn(row, paths) for row in tables["events"] if row["event_type"] == "turn_detected"]


def turn(row, paths):
    payload = row["payload"]
    return Turn(
        id=row["id"],
        session=payload.get("session_uuid"),
        actor=payload.get("actor"),
        text=str(payload.get("text")),
        origin=payload.get("source"),
        time=row["timestamp"],
        turn_time=microseconds(payload.get("turn_timestamp")),
        observed=bool(row.get("observed")),
        message_id=payload.get("message_id"),
        part=payload.get("part"),
        agent_id=row.get("agent_id"),
        path=paths.get(row.get("checkpoint_id")),
        offset=row.get("source_offset"),
    )
