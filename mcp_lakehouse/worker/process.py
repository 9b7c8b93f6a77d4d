"""The parent's side of one worker process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import LakehouseError, LimitExceeded, WorkerDied, from_wire
from mcp_lakehouse.worker.channel import Channel, ChannelClosed, Message
from mcp_lakehouse.worker.confine import opened
from mcp_lakehouse.worker.starting import UNKNOWN, start

# Answers an event of the worker: a reply message, or None when the event wants none.
OnEvent = Callable[[Message], Message | None]

# How often somebody who waits for the next piece is asked whether it is still wanted.
_LOOK_SECONDS = 0.2


class Worker:
    """A process of our own that runs one role, one request at a time.

    `config` is sent once, before the first request; what lies at the paths of its `readable` now is what the process
    may read, told to it as `descriptors`. `scratch` is the folder it may write to, made here and removed by `close`.
    The constructor returns at once; the process gets ready in the background and `call` waits for it.
    """

    def __init__(self, role: str, config: Message, *, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self.scratch = scratch
        self.started = time.monotonic()
        ours, theirs = socket.socketpair()
        # The worker ends itself when this pipe closes, so it cannot outlive a killed parent.
        lifeline_read, self._lifeline = os.pipe()
        self._closing = threading.Lock()
        self._killed = threading.Event()
        self._channel = Channel(ours)
        # Opened here, so that it is known which folders they are whenever the process gets to them.
        descriptors = {path: opened(path) for path in config["readable"]}
        self._readable = {path: _identity(path if fd is None else fd) for path, fd in descriptors.items()}
        passed = [fd for fd in descriptors.values() if fd is not None]
        try:
            self._process = start(role, (theirs.fileno(), lifeline_read, *passed))
            self._channel.send(config)
        except (OSError, ChannelClosed) as error:
            self._channel.close()
            self._let_go()
            raise WorkerDied(
                "no worker process could be started",
                hint="the machine may be out of processes, descriptors or memory; try again in a moment",
            ) from error
        finally:
            theirs.close()
            for fd in (lifeline_read, *passed):
                os.close(fd)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take another request."""
        return not self._killed.is_set() and self._process.poll() is None

    def reads_what_is_there(self) -> bool:
        """Whether what lies at its readable paths now is what lay there when it started."""
        return all(_identity(path) == there for path, there in self._readable.items())

    def call(
        self,
        request: Message,
        *,
        timeout_seconds: float,
        cancel: CancelToken | None = None,
        on_event: OnEvent | None = None,
        on_timeout: str = "the work",
        meanwhile: Iterator[object] | None = None,
    ) -> Message:
        """Send one request and return its answer; events in between go to `on_event`.

        `meanwhile` is work of the caller's in small steps, of which as many are done as there is time to wait.

        Cancellation and the time limit kill the process. Raises `Cancelled`, `LimitExceeded`,
        `WorkerDied`, or the `LakehouseError` the worker reported.
        """
        deadline = time.monotonic() + timeout_seconds
        token = cancel or CancelToken()
        with token.calling(self.kill):
            try:
                self._begin()
                self._channel.send(request)
                while True:
                    while meanwhile is not None and not self._channel.waits() and self._stepped(meanwhile):
                        token.check()
                    message = self._channel.receive(deadline - time.monotonic())
                    token.check()
                    if message is None:
                        raise self._too_slow(on_timeout, timeout_seconds)
                    if "event" in message:
                        self._reply(message, on_event)
                    elif "error" in message:
                        raise from_wire(message["error"], message["message"], message.get("hint"))
                    else:
                        return message
            except ChannelClosed:
                raise self._died(on_timeout, token) from None

    def _begin(self) -> None:
        """Wait until there is a process. Raises `ChannelClosed` where there is none."""
        try:
            _ = self._process.pid
        except ProcessLookupError as error:
            raise ChannelClosed(str(error)) from error

    def _stepped(self, meanwhile: Iterator[object]) -> bool:
        """One step of the caller's work; whether there was one."""
        try:
            return next(meanwhile, self) is not self
        except BaseException:
            # Nobody is going to read the answer that is under way.
            self.kill()
            raise

    def pieces(
        self,
        request: Message,
        *,
        timeout_seconds: float,
        most_bytes: int,
        cancel: CancelToken,
        on_event: OnEvent,
        on_timeout: str,
        waiting: Callable[[], object] | None = None,
    ) -> Iterator[bytearray | Message]:
        """Send one request and give the bytes that it is answered with as they come, and the answer as the last.

        The worker waits where nobody takes them. The time limit is that of each wait for the worker; while there
        is nothing, `waiting` is called several times a second. Who leaves before the end kills the process. Raises
        as `call` does, also for a piece of more than `most_bytes`.
        """
        whole = False
        with cancel.calling(self.kill):
            try:
                self._begin()
                self._channel.send(request)
                while not whole:
                    message = self._awaited(timeout_seconds, on_timeout, cancel, waiting)
                    if "event" in message:
                        self._reply(message, on_event)
                    elif "bytes" in message:
                        if message["bytes"] > most_bytes:
                            raise LimitExceeded("a piece of the result is too large", hint="select less at a time")
                        yield self._channel.receive_bytes(message["bytes"])
                    else:
                        whole = True
                        if "error" in message:
                            raise from_wire(message["error"], message["message"], message.get("hint"))
                        yield message
            except ChannelClosed:
                raise self._died(on_timeout, cancel) from None
            finally:
                if not whole:
                    self.kill()

    def _awaited(
        self, seconds: float, on_timeout: str, cancel: CancelToken, waiting: Callable[[], object] | None
    ) -> Message:
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            message = self._channel.receive(min(_LOOK_SECONDS, left))
            cancel.check()
            if message is not None:
                return message
            if left <= 0:
                raise self._too_slow(on_timeout, seconds)
            if waiting is not None:
                waiting()
                cancel.check()

    def _too_slow(self, what: str, seconds: float) -> LakehouseError:
        self.kill()
        return LimitExceeded(
            f"{what} was stopped after {seconds:g} s",
            hint="ask for less: filter, aggregate or sample first; or raise the time limit setting",
        )

    def _died(self, what: str, token: CancelToken) -> LakehouseError:
        self.kill()
        token.check()
        return WorkerDied(
            f"{what} was stopped: its worker process ended ({self._ending()})",
            hint="most often the memory limit; ask for less at a time, or raise the memory limit setting",
        )

    def _reply(self, event: Message, on_event: OnEvent | None) -> None:
        try:
            reply = on_event(event) if on_event else None
        except BaseException:
            # The worker still waits for a reply that will never come: the conversation is out of step.
            self.kill()
            raise
        if reply is not None:
            self._channel.send(reply)

    def kill(self) -> None:
        """End the process now, with everything it started; safe to call twice and from any thread."""
        if self._killed.is_set():
            return
        self._killed.set()
        # What nothing is known of may be another process by now; without its lifeline ours ends by itself.
        if self._process.poll() == UNKNOWN:
            self._let_go()
        elif self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)

    def close(self) -> None:
        """Kill the process, give its descriptors back and remove its scratch folder."""
        self.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)
        self._channel.close()
        self._let_go()

    def _let_go(self) -> None:
        """Close the pipe whose end the process ends at."""
        with self._closing:
            # Once: a second close could hit a descriptor that is somebody else's by then.
            lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)

    def _ending(self) -> str:
        code = self._process.poll()
        if code is None:
            return "still ending"
        if code == UNKNOWN:
            return "why is not known"
        if code < 0:
            return signal.Signals(-code).name
        return f"exit {code}"


def _identity(place: str | int) -> tuple[int, int] | None:
    """Device and number of what a path or a descriptor names, `None` where there is nothing."""
    try:
        status = os.stat(place)
    except OSError:
        return None
    return status.st_dev, status.st_ino
