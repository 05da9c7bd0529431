"""Did each reader of the stream see the log as it is?

After Jepsen's Kafka checker. Per reader: no skip (an event between two that it saw), no repeat, no step back, and
nothing unseen (an event after the reader's start that never came, when the start or the end is known). A reset ends
one sequence and begins the next. Every frame equals its row.

Captured frames are JSON lines:
  {"reader": R, "id": I, "event": TYPE, "data": {...}}   a frame
  {"reader": R, "reset": true, "from": I}                the server began anew after I
  {"reader": R, "from": I}                               the reader asked for what comes after I
  {"reader": R, "until": I}                              the reader was open until I was committed and sent
"""

import bisect
import json

from finding import Finding
from database import microseconds

FIELDS = ("id", "event_type", "project_id", "agent_id", "command_id", "turn_id", "payload")
TIMES = ("timestamp", "recorded_at")


def read_frames(path):
    with open(path, encoding="utf-8") as handle:
        return [json.loads(line) for line in handle if line.strip()]


def check_stream(frames, tables, types=None):
    rows = {row["id"]: row for row in tables["events"] if not types or row["event_type"] in types}
    ids = sorted(rows)
    cursors, seen, findings = {}, {}, []
    for frame in frames:
        reader = str(frame["reader"])
        if "id" in frame:
            findings += check_frame(reader, frame, rows)
            findings += advance(reader, int(frame["id"]), cursors.get(reader), seen.setdefault(reader, set()), ids)
            cursors[reader] = (max(int(frame["id"]), cursors.get(reader, (0,))[0]), True)
        elif "until" in frame:
            findings += unseen(reader, cursors.get(reader), int(frame["until"]), ids)
        else:
            cursors[reader] = (int(frame["from"]), False)
            if frame.get("reset"):
                seen[reader] = set()
    return findings


def advance(reader, new, cursor, seen, ids):
    """What is wrong with seeing `new` after `cursor`, which is (id, whether a frame had it)."""
    where = f"reader {reader} event {new}"
    if new in seen:
        return [Finding("repeat", where, "came before")]
    seen.add(new)
    if cursor is None:
        return []
    last, was_frame = cursor
    if new < last:
        return [Finding("step-back", where, f"came after {last}")]
    missing = between(ids, last, new)
    kind = "skip" if was_frame else "unseen"
    return [Finding(kind, f"reader {reader} event {each}", f"missing between {last} and {new}") for each in missing]


def unseen(reader, cursor, until, ids):
    missing = between(ids, cursor[0], until + 1) if cursor else []
    return [Finding("unseen", f"reader {reader} event {each}", f"never came, up to {until}") for each in missing]


def between(ids, low, high):
    return ids[bisect.bisect_right(ids, low) : bisect.bisect_left(ids, high)]


def check_frame(reader, frame, rows):
    where, data = f"reader {reader} event {frame['id']}", frame["data"]
    row = rows.get(int(frame["id"]))
    if row is None:
        return [Finding("invented", where, "no such event, or not of the types asked for")]
    wrong = [name for name in FIELDS if data.get(name, "absent") != row[name]]
    wrong += [name for name in TIMES if microseconds(data.get(name)) != row[name]]
    if frame.get("event") != row["event_type"]:
        wrong.append("event")
    return [Finding("altered", where, f"{name} is not the row's") for name in wrong]
