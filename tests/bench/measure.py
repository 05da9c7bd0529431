"""What a process costs, read from /proc: memory, CPU time, wake-ups; and what the machine itself can do.

Memory: `peak_rss` is the kernel's own high-water mark (VmHWM), `pss` counts shared pages by share.
CPU: nanoseconds of all threads, from schedstat. Wake-ups: context switches of all threads, wanted and unwanted.
"""

import glob
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass
class Run:
    """A program that ran to its end."""

    seconds: float
    cpu_seconds: float
    peak_rss: int
    peak_pss: int
    output: str


class Failed(Exception):
    """Something could not be run, so there is no figure."""


def run(command, env, timeout=1800):
    """Runs to the end, looking at its memory every 20 ms."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(command, env=env, stdout=output, stderr=output)
        peaks = {"rss": 0, "pss": 0}
        watcher = threading.Thread(target=watch_memory, args=(child, peaks))
        watcher.start()
        _, status, usage = wait(child, timeout)
        seconds = time.monotonic() - started
        watcher.join()
        output.seek(0)
        said = output.read().decode(errors="replace")
    if status != 0:
        raise Failed(f"{' '.join(command)}: exit status {status}: {said[-2000:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, peaks["rss"], peaks["pss"], said)


def wait(child, timeout):
    killer = threading.Timer(timeout, child.kill)
    killer.start()
    result = os.wait4(child.pid, 0)
    killer.cancel()
    child.returncode = os.waitstatus_to_exitcode(result[1])
    return result


def watch_memory(child, peaks):
    turn = 0
    while child.returncode is None:
        try:
            peaks["rss"] = max(peaks["rss"], peak_rss(child.pid))
            # The kernel walks all pages for this one, so look less often.
            if turn % 10 == 0:
                peaks["pss"] = max(peaks["pss"], pss(child.pid))
        except OSError:
            return
        turn += 1
        time.sleep(0.02)


def peak_rss(pid):
    return field(f"/proc/{pid}/status", "VmHWM")


def pss(pid):
    return field(f"/proc/{pid}/smaps_rollup", "Pss")


def field(path, name, unit=1024):
    with open(path) as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * unit
    return 0


@dataclass
class Cost:
    """What a process used over a stretch of time."""

    cpu_percent: float
    wakeups_per_second: float
    preempted_per_second: float
    pss: int


def cost_over(pids, seconds):
    """{pid: Cost} of processes left alone for so long."""
    before = {pid: threads(pid) for pid in pids}
    started = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - started
    costs = {}
    for pid in pids:
        used = [0, 0, 0]
        for thread, now in threads(pid).items():
            then = before[pid].get(thread, (0, 0, 0))
            used = [sum + new - old for sum, new, old in zip(used, now, then)]
        ran, waited, preempted = (each / took for each in used)
        costs[pid] = Cost(ran / 1e9 * 100, waited + preempted, preempted, pss(pid))
    return costs


def threads(pid):
    """{thread: (nanoseconds on a CPU, switches because it waited, switches because another had to run)}"""
    found = {}
    for folder in glob.glob(f"/proc/{pid}/task/*"):
        try:
            with open(f"{folder}/schedstat") as file:
                ran = int(file.read().split()[0])
            waited = field(f"{folder}/status", "voluntary_ctxt_switches", 1)
            preempted = field(f"{folder}/status", "nonvoluntary_ctxt_switches", 1)
        except OSError:
            continue
        found[folder] = (ran, waited, preempted)
    return found


def fdatasync_ms(folder, rate, times=500):
    """What it costs to make 4 KiB durable here, so often a second: no commit can be faster."""
    costs = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            started = time.monotonic()
            os.fdatasync(file.fileno())
            costs.append((time.monotonic() - started) * 1000)
            # The rhythm is what is measured: a disk that is never at rest is another one.
            time.sleep(max(0, 1 / rate - costs[-1] / 1000))
    return percentiles(costs)


def percentiles(values):
    """{p50, p95, p99, max} of values in milliseconds."""
    values = sorted(values)
    at = lambda share: values[min(len(values) - 1, int(len(values) * share))]
    return {"p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": values[-1]}
