"""The parent's side of results that are passed on while they are made: nothing is stored, rows are not counted out.

A worker sends pieces of bytes and waits where nobody takes them; who stops taking them for good loses the worker.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

from mcp_lakehouse import trace
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import LakehouseError, LimitExceeded
from mcp_lakehouse.limits import Limits, StreamLimits
from mcp_lakehouse.records import Column
from mcp_lakehouse.worker.channel import Message
from mcp_lakehouse.worker.pool import Pool
from mcp_lakehouse.worker.process import OnEvent, Worker

if TYPE_CHECKING:
    import pyarrow as pa

    from mcp_lakehouse.sql.batches import Batches
    from mcp_lakehouse.sql.wanted import Parameters

Form = Literal["arrow", "csv", "ndjson"]
# A context that makes a span, and puts a failure inside it on record.
Recording = Callable[[], AbstractContextManager[None]]

_WAIT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Told:
    """What a statement's tables are and what happens when the worker asks: the runner's own."""

    foreseen: Callable[[str], list[Message]]
    on_event: Callable[[str, Message], Message]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One statement to stream. `waiting` is called several times a second while there is nothing to take."""

    statement: str
    params: Parameters = None
    form: Form = "arrow"
    cancel: CancelToken = field(default_factory=CancelToken)
    waiting: Callable[[], object] | None = None


class Streams:
    """Opens streams over the workers of a runner: one less than there are, so that short statements find one free."""

    def __init__(self, pool: Pool, limits: Limits, told: Told, recording: Recording, *, content: bool) -> None:
        self._pool = pool
        self._limits = limits
        self._told = told
        self._recording = recording
        self._content = content
        self._most = max(1, limits.sql.workers - 1)
        self._places = threading.BoundedSemaphore(self._most)

    def open(self, wanted: Wanted) -> Stream:
        """Start a statement and wait for its first rows; close what is returned.

        Raises as `Lakehouse.sql` does; so does the stream itself when the statement fails later.
        """
        with self._recording():
            trace.annotate(**trace.statement_attributes(wanted.statement, [], content=self._content))
            stream = Stream(partial(self._lease, wanted), wanted, self._limits.stream, self._recording)
            try:
                stream.begin()
            except BaseException:
                stream.close()
                raise
            return stream

    def schema(self, wanted: Wanted) -> pa.Schema:
        """The Arrow schema that a statement's rows have, without running it."""
        with self._recording():
            timeout = self._limits.sql.timeout_seconds
            with self._pool.lend(timeout_seconds=timeout, cancel=wanted.cancel) as worker:
                answer = worker.call(
                    self._request(wanted) | {"op": "schema"},
                    timeout_seconds=timeout,
                    cancel=wanted.cancel,
                    on_event=partial(self._told.on_event, wanted.statement),
                    on_timeout="the statement",
                )
        return _schema(answer["schema"])

    def schemas(self, tables: Sequence[Sequence[tuple[str, str]]]) -> list[pa.Schema]:
        """The Arrow schemas of tables with these names and SQL types of columns; their files are not touched."""
        timeout = self._limits.sql.timeout_seconds
        with self._recording(), self._pool.lend(timeout_seconds=timeout) as worker:
            request: Message = {"op": "schemas", "tables": tables}
            answer = worker.call(request, timeout_seconds=timeout, on_timeout="reading the schemas")
        return [_schema(text) for text in answer["schemas"]]

    @contextlib.contextmanager
    def _lease(self, wanted: Wanted, token: CancelToken, on_header: OnEvent) -> Iterator[Iterator[bytearray | Message]]:
        """A worker at work for one stream."""
        timeout = self._limits.sql.timeout_seconds
        with (
            wanted.cancel.calling(token.cancel),
            self._place(wanted, token),
            self._pool.lend(timeout_seconds=timeout, cancel=token) as worker,
        ):
            yield self._pieces(worker, wanted, token, on_header)

    def _pieces(
        self, worker: Worker, wanted: Wanted, token: CancelToken, on_header: OnEvent
    ) -> Iterator[bytearray | Message]:
        def on_event(event: Message) -> Message | None:
            asked = event["event"] != "columns"
            return self._told.on_event(wanted.statement, event) if asked else on_header(event)

        return worker.pieces(
            self._request(wanted),
            timeout_seconds=self._limits.sql.timeout_seconds,
            most_bytes=2 * self._limits.stream.piece_bytes,
            cancel=token,
            on_event=on_event,
            on_timeout="the statement",
            waiting=wanted.waiting,
        )

    @contextlib.contextmanager
    def _place(self, wanted: Wanted, token: CancelToken) -> Iterator[None]:
        deadline = time.monotonic() + self._limits.sql.timeout_seconds
        while not self._places.acquire(timeout=_WAIT_SECONDS):
            if wanted.waiting is not None:
                wanted.waiting()
            token.check()
            if time.monotonic() > deadline:
                raise LimitExceeded(
                    f"all {self._most} places for large results were taken",
                    hint="try again in a moment, or raise sql_workers",
                )
        try:
            yield
        finally:
            self._places.release()

    def _request(self, wanted: Wanted) -> Message:
        sql, stream = self._limits.sql, self._limits.stream
        return {
            "op": "stream",
            "statement": wanted.statement,
            "params": wanted.params,
            "form": wanted.form,
            "max_chars": sql.statement_chars,
            "max_columns": sql.columns,
            "batch_rows": stream.batch_rows,
            "piece_bytes": stream.piece_bytes,
            "row_bytes": stream.row_bytes,
            "cpu_seconds": stream.seconds * sql.threads + 1,
            "foreseen": self._told.foreseen(wanted.statement),
        }


Lease = Callable[[CancelToken, OnEvent], AbstractContextManager[Iterator["bytearray | Message"]]]


class Stream:
    """The bytes of one result, piece by piece. For one reader at a time; close it, or use it as a context manager."""

    def __init__(self, lease: Lease, wanted: Wanted, limits: StreamLimits, recording: Recording) -> None:
        self._wanted = wanted
        self._limits = limits
        self._recording = recording
        self._token = CancelToken()
        self._work = contextlib.ExitStack()
        self._lease = lease
        self._lock = threading.RLock()
        self._deadline = time.monotonic() + limits.seconds
        self._taken_at = time.monotonic()
        self._stalled = False
        self._ended = False
        self._first: list[bytearray] = []
        self._pieces: Iterator[bytearray | Message] = iter(())
        self._watch: threading.Timer | None = None
        self.columns: tuple[Column, ...] = ()
        self.rows: int | None = None

    def begin(self) -> None:
        """Start the statement and wait for its first piece."""
        self._pieces = self._work.enter_context(self._lease(self._token, self._on_header))
        # Last in, first out: the conversation ends before its worker goes back.
        self._work.callback(self._leave)
        first = self._take()
        if first is not None:
            self._first.append(first)
            self._look_after(self._limits.stall_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytearray]:
        return self

    def __next__(self) -> bytearray:
        """The next piece. Raises what the statement raises, and `LimitExceeded` when it was taken too slowly."""
        with self._lock:
            if self._first:
                piece: bytearray | None = self._first.pop()
            else:
                try:
                    piece = self._take()
                except LakehouseError:
                    self.close()
                    with self._recording():
                        raise
            self._taken_at = time.monotonic()
        if piece is None:
            raise StopIteration
        return piece

    def batches(self) -> Batches:
        """The rows as Arrow batches, of a stream whose form is `arrow`; iterating raises as `__next__` does."""
        from mcp_lakehouse.sql.batches import Batches

        return Batches(self, most_bytes=2 * self._limits.row_bytes)

    def close(self) -> None:
        """Give the worker back; before the end that stops the statement. A second call does nothing."""
        if not self._ended:
            self._token.cancel()
        with self._lock:
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None
            self._ended = True
            self._first.clear()
            self._work.close()

    def _take(self) -> bytearray | None:
        if self._stalled:
            raise LimitExceeded(
                f"nobody took the next rows for {self._limits.stall_seconds:g} s, so the statement was stopped",
                hint="take rows as they come, or select less at a time",
            )
        if self._ended:
            return None
        if time.monotonic() > self._deadline:
            raise LimitExceeded(
                f"the result was not taken within {self._limits.seconds:,.0f} s",
                hint="take rows as they come, or select less at a time",
            )
        piece = next(self._pieces)
        if isinstance(piece, bytearray):
            return piece
        self.rows = piece["rows"]
        self._ended = True
        self.close()
        return None

    def _on_header(self, event: Message) -> None:
        self.columns = tuple(Column(name, type_) for name, type_ in event["columns"])

    def _leave(self) -> None:
        # A generator: closing it kills a worker that is in the middle of something.
        self._pieces.close()  # type: ignore[attr-defined]  # an iterator to everybody else

    def _look_after(self, seconds: float) -> None:
        self._watch = threading.Timer(seconds, self._look)
        self._watch.daemon = True
        self._watch.start()

    def _look(self) -> None:
        """Stop the statement when nobody has taken a piece for long; its reader may be stuck for ever."""
        # Where it is held, somebody waits for rows just now.
        if not self._lock.acquire(blocking=False):
            self._look_after(self._limits.stall_seconds)
            return
        try:
            if self._ended:
                return
            left = self._taken_at + self._limits.stall_seconds - time.monotonic()
            if left > 0:
                self._look_after(left)
                return
            self.close()
            self._stalled = True
        finally:
            self._lock.release()


def _schema(text: str) -> pa.Schema:
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
