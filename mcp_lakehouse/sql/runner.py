"""The parent's side of `sql`: a pool of locked workers, and the results they leave behind."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path

from mcp_lakehouse import trace
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput, LakehouseError
from mcp_lakehouse.limits import Limits
from mcp_lakehouse.records import Column, Json, QueryResult
from mcp_lakehouse.sql.guard import TableName
from mcp_lakehouse.sql.numbers import Rows, unpack
from mcp_lakehouse.sql.repeated import Reads, Repeated
from mcp_lakehouse.sql.results import Results, StoredResult
from mcp_lakehouse.sql.streaming import Recording, Streams, Told
from mcp_lakehouse.sql.wanted import Parameters, Resolve, WantedTable
from mcp_lakehouse.sql.worker_config import worker_config
from mcp_lakehouse.table import TableColumn
from mcp_lakehouse.worker.channel import Message
from mcp_lakehouse.worker.pool import Pool
from mcp_lakehouse.worker.process import Worker

# A whole data file is read, whatever a statement may take.
_EXPORT_SECONDS = 1_800.0
# Statements whose tables are remembered.
_KEPT_STATEMENTS = 256


class Runner:
    """Runs statements over what `resolve` shows."""

    def __init__(
        self,
        resolve: Resolve,
        results: Results,
        limits: Limits,
        *,
        scratch: Path,
        data: Sequence[Path],
        projects: bool = False,
    ) -> None:
        """`projects`: whether `project` will be called."""
        self._projects = projects
        self._resolve = resolve
        self._results = results
        self._limits = limits
        self._scratch = scratch
        self._data = [str(folder) for folder in data]
        self._pool = Pool(self._start, size=limits.sql.workers, what="sql")
        self._repeated = Repeated()
        # What a text named when it ran last; `held` is what its worker holds since.
        self._named: dict[str, Sequence[WantedTable]] = {}

    def warm(self) -> None:
        """Have a worker ready for the first statement."""
        self._pool.warm()

    def forget(self) -> None:
        """Drop what is remembered of statements and their tables, here and in the workers."""
        self._repeated.clear()
        self._named.clear()
        self._pool.renew()

    def close(self) -> None:
        """Stop all workers; statements that run are stopped."""
        self._pool.close()

    def streams(self, recording: Recording, content: bool) -> Streams:
        """Whole results as they are made, over the same workers; `content`: spans may hold statements."""
        told = Told(self._foreseen, self._on_event)
        return Streams(self._pool, self._limits, told, recording, content=content)

    def confinement(self) -> Message:
        """What this machine's kernel adds to the lock: {"landlock": version, "network_namespace": bool}."""
        with self._pool.lend(timeout_seconds=20) as worker:
            confined: Message = worker.call({"op": "hello"}, timeout_seconds=20)["confined"]
            return confined

    def run(
        self,
        statement: str,
        params: Parameters = None,
        *,
        max_rows: int,
        detailed: bool = False,
        cancel: CancelToken | None = None,
        timeout_seconds: float | None = None,
    ) -> tuple[QueryResult, StoredResult]:
        """Run one statement, or give again what it gave over the same contents.

        Raises `LakehouseError`; nothing is kept of a statement that fails.
        """
        began = time.perf_counter()
        sql = self._limits.sql
        timeout = timeout_seconds or sql.timeout_seconds
        page_limits = self._page_limits(max_rows, detailed)
        foreseen = self._foreseen(statement)
        asked = (statement, *page_limits.values())
        before = None if params else self._repeated.find(asked, _reads(foreseen))
        if before is not None:
            (cancel or CancelToken()).check()
            result, stored = before
            self._results.keep(stored.identifier, stored.stored, stored.columns, stored.batches)
            trace.annotate(repeated=True)
            return replace(result, elapsed_ms=round((time.perf_counter() - began) * 1000, 2)), stored
        identifier = self._results.new_identifier()
        request: Message = {
            "op": "run",
            "statement": statement,
            "params": params,
            "max_chars": sql.statement_chars,
            "max_columns": sql.columns,
            "result_id": identifier,
            "stored_bytes": sql.stored_result_bytes,
            "cpu_seconds": timeout * sql.threads + 1,
            "foreseen": foreseen,
            **page_limits,
        }
        with self._pool.lend(timeout_seconds=timeout, cancel=cancel) as worker:
            with trace.span("sql.execute"):
                answer = worker.call(
                    request,
                    timeout_seconds=timeout,
                    cancel=cancel,
                    on_event=partial(self._on_event, statement),
                    on_timeout="the statement",
                )
            columns = [Column(name, type_) for name, type_ in answer["columns"]]
            stored = self._results.keep(identifier, answer["stored"], columns, answer["batches"])
        result = QueryResult(
            columns=columns,
            rows=answer["rows"],
            row_count=answer["row_count"],
            truncated=answer["truncated"],
            elapsed_ms=answer["elapsed_ms"],
            result_uri=stored.uri,
            datasets=answer["versions"],
        )
        if answer["reads"] is not None and not params:
            reads = {TableName(*table): token for table, token in answer["reads"]}
            self._repeated.keep(asked, reads, result, stored)
        return result, stored

    def page(
        self, stored: StoredResult, *, offset: int, max_rows: int, cancel: CancelToken | None = None
    ) -> QueryResult:
        """Rows [offset, offset + max_rows) of a stored result."""
        if offset < 0:
            raise InvalidInput(f"offset is {offset}", hint="give 0 or more")
        request: Message = {
            "op": "page",
            "stored": stored.stored,
            "columns": [[column.name, column.type] for column in stored.columns],
            "batches": list(stored.batches),
            "offset": offset,
            **self._page_limits(max_rows, detailed=True),
        }
        timeout = self._limits.sql.timeout_seconds
        with self._pool.lend(timeout_seconds=timeout, cancel=cancel) as worker:
            answer = worker.call(request, timeout_seconds=timeout, cancel=cancel, on_timeout="reading the result")
        return QueryResult(
            columns=list(stored.columns),
            rows=answer["rows"],
            row_count=stored.rows,
            truncated=answer["truncated"],
            elapsed_ms=answer["elapsed_ms"],
            result_uri=stored.uri,
        )

    def matching(
        self,
        dataset: str,
        version: int,
        where: str,
        *,
        cancel: CancelToken | None = None,
        meanwhile: Iterator[object] | None = None,
    ) -> tuple[Rows, bool]:
        """The rows of one version that a condition holds for.

        Files are numbered in the order of the version's snapshot. The other value says whether the condition
        will hold for the same rows again. `meanwhile` is what the caller has to do, in small steps. Raises as
        `run` does.
        """
        import numpy as np

        sql = self._limits.sql
        request: Message = {
            "op": "filter",
            "dataset": dataset,
            "version": version,
            "where": where,
            "max_chars": sql.statement_chars,
            "result_id": self._results.new_identifier(),
            "cpu_seconds": sql.timeout_seconds * sql.threads + 1,
        }
        # Another condition over the same rows names the same table, most often that alone.
        text = f"{dataset}@{version}"
        with self._pool.lend(timeout_seconds=sql.timeout_seconds, cancel=cancel) as worker:
            with trace.span("sql.filter"):
                request["foreseen"] = self._foreseen(text)
                answer = worker.call(
                    request,
                    timeout_seconds=sql.timeout_seconds,
                    cancel=cancel,
                    on_event=partial(self._on_event, text),
                    on_timeout="the filter",
                    meanwhile=meanwhile,
                )
            if "rows" in answer:
                return unpack(answer["rows"]), answer["repeatable"]
            path = Path(answer["file"])
            try:
                return Rows(np.fromfile(path, np.int64)), answer["repeatable"]
            finally:
                path.unlink(missing_ok=True)

    def export(
        self,
        dataset: str,
        path: Path,
        columns: Sequence[TableColumn],
        to: Path,
        *,
        batch_rows: int,
        overlay: bool,
        cancel: CancelToken,
    ) -> None:
        """One data file's rows as an Arrow file at `to`, in batches of so many rows, with wire types.

        `overlay`: it is one, and its deletions are left out.
        """
        request: Message = {
            "op": "export",
            "dataset": dataset,
            "path": str(path),
            "columns": [[column.name, column.type] for column in columns],
            "batch_rows": batch_rows,
            "overlay": overlay,
            "result_id": self._results.new_identifier(),
            "cpu_seconds": _EXPORT_SECONDS,
        }
        with self._pool.lend(timeout_seconds=_EXPORT_SECONDS, cancel=cancel) as worker:
            answer = worker.call(request, timeout_seconds=_EXPORT_SECONDS, cancel=cancel, on_timeout="reading rows")
            os.replace(answer["file"], to)

    def project(
        self,
        dataset: str,
        path: Path | None,
        columns: Sequence[TableColumn],
        shown: Mapping[str, Json],
        *,
        to: Path,
        overlay: tuple[Path, Sequence[str]] | None = None,
    ) -> tuple[int, list[Column]]:
        """What is shown of one data file as a Parquet file at `to` (none where no row is), with its rows and columns.

        `shown` is what `projecting.project` takes. Of rows that an `overlay` shadows (its file, and the columns it
        goes by) nothing is; without a path it is the overlay's own rows that are shown, and without both only the
        columns are told. Raises as that does.
        """
        request: Message = {
            "op": "project",
            "dataset": dataset,
            "path": None if path is None else str(path),
            "overlay": None if overlay is None else {"file": str(overlay[0]), "by": list(overlay[1]), "after": []},
            "columns": [[column.name, column.type] for column in columns],
            "max_chars": self._limits.sql.statement_chars,
            "result_id": self._results.new_identifier(),
            "cpu_seconds": _EXPORT_SECONDS,
            **shown,
        }
        with self._pool.lend(timeout_seconds=_EXPORT_SECONDS) as worker:
            answer = worker.call(request, timeout_seconds=_EXPORT_SECONDS, on_timeout="showing a part of a dataset")
            if answer["file"] is not None:
                to.parent.mkdir(parents=True, exist_ok=True)
                os.replace(answer["file"], to)
        return answer["rows"], [Column(name, type_) for name, type_ in answer["columns"]]

    def _page_limits(self, max_rows: int, detailed: bool) -> Message:
        limits = self._limits.result
        if not 1 <= max_rows <= limits.rows:
            raise InvalidInput(
                f"max_rows is {max_rows}; it must be 1 to {limits.rows:,}",
                hint="page through the result_uri with read_result, or use LIMIT and OFFSET in the statement",
            )
        roomy = detailed or max_rows > limits.preview_rows
        return {
            "max_rows": max_rows,
            "max_chars_out": limits.chars if roomy else limits.preview_chars,
            "cell_chars": limits.detailed_cell_chars if detailed else limits.cell_chars,
        }

    def _on_event(self, text: str, event: Message) -> Message:
        wanted = [
            WantedTable(TableName(t["schema"], t["name"], t["unit"], t["at"]), t["local"], t["held"])
            for t in event["tables"]
        ]
        try:
            definitions = self._resolve(wanted)
        except LakehouseError as error:
            return {"error": error.code, "message": error.message, "hint": error.hint}
        while len(self._named) >= _KEPT_STATEMENTS:
            self._named.pop(next(iter(self._named)), None)
        # What a CTE's name stands for is the statement's own matter.
        self._named[text] = [
            replace(each, held=definition["token"])
            for each, definition in zip(wanted, definitions, strict=True)
            if definition and not each.local
        ]
        return {"tables": definitions}

    def _foreseen(self, text: str) -> list[Message]:
        """`table` and `definition` of what the text named when it ran last, which saves the worker's question.

        A definition is short where the content is the one remembered. A worker that does not hold it, or meets
        another name, asks.
        """
        named = self._named.get(text, ())
        try:
            definitions = self._resolve(named)
        except LakehouseError:
            # The worker asks, and is told so.
            return []
        return [
            {"table": astuple(each.table), "definition": definition}
            for each, definition in zip(named, definitions, strict=True)
        ]

    def _start(self) -> Worker:
        limits = self._limits.sql
        scratch = self._scratch / f"sql-{secrets.token_hex(8)}"
        config = worker_config(limits, scratch, self._data, str(self._results.folder))
        return Worker("sql", config | {"projects": self._projects}, scratch=scratch)


def _reads(foreseen: Sequence[Message]) -> Reads:
    return {TableName(*each["table"]): each["definition"]["token"] for each in foreseen}
