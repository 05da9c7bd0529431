"""The program under test: started on a root and a database, with nothing of the user's settings."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time

import measure


class Program:
    def __init__(self, binary, folder, archive="auto"):
        self.binary, self.folder, self.archive = binary, folder, archive

    def has(self, command):
        """Whether this build knows the subcommand."""
        return subprocess.run([self.binary, command, "--help"], capture_output=True).returncode == 0

    def once(self, root, database):
        """Catches up with everything and exits."""
        return self.run(["watch", "--once"], root, database)

    def run(self, arguments, root, database, state=None):
        """A command that ends by itself."""
        state = state or tempfile.mkdtemp(dir=self.folder)
        return measure.run([self.binary, *arguments], self.environment(root, database, state))

    def start(self, command, root, database, state=None, port=None, settings=()):
        """A process that is left to run; the caller stops it."""
        state = state or tempfile.mkdtemp(dir=self.folder)
        environment = self.environment(root, database, state, port) | dict(settings)
        return Process([self.binary, command], environment, state, port)

    def environment(self, root, database, state, port=None):
        os.makedirs(f"{root}/projects", exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return kept | {
            "HOME": state,
            "HEADSPACE_CLAUDE__ROOTS": f'["{root}"]',
            "HEADSPACE_DATABASE__URL": database.url,
            "HEADSPACE_STATE_DIR": state,
            "HEADSPACE_WEB__LISTEN": f'["127.0.0.1:{port or 0}"]',
            "HEADSPACE_ARCHIVE__MODE": self.archive,
        }


class Process:
    """Running; ready when it says so to its service manager, which is us."""

    def __init__(self, command, environment, state, port):
        self.state, self.port = state, port
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"{state}/notify-{command[1]}"
        self.notify.bind(address)
        self.log = open(f"{state}/{command[1]}.log", "wb")
        self.started = time.monotonic()
        self.child = subprocess.Popen(
            command, env=environment | {"NOTIFY_SOCKET": address}, stdout=self.log, stderr=self.log
        )
        self.pid = self.child.pid
        self.ready = threading.Event()
        self.ready_at = None
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """Takes everything it is told, as a service manager does: who is not listened to has to wait."""
        while told := self.notify.recv(4096):
            if b"READY=1" in told:
                self.ready_at = time.monotonic()
                self.ready.set()

    def wait_ready(self, timeout=30):
        """Seconds from start to ready."""
        if not self.ready.wait(timeout):
            raise measure.Failed(f"not ready after {timeout} s: {self.said()}")
        return self.ready_at - self.started

    def wait_healthy(self, timeout=30):
        """Seconds from start to the first /health that answers 200."""
        deadline = self.started + timeout
        while time.monotonic() < deadline:
            try:
                if get(self.port, "/health").status == 200:
                    return time.monotonic() - self.started
            except OSError:
                time.sleep(0.002)
        raise measure.Failed(f"no healthy answer in {timeout} s: {self.said()}")

    def stop(self):
        """Seconds from SIGTERM to the end."""
        started = time.monotonic()
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.notify.shutdown(socket.SHUT_RDWR)
        self.log.close()
        return time.monotonic() - started

    def said(self):
        with open(self.log.name, errors="replace") as log:
            return log.read()[-2000:]


def get(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
