#!/usr/bin/env python3
"""The oracle can say no.

A naive writer (`reference.py`) stores the real transcripts correctly; the oracle must agree. Then each sabotage breaks
one thing, and the oracle must name it by its kind. Run: python3 tests/oracle/test_oracle.py
"""

import copy
import glob
import json
import os
import pwd
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import reference
from check import check
from database import read_tables
from expected import Inconsistent, check_expected
from stream import check_stream
from transcripts import read_roots

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent / "data" / "claude"
EXPECTED = HERE.parent / "data" / "EXPECTED.json"


class Real:
    """The real transcripts and their correct rows, made once."""

    found = read_roots([ROOT])
    rows = reference.rows_of(found)
    expected = json.loads(EXPECTED.read_text())


def kinds(findings):
    return {finding.kind for finding in findings}


def stored(rows):
    """The rows after a journey through a real SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        reference.write_sqlite(f"{folder}/log.db", rows)
        return read_tables(f"sqlite:{folder}/log.db")


class Database(unittest.TestCase):
    def setUp(self):
        self.rows = copy.deepcopy(Real.rows)
        self.turns = [row for row in self.rows["events"] if row["event_type"] == "turn_detected"]

    def turn(self, wanted=lambda row: True):
        return next(row for row in self.turns if wanted(row))

    def block(self, part):
        return self.turn(lambda row: row["payload"].get("part") == part)

    def forked_turn(self, wanted):
        """The first stored turn of its kind that a fork copied, and a copy of it in the other session."""
        for row in filter(wanted, self.turns):
            path = self.rows["checkpoints"][row["checkpoint_id"] - 1]["path"]
            for each in Real.found.at[path, row["source_offset"]][0].copies:
                if each.session != row["payload"]["session_uuid"]:
                    return row, each
        raise AssertionError("no turn was copied")

    def check(self, **options):
        return check(Real.found, stored(self.rows), **options)

    def expected(self):
        return list(check_expected(Real.expected, stored(self.rows), ROOT / "projects"))

    def assert_check(self, *expected):
        self.assertEqual(kinds(self.check()), set(expected))

    def assert_both(self, *expected, or_else=()):
        """EXPECTED.json knows no offsets: to it an altered user turn is one lost and one invented."""
        self.assert_check(*expected)
        self.assertIn(kinds(self.expected()), (set(expected), set(or_else)))

    def add_event(self, like, **changes):
        number = len(self.rows["events"]) + 1
        event = copy.deepcopy(like) | {"id": number, "event_key": f"other {number}"}
        event["payload"] |= changes
        self.rows["events"].append(event)
        return event


    def hear(self, event):
        """Makes a turn what a hook tells before there is a line: no message, its own time, no place in the file."""
        event["payload"] = {name: event["payload"][name] for name in ("session_uuid", "actor", "text")} | {
            "source": "hook", "turn_timestamp": "2026-01-01T00:00:00.000Z"}
        event.update(checkpoint_id=None, source_offset=None)
        return event


class TheReader(unittest.TestCase):
    """The oracle's reader counts what the independent reader of EXPECTED.json counted."""

    def test_totals_are_those_of_expected(self):
        listed = Counter(fact.actor for fact in Real.found.facts if not fact.message_id)
        messages = {fact.message_id for fact in Real.found.facts if fact.message_id}
        in_sessions = {(each.session, fact.message_id) for fact in Real.found.facts if fact.message_id for each in fact.copies}
        asked = sum(len({each.session for each in fact.copies}) for fact in Real.found.facts if not fact.message_id)
        queued = Real.expected["queued_prompts"]
        self.assertEqual({"user": listed["user"] - queued, "agent": len(messages)}, Real.expected["turns_distinct"])
        self.assertEqual({"user": asked - queued, "agent": len(in_sessions)}, Real.expected["turns"])

    def test_the_rest_is_that_of_expected(self):
        found, expected = Real.found, Real.expected
        self.assertEqual(len(found.files), expected["files"])
        self.assertEqual(len(found.malformed), expected["malformed"])
        self.assertEqual(set(found.sessions), set(expected["sessions"]))
        self.assertEqual(len(found.children), sum(each["agents"] for each in expected["sessions"].values()))
        for name, session in found.sessions.items():
            self.assertEqual(reference.text_of(session.first)[:23] + "Z", expected["sessions"][name]["first"])

    def test_the_data_were_not_altered(self):
        self.assertEqual(sum(os.path.getsize(path) for path in Real.found.files), Real.expected["bytes"])
        self.assertEqual(sum(os.path.getsize(path) == 0 for path in Real.found.files), Real.expected["empty_files"])


class Lines(unittest.TestCase):
    """Lines that the real files do not have."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name).resolve() / "projects" / "p" / "s.jsonl"
        self.path.parent.mkdir(parents=True)

    def read(self, *lines, end=b"\n", **options):
        self.path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + end)
        return read_roots([self.folder.name], **options)

    def user(self, text, uuid="u", time="2026-01-01T00:00:00.000Z", **fields):
        record = {"type": "user", "uuid": uuid, "sessionId": "s", "timestamp": time, "cwd": "/p"}
        return json.dumps(record | {"message": {"content": text}} | fields)

    def agent(self, *texts, id="m", **fields):
        blocks = [{"type": "text", "text": text} for text in texts]
        return json.dumps({"type": "assistant", "sessionId": "s", "message": {"id": id, "content": blocks}} | fields)

    def texts(self, *lines, **options):
        return [fact.text for fact in self.read(*lines, **options).facts]

    def test_what_a_person_did_not_type_is_no_turn(self):
        for field in ({"isMeta": True}, {"isSidechain": True}, {"isCompactSummary": True}, {"sourceToolUseID": "t"},
                      {"origin": {"kind": "task-notification"}}, {"promptSource": "system"}):
            self.assertEqual(self.texts(self.user("hi", **field)), [], field)
        for text in ("<bash-stdout>x", "<local-command-stdout>x", "[Request interrupted by user for tool use]", " \n", ""):
            self.assertEqual(self.texts(self.user(text)), [], text)
        result = [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]
        self.assertEqual(self.texts(self.user(result)), [])

    def test_what_a_person_typed_is_kept_as_it_is(self):
        for text in ("hi ", "<command-name>/x</command-name>", "<bash-input>ls</bash-input>"):
            self.assertEqual(self.texts(self.user(text)), [text])
        blocks = [{"type": "text", "text": text} for text in ("<ide_selection>x</ide_selection>", "a", "b")]
        self.assertEqual(self.texts(self.user(blocks)), ["ab"])

    def test_an_image_alone_is_a_turn_unless_it_was_split_off_one(self):
        image = [{"type": "image"}]
        self.assertEqual(self.texts(self.user(image)), [""])
        self.assertEqual(self.texts(self.user("look", "u1"), self.user(image, "u2")), ["look"])

    def test_what_an_agent_did_not_show_is_no_turn(self):
        self.assertEqual(self.texts(self.agent("\n\n", "a", " b ")), ["a", " b "])
        self.assertEqual(self.texts(self.agent("a", isApiErrorMessage=True), self.agent("b", isSidechain=True)), [])
        synthetic = {"message": {"id": "m", "model": "<synthetic>", "content": [{"type": "text", "text": "a"}]}}
        self.assertEqual(self.texts(self.agent("x", **synthetic)), [])

    def test_copies_are_one_fact(self):
        self.assertEqual(self.texts(self.user("a", "u1"), self.user("a", "u1", "2026-01-01T00:00:01Z")), ["a"])
        self.assertEqual(self.texts(self.user("a", "u1"), self.user("a", "u2")), ["a"])
        self.assertEqual(self.texts(self.user("a", "u1"), self.user("b", "u1")), ["a", "b"])
        self.assertEqual(self.texts(self.agent("a"), self.agent("a"), self.agent("a", id="n")), ["a", "a"])

    def test_a_record_can_prove_that_two_facts_are_one(self):
        later = "2026-01-01T00:00:01Z"
        self.assertEqual(len(self.texts(self.user("a", "u1"), self.user("a", "u2", later))), 2)
        self.assertEqual(len(self.texts(self.user("a", "u1"), self.user("a", "u2", later), self.user("a", "u1", later))), 1)

    def test_lines_without_any_key_may_be_stored_as_often_as_they_stand(self):
        found = self.read(self.user("a", None, None), self.user("a", None, None))
        self.assertEqual([(fact.text, fact.most) for fact in found.facts], [("a", 2)])

    def test_unstorable_characters_are_replaced(self):
        self.assertEqual(self.texts(self.user("a\0b\ud83dc\U0001f600")), ["a\ufffdb\ufffdc\U0001f600"])

    def test_awkward_json_is_a_record(self):
        deep = self.user("deep", x=1)[:-2] + "[" * 20_000 + "]" * 20_000 + "}"
        huge = self.user("huge", "v", x=1)[:-2] + "1e400}"
        self.assertEqual(self.texts(deep, huge), ["deep", "huge"])

    def test_malformed_lines_are_named_with_their_place(self):
        good = self.user("a").encode()
        bad = [b"\0" * 300, b"[1]", b"\xff{}", b"{} {}", b"\xef\xbb\xbf{}", b'{"a":NaN}', b"null"]
        found = self.read(good + b"\r", b" \t\r", *bad)
        offset, places = len(good) + 2 + 4, []
        for line in bad:
            places.append(offset)
            offset += len(line) + 1
        self.assertEqual([each for _, each in found.malformed], places)
        self.assertEqual(len(found.facts), 1)

    def test_a_line_over_the_limit_is_malformed_and_the_next_goes_on(self):
        long = self.user("x" * 3_000_000)
        found = self.read(self.user("a"), long, self.user("b"), max_line_bytes=len(long) - 1)
        (bad,) = found.malformed.values()
        self.assertEqual((bad.length, len(bad.excerpt), [fact.text for fact in found.facts]), (len(long), 65536, ["a", "b"]))
        self.assertEqual(len(self.read(long, max_line_bytes=len(long)).malformed), 0)

    def test_the_tail_counts_when_it_is_a_whole_record(self):
        whole, line = self.user("b", "v"), self.user("a") + "\n"
        for cut, texts in ((len(whole), ["a", "b"]), (len(whole) - 1, ["a"])):
            found = self.read(line.encode() + whole[:cut].encode(), end=b"")
            self.assertEqual([fact.text for fact in found.facts], texts)
            self.assertEqual((len(found.malformed), found.files[str(self.path)].end), (0, len(line)))


class TheOracleAgrees(Database):
    def test_with_a_correct_database(self):
        self.assertEqual(self.check(), [])
        self.assertEqual(self.expected(), [])

    def test_with_a_session_that_ended_and_came_back(self):
        first = self.rows["events"][0]
        for kind in ("session_ended", "session_registered"):
            self.add_event(first)["event_type"] = kind
        self.assert_check()

    def test_with_a_hook_that_spoke_before_the_line(self):
        self.hear(self.turn())
        self.assertEqual(self.check(), [])

    def test_with_any_order_of_files(self):
        paths = list(Real.found.files)
        for seed in range(5):
            self.rows = reference.rows_of(Real.found, random.Random(seed).sample(paths, len(paths)))
            self.assertEqual((self.check(), self.expected()), ([], []), seed)

    def test_with_what_is_gone_from_the_files_when_told_so(self):
        self.add_event(self.turn(), text="was here before the file was cut")
        self.rows["rejections"].append(self.rows["rejections"][0] | {"id": 99, "offset": 1})
        self.assertEqual(self.check(extra=True), [])


class TheOracleSaysNo(Database):
    def test_to_a_lost_turn(self):
        for wanted in (lambda row: row["payload"]["actor"] == "user", lambda row: "message_id" in row["payload"]):
            self.setUp()
            self.rows["events"].remove(self.turn(wanted))
            self.assert_both("lost")

    def test_to_a_lost_queued_prompt(self):
        self.rows["events"].remove(self.turn(lambda row: row["payload"]["text"] == "typed while the tool was running"))
        self.assert_both("lost")

    def test_to_a_lost_block_of_a_message(self):
        self.rows["events"].remove(self.block(2))
        self.assertIn("lost", kinds(self.check()))
        self.assertIn("altered", kinds(self.expected()))

    def test_to_a_loss_even_when_extra_rows_are_allowed(self):
        self.rows["events"].remove(self.turn())
        self.assertEqual(kinds(self.check(extra=True)), {"lost"})

    def test_to_a_turn_doubled_under_another_key(self):
        for actor in ("user", "agent"):
            self.setUp()
            self.add_event(self.turn(lambda row: row["payload"]["actor"] == actor))
            self.assertIn("doubled", kinds(self.check()))
            self.assertTrue(kinds(self.expected()) & {"doubled", "invented"})

    def test_to_a_fork_stored_again_under_its_own_session(self):
        row, there = self.forked_turn(lambda row: row["payload"]["actor"] == "user")
        again = self.add_event(row, session_uuid=there.session)
        again["agent_id"] = list(Real.found.sessions).index(there.session) + 1
        self.assert_both("doubled")

    def test_to_an_altered_text(self):
        self.turn()["payload"]["text"] += "!"
        self.assert_both("altered", or_else=("lost", "invented"))

    def test_to_a_trimmed_text(self):
        row = self.turn(lambda row: row["payload"]["text"].endswith(" ") and row["payload"]["actor"] == "user")
        row["payload"]["text"] = row["payload"]["text"].strip()
        self.assert_both("altered", or_else=("lost", "invented"))

    def test_to_an_altered_session(self):
        row = self.turn()
        row["agent_id"] = row["agent_id"] % len(self.rows["agents"]) + 1
        row["payload"]["session_uuid"] = self.rows["agents"][row["agent_id"] - 1]["session_uuid"]
        self.assert_both("altered", or_else=("lost", "invented"))

    def test_to_an_altered_actor(self):
        self.turn()["payload"]["actor"] = "agent"
        self.assert_check("altered")

    def test_to_an_altered_time(self):
        row = self.turn()
        row["timestamp"] = row["timestamp"][:-2] + "1Z"
        self.assert_both("altered", or_else=("lost", "invented"))

    def test_to_an_altered_turn_timestamp(self):
        self.turn()["payload"]["turn_timestamp"] = reference.NOW
        self.assert_check("altered")

    def test_to_a_time_said_to_be_observed(self):
        self.turn()["observed"] = True
        self.assert_check("altered")

    def test_to_an_altered_message_id(self):
        self.turn(lambda row: "message_id" in row["payload"])["payload"]["message_id"] = "msg_other"
        self.assertIn("altered", kinds(self.check()))

    def test_to_an_altered_source(self):
        self.turn()["source_offset"] += 1
        self.assert_check("altered")

    def test_to_a_turn_of_another_sessions_agent(self):
        self.turn()["agent_id"] += 1
        self.assert_check("agent")

    def test_to_a_wrong_part(self):
        for part in (None, 3):
            self.setUp()
            self.block(2)["payload"]["part"] = part
            self.assert_both("part")

    def test_to_a_part_on_the_first_block(self):
        self.turn(lambda row: "message_id" in row["payload"])["payload"]["part"] = 1
        self.assert_both("part")

    def test_to_swapped_turns(self):
        first = self.turn()
        same = lambda row: row["checkpoint_id"] == first["checkpoint_id"] and row["id"] > first["id"]
        second = self.turn(same)
        first["id"], second["id"] = second["id"], first["id"]
        self.assert_both("order")

    def test_to_a_sidechains_turn(self):
        (path, offset), reason = next(item for item in Real.found.silent.items() if "sidechain" in item[1])
        event = self.add_event(self.turn(), text="Warmup")
        event["checkpoint_id"], event["source_offset"] = list(Real.found.files).index(path) + 1, offset
        self.assert_both("invented")

    def test_to_a_turn_of_a_hook_beside_that_of_its_line(self):
        self.hear(self.add_event(self.turn()))
        self.assertNotEqual(self.check(), [])

    def test_to_a_hook_that_has_the_words_of_another_session(self):
        payload = self.hear(self.turn())["payload"]
        payload["session_uuid"] = next(name for name in Real.found.sessions if name != payload["session_uuid"])
        self.assertIn("altered", kinds(self.check()))

    def test_to_an_invented_turn(self):
        self.add_event(self.turn(), text="nobody said this")
        self.assert_both("invented")

    def test_to_a_lost_rejection(self):
        self.rows["rejections"].pop()
        self.assert_both("rejection-lost")

    def test_to_an_invented_rejection(self):
        self.rows["rejections"].append(self.rows["rejections"][0] | {"id": 99, "offset": 0})
        self.assert_both("rejection-invented")

    def test_to_a_doubled_rejection(self):
        self.rows["rejections"].append(self.rows["rejections"][0] | {"id": 99})
        self.assert_both("rejection-doubled")

    def test_to_an_altered_rejection(self):
        for change in ({"excerpt": b"?"}, {"length": 1}, {"sha256": "00"}, {"reason": ""}):
            self.setUp()
            self.rows["rejections"][0] |= change
            self.assert_check("rejection-altered")

    def test_to_a_rejected_tail(self):
        file = next(file for file in Real.found.files.values() if file.end < os.path.getsize(file.path) and file.end == file.tail_end)
        self.rows["rejections"].append(self.rows["rejections"][0] | {"id": 99, "source": file.path, "offset": file.end})
        self.assert_both("rejection-invented")

    def test_to_a_stale_or_hasty_checkpoint(self):
        for step in (-1, 1):
            self.setUp()
            next(row for row in self.rows["checkpoints"] if row["offset"])["offset"] += step
            self.assert_check("checkpoint")

    def test_to_a_missing_checkpoint(self):
        row = next(row for row in self.rows["checkpoints"] if row["offset"])
        self.rows["checkpoints"].remove(row)
        self.assert_check("checkpoint")

    def test_to_a_doubled_checkpoint(self):
        self.rows["checkpoints"].append(self.rows["checkpoints"][0] | {"id": 999})
        self.assert_check("checkpoint")

    def test_to_a_missing_agent(self):
        for wanted in (lambda row: row["parent_agent_id"] is None, lambda row: row["parent_agent_id"]):
            self.setUp()
            self.rows["agents"].remove(next(filter(wanted, self.rows["agents"])))
            self.assert_check("agent")

    def test_to_an_orphan_subagent(self):
        next(row for row in self.rows["agents"] if row["parent_agent_id"])["parent_agent_id"] = None
        self.assert_check("agent")

    def test_to_an_invented_agent(self):
        self.rows["agents"].append(self.rows["agents"][0] | {"id": 999, "session_uuid": "nobody"})
        self.assert_check("agent")

    def test_to_a_late_started_at(self):
        self.rows["agents"][0]["started_at"] = reference.NOW
        self.assert_check("agent")

    def test_to_a_foreign_project(self):
        self.rows["projects"].append(self.rows["projects"][0] | {"id": 999, "path": "/nowhere"})
        self.rows["agents"][0]["project_id"] = 999
        self.assert_check("agent")

    def test_to_a_session_never_registered(self):
        self.rows["events"].pop(0)
        self.assert_check("session")

    def test_to_a_session_registered_twice(self):
        self.add_event(self.rows["events"][0])
        self.assert_check("session")

    def test_to_a_session_registered_with_a_decoded_folder_name(self):
        self.rows["events"][0]["payload"]["project_path"] = "/Users/someone/else"
        self.assert_check("session")

    def test_to_an_invented_session(self):
        self.add_event(self.rows["events"][0], session_uuid="nobody")
        self.assert_check("session")

    def test_to_expectations_that_contradict_themselves(self):
        broken = copy.deepcopy(Real.expected)
        next(each for each in broken["sessions"].values() if each["turns"])["turns"].clear()
        with self.assertRaises(Inconsistent):
            check_expected(broken, stored(self.rows))


class Streams(unittest.TestCase):
    """Ten events, one reader; each test bends what the reader saw."""

    def setUp(self):
        self.rows = {"events": copy.deepcopy(Real.rows["events"][:5] + Real.rows["events"][-5:])}
        self.tables = {"events": stored(Real.rows)["events"]}
        self.tables["events"] = self.tables["events"][:5] + self.tables["events"][-5:]
        self.frames = [self.frame(row) for row in self.rows["events"]]
        self.ids = [row["id"] for row in self.rows["events"]]

    def frame(self, row):
        names = ("id", "event_type", "timestamp", "recorded_at", "project_id", "agent_id", "command_id", "turn_id", "payload")
        return {"reader": 1, "id": row["id"], "event": row["event_type"], "data": {name: row[name] for name in names}}

    def assert_stream(self, *expected, types=None):
        self.assertEqual(kinds(check_stream(self.frames, self.tables, types)), set(expected))

    def test_a_faithful_stream(self):
        self.frames = [{"reader": 1, "from": 0}, *self.frames, {"reader": 1, "until": self.ids[-1]}]
        self.assert_stream()

    def test_a_reader_that_came_later(self):
        self.frames = self.frames[4:]
        self.assert_stream()

    def test_a_filtered_stream(self):
        self.frames = self.frames[5:]
        self.assert_stream(types={"turn_detected"})
        self.assert_stream("invented", types={"session_registered"})

    def test_readers_are_judged_one_by_one(self):
        self.frames += [frame | {"reader": 2} for frame in self.frames]
        self.assert_stream()

    def test_a_reset_ends_one_sequence(self):
        self.frames = [*self.frames[:6], {"reader": 1, "reset": True, "from": self.ids[3]}, *self.frames[4:]]
        self.assert_stream()
        del self.frames[7]
        self.assert_stream("unseen")

    def test_a_skip(self):
        del self.frames[4]
        self.assert_stream("skip")

    def test_a_repeat(self):
        self.frames.insert(5, self.frames[4])
        self.assert_stream("repeat")

    def test_a_repeat_across_a_reconnection(self):
        self.frames = [*self.frames, {"reader": 1, "from": self.ids[-1]}, self.frames[-1]]
        self.assert_stream("repeat")

    def test_a_step_back(self):
        self.frames = [*self.frames[1:4], self.frames[0]]
        self.assert_stream("step-back")

    def test_something_unseen_at_either_end(self):
        whole = self.frames
        self.frames = [{"reader": 1, "from": 0}, *whole[1:]]
        self.assert_stream("unseen")
        self.frames = [*whole[:-1], {"reader": 1, "until": self.ids[-1]}]
        self.assert_stream("unseen")

    def test_a_frame_that_is_not_its_row(self):
        for name, value in (("event_type", "x"), ("agent_id", 12345), ("payload", {}), ("timestamp", reference.NOW)):
            self.setUp()
            self.frames[7]["data"][name] = value
            self.assert_stream("altered")
        self.setUp()
        self.frames[7]["event"] = "message"
        self.assert_stream("altered")
        self.setUp()
        del self.frames[7]["data"]["turn_id"]
        self.assert_stream("altered")

    def test_a_frame_without_a_row(self):
        self.frames.append(self.frames[-1] | {"id": 10_000})
        self.assert_stream("invented")


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.database = f"sqlite:{self.folder}/log.db"

    def write(self, rows):
        reference.write_sqlite(f"{self.folder}/log.db", rows)

    def run_oracle(self, *arguments):
        command = [sys.executable, str(HERE / "oracle.py"), *map(str, arguments), "--database", self.database]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def test_exit_0_when_clean(self):
        self.write(Real.rows)
        for arguments in (("check", "--root", ROOT), ("expected", "--expected", EXPECTED, "--root", ROOT)):
            done = self.run_oracle(*arguments)
            self.assertEqual((done.returncode, done.stderr, done.stdout[:6]), (0, "", "clean:"))

    def test_exit_1_and_one_line_for_each_finding(self):
        rows = copy.deepcopy(Real.rows)
        lost = rows["events"].pop()
        self.write(rows)
        done = self.run_oracle("check", "--root", ROOT)
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (1, 2))
        self.assertRegex(done.stdout, rf"^lost\t\S+\.jsonl:{lost['source_offset']}\t")
        answer = json.loads(self.run_oracle("check", "--root", ROOT, "--json").stdout)
        self.assertEqual((answer["clean"], [each["kind"] for each in answer["findings"]]), (False, ["lost"]))

    def test_a_stream_from_a_file(self):
        self.write(Real.rows)
        frames = self.folder / "frames"
        seen = [row for row in Real.rows["events"] if row["event_type"] == "turn_detected"]
        frames.write_text("".join(json.dumps({"reader": "r", "id": str(row["id"]), "event": row["event_type"], "data": row}) + "\n" for row in seen))
        self.assertEqual(self.run_oracle("stream", "--frames", frames, "--types", "turn_detected").returncode, 0)
        frames.write_text("\n".join(line for number, line in enumerate(frames.read_text().splitlines()) if number != 7))
        done = self.run_oracle("stream", "--frames", frames, "--types", "turn_detected")
        self.assertEqual((done.returncode, done.stdout.split("\t")[0]), (1, "skip"))

    def test_exit_2_when_it_cannot_say(self):
        self.assertEqual(self.run_oracle("check", "--root", ROOT).returncode, 2)
        self.assertEqual(self.run_oracle("check").returncode, 2)
        self.write(Real.rows)
        self.assertEqual(self.run_oracle("check", "--root", self.folder).returncode, 2)
        self.assertEqual(self.run_oracle("stream", "--frames", self.folder / "none").returncode, 2)


class Postgres(unittest.TestCase):
    """The same rows in a private PostgreSQL read the same."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="oracle-pg-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.url = f"postgres://oracle@/postgres?host={cls.folder}"
        if os.geteuid() == 0:
            shutil.chown(cls.folder, "postgres")
        cls.server("initdb", "-D", cls.folder / "data", "-U", "oracle", "-E", "UTF8", "--locale=C", "-N", "-A", "trust")
        options = f"-c listen_addresses= -c fsync=off -k {cls.folder}"
        cls.server("pg_ctl", "-D", cls.folder / "data", "-l", cls.folder / "log", "-w", "-o", options, "start")
        cls.addClassCleanup(cls.server, "pg_ctl", "-D", cls.folder / "data", "-m", "immediate", "-w", "stop")

    @classmethod
    def server(cls, name, *arguments):
        installed = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
        command = [shutil.which(name) or installed[-1], *map(str, arguments)]
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
        subprocess.run(command, check=True, cwd=cls.folder, stdout=subprocess.DEVNULL, timeout=60)

    def test_reads_as_sqlite_does(self):
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-f", "-"]
        subprocess.run(command, input=reference.postgres_script(Real.rows).encode(), check=True, timeout=60)
        tables = read_tables(self.url)
        self.assertEqual(check(Real.found, tables), [])
        self.assertEqual(check_expected(Real.expected, tables, ROOT / "projects"), [])
        ours = stored(Real.rows)["events"]
        self.assertEqual(tables["events"], [row | {"observed": bool(row["observed"])} for row in ours])


if __name__ == "__main__":
    unittest.main()
