"""What finding datasets costs where there are many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.catalog.catalog import Catalog
from mcp_lakehouse.catalog.journals import MERGED_FILES
from mcp_lakehouse.store import Bucket, open_bucket
from mcp_lakehouse.store.homes import primary_home
from mcp_lakehouse.table import Table, TableColumn

DATASETS = 300
# Looks that must be under way at the same moment; more may be.
TOGETHER = 8
WAITED_SECONDS = 20


def fill(bucket: Bucket, count: int) -> None:
    def make(number: int) -> None:
        Table(bucket, f"tables/d{number:03d}").create_or_append([TableColumn("a", "BIGINT")], [])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(count)))


def test_three_hundred_datasets_are_listed(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    fill(open_bucket(tmp_path / "lake", {}), DATASETS)
    with Lakehouse.open(tmp_path / "lake") as lake:
        lake.sql("SELECT 1")
        for what in ("first listing", "second listing"):
            began = time.perf_counter()
            assert len(lake.list_datasets(limit=1000).datasets) == DATASETS
            record_property(what, f"{time.perf_counter() - began:.3f} s")
        began = time.perf_counter()
        assert lake.sql("SHOW TABLES").row_count == DATASETS
        record_property("SHOW TABLES", f"{time.perf_counter() - began:.3f} s")
        assert lake.sql("FROM d007").row_count == 0


def test_a_journal_of_many_appends_is_few_files(tmp_path: Path) -> None:
    with Lakehouse.open(tmp_path / "lake") as lake:
        for number in range(2 * MERGED_FILES):
            lake._journals.append("errors", [{"code": "x", "message": str(number)}])
        found = lake.sql("SELECT count(*), count(DISTINCT message) FROM system.errors").rows
        assert found == [[2 * MERGED_FILES, 2 * MERGED_FILES]]
        journal = lake.system.journal("errors")
        assert journal is not None
        assert len(journal.snapshot().files) <= MERGED_FILES


class FarAway:
    """A bucket as on object storage, whose first looks at table logs are answered only when several wait together."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._lock = threading.Lock()
        self._together = threading.Event()
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def local_path(self, _key: str) -> None:
        return None

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        self._wait()
        return self._bucket.read_many(keys)

    def exists(self, key: str) -> bool:
        self._wait()
        return self._bucket.exists(key)

    def _wait(self) -> None:
        with self._lock:
            self.looks += 1
            if self.looks >= TOGETHER:
                self._together.set()
        assert self._together.wait(WAITED_SECONDS), "the looks come one after another"


def test_remote_logs_are_looked_at_side_by_side_and_no_oftener_than_needed(tmp_path: Path) -> None:
    near = open_bucket(tmp_path / "lake", {})
    fill(near, 4 * TOGETHER)
    far = FarAway(near)
    catalog = Catalog([primary_home(far, tmp_path / "cache")])  # type: ignore[arg-type]
    assert len(catalog.all()) == 4 * TOGETHER
    # Pointer and first record together, then what comes after.
    assert far.looks == 2 * 4 * TOGETHER
    far.looks = 0
    assert len(catalog.all()) == 4 * TOGETHER
    assert far.looks == 4 * TOGETHER
