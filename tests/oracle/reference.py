"""A writer as naive as can be, for the oracle's own tests.

It stores what the oracle's reader found, in one go and in file order, into tables with the contract's column names.
"""

import json
import sqlite3
from datetime import timedelta

from database import EPOCH

TABLES = {
    "projects": "id INT PRIMARY KEY, host TEXT, path TEXT, name TEXT, created_at TIME",
    "agents": "id INT PRIMARY KEY, session_uuid TEXT UNIQUE, project_id INT, parent_agent_id INT,"
    " started_at TIME, last_seen_at TIME",
    "checkpoints": 'id INT PRIMARY KEY, host TEXT, identity TEXT, path TEXT, "offset" INT, updated_at TIME',
    "events": "id INT PRIMARY KEY, timestamp TIME, recorded_at TIME, project_id INT, agent_id INT, command_id INT,"
    " turn_id INT, event_type TEXT, payload JSON, event_key TEXT UNIQUE, observed BOOL, checkpoint_id INT,"
    " source_offset INT",
    "rejections": 'id INT PRIMARY KEY, source TEXT, "offset" INT, length INT, sha256 TEXT, reason TEXT,'
    " excerpt BYTES, at TIME",
}
SQLITE = {"INT ": "INTEGER ", "TIME": "TEXT", "JSON": "TEXT", "BOOL": "INTEGER", "BYTES": "BLOB"}
POSTGRES = {"INT": "bigint", "TIME": "timestamptz", "JSON": "jsonb", "BOOL": "boolean", "BYTES": "bytea"}
NOW = "2026-11-21T01:02:03.000004Z"


def rows_of(found, paths=None):
    """{table: rows} that keep every promise, with the files read in the order of `paths`."""
    projects = numbered(sorted({first_cwd(session) for session in found.sessions.values()}))
    sessions = numbered(found.sessions)
    checkpoints = numbered(found.files)
    tables = {
        "projects": [{"id": n, "host": "h", "path": p, "name": p, "created_at": NOW} for p, n in projects.items()],
        "agents": list(agents(found, sessions, projects)),
        "checkpoints": [
            {"id": n, "host": "h", "identity": p, "path": p, "offset": found.files[p].end, "updated_at": NOW}
            for p, n in checkpoints.items()
        ],
        "rejections": [rejection(n, bad) for n, bad in enumerate(found.malformed.values(), start=1)],
        "events": [],
    }
    for draft in [*registrations(found), *turns(found, checkpoints, paths or found.files)]:
        number = len(tables["events"]) + 1
        event = {"id": number, "recorded_at": NOW, "command_id": None, "turn_id": None, "event_key": f"k{number}"}
        session = draft["payload"]["session_uuid"]
        event |= {"agent_id": sessions[session], "project_id": projects[first_cwd(found.sessions[session])]}
        tables["events"].append(event | draft)
    return tables


def numbered(names):
    return {name: number for number, name in enumerate(names, start=1)}


def first_cwd(session):
    return next(iter(session.first_cwds.values()))


def agents(found, sessions, projects):
    rest = {"last_seen_at": NOW}
    for name, number in sessions.items():
        session = found.sessions[name]
        yield rest | {"id": number, "session_uuid": name, "project_id": projects[first_cwd(session)],
                      "parent_agent_id": None, "started_at": text_of(session.first)}
    for number, (name, parent) in enumerate(found.children.items(), start=len(sessions) + 1):
        yield rest | {"id": number, "session_uuid": name, "project_id": projects[first_cwd(found.sessions[parent])],
                      "parent_agent_id": sessions[parent], "started_at": text_of(found.sessions[parent].first)}


def registrations(found):
    for name, session in found.sessions.items():
        cwd = first_cwd(session)
        payload = {"session_uuid": name, "project_path": cwd, "working_directory": cwd}
        yield event("session_registered", session.first, payload, None, None)


def turns(found, checkpoints, paths):
    stored, parts = set(), {}
    for path, offset in sorted(found.at, key=lambda place: (list(paths).index(place[0]), place[1])):
        for fact in found.at[path, offset]:
            if fact in stored:
                continue
            stored.add(fact)
            copy = next(copy for copy in fact.copies if (copy.path, copy.offset) == (path, offset))
            payload = {"session_uuid": copy.session, "actor": fact.actor, "text": fact.text, "source": "polling",
                       "turn_timestamp": text_of(copy.time)}
            if fact.message_id:
                payload["message_id"] = fact.message_id
                parts[fact.message_id] = part = parts.get(fact.message_id, 0) + 1
                payload |= {"part": part} if part > 1 else {}
            yield event("turn_detected", copy.time, payload, checkpoints[path], offset)


def event(event_type, time, payload, checkpoint, offset):
    observed = time is None
    return {"event_type": event_type, "timestamp": text_of(time), "payload": payload, "observed": observed,
            "checkpoint_id": checkpoint, "source_offset": offset}


def rejection(number, bad):
    return {"id": number, "source": bad.path, "offset": bad.offset, "length": bad.length, "sha256": bad.sha256,
            "reason": "not a JSON object", "excerpt": bad.excerpt, "at": NOW}


def text_of(time):
    if time is None:
        return NOW
    moment = EPOCH + timedelta(microseconds=time)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def schema(types):
    script = "".join(f"CREATE TABLE {name} ({columns});\n" for name, columns in TABLES.items())
    for ours, theirs in types.items():
        script = script.replace(ours, theirs)
    return script


def write_sqlite(path, tables):
    connection = sqlite3.connect(path)
    connection.executescript(schema(SQLITE))
    for name, rows in tables.items():
        for row in rows:
            columns = ", ".join(f'"{column}"' for column in row)
            values = [json.dumps(value) if isinstance(value, dict) else value for value in row.values()]
            connection.execute(f"INSERT INTO {name} ({columns}) VALUES ({', '.join('?' * len(row))})", values)
    connection.commit()
    connection.close()


def postgres_script(tables):
    script = schema(POSTGRES)
    for name, rows in tables.items():
        plain = [{key: value if not isinstance(value, bytes) else "\\x" + value.hex() for key, value in row.items()} for row in rows]
        literal = json.dumps(plain).replace("'", "''")
        script += f"INSERT INTO {name} SELECT * FROM json_populate_recordset(NULL::{name}, '{literal}');\n"
    return script
