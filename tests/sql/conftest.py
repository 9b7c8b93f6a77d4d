"""A runner over Parquet files made here, with a hand-written catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.limits import Limits, SqlLimits
from mcp_lakehouse.sql.results import Results
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.sql.wanted import WantedTable
from mcp_lakehouse.worker.channel import Message

COLUMNS = {
    "trips": [["id", "BIGINT"], ["city", "VARCHAR"], ["fare", "DECIMAL(8,2)"], ["at", "TIMESTAMP WITH TIME ZONE"]],
    "evolved": [["id", "BIGINT"], ["late", "VARCHAR"]],
    "empty": [["a", "BIGINT"], ["b", "STRUCT(x VARCHAR)"]],
}


class FakeCatalog:
    """Datasets as files; `versions` counts up when a test changes one."""

    def __init__(self, folder: Path, results: Results) -> None:
        self.folder = folder
        self.results = results
        self.files = {"trips": ["trips.parquet"], "evolved": ["old.parquet", "new.parquet"], "empty": []}
        self.version = 1
        self.asked: list[WantedTable] = []

    def resolve(self, wanted: Sequence[WantedTable]) -> list[Message | None]:
        self.asked.extend(wanted)
        return [self._one(each) for each in wanted]

    def _one(self, wanted: WantedTable) -> Message | None:
        table = wanted.table
        if table.schema == "result":
            return {"token": table.name, "result": self.results.find(table.name).stored}
        if table.schema == "system":
            return {
                "token": "1",
                "columns": [
                    ["name", "VARCHAR"],
                    ["description", "VARCHAR"],
                    ["rows", "BIGINT"],
                    ["updated_at", "TIMESTAMP WITH TIME ZONE"],
                ],
                "rows": [["trips", "", 3, "2026-01-01T00:00:00Z"], ["empty", "", 0, None]],
            }
        if table.name not in self.files:
            if wanted.local:
                return None
            raise NotFound(f"there is no dataset {table.name!r}", hint="there are: trips")
        files = [str(self.folder / name) for name in self.files[table.name]]
        if table.at:
            files = files[:1]
        definition: Message = {"token": f"{self.version}{table.at}", "version": self.version}
        if definition["token"] != wanted.held:
            definition |= {"columns": COLUMNS[table.name], "files": files}
        return definition


def make_files(folder: Path) -> None:
    connection = duckdb.connect()
    connection.execute(
        "COPY (SELECT * FROM (VALUES (1::BIGINT, 'Oslo', 12.50::DECIMAL(8,2), TIMESTAMPTZ '2026-01-01 10:00:00Z'), "
        "(2, 'Bergen', 7.25, TIMESTAMPTZ '2026-01-02 11:30:00Z'), (3, 'Oslo', NULL, NULL)) v(id, city, fare, \"at\")) "
        f"TO '{folder}/trips.parquet'"
    )
    connection.execute(f"COPY (SELECT 1::INTEGER AS id) TO '{folder}/old.parquet'")
    connection.execute(f"COPY (SELECT 5000000000::BIGINT AS id, 'x' AS late) TO '{folder}/new.parquet'")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Runner, FakeCatalog]]:
    folder = tmp_path_factory.mktemp("sql")
    yield from _running(folder, Limits())


@pytest.fixture
def runner(shared: tuple[Runner, FakeCatalog]) -> Runner:
    return shared[0]


@pytest.fixture
def catalog(shared: tuple[Runner, FakeCatalog]) -> FakeCatalog:
    return shared[1]


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    """Makes a runner of its own with other limits."""
    made: list[Iterator[tuple[Runner, FakeCatalog]]] = []

    def make(**changes: float) -> Runner:
        limits = Limits(sql=replace(SqlLimits(), **changes))
        running = _running(tmp_path, limits)
        made.append(running)
        return next(running)[0]

    yield make
    for running in made:
        next(running, None)


def _running(folder: Path, limits: Limits) -> Iterator[tuple[Runner, FakeCatalog]]:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    make_files(data)
    results = Results(folder / "results", limits.result)
    catalog = FakeCatalog(data, results)
    runner = Runner(catalog.resolve, results, limits, scratch=folder / "scratch", data=[data])
    yield runner, catalog
    runner.close()
