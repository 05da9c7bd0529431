"""A private PostgreSQL server with its default durability, and a small client for it.

The server lives in a temporary folder on a unix socket and runs as the user `postgres` when we are root. The client
speaks the simple query protocol: starting psql would cost more than what is measured with it.
"""

import glob
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import time


class Server:
    """`with Server() as server:` runs one; `create` makes a fresh database and gives its URL."""

    def __init__(self, folder=None):
        self.bin = find_programs()
        self.dir = tempfile.mkdtemp(prefix="headspace-pg-", dir=folder)
        self.child = None
        self.count = 0

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.dir, account.pw_uid, account.pw_gid)
        data = f"{self.dir}/data"
        make = ["initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D", data]
        subprocess.run(self.command(*make), check=True, stdout=subprocess.DEVNULL, cwd="/")
        serve = self.command("postgres", "-D", data, "-k", self.dir, "-c", "listen_addresses=")
        log = open(f"{self.dir}/log", "wb")
        self.child = subprocess.Popen(serve, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + 30
        while True:
            try:
                return Connection(self.dir, "postgres").close()
            except OSError:
                if time.monotonic() > deadline or self.child.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self):
        if self.child:
            self.child.terminate()  # waits for nobody's transaction, but shuts down in order
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def command(self, program, *arguments):
        command = [f"{self.bin}/{program}", *arguments]
        if os.geteuid() != 0:
            return command
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", *command]

    def create(self):
        self.count += 1
        name = f"bench_{self.count}"
        connection = Connection(self.dir, "postgres")
        connection.query(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        connection.close()
        return f"postgres://postgres@localhost/{name}?host={self.dir.replace('/', '%2F')}"

    def connect(self, url):
        return Connection(self.dir, url.split("/")[3].split("?")[0])

    def psql(self, url, script):
        """Runs a script given as bytes; \\copy data may stand in it."""
        name = url.split("/")[3].split("?")[0]
        command = self.command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h", self.dir, "-d", name)
        return subprocess.run(command, input=script, check=True, stdout=subprocess.PIPE, cwd="/").stdout.decode()


class Connection:
    """Enough of the protocol for one query after the other."""

    def __init__(self, folder, database):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"{folder}/.s.PGSQL.5432")
        self.stream = self.socket.makefile("rb")
        options = b"user\0postgres\0database\0" + database.encode() + b"\0\0"
        self.socket.sendall(struct.pack("!ii", 8 + len(options), 196608) + options)
        try:
            self.answer()
        except BaseException:
            self.close()
            raise

    def query(self, sql):
        """The rows, every value as text or None."""
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", 4 + len(body)) + body)
        return self.answer()

    def answer(self):
        rows, error = [], None
        while True:
            head = self.stream.read(5)
            if len(head) < 5:
                raise ConnectionError("the server closed the connection")
            kind, length = head[:1], struct.unpack("!i", head[1:])[0]
            body = self.stream.read(length - 4)
            if kind == b"D":
                rows.append(row(body))
            elif kind == b"E":
                error = " ".join(part[1:].decode() for part in body.split(b"\0") if part[:1] in (b"C", b"M"))
                if error.startswith("57P03"):
                    raise ConnectionError(error)
            elif kind == b"Z":
                if error:
                    raise RuntimeError(f"{error}")
                return rows

    def close(self):
        self.stream.close()
        self.socket.close()


def row(body):
    values, at = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        length = struct.unpack("!i", body[at : at + 4])[0]
        at += 4
        values.append(None if length < 0 else body[at : at + length].decode())
        at += max(0, length)
    return tuple(values)


def find_programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    if found:
        return found[-1]
    return subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True).stdout.strip()
