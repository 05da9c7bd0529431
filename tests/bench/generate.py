#!/usr/bin/env python3
"""Transcripts that look like real ones, as many as are wanted.

A session is told as it happens: what the CLI writes when it starts, then turns of prompt, thinking, tools and answer,
then what it writes when a turn ends. Kinds of records, their shares, key order and the spread of their lengths follow
the real files in `tests/data/claude` (`generate.py compare` shows both side by side); a seed gives the same tree.

  generate.py tree OUT --megabytes 200 [--seed N]     a Claude config folder with realistic sessions
  generate.py dense OUT --events 50000 [--seed N]     short prompts and answers only: nearly every line is an event
  generate.py compare REAL OUT                        shares and lengths of two trees
"""

import argparse
import json
import math
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass

WORDS = (
    "the a of to in is it for on with that this as be are not from by or an file test function value line error "
    "return type call list read write path module build check handle state config name event server request query "
    "table index cursor offset parse first last next only when then after before should could because which each "
    "every update change move remove add keep branch commit merge review output input buffer queue stream client "
    "`src/main.rs` `Option<T>` **note** \"quoted\" C:\\dev — ✓ naïve größe 日本語 {x} [1] https://example.org/a?b=1&c=2"
).split()
TOOLS = ("Bash", "Read", "Edit", "Grep", "Glob", "Write", "WebSearch", "TodoWrite")
POOL_CHARS = 2_000_000
LONGEST_TEXT = 2 * 1024 * 1024


@dataclass(frozen=True)
class Era:
    """What one generation of the CLI writes."""

    version: str
    model: str
    has_thinking: bool = False
    has_snapshots: bool = False
    has_attachments: bool = False
    has_progress: bool = False
    has_titles: bool = False
    has_request_log: bool = False


ERAS = (
    (5, Era("1.0.56", "claude-opus-4-20250514")),
    (8, Era("1.0.119", "claude-sonnet-4-20250514", has_snapshots=True)),
    (14, Era("2.0.42", "claude-sonnet-4-5-20250929", has_thinking=True, has_snapshots=True)),
    (15, Era("2.1.76", "claude-opus-4-6", has_thinking=True, has_snapshots=True, has_progress=True)),
    (46, Era("2.1.143", "claude-opus-4-7", True, True, True, True, True)),
    (12, Era("2.1.329", "claude-opus-5-5", True, True, True, True, True, True)),
)


class Text:
    """Prose and code out of one pool; slices are cheap, lengths are log-normal as the real ones are."""

    def __init__(self, rng):
        self.rng = rng
        words = rng.choices(WORDS, k=POOL_CHARS // 6)
        for index in range(0, len(words), 17):
            words[index] += "\n"
        self.pool = " ".join(words)

    def exactly(self, chars):
        pieces = []
        while chars > 0:
            start = self.rng.randrange(len(self.pool) // 2)
            pieces.append(self.pool[start : start + chars])
            chars -= len(pieces[-1])
        return "".join(pieces)

    def about(self, median, p95):
        sigma = math.log(p95 / median) / 1.645
        chars = int(self.rng.lognormvariate(math.log(median), sigma))
        # A text of nothing but blanks would be no turn.
        return self.exactly(min(LONGEST_TEXT, max(12, chars)))


class Session:
    """One session's lines in the order the CLI writes them, and how many events they make."""

    def __init__(self, rng, text, cwd, era, agent_of=None):
        self.rng, self.text, self.cwd, self.era = rng, text, cwd, era
        self.id = agent_of.id if agent_of else self.uuid()
        self.agent = rng.randbytes(8).hex() if agent_of else None
        self.clock = agent_of.clock if agent_of else 1_760_000_000_000 + rng.randrange(30_000_000_000)
        self.parent = None
        self.lines = []
        self.bytes = 0
        self.events = 0
        self.agents = []

    # What happens

    def begin(self):
        if self.era.has_titles:
            self.note("permission-mode", permissionMode="default")
            self.note("mode", mode="normal")
        if self.era.version.startswith("1."):
            self.write({"type": "summary", "summary": self.text.exactly(40), "leafUuid": self.uuid()})

    def turn(self):
        self.prompt()
        for _ in range(min(40, int(self.rng.expovariate(1 / 2.2)))):
            self.tool_step()
        self.say(self.text.about(330, 1500), "end_turn")
        self.end_turn()

    def prompt(self):
        if self.era.has_snapshots:
            self.snapshot()
        kind = self.rng.random()
        if kind < 0.1:
            self.user("<local-command-stdout>" + self.text.about(60, 600) + "</local-command-stdout>")
        if kind > 0.9:
            self.user(self.text.about(400, 4000), isMeta=True)
        content = self.text.about(90, 700)
        self.user([{"type": "text", "text": content}] if kind > 0.6 and kind < 0.7 else content, is_turn=True)
        if self.era.has_attachments:
            self.attachments()

    def tool_step(self):
        if self.era.has_thinking and self.rng.random() < 0.35:
            thought = {"type": "thinking", "thinking": self.text.about(200, 1500), "signature": self.base64(600)}
            self.assistant([thought], "tool_use")
        if self.rng.random() < 0.3:
            self.say(self.text.about(120, 500), "tool_use")
        name, tool = self.rng.choice(TOOLS), "toolu_" + self.base64(24)
        call = {"type": "tool_use", "id": tool, "name": name, "input": {"command": self.text.about(140, 900)}}
        self.assistant([call], "tool_use")
        if self.era.has_progress:
            for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
                self.progress(tool, name)
        if self.rng.random() < 0.02:
            self.subagent()
        if self.era.has_attachments and self.rng.random() < 0.06:
            self.note("queue-operation", operation="enqueue", timestamp=self.now(), content=self.text.about(90, 700))
            self.note("queue-operation", operation="dequeue", timestamp=self.now())
        self.tool_result(tool)

    def subagent(self):
        child = Session(self.rng, self.text, self.cwd, self.era, agent_of=self)
        child.user(self.text.about(300, 1200))
        for _ in range(self.rng.randrange(2, 12)):
            child.tool_step()
        child.agents, child.events = [], 0
        self.agents.append(child)

    def end_turn(self):
        if self.era.has_attachments:
            hooks = [{"command": "/home/dev/bin/hook.sh", "durationMs": self.rng.randrange(200)}]
            self.system("stop_hook_summary", hookCount=1, hookInfos=hooks, hookErrors=[], hasOutput=True)
        if self.era.has_progress:
            self.system("turn_duration", durationMs=self.rng.randrange(300_000), messageCount=len(self.lines))
        if self.era.has_titles:
            self.note("last-prompt", lastPrompt=self.text.exactly(90), leafUuid=self.parent)
            self.note("ai-title", aiTitle=self.text.exactly(28))
            self.note("permission-mode", permissionMode="default")
        if self.era.has_request_log:
            self.request_log()

    # Records

    def user(self, content, is_turn=False, **more):
        self.events += is_turn
        self.chained("user", {"message": {"role": "user", "content": content}} | more)

    def say(self, text, stop_reason):
        self.events += 1
        self.assistant([{"type": "text", "text": text}], stop_reason)

    def assistant(self, blocks, stop_reason):
        message = {"model": self.era.model, "id": "msg_01" + self.base64(22), "type": "message", "role": "assistant"}
        message |= {"content": blocks, "stop_reason": stop_reason, "stop_sequence": None, "usage": self.usage()}
        self.chained("assistant", {"message": message, "requestId": "req_011" + self.base64(21)})

    def tool_result(self, tool):
        output = self.text.about(430, 5200)
        content = output if self.rng.random() < 0.7 else [{"type": "text", "text": output}]
        if self.rng.random() < 0.004:
            image = {"type": "base64", "media_type": "image/png", "data": self.base64(30_000)}
            content = [{"type": "image", "source": image}]
        block = {"tool_use_id": tool, "type": "tool_result", "content": content}
        told = {"stdout": output, "stderr": "", "interrupted": False, "isImage": False}
        self.user([block], toolUseResult=told, sourceToolAssistantUUID=self.parent)

    def attachments(self):
        if self.rng.random() < 0.2:
            self.attachment(type="skill_listing", content=self.text.exactly(13_500), skillCount=60, isInitial=True)
            names = ["mcp__server__" + self.text.exactly(12) for _ in range(45)]
            self.attachment(type="deferred_tools_delta", addedNames=names, addedLines=names, removedNames=[])
        if self.rng.random() < 0.1:
            self.attachment(type="auto_mode", reminderType="once")
        if self.rng.random() < 0.2:
            self.attachment(type="hook_success", hookName="PreToolUse:Bash", stdout="{}", stderr="", exitCode=0)
        if self.rng.random() < 0.05:
            self.attachment(type="prompt_snapshot", systemPrompt=[self.text.exactly(900) for _ in range(9)])

    def attachment(self, **body):
        self.chained("attachment", {"attachment": body})

    def progress(self, tool, name):
        data = {"type": "hook_progress", "hookEvent": "PreToolUse", "hookName": f"PreToolUse:{name}", "command": "hook"}
        self.chained("progress", {"data": data, "toolUseID": tool, "parentToolUseID": tool})

    def system(self, subtype, **more):
        self.chained("system", {"subtype": subtype, "isMeta": False, "level": "info"} | more)

    def snapshot(self):
        files = {f"src/{self.text.exactly(12)}.rs": {"version": 1} for _ in range(self.rng.choice((0, 0, 0, 2, 20)))}
        snapshot = {"messageId": self.uuid(), "trackedFileBackups": files, "timestamp": self.now()}
        self.write({"type": "file-history-snapshot", "messageId": snapshot["messageId"], "snapshot": snapshot})

    def request_log(self):
        message = {"role": "user", "content": [{"type": "text", "text": self.text.about(150, 900)}]}
        self.note("api-request-blob", hash=self.rng.randbytes(32).hex(), message=message)
        params = {"model": self.era.model, "betas": ["claude-code-20250219"] * 9, "max_tokens": 128000}
        self.note("api-request", id=self.uuid(), timestamp=self.now(), params=params)
        self.note("tools-used", tools=[self.rng.choice(TOOLS)])

    def note(self, kind, **body):
        """A line of the CLI's own book-keeping, outside the chain."""
        self.write({"type": kind, **body, "sessionId": self.id})

    def chained(self, kind, body):
        self.clock += self.rng.randrange(20, 9000)
        head = {"parentUuid": self.parent, "isSidechain": self.agent is not None}
        where = {"userType": "external", "cwd": self.cwd, "sessionId": self.id, "version": self.era.version}
        where |= {"gitBranch": "main"} | ({"agentId": self.agent} if self.agent else {})
        self.parent = self.uuid()
        when = {"type": kind, "uuid": self.parent, "timestamp": self.now()}
        # Older versions say where they are first, newer ones last.
        middle = (where | body | when) if self.era.version < "2.1" else (body | when | where)
        self.write(head | middle)

    def write(self, record):
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self.lines.append(line)
        self.bytes += len(line)

    # Values

    def usage(self):
        counts = {"input_tokens": self.rng.randrange(9), "output_tokens": self.rng.randrange(900)}
        counts |= {"cache_creation_input_tokens": self.rng.randrange(20_000), "cache_read_input_tokens": 17_797}
        if self.era.has_titles:
            counts |= {"server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0}, "inference_geo": ""}
            counts |= {"iterations": [dict(counts)], "speed": "standard"}
        return counts | {"service_tier": "standard"}

    def now(self):
        seconds, milliseconds = divmod(self.clock, 1000)
        days, seconds = divmod(seconds, 86400)
        year, month, day = civil(days)
        return f"{year}-{month:02}-{day:02}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}Z"

    def uuid(self):
        hex = self.rng.randbytes(16).hex()
        return f"{hex[:8]}-{hex[8:12]}-4{hex[13:16]}-a{hex[17:20]}-{hex[20:]}"

    def base64(self, chars):
        return "".join(self.rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=chars))


def civil(days, memo={}):
    """The date of a day number; strftime is what a generator would spend its time in."""
    if days not in memo:
        import datetime

        date = datetime.date(1970, 1, 1) + datetime.timedelta(days=days)
        memo[days] = (date.year, date.month, date.day)
    return memo[days]


@dataclass
class Tree:
    """What was written."""

    root: str
    files: int = 0
    lines: int = 0
    bytes: int = 0
    turns: int = 0

    def save(self, session, project):
        folder = f"{self.root}/projects/{project}"
        self.put(f"{folder}/{session.id}.jsonl", session)
        for agent in session.agents:
            self.put(f"{folder}/{session.id}/subagents/agent-{agent.agent}.jsonl", agent)
        self.turns += session.events

    def put(self, path, session):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.writelines(session.lines)
        self.files += 1
        self.lines += len(session.lines)
        self.bytes += session.bytes


def realistic(root, megabytes, seed=1):
    """Sessions of all eras until there are so many bytes."""
    rng = random.Random(seed)
    text = Text(rng)
    tree = Tree(root)
    shares, eras = zip(*ERAS)
    while tree.bytes < megabytes * 1_000_000:
        number = rng.randrange(20)
        session = Session(rng, text, f"/home/dev/code/project-{number}", rng.choices(eras, shares)[0])
        session.begin()
        size = min(20_000_000, rng.lognormvariate(math.log(700_000), 1.2))
        while session.bytes < size:
            session.turn()
        tree.save(session, f"-home-dev-code-project-{number}")
    return tree


def dense(root, events, seed=1, sessions=50):
    """Short prompts and answers; about every line is an event."""
    rng = random.Random(seed)
    text = Text(rng)
    tree = Tree(root)
    for number in range(sessions):
        session = Session(rng, text, f"/home/dev/code/dense-{number % 10}", ERAS[4][1])
        while session.events < events / sessions:
            session.user(text.about(60, 300), is_turn=True)
            session.say(text.about(120, 600), "end_turn")
        tree.save(session, f"-home-dev-code-dense-{number % 10}")
    return tree


def compare(real, made):
    """Shares of lines and bytes by kind, and lengths, of both trees."""
    left, right = measure_shape(real), measure_shape(made)
    print(f"{'kind':34} {'% lines':>15} {'% bytes':>15}   (real, generated)")
    for kind, _ in left[0].most_common(24):
        shares = [100 * each[kind] / max(1, each.total()) for pair in zip(left, right) for each in pair]
        print(f"{kind:34} {shares[0]:7.1f} {shares[1]:7.1f} {shares[2]:7.1f} {shares[3]:7.1f}")
    for name, (_, _, lengths) in (("real", left), ("generated", right)):
        lengths = sorted(lengths.elements())
        marks = {f"p{100 * q:g}": lengths[int(len(lengths) * q)] for q in (0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)}
        print(f"{name}: {len(lengths)} lines,", ", ".join(f"{k} {v}" for k, v in marks.items()), f"max {lengths[-1]}")


def measure_shape(root):
    lines, sizes, lengths = Counter(), Counter(), Counter()
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith(".jsonl"):
                for line in open(os.path.join(folder, name), "rb"):
                    kind = kind_of(line)
                    lines[kind] += 1
                    sizes[kind] += len(line)
                    lengths[len(line)] += 1
    return lines, sizes, lengths


def kind_of(line):
    try:
        record = json.loads(line)
    except ValueError:
        return "malformed"
    if not isinstance(record, dict):
        return "malformed"
    kind = str(record.get("type"))
    content = (record.get("message") or {}).get("content")
    if kind in ("user", "assistant") and isinstance(content, list) and content:
        return f"{kind}/{content[0].get('type')}"
    detail = record.get("subtype") or (record.get("attachment") or record.get("data") or {}).get("type")
    return f"{kind}/{detail}" if detail else kind


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(required=True, dest="mode")
    for name, amount, default in (("tree", "--megabytes", 200), ("dense", "--events", 50_000)):
        mode = modes.add_parser(name)
        mode.add_argument("out")
        mode.add_argument(amount, dest="amount", type=int, default=default)
        mode.add_argument("--seed", type=int, default=1)
    mode = modes.add_parser("compare")
    mode.add_argument("real")
    mode.add_argument("out")
    options = parser.parse_args()
    if options.mode == "compare":
        compare(options.real, options.out)
    else:
        make = realistic if options.mode == "tree" else dense
        print(make(options.out, options.amount, options.seed))


if __name__ == "__main__":
    sys.exit(main())
