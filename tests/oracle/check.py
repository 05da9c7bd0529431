"""Does the database hold what the transcripts hold, each fact once, and nothing else?

In:  what the transcripts hold, what the tables hold; what was sent, if that is known. Out: findings; none means yes.

`extra` is for transcripts that were cut or rewritten after they were read: what is gone from them may still be
stored, and offsets and order of such rows prove nothing. What is in them now must be stored all the same.
"""

import hashlib
import os
from collections import defaultdict

from database import turns as stored_turns
from finding import Finding
from sent import Sent, check_sent, follows


def check(found, tables, extra=False, sent=None):
    refused = {(os.path.realpath(row["source"]), row["offset"]) for row in tables["rejections"]}
    turns = [turn for turn in stored_turns(tables) if not made_by_a_hook(found, turn)]
    findings, claims = match(found, turns, refused, extra)
    findings += check_parts(claims)
    findings += [] if extra else check_order(found, claims)
    findings += check_rejections(found, tables["rejections"], extra)
    named = witnessed(tables["events"])
    findings += check_registrations(found, tables["events"], extra, named, sent or Sent())
    findings += check_agents(found, tables, turns, extra, {**named, **{name: named.get(name, set()) for name in (sent.sessions if sent else ())}})
    findings += check_sent(sent, tables) if sent else []
    findings += check_checkpoints(found, tables["checkpoints"], extra)
    return findings


def made_by_a_hook(found, turn):
    """A hook may speak for a session that has no file."""
    return turn.origin == "hook" and turn.session not in found.sessions


def witnessed(events):
    """{session: when a hook or the registry named it}: it may have no transcript."""
    named = defaultdict(set)
    for row in events:
        if row["event_type"] in ("hook_received", "session_observed"):
            named[row["payload"].get("claude_session_id")].add(row["timestamp"])
    return named


# --- turns: lost, doubled, invented, altered


def match(found, turns, refused, extra):
    """Gives every stored turn the fact it is a copy of. Answers findings and [(turn, fact)] in id order."""
    exact = index_facts(found.facts)
    claims = [(turn, exact_fact(exact, turn)) for turn in turns]
    taken = {id(fact) for _, fact in claims if fact}
    findings = []
    for position, (turn, fact) in enumerate(claims):
        if fact is None and (fact := nearest_fact(found, turn, taken)):
            claims[position] = (turn, fact)
            taken.add(id(fact))
        if fact is not None:
            findings += compare(found, turn, fact, extra)
        elif not extra:
            findings.append(Finding("invented", f"event {turn.id}", f"{turn.actor} turn {turn.text[:40]!r} {why(found, turn)}"))
    return findings + count_copies(found, claims, refused), [claim for claim in claims if claim[1]]


def index_facts(facts):
    index = {}
    for fact in facts:
        if fact.message_id:
            index[fact.actor, fact.message_id, fact.text] = fact
        else:
            for copy in fact.copies:
                index[fact.actor, copy.session, copy.time, fact.text] = fact
    return index


def exact_fact(index, turn):
    if turn.actor == "agent" and turn.message_id:
        return index.get((turn.actor, turn.message_id, turn.text))
    timed = index.get((turn.actor, turn.session, turn.time, turn.text))
    return timed or index.get((turn.actor, turn.session, None, turn.text))


def nearest_fact(found, turn, taken):
    """The fact that this turn was made from, if something in it was altered: by its line, else by its text."""
    free = [fact for fact in found.at.get((turn.path, turn.offset), ()) if id(fact) not in taken]
    if free:
        return free[0]
    if (turn.path, turn.offset) in found.silent:
        return None
    return next((fact for fact in found.facts if fact.text == turn.text and id(fact) not in taken), None)


def compare(found, turn, fact, extra):
    """One finding for each field that does not follow from the fact."""
    in_session = [copy for copy in fact.copies if copy.session == turn.session]
    copies = in_session or fact.copies
    times = {copy.time for copy in copies}
    wrong = []
    if turn.text != fact.text:
        wrong.append(f"text sha256 {sha256(turn.text)}, the line has {sha256(fact.text)}")
    if turn.actor != fact.actor:
        wrong.append(f"actor {turn.actor}, the line says {fact.actor}")
    if turn.origin == "hook":
        # It spoke before there was a line: who said what is all it knew.
        if not in_session:
            wrong.append(f"session {turn.session}, no copy belongs to it")
        return [Finding("altered", f"event {turn.id}", f"{fact}: {each}") for each in wrong]
    if fact.actor == "agent" and turn.message_id != fact.message_id:
        wrong.append(f"message_id {turn.message_id}, the line has {fact.message_id}")
    if not in_session:
        wrong.append(f"session {turn.session}, no copy belongs to it")
    if None not in times and turn.time not in times:
        wrong.append("timestamp is that of no copy")
    if None not in times and turn.turn_time not in times:
        wrong.append("turn_timestamp is that of no copy")
    if None not in times and turn.observed:
        wrong.append("marked as observed, though its record has a timestamp")
    if not extra and turn.path in found.files and fact not in found.at.get((turn.path, turn.offset), ()):
        wrong.append(f"source_offset {turn.offset} is not a line that holds it")
    return [Finding("altered", f"event {turn.id}", f"{fact}: {each}") for each in wrong]


def sha256(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def why(found, turn):
    reason = found.silent.get((turn.path, turn.offset))
    return f"is {reason}" if reason else "is in no transcript"


def count_copies(found, claims, refused):
    rows = defaultdict(list)
    for turn, fact in claims:
        if fact:
            rows[id(fact)].append(turn.id)
    findings = []
    for fact in found.facts:
        ids = rows[id(fact)]
        if not ids and not all(copy.disputed and (copy.path, copy.offset) in refused for copy in fact.copies):
            findings.append(Finding("lost", place(fact.copies[0]), str(fact)))
        if len(ids) > fact.most:
            findings.append(Finding("doubled", f"event {ids[-1]}", f"{fact} is stored as events {ids}"))
    return findings


def place(thing):
    return f"{thing.path}:{thing.offset}"


# --- parts and order


def check_parts(claims):
    """The blocks of a message are numbered as they came: none, 2, 3 and so on."""
    blocks = defaultdict(list)
    for turn, fact in claims:
        if turn.origin == "hook":
            continue  # It has the last words of a reply, and knows no message.
        if fact.message_id:
            blocks[fact.message_id].append(turn)
        elif turn.part is not None:
            yield Finding("part", f"event {turn.id}", f"part {turn.part} on a {turn.actor} turn without message_id")
    for turns in blocks.values():
        for number, turn in enumerate(turns, start=1):
            if turn.part != (None if number == 1 else number):
                yield Finding("part", f"event {turn.id}", f"part {turn.part}, but it is block {number} of its message")


def check_order(found, claims):
    """Turns of one session that were read from one file have ids in the order of that file."""
    furthest = {}
    for turn, fact in claims:
        if turn.path not in found.files or fact not in found.at.get((turn.path, turn.offset), ()):
            continue
        here = (turn.offset, found.at[turn.path, turn.offset].index(fact))
        key = (turn.path, turn.session)
        if here < furthest.get(key, here):
            yield Finding("order", f"event {turn.id}", f"{turn.path}:{turn.offset} is stored after {furthest[key][0]}")
        furthest[key] = max(here, furthest.get(key, here))


# --- rejections


def check_rejections(found, rows, extra):
    """Every malformed line is refused once, where it stands, with its own bytes."""
    seen = defaultdict(list)
    for row in rows:
        seen[os.path.realpath(row["source"]), row["offset"]].append(row)
    for key, bad in found.malformed.items():
        here = seen.pop(key, None) or moved(seen, bad)
        if not here:
            yield Finding("rejection-lost", place(bad), f"malformed line of {bad.length} bytes")
            continue
        if len(here) > 1:
            yield Finding("rejection-doubled", place(bad), f"{len(here)} rejections")
        for row in here:
            yield from compare_rejection(bad, row)
    for (path, offset), here in seen.items():
        if (path, offset) in found.disputed and len(here) == 1:
            continue
        if path_is_known(found, path) and not extra:
            yield Finding("rejection-invented", f"{path}:{offset}", f"{len(here)} rejections: {here[0]['reason']}")


def moved(seen, bad):
    """The rejection of a line whose file has since moved to another project folder."""
    name = os.path.basename(bad.path)
    for key in seen:
        if key[1] == bad.offset and os.path.basename(key[0]) == name and not os.path.exists(key[0]):
            return seen.pop(key)
    return []


def path_is_known(found, path):
    """Whether the path lies in a folder that was read; the spool and other hosts are not ours to judge."""
    projects = {file.split("/projects/")[0] for file in found.files}
    return any(path.startswith(root + "/projects/") for root in projects)


def compare_rejection(bad, row):
    if row["excerpt"] != bad.excerpt:
        yield Finding("rejection-altered", place(bad), "the excerpt is not the line's first bytes")
    if row.get("length", bad.length) != bad.length:
        yield Finding("rejection-altered", place(bad), f"length {row['length']}, the line has {bad.length}")
    if row.get("sha256") not in (None, bad.sha256.encode(), bytes.fromhex(bad.sha256)):
        yield Finding("rejection-altered", place(bad), "sha256 is not the line's")
    if not row.get("reason"):
        yield Finding("rejection-altered", place(bad), "no reason is given")


# --- sessions and agents


def check_registrations(found, events, extra, named, sent):
    """A session is registered once, and again only after it ended."""
    life = defaultdict(list)
    for row in events:
        if row["event_type"] in ("session_registered", "session_ended"):
            life[row["payload"].get("session_uuid")].append(row)
    for name, session in found.sessions.items():
        if session.cwds and not life[name]:
            yield Finding("session", name, "is never registered")
    for name, rows in life.items():
        session = found.sessions.get(name)
        if session is None and name not in found.children and name not in named and name not in sent.sessions:
            if rows and not extra:
                yield Finding("session", f"event {rows[0]['id']}", f"{name} is in no transcript")
            continue
        yield from check_life(name, rows)
        for row in rows:
            if session and not follows(sent, row):
                yield from check_registration(session, row, named.get(name, ()), extra)
            elif name in sent.sessions and name not in named and not follows(sent, row):
                yield Finding("session", f"event {row['id']}", f"{name} was not sent like this")


def check_life(name, rows):
    expected = "session_registered"
    for row in rows:
        if row["event_type"] != expected:
            yield Finding("session", f"event {row['id']}", f"{name}: {row['event_type']} where {expected} was due")
        expected = "session_ended" if row["event_type"] == "session_registered" else "session_registered"


def check_registration(session, row, named_at, extra):
    if row["event_type"] != "session_registered" or extra:
        return
    if named_at and not session.cwds:
        return  # Its place is what a hook or the registry said.
    payload, where = row["payload"], f"event {row['id']}"
    if payload.get("project_path") not in session.first_cwds.values():
        yield Finding("session", where, f"project_path {payload.get('project_path')} is no file's first cwd")
    if payload.get("working_directory") not in session.cwds:
        yield Finding("session", where, f"working_directory {payload.get('working_directory')} is no cwd of it")
    if row["timestamp"] not in session.times and row["timestamp"] not in named_at and not row.get("observed"):
        yield Finding("session", where, "its timestamp is that of no record, hook or observation")


def check_agents(found, tables, turns, extra, named):
    agents = {row["session_uuid"]: row for row in tables["agents"]}
    by_id = {row["id"]: row for row in tables["agents"]}
    projects = {row["id"]: row["path"] for row in tables["projects"]}
    for name, session in found.sessions.items():
        if row := agents.pop(name, None):
            yield from check_agent(name, session, row, projects, named.get(name, ()), extra)
        elif session.cwds:
            yield Finding("agent", name, "the session has no row in agents")
    for name, parent in found.children.items():
        row = agents.pop(name, None)
        owner = by_id.get(row["parent_agent_id"]) if row else None
        if row is None:
            yield Finding("agent", name, "the subagent has no row in agents")
        elif owner is None or owner["session_uuid"] != parent:
            yield Finding("agent", name, "parent_agent_id is not its parent session's agent")
    if not extra:
        unknown = agents.keys() - named.keys()
        yield from (Finding("agent", name, "is in no transcript") for name in unknown)
    for turn in turns:
        row = by_id.get(turn.agent_id)
        session = found.sessions.get(turn.session)
        if row is None and session and not session.cwds:
            continue  # Without a cwd there is no project, and so no agent.
        if row is None or row["session_uuid"] != turn.session:
            yield Finding("agent", f"event {turn.id}", f"agent_id {turn.agent_id} is not the agent of {turn.session}")


def check_agent(name, session, row, projects, named_at, extra):
    if row["parent_agent_id"] is not None:
        yield Finding("agent", name, "a session of its own has a parent_agent_id")
    if extra:
        return
    if session.first is not None and row["started_at"] != min([session.first, *named_at]):
        yield Finding("agent", name, "started_at is not the least timestamp of its records, hooks and observations")
    is_placed = session.cwds or not named_at  # else by what a hook or the registry said
    if is_placed and projects.get(row["project_id"]) not in session.first_cwds.values():
        yield Finding("agent", name, f"project {projects.get(row['project_id'])} is no file's first cwd")


# --- checkpoints


def check_checkpoints(found, rows, extra):
    """Each file's checkpoint stands behind its last whole line."""
    by_path = defaultdict(list)
    for row in rows:
        by_path[os.path.realpath(row["path"])].append(row)
    for path, file in found.files.items():
        offsets = [row["offset"] for row in by_path[path]]
        if not any(offset in (file.end, file.tail_end) for offset in offsets) and (offsets or file.tail_end):
            yield Finding("checkpoint", f"{path}:{file.end}", f"the whole lines end there, the database has {offsets}")
        if len(offsets) > 1 and not extra:
            yield Finding("checkpoint", f"{path}:{file.end}", f"{len(offsets)} rows for one file")
