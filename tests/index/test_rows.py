"""Row files: what a table's rows say, made again where the file is not as it was written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pyarrow as pa
import pytest

from index.damage import damaged
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.index.rows import BATCH_ROWS, RowFiles
from mcp_lakehouse.table import DataFile, TableColumn

CORRUPTIONS = 1_000
FILE = DataFile("tables/t/part-1.parquet", 1_000, 3 * BATCH_ROWS, {})
COLUMNS = (TableColumn("id", "BIGINT"), TableColumn("about", "VARCHAR"))


def dataset(columns: Sequence[TableColumn] = COLUMNS) -> Dataset:
    return cast(Dataset, SimpleNamespace(name="t", snapshot=SimpleNamespace(columns=columns)))


class Exporter:
    """Writes the same rows each time, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(
        self, _name: str, file: DataFile, columns: Sequence[TableColumn], path: Path, _cancel: CancelToken
    ) -> None:
        self.calls += 1
        content = {"id": range(file.rows), "about": [f"row {number}" for number in range(file.rows)]}
        table = pa.table({column.name: list(content[column.name]) for column in columns})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=BATCH_ROWS)


def test_any_row_is_read_from_a_file_that_is_made_once(tmp_path: Path) -> None:
    export = Exporter()
    for _ in range(2):
        rows = RowFiles(tmp_path, export).get(dataset(), FILE, CancelToken())
        assert rows.get(BATCH_ROWS + 3) == {"id": BATCH_ROWS + 3, "about": f"row {BATCH_ROWS + 3}"}
        assert [len(batch) for batch in rows.texts(["about"])] == [BATCH_ROWS] * 3
    assert export.calls == 1


def test_a_file_made_for_other_columns_is_made_again(tmp_path: Path) -> None:
    export = Exporter()
    RowFiles(tmp_path, export).get(dataset(COLUMNS[:1]), FILE, CancelToken())
    rows = RowFiles(tmp_path, export).get(dataset(), FILE, CancelToken())
    assert rows.get(0) == {"id": 0, "about": "row 0"}
    assert export.calls == 2


@pytest.mark.parametrize("what", ["part-1.parquet.arrow", "part-1.parquet.arrow.manifest"])
def test_a_damaged_file_is_made_again(tmp_path: Path, what: str) -> None:
    RowFiles(tmp_path, Exporter()).get(dataset(), FILE, CancelToken())
    whole = (tmp_path / what).read_bytes()
    chance = random.Random(17)

    class Asked(Exception):
        pass

    def ask(*_: object) -> None:
        raise Asked

    for number in range(CORRUPTIONS):
        data = damaged(whole, chance)
        (tmp_path / what).write_bytes(data)
        if data != whole:
            with pytest.raises(Asked):
                RowFiles(tmp_path, ask).get(dataset(), FILE, CancelToken())
        if number % 100 == 0:
            assert RowFiles(tmp_path, Exporter()).get(dataset(), FILE, CancelToken()).get(7)["about"] == "row 7"
