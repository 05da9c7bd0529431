"""A scene of the kit with headspace beside it.

In:  a scenario's steps, the program. Out: its timeline with what headspace showed, and the database, until `close`.
An entry that headspace showed: {"src": "shown", "agent": session or session/subagent, "words": state, need and asks as in
the .steps, "since": the time of its cause}.
"""

import glob
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from datetime import datetime

from drive import Scene

LOOK = 0.01
SHOWN = """SELECT session_uuid, CASE WHEN open THEN state ELSE 'ended' END || CASE WHEN background > 0 THEN ' +' || background ELSE '' END
           || char(9) || needs || char(9) || COALESCE(asks, '-'), since FROM agent_states"""

def play(name, steps, scripts, kept, program, out):
    options = {key: value for key, value in kept.items() if key not in ("hooks", "hook_command")}
    recorder = "none" if kept.get("hooks") == "none" else "command" if "pipe " in steps else "async"
    scene = Beside(name, scripts, program, out, recorder, **options)
    scene.play(steps)
    scene.come_to_rest()
    return scene


class Beside(Scene):
    """The kit's own hooks write down what was called: a second witness of every hook. The CLI waits for none of them, or says
    on its screen that they run; under -p, where it forgets those that it does not wait for, it waits."""

    def __init__(self, name, scripts, program, out=None, recorder="async", **options):
        self.program, self.out, self.hooks = program, out, {}
        super().__init__(name, scripts, recorder, **options)
        self.watch()

    def configure(self, kind, command=None):
        """Settings with the kit's hooks, and headspace's installed into them; `none`: neither, so far."""
        self.state = self.base + "/headspace"
        self.own = {"HEADSPACE_STATE_DIR": self.state, "HEADSPACE_DATABASE__URL": f"sqlite:{self.state}/headspace.db",
                    "HEADSPACE_CLAUDE__ROOTS": json.dumps([self.root])}
        self.env |= self.own
        super().configure(kind if kind in ("none", "command") else "async")
        if kind != "none":
            self.hooks = install_hooks(self.program, self.root, self.env)

    # --- the watcher, and what is shown ------------------------------------------------------------------
    def watch(self):
        self.log = open(self.base + "/watch.log", "w+")
        environment = {"PATH": self.env["PATH"], "HOME": self.home, **self.own}
        self.watcher = subprocess.Popen([self.program, "watch"], env=environment, stderr=self.log, stdout=subprocess.DEVNULL)
        end = time.time() + 20
        while "ready" not in self.said():
            if time.time() > end:
                raise RuntimeError(f"the watcher is not ready after 20 s: {self.said()}")
            time.sleep(LOOK)
        self.looking = threading.Thread(target=self.look, daemon=True)
        self.looking.start()

    def said(self):
        with open(self.base + "/watch.log") as log:
            return log.read()

    def look(self):
        known, database = {}, sqlite3.connect(f"file:{self.state}/headspace.db?mode=ro", uri=True)
        while self.running:
            rows = database.execute(SHOWN).fetchall()
            at = time.time()
            for agent, words, since in rows:
                words = words.replace("\n", " ")
                if known.get(agent) != words:
                    known[agent] = words
                    self.note("shown", {"agent": agent, "words": words, "since": seconds(since)}, at)
            time.sleep(LOOK)  # how often it looks is how exact its times are
        database.close()

    def come_to_rest(self):
        """Everything that was written is taken in, or nothing comes of it for a while."""
        end = time.time() + 8
        while time.time() < end and not self.is_taken_in():
            time.sleep(0.1)
        last, still = None, 0
        while still < 5:
            time.sleep(0.1)
            counted = self.rows("SELECT max(id) FROM events")
            still = still + 1 if counted == last else 0
            last = counted
        self.running = False
        self.looking.join()
        self.read_hooks()

    def is_taken_in(self):
        read = dict(self.rows('SELECT path, "offset" FROM checkpoints'))
        files = glob.glob(self.root + "/projects/**/*.jsonl", recursive=True)
        return all(read.get(path) == os.path.getsize(path) for path in files if names_folder(path))

    def rows(self, sql):
        database = sqlite3.connect(f"file:{self.state}/headspace.db?mode=ro", uri=True)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def close(self):
        if self.watcher:
            self.watcher.send_signal(signal.SIGTERM)
            self.watcher.wait()
        self.save(self.out or self.base + "/out")


def names_folder(path):
    """The lines before the first that says where the session works wait for that one: the CLI leaves files that have no more."""
    with open(path, "rb") as file:
        return b'"cwd":' in file.read()


def seconds(since):
    return datetime.fromisoformat(since).timestamp() if since else None


def install_hooks(program, root, environment):
    """{event: the handlers that were installed, each with its matcher}"""
    before = handlers(root)
    command = [program, "hooks", "install", "--root", root, "--yes"]
    installed = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if installed.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {installed.stderr}")
    return {event: [handler for handler in of if handler not in before.get(event, [])] for event, of in handlers(root).items()}


def handlers(root):
    with open(root + "/settings.json") as file:
        hooks = json.load(file).get("hooks", {})
    return {event: [{"matcher": group.get("matcher", ""), **handler} for group in groups for handler in group["hooks"]] for event, groups in hooks.items()}
