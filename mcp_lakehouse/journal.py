"""What the lake writes about itself as it happens: errors and spans, gathered and appended in batches.

The caller never waits for a write. One background thread appends to the datasets; it starts with the
first row, and nothing it does is traced.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime

from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.trace import current_trace_id, untraced
from mcp_lakehouse.tracing import SpanRecord

_LOG = logging.getLogger(__name__)

Row = dict[str, object]
# Appends rows to the system dataset of that name, "errors" or "spans", in one commit.
Append = Callable[[str, list[Row]], None]
# Takes rows, by system dataset, that could not be appended until the end; whether they are kept.
Keep = Callable[[Mapping[str, Sequence[Row]]], bool]

FLUSH_SECONDS = 1.0
CLOSE_SECONDS = 2.0
# Of each dataset; about 10 MB of spans.
KEPT_ROWS = 10_000
# While a bucket does not answer, the next attempt comes after 1, 2, 4 ... and at most so many seconds.
LONGEST_PAUSE_SECONDS = 30.0


class Journal:
    """Takes rows from any thread. When appending fails they wait; when too many wait, the oldest go,
    and an error row says how many."""

    def __init__(
        self,
        append: Append,
        *,
        keep: Keep = lambda _: False,
        flush_seconds: float = FLUSH_SECONDS,
        kept_rows: int = KEPT_ROWS,
    ) -> None:
        self._append = append
        self._keep = keep
        self._flush_seconds = flush_seconds
        self._kept_rows = kept_rows
        self._changed = threading.Condition()
        # In the order of writing: spans first, so that their losses are told in the same round.
        self._waiting: dict[str, deque[Row]] = {"spans": deque(), "errors": deque()}
        # Taken from there, and perhaps not written yet.
        self._in_hand: dict[str, list[Row]] = {}
        self._lost = 0
        self._writing = self._hurry = self._closed = self._given_up = False
        self._failures = 0
        self._thread: threading.Thread | None = None

    def error(
        self, error: BaseException, *, operation: str, dataset: str | None = None, who: str | None = None
    ) -> None:
        """Keep an error of this operation, with the trace it happened in."""
        if isinstance(error, LakehouseError):
            code, message, hint = error.code, error.message, error.hint
        else:
            code, message, hint = LakehouseError.code, f"{type(error).__name__}: {error}", None
        row = _error_row(code, message, operation=operation)
        self._add("errors", [row | {"dataset": dataset, "hint": hint, "who": who, "trace_id": current_trace_id()}])

    def spans(self, spans: Sequence[SpanRecord]) -> None:
        """Keep finished spans: the sink for `trace = lake`."""
        self._add("spans", [_span_row(span) for span in spans])

    def flush(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Write what waits now; False when that failed or took longer."""
        with self._changed:
            failures = self._failures
            self._hurry = not self._idle()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._idle() or self._failures > failures, timeout_seconds)
            return self._idle()

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """Write what waits, for at most so long, and take no more rows; what is left then is given to `keep`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread:
            thread.join(timeout_seconds)
        with self._changed:
            # A row whose writing has no end may arrive yet, and be there twice: better than not at all.
            left = {name: [*self._in_hand.get(name, ()), *rows] for name, rows in self._waiting.items()}
            self._given_up = True
        count = sum(map(len, left.values()))
        if count and not self._keep({name: rows for name, rows in left.items() if rows}):
            _LOG.warning("the journal was closed before its last rows were written (at least %d)", count)

    def _add(self, name: str, rows: list[Row]) -> None:
        with self._changed:
            if self._closed:
                return
            waiting = self._waiting[name]
            waiting.extend(rows)
            self._drop_oldest(waiting)
            if not self._thread:
                self._thread = threading.Thread(target=self._run, name="lakehouse-journal", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _drop_oldest(self, waiting: deque[Row]) -> None:
        while len(waiting) > self._kept_rows:
            waiting.popleft()
            self._lost += 1

    def _idle(self) -> bool:
        return not (self._writing or self._lost or any(self._waiting.values()))

    def _run(self) -> None:
        with untraced():
            last = False
            while not last:
                last = self._wait_for_round()
                written = [self._write(name) for name in self._waiting]
                with self._changed:
                    self._writing = False
                    self._failures = 0 if all(written) else self._failures + 1
                    self._changed.notify_all()

    def _wait_for_round(self) -> bool:
        """Whether the round that is due now is the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._idle())
            pause = self._flush_seconds * 2.0 ** min(self._failures, 30)
            self._changed.wait_for(lambda: self._closed or self._hurry, min(pause, LONGEST_PAUSE_SECONDS))
            self._hurry, self._writing = False, True
            return self._closed

    def _write(self, name: str) -> bool:
        with self._changed:
            rows = list(self._waiting[name]) if not self._given_up else []
            self._waiting[name].clear()
            self._in_hand[name] = rows
            lost = self._lost if name == "errors" else 0
        told = [_overflow_row(lost, self._kept_rows)] if lost else []
        if not rows and not told:
            return True
        try:
            self._append(name, rows + told)
        except Exception as error:
            with self._changed:
                self._in_hand[name] = []
                self._waiting[name].extendleft(reversed(rows if not self._given_up else []))
                self._drop_oldest(self._waiting[name])
            if not self._failures:
                _LOG.warning("cannot write to system.%s, trying again: %s", name, error)
            return False
        with self._changed:
            self._in_hand[name] = []
            self._lost -= lost
        return True


def _error_row(code: str, message: str, *, operation: str) -> Row:
    row: Row = {"time": datetime.now(UTC), "code": code, "operation": operation, "dataset": None, "message": message}
    return row | {"hint": None, "who": None, "trace_id": None}


def _overflow_row(lost: int, kept: int) -> Row:
    message = f"{lost} rows of system.errors and system.spans were dropped: more than {kept} were waiting to be written"
    hint = "look at the errors before this one: the lake's bucket did not take writes fast enough"
    return _error_row("journal_overflow", message, operation="journal") | {"hint": hint}


def _span_row(span: SpanRecord) -> Row:
    row: Row = {field.name: getattr(span, field.name) for field in fields(span)}
    return row | {"attributes": json.dumps(dict(span.attributes), ensure_ascii=False, sort_keys=True)}
