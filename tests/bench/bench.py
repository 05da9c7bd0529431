#!/usr/bin/env python3
"""The benchmark of headspace: what it costs and how fast it is, each figure beside its floor.

  python3 tests/bench/bench.py                    everything; builds the release first; half an hour
  python3 tests/bench/bench.py --quick            the same with less input and shorter waits
  python3 tests/bench/bench.py --only speed,idle  some of: speed memory latency intake clients pages idle start
                                                  terminal growth source
  python3 tests/bench/bench.py --only deriving    what deriving adds to catching up; builds the release once more
  python3 tests/bench/bench.py --only units       the installed services, ten minutes idle; needs root
  python3 tests/bench/bench.py --json FILE        the figures for a program as well

A benchmark is not a test: the exit code is 0 although a floor is missed, and 1 only if something could not run. Figures
without a floor are there to compare with: beside the speed of headspace stands what the same machine does at the same
time without it. Needs Linux; PostgreSQL's programs are used where they are, else its figures are left out.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import catchup
import clients
import deriving
import growth
import intake
import live
import measure
import pages
import postgres
import source
import terminal
import units
from databases import Databases
from program import Program

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
SECTIONS = {
    "speed": catchup.speed,
    "deriving": deriving.deriving,
    "memory": catchup.memory,
    "latency": live.latency,
    "intake": intake.intake,
    "clients": clients.clients,
    "pages": pages.pages,
    "idle": live.idle,
    "start": live.start,
    "terminal": terminal.terminal,
    "growth": growth.growth,
    "source": source.size,
    "units": units.units,
}
# Ten minutes and root, or another build: only when asked for.
ON_REQUEST = {"deriving", "units"}


class Bench:
    """Runs the sections and keeps what they find."""

    def __init__(self, options, work):
        self.options, self.work = options, work
        self.figures, self.notes, self.failures = [], [], []
        self.program, self.databases, self.build_seconds = None, None, None

    def run(self):
        if self.options.binary:
            binary = os.path.abspath(self.options.binary)
        else:
            binary, self.build_seconds = build()
        self.program = Program(binary, self.work, self.options.archive)
        try:
            with postgres.Server(self.work) as server:
                self.run_sections(server)
        except FileNotFoundError as error:
            self.failures.append(f"PostgreSQL: {error}")
            self.run_sections(None)

    def run_sections(self, server):
        self.databases = Databases(self.folder("databases"), server)
        for name in self.options.only:
            try:
                SECTIONS[name](self)
            except (measure.Failed, OSError, RuntimeError, subprocess.SubprocessError) as error:
                self.failures.append(f"{name}: {error}")
                say(f"could not run {name}: {error}")

    # What sections call

    def folder(self, name):
        path = os.path.join(self.work, name)
        os.makedirs(path)
        return path

    def remove(self, path):
        shutil.rmtree(path)

    def note(self, text):
        self.notes.append(text)
        say(text)

    def at_least(self, name, value, floor):
        self.add(name, value, floor, "≥", floor is None or value >= floor)

    def at_most(self, name, value, floor):
        self.add(name, value, floor, "≤", floor is None or value <= floor)

    def add(self, name, value, floor, sign, met):
        met = None if floor is None else met
        self.figures.append({"name": name.strip(), "value": value, "floor": floor, "sign": sign, "met": met})
        say(row(name, value, floor, sign, met))

    def as_dict(self):
        machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()}
        shown = {key: value for key, value in vars(self.options).items() if key not in ("json", "binary")}
        return {"machine": machine, "options": shown, "notes": self.notes, "figures": self.figures, "failures": self.failures}


def row(name, value, floor, sign, met):
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 1 else f"{value:.1f}"
    wanted = "" if floor is None else f"{sign} {floor:g}"
    return f"{name:62} {shown:>10} {wanted:>9}  {'' if met is None else 'met' if met else 'MISSED'}"


def build():
    """The release as it is in the tree, and how long cargo took."""
    started = time.monotonic()
    subprocess.run(["cargo", "build", "--release"], cwd=REPOSITORY, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(REPOSITORY, "target"))
    return os.path.join(target, "release", "headspace"), time.monotonic() - started


def say(line):
    print(line, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="less input, shorter waits")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    parser.add_argument("--only", metavar="NAME,...", help=f"some of: {' '.join(SECTIONS)}")
    parser.add_argument("--binary", metavar="PATH", help="a headspace that is built already")
    parser.add_argument("--archive", metavar="MODE", default="auto", help="archive.mode of the program: auto, full or off")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", metavar="DIR", help="where to work; the file system decides what a commit costs")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else [name for name in SECTIONS if name not in ON_REQUEST]
    unknown = [name for name in options.only if name not in SECTIONS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are: {', '.join(SECTIONS)}")
    quick = options.quick
    options.megabytes, options.events = (40, 10_000) if quick else (200, 50_000)
    options.line_mib, options.file_mb = (64, 150) if quick else (64, 700)
    options.decades = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    options.clients = (1000,) if quick else (1000, 10_000)
    options.sent = 50 if quick else 300
    options.live_seconds, options.idle_seconds = (5, 15) if quick else (20, 60)
    return options


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="headspace-bench-", dir=options.dir) as work:
        # The server's account must be able to enter.
        os.chmod(work, 0o755)
        bench = Bench(options, work)
        bench.run()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(bench.as_dict(), file, indent=1)
    missed = [figure["name"] for figure in bench.figures if figure["met"] is False]
    say(f"{len(missed)} floors missed{': ' if missed else ''}{'; '.join(missed)}")
    for failure in bench.failures:
        say(f"could not run: {failure}")
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
