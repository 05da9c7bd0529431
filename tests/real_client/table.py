"""The result, as a person reads it."""

import statistics

from cost import NONE, OURS, TRUE

WHAT = ("work", "request", "answer", "key")
# Milliseconds of the CLI's work in a turn, beyond what any hook costs it.
MOST = 5


def line(result):
    worst = f"{max((delay for _, delay in result.delays), default=0) * 1000:.0f}"
    print(f"{result.name:24} {result.right:3} right {len(result.wrong):3} wrong {result.hooks:4} hooks {result.turns:3} turns"
          f"   action to state at most {worst:>5} ms", flush=True)
    for wrong in result.wrong:
        print(f"    {wrong}", flush=True)


def summary(results):
    total = lambda field: sum(getattr(result, field) for result in results)  # noqa: E731
    wrong = sum(len(result.wrong) for result in results)
    print(f"\n{len(results)} scenarios: {total('right')} states right, {wrong} findings, {total('hooks')} hooks, {total('turns')} turns")
    of = {}
    for result in results:
        for action, delay in result.delays:
            of.setdefault(action, []).append(delay)
    of["all but the start"] = [delay for action, delays in of.items() for delay in delays if action != "start"]
    of["the witness's own time"] = [delay for result in results for delay in result.causes]
    print(f"{'from … to what is shown':24} {'n':>5} {'p50':>8} {'p95':>8} {'most':>8}")
    for action, delays in of.items():
        if delays:
            delays.sort()
            at = [delays[len(delays) // 2], delays[min(len(delays) - 1, len(delays) * 95 // 100)], delays[-1]]
            print(f"{action:24} {len(delays):5} " + " ".join(f"{delay * 1000:5.0f} ms" for delay in at))


def costs(times, said):
    """Prints what hooks cost the CLI per turn, and what it says of them; true if what is headspace's own is too much."""
    middle = {kind: {what: statistics.median(took) for what, took in of.items()} for kind, of in times.items()}
    print(f"\n{'a turn, in the middle':32} {'n':>4} " + " ".join(f"{what:>11}" for what in WHAT))
    for kind, of in middle.items():
        print(f"{kind:32} {len(times[kind]['work']):4} " + " ".join(f"{of[what]:8.1f} ms" for what in WHAT))
    none, true, ours = (middle[kind]["work"] for kind in (NONE, TRUE, OURS))
    print(f"hooks cost {ours - none:+.1f} ms of work: {true - none:+.1f} ms with `true` in place of headspace, {ours - true:+.1f} ms headspace's own")
    print(f"until the answer stands: {middle[OURS]['answer'] - middle[NONE]['answer']:+.1f} ms")
    words = {kind: {line for line in lines if line != "spinner"} for kind, lines in said.items()}
    own = sorted(words[OURS] - words[TRUE])
    spins = "spinner" in said[OURS]
    if spins:
        print("the spinner names hooks that run" + (", also with `true` in their place: the CLI's own" if "spinner" in said[TRUE] else ""))
    print(*(f"the CLI's screen speaks of it: {line!r}" for line in own) if own else ["nothing else of hooks on the screen"], sep="\n")
    return ours - true > MOST or bool(own) or (spins and "spinner" not in said[TRUE])
