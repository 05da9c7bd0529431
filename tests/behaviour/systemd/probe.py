"""Tries what headspace never needs, and prints what came of each attempt: `done`
or the error. Run as the account, without the sandbox everything is done."""

import ctypes
import json
import mmap
import os
import socket
import stat

HOME = "/home/tester"
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def write_into_the_home():
    with open(f"{HOME}/.probe", "w") as file:
        file.write("x")
    os.unlink(f"{HOME}/.probe")


def change_a_transcript():
    with open(f"{HOME}/.claude/probe.jsonl", "a") as file:
        file.write("x")
    os.unlink(f"{HOME}/.claude/probe.jsonl")


def leave_a_file_for_others_in_tmp():
    # A folder that is the account's own outside.
    with open("/var/tmp/home/probe", "w") as file:
        file.write("x")


def make_a_namespace():
    if (child := os.fork()) == 0:
        os._exit(0 if libc.unshare(0x10000000) == 0 else 1)  # CLONE_NEWUSER
    if os.waitpid(child, 0)[1] != 0:
        raise OSError("refused")


def trace_a_process():
    if (child := os.fork()) == 0:
        os._exit(0 if libc.ptrace(0, 0, 0, 0) == 0 else 1)  # PTRACE_TRACEME
    if os.waitpid(child, 0)[1] != 0:
        raise OSError("refused")


def reach_another_machine():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("192.0.2.1", 9))


def be_reached_from_another_machine():
    with socket.create_server(("192.0.2.1", 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=2):
            pass


def talk_to_the_kernel_about_the_network():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


def run_what_was_written_to_memory():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def pose_as_another_kind_of_machine():
    call("personality", 0x0008)  # PER_LINUX32


def make_a_program_that_runs_as_its_owner():
    folder = os.environ.get("STATE_DIRECTORY", HOME)
    path = f"{folder}/probe"
    open(path, "w").close()
    try:
        os.chmod(path, stat.S_ISUID | 0o755)
    finally:
        os.unlink(path)


def see_the_processes_of_others():
    os.stat("/proc/1/status")


def see_the_memory_of_the_machine():
    os.stat("/proc/meminfo")


def gain_what_a_program_has():
    with open("/proc/self/status") as file:
        status = dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
    if status["NoNewPrivs"] != "0" or int(status["CapBnd"], 16) == 0:
        raise OSError("no new privileges")


ATTEMPTS = [
    write_into_the_home,
    change_a_transcript,
    leave_a_file_for_others_in_tmp,
    make_a_namespace,
    trace_a_process,
    reach_another_machine,
    be_reached_from_another_machine,
    talk_to_the_kernel_about_the_network,
    run_what_was_written_to_memory,
    pose_as_another_kind_of_machine,
    make_a_program_that_runs_as_its_owner,
    see_the_processes_of_others,
    see_the_memory_of_the_machine,
    gain_what_a_program_has,
]


def attempt(what):
    try:
        what()
    except OSError as error:
        return str(error)
    return "done"


print(json.dumps({what.__name__: attempt(what) for what in ATTEMPTS}))
