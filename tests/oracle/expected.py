"""Are the stored turns exactly those that EXPECTED.json counts?

EXPECTED.json lists turns by session; a turn that a fork or resume copied stands in each of its sessions. Here each
counts once and may be stored under any of them. An agent's turn is its blocks in order, with nothing between.
"""

import os
from collections import defaultdict
from dataclasses import dataclass, field

from check import sha256
from database import microseconds, turns as stored_turns
from finding import Finding


class Inconsistent(Exception):
    """EXPECTED.json contradicts itself."""


@dataclass
class Expected:
    name: str
    sha256: str
    head: str
    places: set = field(default_factory=set)  # (session, time)


def check_expected(expected, tables, projects=None):
    wanted = wanted_turns(expected)
    got = stored_by_fact(tables, wanted)
    findings = [each for name in wanted for each in compare(wanted[name], got.pop(name, []))]
    for rows in got.values():
        findings.append(Finding("invented", f"event {rows[0].id}", f"{rows[0].actor} turn {rows[0].text[:40]!r}"))
    findings += check_order(expected, tables, wanted)
    findings += check_rejections(expected, tables, projects) if projects else []
    return findings


def wanted_turns(expected):
    """{name: Expected}; the name is the agent's message id or the user's record uuid."""
    wanted = {}
    for session, entry in expected["sessions"].items():
        for turn in entry["turns"]:
            add(wanted, name_of(turn), session, turn)
        for number, turn in enumerate(entry["queued_prompts"]):
            add(wanted, f"queued {session} {number}", session, turn)
    counts = expected["turns_distinct"]
    if len(wanted) != counts["user"] + counts["agent"] + expected["queued_prompts"]:
        raise Inconsistent(f"{len(wanted)} turns are listed, which is not the total")
    return wanted


def name_of(turn):
    return turn.get("message_id") or turn["uuid"]


def add(wanted, name, session, turn):
    entry = wanted.setdefault(name, Expected(name, turn["sha256"], turn["head"]))
    entry.places.add((session, microseconds(turn["at"])))


def stored_by_fact(tables, wanted):
    """{name: stored turns in id order}; a turn that fits no name has one of its own."""
    typed = {(*place, each.sha256): each.name for each in wanted.values() for place in each.places}
    got = defaultdict(list)
    for turn in stored_turns(tables):
        key = turn.message_id if turn.actor == "agent" else typed.get((turn.session, turn.time, sha256(turn.text)))
        got[key or f"event {turn.id}"].append(turn)
    return got


def compare(want, rows):
    where = f"event {rows[0].id}" if rows else sorted(want.places)[0][0]
    if not rows:
        yield Finding("lost", where, f"{want.name} {want.head[:40]!r}")
    elif sha256("".join(turn.text for turn in rows)) != want.sha256:
        doubled = len({turn.text for turn in rows}) < len(rows)
        yield Finding("doubled" if doubled else "altered", where, f"{want.name}: the text is not {want.head[:40]!r}")
    elif rows[0].actor != "agent" and len(rows) > 1:
        yield Finding("doubled", f"event {rows[1].id}", f"{want.name} {want.head[:40]!r}")
    elif (rows[0].session, rows[0].time) not in want.places:
        yield Finding("altered", where, f"{want.name}: session or time is that of no copy")
    elif [turn.part for turn in rows] != [None, *range(2, len(rows) + 1)]:
        yield Finding("part", where, f"{want.name}: parts {[turn.part for turn in rows]}")


def check_order(expected, tables, wanted):
    """Within a session the ids follow the list, as far as the turns are stored under that session."""
    first = {name: rows[0] for name, rows in stored_by_fact(tables, wanted).items()}
    findings = []
    for session, entry in expected["sessions"].items():
        last = 0
        for turn in entry["turns"]:
            row = first.get(name_of(turn))
            if row is None or row.session != session:
                continue
            if row.id < last:
                findings.append(Finding("order", f"event {row.id}", f"{turn['head'][:40]!r} should come after event {last}"))
            last = max(last, row.id)
    return findings


def check_rejections(expected, tables, projects):
    wanted = {byte_place(projects, each) for each in expected["malformed_at"]}
    rows = [(os.path.realpath(row["source"]), row["offset"]) for row in tables["rejections"]]
    for path, offset in wanted - set(rows):
        yield Finding("rejection-lost", f"{path}:{offset}", "a malformed line")
    for path, offset in set(rows) - wanted:
        yield Finding("rejection-invented", f"{path}:{offset}", "not a malformed line")
    for path, offset in {each for each in wanted if rows.count(each) > 1}:
        yield Finding("rejection-doubled", f"{path}:{offset}", "refused more than once")


def byte_place(projects, place):
    """`file:line` as (path, offset)."""
    name, number = place.rsplit(":", 1)
    path = os.path.join(os.path.realpath(projects), name)
    with open(path, "rb") as handle:
        return path, sum(len(handle.readline()) for _ in range(int(number) - 1))
