"""The CLI's own time per turn, with headspace's hooks and without any.

A turn is a prompt, a call of a tool and a reply; the model answers at once. Its time is the CLI's own: from the `busy` to
the `idle` of its registry, in milliseconds. Sessions with and without hooks take turns, so that both meet the same machine.
"""

from drive import Scene
from model_server import ask, bash, text
from judge import spoken_of
from scene import Beside, install_hooks

# What a person may see of hooks: that they run, or fail.
OF_HOOKS = r"hook|headspace"
# Beside plain turns: each kind of dialog, answered and left by Esc, with nothing but headspace's hooks.
DIALOGS = ("start; type go #ask; status waiting; sleep 0.5; key enter; status idle; type go #ask; status waiting; sleep 0.5; key esc; status idle; "
           "type go #risk; status waiting; sleep 0.5; key enter; status idle; type /exit; gone")
SCRIPTS = {"ask": [ask(), text("Left it is.")], "risk": [bash("touch made.txt"), text("Made it.")]}
SCRIPT = {"turn": [bash("true"), text("Done it.")]}


class Unrecorded(Beside):
    """With headspace's hooks alone: the kit's own would be timed too."""

    def configure(self, kind, command=None):
        super().configure("none")
        install_hooks(self.program, self.root, self.env)


def turns(program, count):
    """{with hooks or without: milliseconds of each turn}, and what screens said of hooks."""
    times, said = {"without": [], "with": []}, []
    for kind in ("without", "with", "with", "without"):
        options = {"permissions": {"allow": ["Bash"]}}
        scene = Scene("turns", dict(SCRIPT), hooks="none", **options) if kind == "without" else Unrecorded("turns", dict(SCRIPT), program, **options)
        scene.play("start; " + "type go #turn; status busy; status idle; sleep 0.3; " * count + "sleep 0")
        times[kind] += of(scene.entries)
        scene.running = False
        if kind == "with":
            said += spoken_of(scene, OF_HOOKS)
        scene.close() if kind == "with" else scene.save(scene.base + "/out")
    scene = Unrecorded("dialogs", dict(SCRIPTS), program)
    scene.play(DIALOGS)
    said += spoken_of(scene, OF_HOOKS)
    scene.close()
    return times, said


def of(entries):
    busy, times = None, []
    for entry in sorted((entry for entry in entries if entry["src"] == "registry"), key=lambda entry: entry["at"]):
        content = entry["content"] if entry["content"] != "removed" else {}
        if content.get("status") == "busy":
            busy = content["statusUpdatedAt"]
        elif content.get("status") == "idle" and busy:
            times.append(content["statusUpdatedAt"] - busy)
            busy = None
    return times[1:]  # the first turn of a session loads what the others find
