"""Files of the lake that were damaged by something else: named, with a way out, and no harm to the rest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lake.places import Place, folder_place, inline, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import LakehouseError, NotFound, StorageFailed, UnsupportedLake

Damage = Callable[[Path], object]

RECORDS: dict[str, Damage] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "emptied": lambda path: path.write_bytes(b""),
    "overwritten": lambda path: path.write_bytes(os.urandom(300)),
    "of another shape": lambda path: path.write_text('{"add": 3}\n'),
    "with a file that has no name": lambda path: path.write_text('{"add": {"path": 3}}\n'),
    "of nulls": lambda path: path.write_text('{"commitInfo": null, "add": null}\n'),
    "gone": lambda path: path.unlink(),
}
DATA: dict[str, Damage] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "emptied": lambda path: path.write_bytes(b""),
    "overwritten": lambda path: path.write_bytes(os.urandom(300)),
    "with a broken page": lambda path: path.write_bytes(path.read_bytes()[:4] + bytes(60) + path.read_bytes()[64:]),
    "gone": lambda path: path.unlink(),
}


def named(what: str, damage: str) -> str:
    return f"{what}_{damage.replace(' ', '_')}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A lake with a dataset for each damage: three versions of one row each; the second is damaged."""
    place = folder_place(tmp_path_factory.mktemp("damaged"))
    with place.open() as lake:
        for number in range(3):
            lake.ingest(inline("whole", f"a,b\n{number},x\n"), key="a")
    tables = Path(place.address) / "tables"
    for damage, harm in RECORDS.items():
        copy = shutil.copytree(tables / "whole", tables / named("record", damage))
        harm(copy / "_delta_log" / f"{1:020d}.json")
    for damage, harm in DATA.items():
        copy = shutil.copytree(tables / "whole", tables / named("data", damage))
        harm(sorted(copy.glob("*.parquet"))[1])
    return place


@pytest.fixture(scope="module")
def damaged(place: Place) -> Iterator[Lakehouse]:
    """That lake, open."""
    with place.open() as lake:
        yield lake


@pytest.mark.parametrize("damage", RECORDS)
def test_a_damaged_record_of_a_log_is_named_by_every_call(damaged: Lakehouse, damage: str) -> None:
    name = named("record", damage)
    for call in (
        lambda: damaged.sql(f"FROM {name}"),
        lambda: damaged.describe_dataset(name),
        lambda: damaged.ingest(inline(name, "a,b\n9,x\n")),
        lambda: damaged.ingest(inline(name, "a,b\n9,x\n"), mode="replace"),
        lambda: damaged.drop_dataset(name, name),
        lambda: damaged.restore_dataset(name, 0),
        lambda: damaged.compact(name),
    ):
        with pytest.raises(
            UnsupportedLake, match=rf"tables/{name}/_delta_log/{1:020d}\.json is (damaged|missing)"
        ) as caught:
            call()
        assert "restore that file from a copy" in (caught.value.hint or "")


@pytest.mark.parametrize("damage", DATA)
def test_a_damaged_data_file_is_named_with_its_dataset(damaged: Lakehouse, place: Place, damage: str) -> None:
    name = named("data", damage)
    for call in (
        lambda: damaged.sql(f"SELECT max(b) FROM {name}"),
        lambda: damaged.describe_dataset(name),
        lambda: damaged.compact(name),
        lambda: damaged.ingest(inline(name, "a,b\n1,y\n"), mode="upsert"),
    ):
        with pytest.raises(StorageFailed, match=rf"a data file of '?{name}'? could not be read") as caught:
            call()
        assert "mcp-lakehouse doctor" in (caught.value.hint or "")
        assert place.address not in str(caught.value)
    # The ways out that the hints name.
    assert rows(damaged, f"SELECT b FROM {name} AT (VERSION => 0)") == [["x"]]
    damaged.restore_dataset(name, 0)
    assert rows(damaged, f"SELECT b FROM {name}") == [["x"]]


def test_what_is_damaged_does_not_hide_the_rest(damaged: Lakehouse) -> None:
    assert "whole" in [each.name for each in damaged.list_datasets().datasets]
    assert ["whole"] in rows(damaged, "SHOW TABLES")
    assert rows(damaged, "SELECT count(*) FROM whole") == [[3]]
    assert rows(damaged, "SELECT count(*) FROM system.versions WHERE dataset = 'whole'") == [[3]]
    with pytest.raises(NotFound, match="hole"):
        damaged.sql("FROM hole")


def test_moving_a_damaged_record_and_the_later_ones_away_brings_the_version_before_it_back(prepared: Place) -> None:
    log = Path(prepared.address) / "tables" / "t" / "_delta_log"
    with prepared.open() as lake:
        for number in (2, 3):
            lake.ingest(inline("t", f"a,b\n{number},x\n"))
    (log / f"{1:020d}.json").write_bytes(b"")
    for version in (1, 2):
        (log / f"{version:020d}.json").rename(prepared.files / f"{version}.json")
    with prepared.open() as again:
        assert rows(again, "FROM t") == [[1, "x"]]
        assert again.ingest(inline("t", "a,b\n2,x\n")).version == 1


def test_a_table_of_a_newer_format_does_not_hide_the_others(prepared: Place) -> None:
    log = Path(prepared.address) / "tables" / "foreign" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text(json.dumps({"protocol": {"minReaderVersion": 99, "minWriterVersion": 99}}))
    with prepared.open() as lake:
        listed = lake.list_datasets()
        assert ([dataset.name for dataset in listed.datasets], listed.unreadable) == (["t"], ["foreign"])
        with pytest.raises(UnsupportedLake):
            lake.describe_dataset("foreign")


@pytest.mark.parametrize(
    ("marker", "said"), [(json.dumps({"format": 999}), "999"), ("{", "damaged"), ("[]", "damaged")]
)
def test_a_newer_or_damaged_lake_is_not_touched(tmp_path: Path, marker: str, said: str) -> None:
    (tmp_path / "_lakehouse.json").write_text(marker)
    with pytest.raises(UnsupportedLake, match=said) as caught:
        Lakehouse.open(tmp_path)
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["_lakehouse.json"]


def test_a_file_in_the_place_of_a_lake_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    with pytest.raises(LakehouseError, match="is a file") as caught:
        Lakehouse.open(tmp_path / "lake")
    assert caught.value.hint
