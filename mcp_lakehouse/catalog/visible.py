"""What a statement sees: each table it names as files, rows or a stored result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.catalog.system import System
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.sql.results import Results
from mcp_lakehouse.sql.runner import WantedTable
from mcp_lakehouse.sql.views import ROWS_UNIT
from mcp_lakehouse.worker.channel import Message


class Visible:
    """Resolves names in the catalog for the SQL workers, which hold nothing else."""

    def __init__(
        self,
        catalog: Catalog,
        system: System,
        results: Results,
        *,
        flush_journals: Callable[[], object],
    ) -> None:
        self._catalog = catalog
        self._system = system
        self._results = results
        self._flush_journals = flush_journals

    def resolve(self, wanted: Sequence[WantedTable]) -> list[Message | None]:
        """What the worker is to hold for each wanted table; `None` where the name is a CTE's only."""
        return [self._definition(each) for each in wanted]

    def _definition(self, wanted: WantedTable) -> Message | None:
        table = wanted.table
        if table.schema == "result":
            stored = self._results.find(table.name)
            return {"token": stored.identifier, "result": stored.stored}
        if table.schema == "system":
            return self._system_definition(table.name, wanted.held)
        version = int(table.at) if table.at_unit in ("v", ROWS_UNIT) else None
        at = _moment(table.at) if table.at_unit == "t" else None
        found = self._catalog.find(table.name)
        if found is None or found.dropped:
            if wanted.local:
                return None
            raise self._catalog.missing(table.name, dropped=found is not None)
        dataset = self._catalog.get(table.name, version=version, at=at) if table.at_unit else found
        return self._files_definition(dataset, wanted.held)

    def _system_definition(self, name: str, held: str | None) -> Message:
        if self._system.may_read(name):
            self._flush_journals()
            written = self._system.journal_read(name)
            if written is not None:
                return self._files_definition(Dataset(name, written, written.snapshot(), self._system.home), held)
        rows = self._system.rows(name)
        if rows.token == held:
            return {"token": rows.token}
        return {"token": rows.token, "columns": [list(column) for column in rows.columns], "rows": rows.rows}

    def _files_definition(self, dataset: Dataset, held: str | None) -> Message:
        snapshot = dataset.snapshot
        token = f"{snapshot.version}:{snapshot.updated_at.isoformat()}"
        definition: Message = {"token": token, "version": snapshot.version}
        if token != held:
            definition["columns"] = [[column.name, column.type] for column in snapshot.columns]
            definition["files"] = [str(path) for path in dataset.paths()]
        else:
            # Copies that a worker was told of may have been removed since, to make room or by hand.
            dataset.home.copies.keep(snapshot.files)
        return definition


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is not a timestamp", hint="write AT (TIMESTAMP => '2026-01-31 12:00:00')"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
