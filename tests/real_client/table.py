"""The result, as a person reads it."""

import statistics


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
    """Prints the CLI's time per turn, and what it said of hooks; true if they cost more than 5 ms, or it said something."""
    middle = {kind: statistics.median(of) for kind, of in times.items() if of}
    for kind, of in times.items():
        print(f"a turn {kind:7} hooks: {middle.get(kind, 0):6.1f} ms in the middle of {len(of)}")
    difference = middle["with"] - middle["without"]
    print(f"difference: {difference:+.1f} ms")
    print("nothing of hooks on the screen" if not said else "\n".join(said))
    return difference > 5 or bool(said)
