#!/usr/bin/env python3
"""The oracle can say no to what was sent. Run: python3 -m unittest discover -s tests/oracle"""

import copy
import json
import tempfile
import unittest

from check import check
from sent import read_sent
from test_oracle import Real, kinds, stored

STOP = {"session_id": "by-hook", "cwd": "/home/dev/shop", "hook_event_name": "Stop", "prompt_id": "p"}
SESSION = {"session_uuid": "by-api", "project_path": "/home/dev/shop", "iterm_pane_id": None}
MAYBE = {"hook": STOP | {"prompt_id": "q"}, "maybe": True}
LATER = {"session": SESSION | {"session_uuid": "later"}, "maybe": True}


class WhatWasSent(unittest.TestCase):
    def setUp(self):
        self.rows = copy.deepcopy(Real.rows)
        self.sent = [{"hook": STOP}, {"session": SESSION}, MAYBE, LATER]
        self.hook = self.add("hook_received", {"claude_session_id": "by-hook", "working_directory": "/home/dev/shop",
                                               "hook_type": "Stop", "prompt_id": "p", "cli_pid": 7})
        self.begun = [self.register(name) for name in ("by-hook", "by-api")]

    def add(self, event_type, payload):
        number = len(self.rows["events"]) + 1
        event = self.rows["events"][0] | {"id": number, "event_key": f"sent {number}", "agent_id": None}
        self.rows["events"].append(event | {"event_type": event_type, "payload": payload})
        return self.rows["events"][-1]

    def register(self, name):
        agents = self.rows["agents"]
        agents.append(agents[0] | {"id": len(agents) + 1, "session_uuid": name, "parent_agent_id": None})
        project = SESSION["project_path"]
        payload = {"session_uuid": name, "project_path": project, "working_directory": project}
        return self.add("session_registered", payload)

    def assert_found(self, *expected):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps(each) + "\n" for each in self.sent)
            file.flush()
            self.assertEqual(kinds(check(Real.found, stored(self.rows), sent=read_sent(file.name))), set(expected))

    def test_yes_with_or_without_what_was_not_answered(self):
        self.assert_found()
        self.add("hook_received", self.hook["payload"] | {"prompt_id": "q"})
        self.register("later")
        self.assert_found()

    def test_yes_to_a_session_that_was_sent_twice_and_ended_between(self):
        self.sent.append({"session": SESSION | {"project_path": "/elsewhere"}})
        self.add("session_ended", {"session_uuid": "by-api", "reason": "unregistered"})
        self.add("session_registered", self.begun[1]["payload"] | {"project_path": "/elsewhere", "working_directory": "/elsewhere"})
        self.assert_found()

    def test_no_to_a_lost_hook(self):
        self.rows["events"].remove(self.hook)
        self.rows["events"].remove(self.begun[0])
        self.rows["agents"] = [row for row in self.rows["agents"] if row["session_uuid"] != "by-hook"]
        self.assert_found("lost")

    def test_no_to_a_doubled_hook(self):
        self.add("hook_received", self.hook["payload"])
        self.assert_found("doubled")

    def test_no_to_a_doubled_hook_that_was_not_answered(self):
        for _ in range(2):
            self.add("hook_received", self.hook["payload"] | {"prompt_id": "q"})
        self.assert_found("doubled")

    def test_no_to_an_invented_hook(self):
        self.add("hook_received", self.hook["payload"] | {"prompt_id": "r"})
        self.assert_found("invented")

    def test_no_to_an_altered_hook(self):
        self.hook["payload"]["prompt_id"] = "r"
        self.assert_found("lost", "altered")

    def test_no_to_a_session_that_is_never_registered(self):
        self.rows["events"].remove(self.begun[1])
        self.assert_found("session")

    def test_no_to_a_session_without_an_agent(self):
        self.rows["agents"].pop()
        self.assert_found("session")

    def test_no_to_a_session_registered_twice(self):
        self.add("session_registered", self.begun[1]["payload"])
        self.assert_found("session")

    def test_no_to_a_session_that_was_not_sent(self):
        self.register("nobody")
        self.assert_found("session", "agent")

    def test_no_to_a_session_with_another_folder_than_was_sent(self):
        self.begun[1]["payload"]["project_path"] = "/elsewhere"
        self.assert_found("session")

    def test_no_to_a_session_by_the_api_when_nothing_says_that_it_was_sent(self):
        self.assertEqual(kinds(check(Real.found, stored(self.rows))), {"session", "agent"})


if __name__ == "__main__":
    unittest.main()
