"""The two databases behind one face: make a fresh one, read rows, and insert rows the plain way to compare with."""

import os
import sqlite3
import tempfile
import time

BATCH = 512
TURNS = {
    "sqlite": "SELECT id, json_extract(payload, '$.text') FROM events"
    " WHERE id > {} AND event_type = 'turn_detected' ORDER BY id",
    "postgres": "SELECT id, payload->>'text' FROM events WHERE id > {} AND event_type = 'turn_detected' ORDER BY id",
}


class Database:
    """A fresh, empty database."""

    def __init__(self, kind, url, path=None, server=None):
        self.kind, self.url, self.path, self.server = kind, url, path, server

    def open(self):
        """A function that runs a query and returns rows."""
        if self.kind == "postgres":
            return self.server.connect(self.url).query
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10, isolation_level=None)
        return lambda sql: connection.execute(sql).fetchall()

    def count(self, where="true"):
        return int(self.open()(f"SELECT count(*) FROM events WHERE {where}")[0][0])

    def insert_seconds(self):
        """How long it takes to insert the same rows again, without headspace: same values, same batches."""
        rows = self.open()("SELECT timestamp, event_type, payload, event_key FROM events ORDER BY id")
        insert = insert_sqlite if self.kind == "sqlite" else self.insert_postgres
        return insert(rows)

    def insert_postgres(self, rows):
        columns = "timestamp timestamptz, event_type text, payload jsonb, event_key text UNIQUE"
        self.server.psql(self.url, f"CREATE TABLE plain (id bigserial PRIMARY KEY, {columns})".encode())
        script = []
        for start in range(0, len(rows), BATCH):
            script.append("\\copy plain (timestamp, event_type, payload, event_key) FROM stdin\n")
            script += ["\t".join(escape(value) for value in row) + "\n" for row in rows[start : start + BATCH]]
            script.append("\\.\n")
        script = "".join(script).encode()
        started = time.monotonic()
        self.server.psql(self.url, script)
        return time.monotonic() - started


def insert_sqlite(rows):
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(f"{folder}/plain.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE plain (id INTEGER PRIMARY KEY, t TEXT, e TEXT, p TEXT, k TEXT UNIQUE)")
        started = time.monotonic()
        for start in range(0, len(rows), BATCH):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO plain (t, e, p, k) VALUES (?, ?, ?, ?)", rows[start : start + BATCH])
            connection.execute("COMMIT")
        return time.monotonic() - started


def escape(value):
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


class Databases:
    """Makes fresh ones in a folder and in a server."""

    def __init__(self, folder, server):
        self.folder, self.server, self.made = folder, server, 0

    @property
    def kinds(self):
        return ["sqlite", "postgres"] if self.server else ["sqlite"]

    def create(self, kind):
        if kind == "postgres":
            return Database(kind, self.server.create(), server=self.server)
        self.made += 1
        path = os.path.join(self.folder, f"database-{self.made}", "headspace.db")
        os.makedirs(os.path.dirname(path))
        return Database(kind, f"sqlite:{path}", path=path)
