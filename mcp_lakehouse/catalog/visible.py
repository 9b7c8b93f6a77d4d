"""What a statement sees: each table it names as files, rows or a stored result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.catalog.system import System
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.sql.guard import CHANGES_UNIT
from mcp_lakehouse.sql.results import Results
from mcp_lakehouse.sql.views import ROWS_UNIT
from mcp_lakehouse.sql.wanted import WantedTable
from mcp_lakehouse.table import Snapshot
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
        if table.at_unit == CHANGES_UNIT:
            return self._changes_definition(table.name, table.at, wanted.held)
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
        token = _token(snapshot)
        if token == held:
            return {"token": token, "version": snapshot.version} | self._kept(dataset)
        return {"token": token, "version": snapshot.version, "columns": _columns(snapshot)} | self._files(dataset)

    def _changes_definition(self, name: str, between: str, held: str | None) -> Message:
        """The rows in which two versions differ; `between` is `FROM-TO`, or `FROM-` for the newest."""
        first, last = between.split("-")
        older = self._catalog.get(name, version=int(first))
        newer = self._catalog.get(name, version=int(last) if last else None)
        first_version, last_version = older.snapshot.version, newer.snapshot.version
        if first_version > last_version:
            raise InvalidInput(
                f"changes() of {name!r} from version {first_version} to {last_version} goes backwards",
                hint=f"give the older version first: changes('{name}', {last_version}, {first_version})",
            )
        token = f"{_token(older.snapshot)}..{_token(newer.snapshot)}"
        definition: Message = {"token": token, "version": last_version}
        if token == held:
            self._kept(older)
            return definition | self._kept(newer)
        columns = _columns(newer.snapshot)
        definition |= {"columns": columns, "key": _kept_key(newer), "from": first_version, **self._files(newer)}
        return definition | {"changes": {"columns": columns, **self._files(older)}}

    def _files(self, dataset: Dataset) -> Message:
        """Where a version's files are on this machine, and how its overlay lies over them."""
        snapshot = dataset.snapshot
        paths = [str(path) for path in dataset.home.copies.paths(snapshot.stored)]
        overlay = snapshot.overlay
        if overlay is None:
            return {"files": paths}
        after = [number for number, file in enumerate(snapshot.files) if file.key in overlay.after]
        return {
            "files": paths[:-1],
            "overlay": {"file": paths[-1], "by": list(overlay.content.by), "after": after},
        }

    def _kept(self, dataset: Dataset) -> Message:
        # Copies that a worker was told of may have been removed since, to make room or by hand.
        dataset.home.copies.keep(dataset.snapshot.stored)
        return {}


def _token(snapshot: Snapshot) -> str:
    return f"{snapshot.version}:{snapshot.updated_at.isoformat()}"


def _columns(snapshot: Snapshot) -> list[list[str]]:
    return [[column.name, column.type] for column in snapshot.columns]


def _kept_key(dataset: Dataset) -> list[str]:
    """The key, as far as its columns are there."""
    known = {column.name for column in dataset.snapshot.columns}
    return dataset.key if known.issuperset(dataset.key) else []


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is not a timestamp", hint="write AT (TIMESTAMP => '2026-01-31 12:00:00')"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
