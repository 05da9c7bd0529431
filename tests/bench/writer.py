#!/usr/bin/env python3
"""Writes live sessions: a line at a time at a given rate, or many at once.

Each line is an agent's answer whose text carries its number and the monotonic time at which it was written, so
whoever reads it anywhere on this machine knows how long it took: `sent 17 at 123456789 ns`.

  writer.py ROOT steady --rate 100 --seconds 20 [--sessions 10]
  writer.py ROOT burst --lines 100 [--sessions 1]
"""

import argparse
import json
import os
import re
import sys
import time
import uuid

LATER = "0" * 20
SENT = re.compile(r"sent (\d+) at (\d+) ns")


class LiveSession:
    """A transcript that is written to now."""

    def __init__(self, root, number, folder="live"):
        self.id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{root}/{folder}/{number}"))
        self.cwd = f"/home/dev/code/{folder}-{number}"
        os.makedirs(f"{root}/projects/-home-dev-code-{folder}-{number}", exist_ok=True)
        path = f"{root}/projects/-home-dev-code-{folder}-{number}/{self.id}.jsonl"
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def line(self, text):
        now = time.time()
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"
        message = {"model": "claude-opus-4-7", "id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant"}
        message |= {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
        record = {"parentUuid": None, "isSidechain": False, "message": message, "type": "assistant"}
        record |= {"uuid": str(uuid.uuid4()), "timestamp": when, "userType": "external", "cwd": self.cwd}
        record |= {"sessionId": self.id, "version": "2.1.143", "gitBranch": "main"}
        return json.dumps(record, separators=(",", ":")).encode() + b"\n"

    def append(self, lines):
        os.write(self.file, lines)

    def close(self):
        os.close(self.file)


def sent(number):
    return f"sent {number} at {time.monotonic_ns()} ns"


def sent_of(text):
    """(number, time) of a line of ours, else None."""
    found = SENT.search(text)
    return (int(found[1]), int(found[2])) if found else None


def steady(sessions, rate, seconds):
    begin = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0, begin + number / rate - time.monotonic()))
        session = sessions[number % len(sessions)]
        session.append(session.line(sent(number)))


def burst(sessions, lines):
    """All lines are made first; the time they carry is that of the first write."""
    texts = [f"sent {number} at {LATER} ns" for number in range(lines)]
    made = [b"".join(session.line(text) for text in texts[index :: len(sessions)]) for index, session in enumerate(sessions)]
    now = f"{time.monotonic_ns():020}".encode()
    for session, each in zip(sessions, [each.replace(LATER.encode(), now) for each in made]):
        session.append(each)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("mode", choices=("steady", "burst"))
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--sessions", type=int, default=10)
    options = parser.parse_args()
    sessions = [LiveSession(options.root, number) for number in range(options.sessions)]
    if options.mode == "steady":
        steady(sessions, options.rate, options.seconds)
    else:
        burst(sessions, options.lines)


if __name__ == "__main__":
    sys.exit(main())
