"""Figures of the program itself: the binary, its build, and how its source is cut."""

import os
import re
import statistics

from measure import MIB

FUNCTION = re.compile(r"\bfn\s+(\w+)")
# Strings, characters and comments, in which a brace means nothing.
SILENT = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(?P<hashes>\#*)".*?"(?P=hashes)|b?"(?:\\.|[^"\\])*"|b?'(?:\\(?:u\{\w+\}|x\w\w|.)|[^'\\\n])'""",
    re.DOTALL | re.VERBOSE,
)


def size(bench):
    bench.at_most("stripped binary: MiB", os.path.getsize(bench.program.binary) / MIB, None)
    if bench.build_seconds is not None:
        bench.at_most("cargo build --release: s", bench.build_seconds, None)
    root = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "src")
    files, functions = [], []
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith(".rs") and name != "tests.rs":
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    code = without_tests(quiet(file.read()))
                files.append(code.count("\n"))
                functions += [(lines, f"{os.path.relpath(folder, root)}/{name} {of}") for of, lines in measure(code)]
    lengths = [lines for lines, _ in functions]
    bench.at_most("source files, tests excluded", len(files), None)
    bench.at_most("source lines", sum(files), None)
    bench.at_most("lines of a file: median", statistics.median(files), 200)
    bench.at_most("functions", len(lengths), None)
    bench.at_most("lines of a function: median", statistics.median(lengths), 12)
    bench.at_most("functions of 50 lines and more: %", 100 * sum(each >= 50 for each in lengths) / len(lengths), 10)
    bench.at_most("lines of the longest function", max(lengths), 100)
    for lines, where in sorted(functions, reverse=True)[:3]:
        bench.note(f"  {lines} lines: {where}")


def quiet(code):
    """The same lines with everything silent blanked out."""
    return SILENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), code)


def without_tests(code):
    while (start := code.find("#[cfg(test)]")) >= 0:
        brace, semicolon = code.find("{", start), code.find(";", start)
        if brace < 0 or 0 <= semicolon < brace:
            end = semicolon + 1
        else:
            end = closing(code, brace) + 1
        code = code[:start] + code[end:]
    return code


def measure(code):
    """(name, lines) of every function that has a body."""
    for found in FUNCTION.finditer(code):
        body = re.compile(r"[{;]").search(code, found.end())
        if body and body[0] == "{":
            end = closing(code, body.start())
            yield found[1], code.count("\n", found.start(), end) + 1


def closing(code, brace):
    """Where the brace at `brace` is closed."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(code, brace):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return found.start()
    return len(code)
