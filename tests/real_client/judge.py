"""What a scene showed, held against what a person would name; hooks and turns, against what others wrote down.

In:  a played scene, its .steps, the oracle. Out: a Result: steps right and wrong, delays, findings.

A step is right if its words are shown after those of the step before it. What is shown for less than 300 ms counts as neither
right nor wrong, nor does the need of a step before its words are known. A state of work that no step names is right after a
prompt and while the CLI's own registry says busy, one of a menu while it says waiting, and one of rest while tasks run on after the
last Stop left them: what was too short to be read in the recording may last longer here.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field

SHORT = 0.3
# An action without an answer in this time has none.
ANSWER = 2.5
# So soon after its Enter a prompt may be shown.
PROMPT = 1.5
START = "idle\tnone\t-"
MENU = "awaiting_input\tnone\t-"
WORK = ("commanded", "processing")


@dataclass
class Result:
    name: str
    right: int = 0
    wrong: list = field(default_factory=list)
    delays: list = field(default_factory=list)  # (action, seconds until it was shown)
    causes: list = field(default_factory=list)  # seconds from the cause's own time until it was shown
    hooks: int = 0
    turns: int = 0


def judge(scene, steps, oracle):
    result = Result(scene.name)
    entries = sorted(scene.entries, key=lambda entry: entry["at"])
    missed = [entry for entry in entries if entry["src"] == "screen" and "missed" in entry]
    shown = spans(entries)
    wanted = read_steps(steps)
    for agent in sorted(set(shown) | set(wanted)):
        compare(agent, wanted.get(agent, []), shown.get(agent, []), entries, result)
    if result.wrong and missed:
        result.wrong.append(f"(the scene itself missed {len(missed)} of what it waited for)")
    measure(entries, result)
    count(scene, oracle, result)
    read_output(scene, result)
    return result


# --- states


def spans(entries):
    """{agent: [(words, from, to)]}; agents are numbered as they appear, `1/1` is the first subagent of the first session."""
    names, of = {}, {}
    for entry in entries:
        if entry["src"] == "shown":
            session, _, child = entry["agent"].partition("/")
            name = number(names, "", session) + ("/" + number(names, session, child) if child else "")
            of.setdefault(name, []).append([portless(entry["words"]), entry["at"], float("inf")])
    for shown in of.values():
        for one, next in zip(shown, shown[1:]):
            one[2] = next[1]
    return of


def number(names, within, name):
    known = names.setdefault(within, {})
    return known.setdefault(name, str(len(known) + 1))


def read_steps(path):
    """{agent: [words]} of the part with all witnesses, agents numbered as in `spans`."""
    names, of, part = {}, {}, None
    with open(path) as lines:
        for line in lines.read().splitlines():
            if line.startswith("#"):
                part = line
            elif part == "# all witnesses" and line:
                agent, _, words = line.split("\t", 2)
                session, _, child = agent.partition("/")
                of.setdefault(session + ("/" + number(names, session, child) if child else ""), []).append(portless(words))
    return of


def portless(words):
    """The model listens elsewhere each time."""
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", words)


def compare(agent, wanted, shown, entries, result):
    at = 0
    for words, begun, ended in shown:
        while at < len(wanted) and words != wanted[at] and is_work(wanted[at]) and words in wanted[at + 1:at + 2]:
            at += 1  # too short to be read, here
        if at < len(wanted) and words == wanted[at]:
            at, result.right = at + 1, result.right + 1
        elif at == 0 and words == START:
            continue  # a session begins at its prompt, also one that is given it at once
        elif ended - begun < SHORT or (at and words == wanted[at - 1]) or is_vaguer(words, wanted[at:at + 1]):
            continue
        elif is_work(words) and (is_said(entries, begun, ended, "busy") or is_typed(entries, begun)):
            result.right += 1
        elif words == MENU and is_said(entries, begun, ended, "waiting"):
            result.right += 1
        elif words.startswith("idle +") and str(tasks_left(entries, ended)) == words.split("\t")[0].split("+")[1]:
            result.right += 1
        else:
            result.wrong.append(f"{agent} shows {words!r} for {ended - begun:.1f} s after {wanted[at - 1] if at else 'nothing'!r}")
    result.wrong.extend(f"{agent} never shows {words!r}" for words in wanted[at:] if not is_work(words))


def is_work(words):
    return words.startswith(WORK)


def is_vaguer(words, wanted):
    """The same need, and not yet what it asks."""
    return words.endswith("\t-") and any(step.startswith(words[:-1]) for step in wanted)


def is_typed(entries, begun):
    return any(entry["src"] == "action" and entry["what"].startswith("type") and 0 <= begun - entry["at"] < PROMPT for entry in entries)


def is_said(entries, begun, ended, said):
    """Whether a process said so at that time."""
    says = {}
    for entry in entries:
        if entry["src"] == "registry" and entry["at"] <= ended:
            if says.get(entry["file"]) == said and entry["at"] >= begun - SHORT:
                return True
            says[entry["file"]] = entry["content"].get("status") if entry["content"] != "removed" else None
    return said in says.values()


def tasks_left(entries, until):
    """How many tasks ran on after the last reply, by its hook."""
    ends = [entry["body"] for entry in entries if entry["src"] == "hook" and entry["at"] <= until and entry["body"]["hook_event_name"] == "Stop"]
    return len(ends[-1].get("background_tasks") or []) if ends else 0


# --- delays


def measure(entries, result):
    """From each action to the first change that is shown after it, and from each change's cause to its show."""
    action, known = None, {}
    for entry in entries:
        if entry["src"] == "action":
            action = entry
        elif entry["src"] == "shown":
            if action and entry["at"] - action["at"] < ANSWER:
                kind = " ".join(action["what"].split()[:2]) if action["what"].startswith("key") else action["what"].split()[0]
                result.delays.append((kind, entry["at"] - action["at"]))
            action = None
            # A task that ends, or words that are added, are no beginning of a state.
            if entry["since"] and entry["since"] != known.get(entry["agent"]):
                result.causes.append(max(0, entry["at"] - entry["since"]))
            known[entry["agent"]] = entry["since"]


# --- hooks and turns


def count(scene, oracle, result):
    headless = any(client.child for client in scene.clients)
    sent = f"{scene.base}/sent.jsonl"
    os.makedirs(scene.root + "/projects", exist_ok=True)  # where the CLI was left before it had said anything
    with open(sent, "w") as file:
        for entry in scene.entries:
            ours = entry["src"] == "hook" and called(scene.hooks, entry["body"])
            if ours:
                result.hooks += 1
                # Under -p the CLI does not wait for hooks that are async: they may be lost.
                maybe = headless and all(handler.get("async") for handler in ours)
                file.write(json.dumps({"hook": entry["body"], "maybe": maybe}) + "\n")
    command = [sys.executable, oracle, "check", "--root", scene.root, "--database", f"sqlite:{scene.state}/headspace.db", "--sent", sent, "--json"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode > 1:
        result.wrong.append(f"the oracle could not say: {answer.stderr.strip()[-300:]}")
        return
    said = json.loads(answer.stdout)
    result.turns = said["turns"]
    result.wrong.extend(f"oracle: {finding}" for finding in said["findings"])


def called(hooks, body):
    """Those of headspace's hooks that the CLI called with this."""
    of = hooks.get(body["hook_event_name"], [])
    return [handler for handler in of if not handler["matcher"] or re.fullmatch(handler["matcher"], body.get("tool_name", ""))]


# --- what the CLI printed


def read_output(scene, result):
    # That hooks run is said of the kit's own too: `cost` looks for that.
    result.wrong.extend(spoken_of(scene, "headspace"))
    for entry in scene.entries:
        attached = entry["src"] == "transcript" and entry["record"].get("attachment") or {}
        failed = attached.get("type") == "hook_non_blocking_error" or attached.get("exitCode") not in (None, 0)
        if failed and str(attached.get("type", "")).endswith(("error", "response")):
            result.wrong.append(f"a hook failed: {attached}")


def spoken_of(scene, words):
    """Where a screen has these words."""
    for client in scene.clients:
        if found := re.search(words, client.shown, re.IGNORECASE):
            around = re.sub(r"\s+", " ", client.shown[max(0, found.start() - 60):found.end() + 60])
            yield f"the CLI's screen speaks of it: {around!r}"
