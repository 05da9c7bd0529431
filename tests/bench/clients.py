"""Figures of many readers of the stream at once: how long connecting takes, and what each costs."""

import resource
import socket
import time

import measure
from live import Live
from measure import Failed

# Further descriptors that both sides need.
SPARE = 200


def clients(bench):
    """Connects so many, waits until each has the head of its answer, and looks at the server's memory."""
    if not bench.program.has("web"):
        bench.failures.append("clients: this build has no `headspace web`")
        return
    for number in bench.options.clients:
        if not room_for(number):
            bench.note(f"{number} stream clients: left out, the limit of open files is too low (ulimit -n)")
            continue
        settings = {"HEADSPACE_SSE__MAX_CONNECTIONS": str(number)}
        with Live(bench, "sqlite", with_web=True, settings=settings) as running:
            before = measure.pss(running.web.pid)
            started = time.monotonic()
            readers = [connect(running.web.port) for _ in range(number)]
            for reader in readers:
                wait_for_head(reader)
            seconds = time.monotonic() - started
            grown = measure.pss(running.web.pid) - before
            for reader in readers:
                reader.close()
        # The same rate at any number.
        bench.at_most(f"connecting {number:,} stream clients: s", seconds, number / 1000)
        bench.at_most(f"memory of each of {number:,} stream clients: kB", grown / number / 1000, 10)


def room_for(number):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < number + SPARE:
        return False
    # The server inherits it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return True


def connect(port):
    reader = socket.create_connection(("127.0.0.1", port), timeout=120)
    reader.sendall(
        f"GET /api/events/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    return reader


def wait_for_head(reader):
    head = b""
    while b"\r\n\r\n" not in head:
        part = reader.recv(4096)
        if not part:
            raise Failed(f"a stream client was refused: {head!r}")
        head += part
    if not head.startswith(b"HTTP/1.1 200"):
        raise Failed(f"a stream client was refused: {head[:300]!r}")
