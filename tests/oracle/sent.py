"""Does the database hold what was sent to headspace, and nothing else of its kind?

In:  what a test sent, a line of JSON each: `{"hook": ...}` as the CLI gives it, or `{"session": ...}` as a program
     registers it; `"maybe": true` beside it if it was not answered. Hooks differ from each other. And the tables.
Out: findings. What was answered is stored once, what was not at most once, and nothing is that was not sent.
"""

import json
from collections import Counter
from dataclasses import dataclass, field

from finding import Finding

NAMES = {"session_id": "claude_session_id", "cwd": "working_directory", "hook_event_name": "hook_type"}
# What the sender adds.
ADDED = ("cli_pid", "cli_started", "terminal", "cut_from_bytes")


@dataclass
class Sent:
    hooks: dict = field(default_factory=dict)  # {the payload it makes: whether it was answered}
    sessions: dict = field(default_factory=dict)  # {its uuid: (registrations, whether one was answered)}


def read_sent(path):
    sent = Sent()
    with open(path, encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            answered = not line.get("maybe", False)
            if "hook" in line:
                sent.hooks[as_text({NAMES.get(name, name): value for name, value in line["hook"].items()})] = answered
            else:
                session = line["session"]
                bodies, before = sent.sessions.get(session["session_uuid"], ([], False))
                sent.sessions[session["session_uuid"]] = (bodies + [registration(session)], before or answered)
    return sent


def registration(session):
    """The payload that follows: without a folder of its own it works in its project."""
    given = {name: value for name, value in session.items() if value is not None}
    return {"working_directory": given["project_path"]} | given


def as_text(payload):
    return json.dumps({name: value for name, value in payload.items() if name not in ADDED}, sort_keys=True)


def check_sent(sent, tables):
    yield from check_hooks(sent, tables["events"])
    agents = {row["session_uuid"] for row in tables["agents"]}
    for name, (_, answered) in sent.sessions.items():
        registered = any(is_registration(row, name) for row in tables["events"])
        if answered and not (registered and name in agents):
            yield Finding("session", name, "was sent, and is never registered")


def is_registration(row, name):
    return row["event_type"] == "session_registered" and row["payload"].get("session_uuid") == name


def check_hooks(sent, events):
    rows = [row for row in events if row["event_type"] == "hook_received"]
    stored = Counter(as_text(row["payload"]) for row in rows)
    missing = [text for text, answered in sent.hooks.items() if answered and text not in stored]
    for text in missing:
        yield Finding("lost", "hook", json.loads(text)["claude_session_id"])
    of_missing = {json.loads(text)["claude_session_id"] for text in missing}
    for row in rows:
        text, session = as_text(row["payload"]), row["payload"].get("claude_session_id")
        if text not in sent.hooks:
            kind = "altered" if session in of_missing else "invented"
            yield Finding(kind, f"event {row['id']}", f"a hook of {session} that was not sent")
        elif stored[text] > 1:
            yield Finding("doubled", f"event {row['id']}", f"a hook of {session} is stored {stored.pop(text)} times")


def follows(sent, row):
    """Whether a beginning of a session is what a body that was sent asks for; an end needs none."""
    bodies, _ = sent.sessions.get(row["payload"].get("session_uuid"), ([], False))
    return row["event_type"] != "session_registered" or row["payload"] in bodies
