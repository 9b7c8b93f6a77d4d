"""How a worker process comes to be: forked from one that is ready where that is safe, started anew elsewhere."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import select
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Protocol

from mcp_lakehouse.worker.forking import MOST_DESCRIPTORS, STATUS

# Only what a Python process needs to start: no secret of ours can be read out of a worker.
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH")
# Libraries would start threads when they are loaded, which workers do not use: a process is forked while it has one.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
# How long a process id is waited for: the first worker of a kind waits until its libraries are loaded.
_FORKED_SECONDS = 15.0
# The exit code of which nothing is known, as of a worker whose fork server was killed.
UNKNOWN = 255


class Started(Protocol):
    """A process that was started; the names are those of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """The process id. Raises `OSError` where no process came to be."""

    def poll(self) -> int | None:
        """The exit code, -N for signal N, `None` while it runs."""

    def wait(self, timeout: float) -> int:
        """The exit code, when there is one. Raises `subprocess.TimeoutExpired`."""


def start(role: str, descriptors: Sequence[int]) -> Started:
    """Start a worker in a role. `descriptors` are those of `serving.serve` in their order; they stay the caller's."""
    # One of a message's descriptors is the status pipe.
    if _forks() and len(descriptors) < MOST_DESCRIPTORS:
        return fork_server().fork(role, descriptors)
    return spawn(role, descriptors)


@functools.cache
def _forks() -> bool:
    """Whether this is Linux, with descriptors of processes (5.3, and no sandbox that refuses them)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def spawn(role: str, descriptors: Sequence[int]) -> Started:
    """A worker in a process that starts from nothing."""
    return _popen(role, descriptors)


@functools.cache
def fork_server() -> ForkServer:
    """The one of this process: what it has loaded serves all lakes and profiles."""
    server = ForkServer()
    atexit.register(server.close)
    return server


class ForkServer:
    """Our side of the process that workers are forked from; it begins with the first worker and ends by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, role: str, descriptors: Sequence[int]) -> Forked:
        """A worker; returns at once. Raises `OSError` where not even a process to fork from can be started."""
        ours, theirs = os.pipe()
        try:
            with self._lock:
                try:
                    self._ask(role, (theirs, *descriptors))
                except OSError:
                    # It had ended for want of work, or somebody killed it.
                    self._forget()
                    self._ask(role, (theirs, *descriptors))
                origin = self._process
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return Forked(ours, origin)

    def close(self) -> None:
        """Let it go, at the end of this program; workers that are left end by themselves."""
        with self._lock:
            process = self._process
            self._forget()
        if process is not None:
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                # Somebody has stopped it, or workers are left that nobody closed.
                process.kill()

    def _ask(self, role: str, descriptors: Sequence[int]) -> None:
        if self._control is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = _popen("fork", [theirs.fileno()])
            # It ends by itself, and somebody has to take notice.
            threading.Thread(target=self._process.wait, name="lakehouse-forks", daemon=True).start()
        socket.send_fds(self._control, [role.encode()], list(descriptors))

    def _forget(self) -> None:
        """Ask it for nothing more: it ends with its last worker."""
        if self._control is not None:
            self._control.close()
        self._control = self._process = None


class Forked:
    """A forked worker, as its status pipe tells of it; the names are those of `Started`."""

    def __init__(self, status: int, origin: subprocess.Popen[bytes] | None = None) -> None:
        """`status` is the pipe's end, `origin` the process that it is forked from."""
        self._origin = origin
        os.set_blocking(status, False)
        self._status = status
        # Not closed before: another thread may be waiting at it. Not at the end of the program either: what closes a
        # worker then still asks.
        weakref.finalize(self, os.close, status).atexit = False
        self._reading = threading.Lock()
        self._told: list[int] = []
        self._silent = False

    @property
    def pid(self) -> int:
        """The process id; waits until there is one."""
        self._listen(1, _FORKED_SECONDS)
        if not self._told and not self._silent and self._origin is not None:
            # It hangs, or somebody has stopped it: the next worker comes from another one.
            self._origin.kill()
            self._listen(1, _FORKED_SECONDS)
        if not self._told:
            raise ProcessLookupError("no worker process came to be")
        return self._told[0]

    def poll(self) -> int | None:
        """The exit code, `UNKNOWN` where nobody is left to tell it, `None` while the process runs."""
        self._listen(2, 0)
        if len(self._told) == 2:
            return self._told[1]
        return UNKNOWN if self._silent else None

    def wait(self, timeout: float) -> int:
        """The exit code, when there is one."""
        self._listen(2, timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("the worker", timeout)
        return code

    def _listen(self, count: int, seconds: float) -> None:
        """Until so many numbers were told, or no more will be, or the time is over."""
        deadline = time.monotonic() + seconds
        pipe = select.poll()
        pipe.register(self._status, select.POLLIN)
        while len(self._told) < count and not self._silent:
            if not pipe.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return
            # Another thread may have been sooner.
            with self._reading, contextlib.suppress(BlockingIOError):
                told = os.read(self._status, STATUS.size)
                if told:
                    self._told += STATUS.unpack(told)
                else:
                    self._silent = True


def _popen(kind: str, descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "mcp_lakehouse.worker", kind, *map(str, descriptors)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ} | _ONE_THREAD,
        pass_fds=descriptors,
        start_new_session=True,
    )
