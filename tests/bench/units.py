"""What the installed services cost, as the service manager that runs them counts it.

In a testbed (`tests/systemd/testbed`) with the shipped units: the watcher with many sessions in which nothing happens, and
the web process that answered once and has nobody connected. Needs root.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import time

import measure
from live import LIVE_SESSIONS
from measure import MIB, Failed
from writer import LiveSession, sent

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ACCOUNT, HOME = "bench", "/home/bench"
UNITS = {"watcher": "headspace-watcher.service", "web": "headspace.service"}
# How much longer than bare processes they are looked at: ten minutes.
LONGER = 10


class Testbed:
    """A systemd of its own with headspace installed for an account."""

    def __init__(self, bench):
        self.root, self.state = bench.folder("units-claude"), bench.folder("units-state")
        self.script = subprocess.Popen(
            [f"{REPOSITORY}/tests/systemd/testbed"]
            + [f"--bind={self.root}:{HOME}/.claude", f"--bind={self.state}:/var/lib/headspace"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = re.match(r"ready (\d+)", self.script.stdout.readline())
        if not ready:
            raise Failed("no testbed")
        self.init = ready[1]
        try:
            self.install(bench.program.binary)
        except BaseException:
            self.stop()
            raise

    def install(self, binary):
        inside = f"/proc/{self.init}/root"
        shutil.copy(binary, f"{inside}/usr/bin/headspace")
        for kind in ("system", "user"):
            shutil.copytree(f"{REPOSITORY}/systemd/{kind}", f"{inside}/usr/lib/systemd/{kind}", dirs_exist_ok=True)
        self.run(f"useradd --no-create-home --user-group --home-dir {HOME} {ACCOUNT}; chown -R {ACCOUNT}: {HOME}")
        self.run(f"headspace install --system --user {ACCOUNT}")

    def run(self, script):
        """What a script inside prints."""
        command = ["nsenter", "--target", self.init, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(command + ["sh", "-euc", script], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{script}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def number(self, unit, name):
        """A property; nothing where this machine does not count it."""
        value = self.run(f"systemctl show --value --property {name} {unit}")
        return int(value) if value.isdigit() else None

    def pid(self, unit):
        """A service's process as this machine counts it."""
        inner = self.number(unit, "MainPID")
        namespace = os.readlink(f"/proc/{self.init}/ns/pid")
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{entry}/ns/pid") == namespace and inner_pid(entry) == inner:
                    return int(entry)
            except OSError:
                continue
        raise Failed(f"{unit} has no process")

    def stop(self):
        self.script.stdin.close()
        self.script.wait()


def inner_pid(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[-1]) for line in status if line.startswith("NSpid:"))


def units(bench):
    """Memory, CPU and wake-ups of both services while nothing happens."""
    seconds = bench.options.idle_seconds * LONGER
    testbed = Testbed(bench)
    try:
        for number in range(LIVE_SESSIONS):
            session = LiveSession(testbed.root, number)
            session.append(b"".join(session.line(sent(number)) for number in range(3)))
        wait_for_rows(testbed, 3 * LIVE_SESSIONS)
        time.sleep(5)
        before = {name: testbed.number(unit, "CPUUsageNSec") for name, unit in UNITS.items()}
        pids = {name: testbed.pid(unit) for name, unit in UNITS.items()}
        costs = measure.cost_over(pids.values(), seconds)
        for name, unit in UNITS.items():
            report(bench, testbed, f"idle {unit}, {LIVE_SESSIONS} sessions, {seconds} s", unit, before[name], costs[pids[name]], seconds)
            if testbed.number(unit, "NRestarts") != 0:
                raise Failed(f"{unit} was restarted")
    finally:
        testbed.stop()


def report(bench, testbed, label, unit, before, cost, seconds):
    bench.at_most(f"{label}: CPU %", cost.cpu_percent, 0.1)
    spent = testbed.number(unit, "CPUUsageNSec")
    if before is not None and spent is not None:
        bench.at_most("  as systemd counts it (CPUUsageNSec): ms", (spent - before) / 1e6, None)
    bench.at_most(f"{label}: wake-ups/s", cost.wakeups_per_second, 1)
    bench.at_most("  of these because another program had to run", cost.preempted_per_second, None)
    bench.at_most(f"{label}: PSS MiB", cost.pss / MIB, 15)
    memory = testbed.number(unit, "MemoryCurrent")
    if memory is not None:
        bench.at_most("  with its page cache (MemoryCurrent): MiB", memory / MIB, 50)


def wait_for_rows(testbed, rows):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            log = sqlite3.connect(f"file:{testbed.state}/headspace.db?mode=ro", uri=True)
            (found,) = log.execute("SELECT count(*) FROM events WHERE event_type = 'turn_detected'").fetchone()
            log.close()
            if found >= rows:
                return
        except sqlite3.Error:
            pass
        time.sleep(0.1)
    raise Failed(f"not all rows arrived: {testbed.run('journalctl --no-pager -u headspace-watcher | tail -n 20')}")
