"""The process that workers are forked from: it has loaded the libraries, so a worker is ready in milliseconds.

It is forked while it has one thread, opens no lake and sees no statement and no file; what a worker gives up, it gives
up after the fork. Linux only: elsewhere libraries of the system do not survive a fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import struct
from pathlib import Path

from mcp_lakehouse.worker import serving

# Shown by `ps` and `top` beside "lakehouse-sql" and "lakehouse-load"; the kernel keeps 15 characters.
NAME = "lakehouse-forks"
# What a worker's status pipe tells: its process id when it begins, its exit code (-N for signal N) at its end.
STATUS = struct.Struct("<i")
# The most descriptors that one message carries on Linux (SCM_MAX_FD).
MOST_DESCRIPTORS = 253
# Without a worker for so long it ends; the next worker begins another one.
IDLE_SECONDS = 30.0


def fork_on_request(control: socket.socket, *, idle_seconds: float = IDLE_SECONDS) -> None:
    """Fork a worker for each message on `control`, tell of its end, and leave after the last one.

    A message is the name of a role; its descriptors are the status pipe, and those of `serving.serve` in their order.
    """
    _called(NAME)
    with selectors.DefaultSelector() as ends:
        ends.register(control, selectors.EVENT_READ)
        while ends.get_map():
            if len(ends.get_map()) > 1 or control.fileno() < 0:
                ready = ends.select()
            else:
                ready = ends.select(idle_seconds)
                if not ready:
                    # From here on a request meets a closed socket, and one that is under way is served.
                    control.shutdown(socket.SHUT_RD)
            for key, _ in ready:
                if key.fileobj is control:
                    _take(control, ends)
                else:
                    _tell_end(key, ends)


def _take(control: socket.socket, ends: selectors.BaseSelector) -> None:
    name, descriptors, _, _ = socket.recv_fds(control, 64, MOST_DESCRIPTORS)
    if not name:
        # Nobody asks any more: workers end with whoever started them.
        ends.unregister(control)
        control.close()
        return
    status, *passed = descriptors
    try:
        # What cannot be loaded here fails in the worker, which can say so.
        with contextlib.suppress(Exception):
            serving.role(name.decode()).preload()
        # The collector would touch, and so copy, every page that is shared.
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            _become_worker(name.decode(), passed)
        # Here too, so that it leads a group of its own before anybody hears of it.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        ends.register(_descriptor_of(pid), selectors.EVENT_READ, (pid, status))
        _tell(status, pid)
    except OSError:
        # No memory, or no place for another process or descriptor: the closed pipe tells.
        os.close(status)
    finally:
        for fd in passed:
            os.close(fd)


def _descriptor_of(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _become_worker(name: str, passed: list[int]) -> None:
    """Never returns: what this process is afterwards is a worker and nothing else."""
    try:
        os.setpgid(0, 0)
        _called(f"lakehouse-{name}")
        kept = {0, 1, 2, *passed}
        for fd in [int(entry) for entry in os.listdir("/proc/self/fd")]:
            if fd not in kept:
                # The listing itself had one that is closed by now.
                with contextlib.suppress(OSError):
                    os.close(fd)
        serving.serve(name, passed[0], passed[1], passed[2:])
        os._exit(0)
    finally:
        os._exit(1)


def _tell_end(key: selectors.SelectorKey, ends: selectors.BaseSelector) -> None:
    pid, status = key.data
    _, ended = os.waitpid(pid, 0)
    _tell(status, os.waitstatus_to_exitcode(ended))
    os.close(status)
    ends.unregister(key.fileobj)
    os.close(key.fd)


def _tell(status: int, number: int) -> None:
    # Who started it may have gone.
    with contextlib.suppress(BrokenPipeError):
        os.write(status, STATUS.pack(number))


def _called(name: str) -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)
