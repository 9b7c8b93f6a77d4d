"""Upserts and deletions by key, with and without an overlay, against a plain list of rows."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lake.places import folder_place, inline, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.records import IngestReport

# id, name; both may be None in a row that is appended.
Row = tuple[int | None, str]
STEPS = 24


def overlaying(lake: Lakehouse, **changes: float) -> Lakehouse:
    """The lake, where every upsert that may go into an overlay does."""
    limits = {"overlay_from_rows": 0, "overlay_share": 0.6} | changes
    lake._limits = replace(lake._limits, ingest=replace(lake._limits.ingest, **limits))  # type: ignore[arg-type]
    return lake


@dataclass
class Model:
    """A dataset as a list of rows, and what it was at each version."""

    lake: Lakehouse
    name: str
    chance: random.Random
    rows: list[Row] = field(default_factory=list)
    versions: dict[int, list[Row]] = field(default_factory=dict)
    count: int = 0
    overlays: int = 0
    touched: list[int | None] = field(default_factory=list)

    @property
    def dataset(self) -> Dataset:
        return self.lake.catalog.get(self.name)

    def fresh(self, keys: list[int | None]) -> list[Row]:
        rows: list[Row] = []
        for key in keys:
            self.count += 1
            rows.append((key, f"person {self.count} {self.chance.choice(['baker', 'smith', 'mason'])}"))
        return rows

    def keys(self, most: int, *, nulls: bool = False) -> list[int | None]:
        found: list[int | None] = [self.chance.randrange(60) for _ in range(self.chance.randint(1, most))]
        return [*found, None] if nulls and self.chance.random() < 0.5 else found

    def load(self, rows: list[Row], mode: str, *, key: list[str] | None = None) -> IngestReport:
        text = "id,name\n" + "".join(f"{'' if key is None else key},{name}\n" for key, name in rows)
        return self.lake.ingest(
            {"name": f"{self.name}.csv", "text": text}, dataset=self.name, mode=mode, key=key, text=["name"]
        )

    # Steps ------------------------------------------------------------------------------------

    def start(self) -> None:
        self.rows = self.fresh(list(range(40)))
        assert self.load(self.rows, "append", key=["id"]).rows_added == 40

    def append(self) -> None:
        rows = self.fresh(self.keys(4, nulls=True))
        assert self.load(rows, "append").rows_added == len(rows)
        self.rows = self.rows + rows

    def upsert(self) -> None:
        rows = self.fresh(self.keys(6, nulls=True))
        last = {key: (key, name) for key, name in rows if key is not None}
        there = {key for key, _ in self.rows}
        report = self.load(rows, "upsert")
        updated = len(there & last.keys())
        assert (report.rows_updated, report.rows_added) == (updated, len(last) - updated)
        assert report.rows_rejected == sum(key is None for key, _ in rows)
        self.rows = [row for row in self.rows if row[0] not in last] + list(last.values())
        self.touched = list(last)

    def delete(self) -> None:
        self.count += 1
        keys = {key for key in self.keys(4) if key is not None}
        text = "why,id\n" + "".join(f"reason {self.count},{key}\n" for key in keys)
        report = self.lake.ingest({"name": "gone.csv", "text": text}, dataset=self.name, mode="delete")
        kept = [row for row in self.rows if row[0] not in keys]
        assert (report.rows_deleted, report.rows_added, report.rows_updated) == (len(self.rows) - len(kept), 0, 0)
        assert report.unchanged == (len(kept) == len(self.rows))
        self.rows = kept
        self.touched = list(keys)

    def append_again(self) -> None:
        """Rows with keys that an overlay may hold are rows of their own."""
        rows = self.fresh(self.touched[:2])
        self.load(rows, "append")
        self.rows = self.rows + rows

    def compact(self) -> None:
        self.lake.compact(self.name)
        assert self.dataset.snapshot.overlay is None

    def fold(self) -> None:
        if self.dataset.snapshot.overlay is not None:
            self.lake._compaction.fold(self.dataset, {"operation": "compact"}, CancelToken())
            assert self.dataset.snapshot.overlay is None

    def restore(self) -> None:
        version = self.chance.choice(list(self.versions))
        self.lake.restore_dataset(self.name, version)
        self.rows = self.versions[version]

    def replace(self) -> None:
        self.rows = self.fresh(list(range(20, 55)))
        assert self.load(self.rows, "replace", key=["id"]).rows_added == 35

    def step(self) -> None:
        often = [self.upsert] * 8 + [self.delete] * 4 + [self.append] * 2 + [self.append_again] * 3
        seldom = [self.compact, self.fold, self.restore, self.replace]
        self.chance.choice([*often, *seldom])()
        self.check()

    # Checks -----------------------------------------------------------------------------------

    def check(self) -> None:
        snapshot = self.dataset.snapshot
        self.versions[snapshot.version] = self.rows
        self.overlays += snapshot.overlay is not None
        assert snapshot.rows == len(self.rows)
        assert Counter(self.sql(f"SELECT id, name FROM {self.name}")) == Counter(self.rows)
        wanted = Counter(name for _, name in self.rows)
        assert self.found("person", "keyword") == wanted
        assert self.found("person", "keyword", where="id % 3 = 1") == Counter(
            name for key, name in self.rows if key is not None and key % 3 == 1
        )

    def check_history(self) -> None:
        for version, held in self.versions.items():
            assert Counter(self.sql(f"SELECT id, name FROM {self.name} AT (VERSION => {version})")) == Counter(held)
        pairs = [(first, last) for first in self.versions for last in self.versions if first <= last]
        for first, last in self.chance.sample(pairs, min(25, len(pairs))):
            columns = "change, id, name"
            found = self.sql(f"SELECT {columns} FROM changes('{self.name}', {first}, {last})")
            assert Counter(found) == changes(self.versions[first], self.versions[last]), (first, last)

    def found(self, query: str, mode: str, **more: Any) -> Counter[str]:
        result = self.lake.search(query, [self.name], k=1000, mode=mode, **more)
        return Counter(hit.text for hit in result.results)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.lake.sql(statement, max_rows=1000).rows]


def changes(before: list[Row], after: list[Row]) -> Counter[tuple[str, int | None, str]]:
    gone, come = Counter(before) - Counter(after), Counter(after) - Counter(before)
    both = {key for key, _ in gone} & {key for key, _ in come} - {None}
    told: Counter[tuple[str, int | None, str]] = Counter()
    for differing, update, other in ((gone, "update_before", "delete"), (come, "update_after", "insert")):
        for (key, name), count in differing.items():
            told[update if key in both else other, key, name] += count
    return told


@pytest.mark.parametrize("seed", range(2))
def test_any_sequence_of_changes_gives_the_rows_of_a_plain_list(tmp_path: Path, seed: int) -> None:
    with folder_place(tmp_path).open() as lake:
        model = Model(overlaying(lake), "people", random.Random(seed))
        model.start()
        model.check()
        for _ in range(STEPS):
            model.step()
        model.check_history()
        assert model.overlays > STEPS // 4
        assert model.found("person", "hybrid") == Counter(name for _, name in model.rows)


RESTRICTED = """
[profiles.shop]
datasets = ["people"]
[profiles.shop.restrict.people]
where = "city <> 'Secret'"
hide = ["wage"]
"""


def test_a_profile_sees_the_overlay_as_far_as_its_restriction_goes(tmp_path: Path) -> None:
    place = folder_place(tmp_path)
    with place.open() as lake:
        overlaying(lake)
        lines = "".join(f"{n},Town,{n * 10}\n" for n in range(1, 9))
        lake.ingest(inline("people", "id,city,wage\n" + lines), key="id")
        lake.ingest(inline("people", "id,city,wage\n1,Secret,1\n2,Village,2\n9,Secret,3\n"), mode="upsert")
        lake.ingest(inline("people", "id\n3\n"), mode="delete")
        lake.ingest(inline("people", "id,city,wage\n2,Second,5\n"))
        assert lake.catalog.get("people").snapshot.overlay is not None
    (Path(place.address) / "lakehouse.toml").write_text(RESTRICTED)
    towns = [[n, "Town"] for n in range(4, 9)]
    with place.open(profile="shop") as shop:
        assert rows(shop, "FROM people ORDER BY ALL") == [[2, "Second"], [2, "Village"], *towns]
        assert shop.catalog.get("people").snapshot.rows == 7
        assert "lakehouse.overlay" not in shop.catalog.get("people").snapshot.properties
        assert rows(shop, "SELECT change, id, city FROM changes('people', 0, 2) ORDER BY ALL") == [
            ["delete", 1, "Town"],
            ["delete", 3, "Town"],
            ["update_after", 2, "Village"],
            ["update_before", 2, "Town"],
        ]
