"""What hooks cost the CLI per turn: none, hooks that call `true`, headspace's; and what its screen says of them.

A turn is a prompt, a call of a tool and a reply; the model answers at once. `true` stands in place of headspace in the same
hooks: what they cost then is the CLI's own. Short sessions of each kind take turns, so that all meet the same machine.

    work     busy to idle, by the CLI's registry
    request  Enter until the model is asked
    answer   Enter until the answer stands on the screen
    key      a key that is pressed when the answer stands, until it is shown (every second turn; `work` is of the others)
"""

import json
import os
import re
import time

from drive import Scene
from model_server import ask, bash, text
from scene import Beside, install_hooks

NONE, TRUE, OURS = "no hooks", "hooks that call true", "headspace's hooks"
# With --each: `true` alone at one event, as it is waited for there.
EACH = {"true at UserPromptSubmit, async": ("UserPromptSubmit", True), "true at Stop": ("Stop", False), "true at Stop, async": ("Stop", True)}
# Turns of one session; the first one loads what the others find.
SESSION = 10
# A screen and a file of the CLI's give no sign of a change: they are looked at so often, with a deadline.
LOOK = 0.002
PATIENCE = 20
# While a hook runs, the spinner names its event.
SPINNER = r"(running )?\w+ hooks?(?=…? *(\d+/\d+)? *·)"
OF_HOOKS = r"hook|headspace"
SCRIPT = {"turn": [bash("true"), text("Done it.")]}
# Beside plain turns: each kind of dialog, answered and left by Esc. The CLI passes over keys of a dialog's first second.
DIALOGS = ("start; type go #ask; status waiting; sleep 1.5; key enter; status idle; type go #ask; status waiting; sleep 1.5; key esc; status idle; "
           "type go #risk; status waiting; sleep 1.5; key enter; status idle; type /exit; gone")
SCRIPTS = {"ask": [ask(), text("Left it is.")], "risk": [bash("touch made.txt"), text("Made it.")]}


class Timed(Beside):
    """With the hooks of its kind alone, the kit's own would be timed too; and a watcher only beside headspace's."""

    def __init__(self, kind, name, scripts, program, **options):
        self.kind = kind
        super().__init__(name, scripts, program, **options)

    def configure(self, kind, command=None):
        super().configure("none")
        if self.kind == NONE:
            return
        install_hooks(self.program, self.root, self.env)
        if self.kind != OURS:
            self.call_true(*EACH.get(self.kind, (None, None)))

    def call_true(self, event, is_async):
        with open(self.root + "/settings.json") as file:
            settings = json.load(file)
        if event:
            settings["hooks"] = {event: settings["hooks"][event]}
        for handler in (handler for groups in settings["hooks"].values() for group in groups for handler in group["hooks"]):
            handler["command"] = "true"
            if event:
                handler["async"] = is_async
        with open(self.root + "/settings.json", "w") as file:
            json.dump(settings, file)

    def watch(self):
        self.watcher = None
        if self.kind == OURS:
            super().watch()

    def look(self):
        """What is shown is not asked for: that takes time too."""

    def begin(self):
        self.play("launch")
        self.until(lambda entry: status(entry) == "idle")
        self.shown(self.clients[0], 0, "❯")
        time.sleep(1)  # the CLI works on behind its first prompt, and nothing shows when that ends

    def turn(self, presses):
        """{what: milliseconds}"""
        client, since = self.clients[0], len(self.entries)
        typed = len(client.shown)
        os.write(client.tty, b"go #turn")
        self.shown(client, typed, "#turn")  # with the words the Enter would be taken for a paste
        client.act("type go #turn", "\r")
        entered = self.acted
        answered = self.shown(client, client.mark, r"Done\s*it")
        if presses:
            before = len(client.shown)
            os.write(client.tty, b"z")
            took = {"key": self.shown(client, before, "z") - answered}
            os.write(client.tty, b"\x7f")
        self.until(lambda entry: status(entry) == "idle")
        said = {status(entry): entry["content"]["statusUpdatedAt"] for entry in self.entries[since:] if status(entry)}
        asked = min(entry["at"] for entry in self.entries[since:] if entry["src"] == "model" and entry["script"] == "turn")
        if not presses:
            took = {"work": (said["idle"] - said["busy"]) / 1000, "request": asked - entered, "answer": answered - entered}
        time.sleep(0.3)  # behind idle the CLI writes its files, and nothing shows when that ends: the next turn would share its time
        return {what: seconds * 1000 for what, seconds in took.items()}

    def shown(self, client, since, pattern):
        end = time.time() + PATIENCE
        while not re.search(pattern, client.shown[since:]):
            if time.time() > end:
                raise RuntimeError(f"{pattern!r} is not on the screen after {PATIENCE} s: {client.shown[since:]!r}")
            time.sleep(LOOK)
        return time.time()

    def close(self):
        self.running = False
        super().close()


def status(entry):
    return entry["content"].get("status") if entry["src"] == "registry" and entry["content"] != "removed" else None


def turns(program, count, each):
    """{kind: {what: milliseconds of each turn}} and {kind: what its screens said of hooks}; of each kind `count` turns and as many with a key."""
    kinds = [NONE, TRUE, OURS] + (list(EACH) if each else [])
    times, said = {kind: {} for kind in kinds}, {kind: [] for kind in kinds}
    for number in range(-(-2 * count // SESSION)):
        for kind in (kinds * 2)[number % len(kinds):][:len(kinds)]:
            scene = Timed(kind, "turns", dict(SCRIPT), program, permissions={"allow": ["Bash"]})
            scene.begin()
            scene.turn(presses=False)
            for turn in range(SESSION):
                for what, took in scene.turn(presses=turn % 2 == 1).items():
                    times[kind].setdefault(what, []).append(took)
            said[kind] += spoken(scene)
            scene.close()
    for kind in (TRUE, OURS):
        scene = Timed(kind, "dialogs", dict(SCRIPTS), program)
        scene.play(DIALOGS)
        if missed := sum("missed" in entry for entry in scene.entries):
            said[kind].append(f"with {kind}, the dialogs missed {missed} of what they waited for")
        said[kind] += spoken(scene)
        scene.close()
    return times, said


def spoken(scene):
    """What its screen says of hooks, a line each: "spinner", or other words."""
    lines = []
    for client in scene.clients:
        shown = re.sub(r"\s+", " ", client.shown)
        rest = re.sub(SPINNER, "", shown)
        lines += ["spinner"] * (rest != shown)
        lines += [rest[max(0, found.start() - 60):found.end() + 60] for found in re.finditer(OF_HOOKS, rest, re.IGNORECASE)]
    return lines
