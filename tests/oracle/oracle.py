#!/usr/bin/env python3
"""The oracle: says whether headspace kept its promises, and shares no code with it.

It reads the transcripts as plain bytes and the database as plain SQL and answers what was

  lost       a turn or a malformed line that is nowhere in the database
  doubled    one fact in several rows
  invented   a row for which there is no fact, or whose line is no turn
  altered    a row that does not follow from its line: text, actor, session, time, message, source

and further `order`, `part`, `session`, `agent`, `checkpoint`, the same four for rejections (`rejection-...`), and for
readers of the stream `skip`, `repeat`, `step-back`, `unseen`. The rules stand at the top of `transcripts.py`,
`check.py`, `sent.py`, `expected.py` and `stream.py`.

  oracle.py check    --root DIR... --database URL     the transcripts as they are now against the database;
                     --sent FILE                      and the hooks and sessions that were sent, see sent.py
  oracle.py expected --expected FILE --database URL   the counts in EXPECTED.json against the database
  oracle.py stream   --frames FILE --database URL     captured frames against the database

Each finding is one line: kind, file:offset or event, what. Exit 0 clean, 1 findings, 2 could not say.
Transcripts and database are not one snapshot: let the watcher come to rest first.
"""

import argparse
import json
import sys
import traceback

from check import check
from database import Unreadable, read_tables
from expected import Inconsistent, check_expected
from sent import read_sent
from stream import check_stream, read_frames
from transcripts import MAX_LINE_BYTES, read_roots


def main():
    options = arguments()
    try:
        findings, summary = options.run(options)
    except (Unreadable, Inconsistent, OSError) as error:
        print(f"oracle: {error}", file=sys.stderr)
        return 2
    except Exception:
        # An uncaught error would exit 1, which is the answer of one who looked.
        traceback.print_exc()
        return 2
    report(findings, summary, options.json)
    return 1 if findings else 0


def run_check(options):
    found = read_roots(options.root, options.max_line_bytes)
    tables = read_tables(options.database)
    summary = {"files": len(found.files), "turns": len(found.facts), "malformed": len(found.malformed)}
    summary |= {"sessions": len(found.sessions), "subagents": len(found.children), "events": len(tables["events"])}
    sent = read_sent(options.sent) if options.sent else None
    return check(found, tables, options.allow_extra, sent), summary


def run_expected(options):
    with open(options.expected, encoding="utf-8") as handle:
        expected = json.load(handle)
    tables = read_tables(options.database)
    projects = f"{options.root}/projects" if options.root else None
    return check_expected(expected, tables, projects), {"events": len(tables["events"])}


def run_stream(options):
    frames = read_frames(options.frames)
    tables = read_tables(options.database, ("events",))
    types = set(options.types.split(",")) if options.types else None
    return check_stream(frames, tables, types), {"frames": len(frames), "events": len(tables["events"])}


def report(findings, summary, as_json):
    if as_json:
        print(json.dumps({"clean": not findings, "findings": [each.as_dict() for each in findings], **summary}))
        return
    for finding in findings:
        print(finding)
    counts = ", ".join(f"{count} {name}" for name, count in summary.items())
    print(f"{'clean' if not findings else f'{len(findings)} findings'}: {counts}")


def arguments():
    parser = argparse.ArgumentParser(description="Says what was lost, doubled, invented or altered.")
    modes = parser.add_subparsers(required=True, metavar="check|expected|stream")

    mode = modes.add_parser("check", help="the transcripts as they are now against the database")
    mode.add_argument("--root", action="append", required=True, help="a Claude config folder; may be repeated")
    mode.add_argument("--max-line-bytes", type=int, default=MAX_LINE_BYTES)
    mode.add_argument("--allow-extra", action="store_true", help="files were cut or rewritten since they were read")
    mode.add_argument("--sent", help="the hooks and sessions that were sent, as JSON lines, see sent.py")
    mode.set_defaults(run=run_check)

    mode = modes.add_parser("expected", help="EXPECTED.json against the database")
    mode.add_argument("--expected", required=True, help="EXPECTED.json")
    mode.add_argument("--root", help="the config folder with the transcripts; rejections are compared too")
    mode.set_defaults(run=run_expected)

    mode = modes.add_parser("stream", help="captured frames against the database")
    mode.add_argument("--frames", required=True, help="JSON lines, see stream.py")
    mode.add_argument("--types", help="the event types the readers asked for, by comma")
    mode.set_defaults(run=run_stream)

    for mode in modes.choices.values():
        mode.add_argument("--database", required=True, help="sqlite:PATH or postgres://...")
        mode.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
