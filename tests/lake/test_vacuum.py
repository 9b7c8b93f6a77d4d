"""Vacuum: what it takes, what it never takes, and what readers are told afterwards. On a folder and on S3."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.places import Place, inline, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.retention import clock

DAY = 86_400


def keeping(place: Place, *, days: int = 0, versions: int = 1) -> Lakehouse:
    """The place's lake with these settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEHOUSE_KEEP_DAYS", str(days))
        patch.setenv("LAKEHOUSE_KEEP_VERSIONS", str(versions))
        return place.open()


def later(patch: pytest.MonkeyPatch, days: float) -> None:
    """Let the bucket's clock show a later time; the times of its objects stay."""
    patch.setattr(clock, "bucket_time", lambda _: datetime.now(UTC) + timedelta(days=days))


def upserted(lake: Lakehouse, name: str, versions: int) -> None:
    """A table of one row whose every version has a file of its own."""
    for number in range(versions):
        lake.ingest(inline(name, f"a,b\n1,value {number}\n"), mode="upsert", key="a")


def files_of(lake: Lakehouse, dataset: str) -> int:
    return sum(info.key.endswith(".parquet") for info in lake.bucket.list(f"tables/{dataset}"))


def test_versions_go_when_neither_days_nor_number_keep_them(place: Place) -> None:
    with keeping(place, versions=2) as lake:
        upserted(lake, "many", 5)
        report = lake.vacuum("many", at_once=True)
        (one,) = report.datasets
        assert (one.retired, one.files_removed) == (["0-2"], 3)
        assert one.bytes_removed == report.bytes_removed > 0
        assert files_of(lake, "many") == 2
        assert rows(lake, "FROM many") == [[1, "value 4"]]
        # The vacuum's own version is one of the two that are kept.
        assert rows(lake, "FROM many AT (VERSION => 4)") == [[1, "value 4"]]
        with pytest.raises(NotFound, match=r"version 1 of dataset 'many' was vacuumed on 20\d\d-"):
            lake.sql("FROM many AT (VERSION => 1)")
        again = lake.vacuum("many", at_once=True)
        assert (again.files_removed, again.datasets[0].retired) == (1, ["3"])
        assert lake.vacuum("many", at_once=True).files_removed == 0
    with place.open() as other, pytest.raises(NotFound, match="was vacuumed on"):
        other.restore_dataset("many", 1)


def test_versions_stay_for_days_after_they_stopped_being_the_newest(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keeping(place, days=30) as lake:
        with monkeypatch.context() as patch:
            past = time.time() - 40 * DAY
            patch.setattr("mcp_lakehouse.table.actions.time.time", lambda: past)
            upserted(lake, "aged", 2)
        upserted(lake, "aged", 3)
        # Version 1 is 40 days old, but was the newest until now.
        report = lake.vacuum("aged").datasets[0]
        assert report.retired == ["0"]
        assert any("keep_days = 30" in line for line in report.kept)
        assert rows(lake, "FROM aged AT (VERSION => 1)") == [[1, "value 1"]]


def test_files_wait_for_whoever_reads_a_version_that_was_just_retired(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keeping(place) as lake:
        upserted(lake, "waited", 3)
        report = lake.vacuum("waited").datasets[0]
        assert (report.retired, report.files_removed, report.files_waiting) == (["0-1"], 0, 2)
        assert report.waiting_until is not None
        assert files_of(lake, "waited") == 3
        with pytest.raises(NotFound, match="was vacuumed"):
            lake.sql("FROM waited AT (VERSION => 0)")
        later(monkeypatch, 0.9)
        assert lake.vacuum("waited").files_removed == 0
        later(monkeypatch, 1.1)
        assert lake.vacuum("waited").files_removed == 2
        assert files_of(lake, "waited") == 1
        assert rows(lake, "FROM waited") == [[1, "value 2"]]


def test_versions_whose_files_are_all_needed_stay(place: Place) -> None:
    with keeping(place) as lake:
        for number in range(4):
            lake.ingest(inline("whole_history", f"a,b\n{number},x\n"))
        report = lake.vacuum("whole_history", at_once=True).datasets[0]
        assert (report.retired, report.files_removed) == ([], 0)
        assert lake.catalog.get("whole_history").snapshot.version == 3
        assert rows(lake, "SELECT count(*) FROM whole_history AT (VERSION => 0)") == [[1]]


def test_a_pinned_version_stays_until_it_is_unpinned(place: Place) -> None:
    with keeping(place) as lake:
        upserted(lake, "pinned", 4)
        lake.pin("pinned", 1, "the report of May")
        report = lake.vacuum("pinned", at_once=True).datasets[0]
        assert report.retired == ["0", "2"]
        assert "version 1: pinned (the report of May)" in report.kept
        assert rows(lake, "FROM pinned AT (VERSION => 1)") == [[1, "value 1"]]
        with pytest.raises(NotFound, match="was vacuumed"):
            lake.pin("pinned", 0, "too late")
        assert lake.unpin("pinned", 1) == 1
        assert lake.vacuum("pinned", at_once=True).datasets[0].retired == ["1"]


def test_a_version_that_is_pinned_while_it_is_retired_stays(prepared: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with keeping(prepared) as lake, prepared.open() as other:
        upserted(lake, "raced", 3)
        table = lake.catalog.table("raced")
        commit = type(table).set_properties

        def pin_and_commit(*args: object, **options: object) -> int:
            monkeypatch.setattr(type(table), "set_properties", commit)
            other.bucket.write("pins/raced/0/late.json", b"{}")
            return commit(*args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(type(table), "set_properties", pin_and_commit)
        lake.vacuum("raced", at_once=True)
        assert rows(other, "FROM raced AT (VERSION => 0)") == [[1, "value 0"]]
        with pytest.raises(NotFound, match="was vacuumed"):
            other.sql("FROM raced AT (VERSION => 1)")


def test_a_dry_run_says_the_same_and_changes_nothing(place: Place) -> None:
    with keeping(place) as lake:
        upserted(lake, "dry", 3)
        before = sorted((info.key, info.modified) for info in lake.bucket.list("tables/dry"))
        told = lake.vacuum("dry", dry_run=True, at_once=True)
        assert sorted((info.key, info.modified) for info in lake.bucket.list("tables/dry")) == before
        done = lake.vacuum("dry", at_once=True)
        assert told.dry_run
        assert (told.datasets[0].retired, told.files_removed) == (done.datasets[0].retired, done.files_removed)
    with place.open(read_only=True) as reader:
        assert reader.vacuum("dry", dry_run=True).dry_run


def test_what_a_broken_off_write_left_goes_a_day_later_by_the_clock_of_its_neighbours(prepared: Place) -> None:
    folder = Path(prepared.address) / "tables" / "t"
    for name in ("part-left.parquet", ".0123.tmp"):
        (folder / name).write_bytes(b"left")
    with keeping(prepared) as lake:
        # Young, and no clock of anybody makes it old.
        with pytest.MonkeyPatch.context() as patch:
            later(patch, 400)
            assert lake.vacuum("t").files_removed == 0
        for name in ("part-left.parquet", ".0123.tmp"):
            os.utime(folder / name, (time.time() - 2 * DAY,) * 2)
        assert lake.vacuum("t").files_removed == 2
        assert rows(lake, "FROM t") == [[1, "x"]]


def test_a_dropped_dataset_is_restorable_until_its_time_and_then_gone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keeping(place, days=7, versions=10) as lake:
        lake.ingest(inline("dropped_one", "id,secret\n1,xyzzy\n"))
        lake.ingest(inline("dropped_one", "id,secret\n2,plugh\n"))
        until = datetime.fromisoformat(lake.drop_dataset("dropped_one", "dropped_one").restorable_until)
        assert timedelta(days=6.9) < until - datetime.now(UTC) < timedelta(days=7.1)
        assert lake.vacuum("dropped_one").files_removed == 0
        lake.restore_dataset("dropped_one")
        assert rows(lake, "SELECT count(*) FROM dropped_one") == [[2]]
        lake.drop_dataset("dropped_one", "dropped_one")
        later(monkeypatch, 7.1)
        assert lake.vacuum("dropped_one").files_removed == 2
        for call in (lambda: lake.restore_dataset("dropped_one"), lambda: lake.sql("FROM dropped_one")):
            with pytest.raises(NotFound, match=r"dropped.*vacuumed on"):
                call()
        with pytest.raises(NotFound, match="vacuumed on"):
            lake.restore_dataset("dropped_one", 0)
        left = b"".join(lake.bucket.read(info.key) for info in lake.bucket.list("tables/dropped_one"))
        assert b"secret" not in left
        assert b"dropped_one.csv" not in left
        # A second one finds nothing, and the name is free.
        assert lake.vacuum("dropped_one").files_removed == 0
        assert lake.ingest(inline("dropped_one", "other\n5\n")).rows_added == 1
    with place.open() as other:
        assert rows(other, "FROM dropped_one") == [[5]]
        assert other.vacuum("dropped_one").files_removed == 0
        assert rows(other, "FROM dropped_one") == [[5]]


def test_a_writer_that_slept_through_an_erasure_writes_on_top_of_it(
    prepared: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keeping(prepared) as lake, prepared.open() as sleeper:
        assert rows(sleeper, "FROM t") == [[1, "x"]]
        lake.ingest(inline("t", "a,b\n2,y\n"))
        lake.drop_dataset("t", "t")
        later(monkeypatch, 1.1)
        lake.vacuum("t")
        sleeper.ingest(inline("t", "a,b\n3,z\n"))
        assert rows(lake, "FROM t") == rows(sleeper, "FROM t") == [[3, "z"]]


def test_all_datasets_and_journals_are_vacuumed_together(prepared: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with keeping(prepared) as lake:
        for number in range(120):
            lake._append_journal("errors", [{"code": "test", "message": str(number)}])
        later(monkeypatch, 1.1)
        report = lake.vacuum()
        by_name = {each.dataset: each for each in report.datasets}
        assert by_name["t"].files_removed == 0
        assert by_name["system.errors"].files_removed >= 100
        assert rows(lake, "SELECT count(*) FROM system.errors WHERE code = 'test'") == [[120]]


def test_passages_of_files_that_are_gone_go_too(prepared: Place) -> None:
    def passages(lake: Lakehouse) -> int:
        return sum(info.key.endswith(".parquet") for info in lake.bucket.list("index/notes"))

    with keeping(prepared) as lake:
        for text in ("the red fox", "the blue whale", "the green frog"):
            lake.ingest(inline("notes", f"id,note\n1,{text}\n"), mode="upsert", key="id", text="note")
        assert passages(lake) == 3
        lake.vacuum("notes", at_once=True)
        assert passages(lake) == 1
        assert lake.search("frog", mode="keyword").results[0].text == "the green frog"


@pytest.mark.parametrize("call", [lambda lake: lake.vacuum("nobody"), lambda lake: lake.pin("nobody", 0, "why")])
def test_what_is_not_there_is_told(prepared: Place, call: Callable[[Lakehouse], object]) -> None:
    with prepared.open() as lake, pytest.raises(NotFound, match="nobody"):
        call(lake)


def test_a_citation_of_a_vacuumed_version_opens_while_its_text_is_there(prepared: Place) -> None:
    with keeping(prepared) as lake:
        note = "id,note\n1,the red fox runs\n2,the blue whale sings\n"
        lake.ingest(inline("cited", note), mode="upsert", key="id", text="note")
        fox, whale = (lake.search(word, mode="keyword").results[0].id for word in ("fox", "whale"))
        lake.ingest(inline("cited", "id,note\n1,the fox is gone\n"), mode="upsert")
        assert lake.fetch(fox).text == "the red fox runs"
        lake.vacuum("cited", at_once=True)
        moved = lake.fetch(whale)
        assert moved.text == "the blue whale sings"
        assert moved.id != whale
        assert moved.metadata["cited_as"] == whale
        assert "was vacuumed on" in str(moved.metadata["moved"])
        assert lake.fetch(moved.id).text == moved.text
        with pytest.raises(NotFound, match="version 0 of dataset 'cited' was vacuumed on") as caught:
            lake.fetch(fox)
        assert "not in the newest" in (caught.value.hint or "")
