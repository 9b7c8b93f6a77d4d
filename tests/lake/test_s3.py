"""What is particular to a lake in object storage: other writers, lost local state, a server that is away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from lake.places import PEOPLE, Place, inline, put, rows
from lake.switched_proxy import switched_proxy
from mcp_lakehouse.commands.soundness import examine_all
from mcp_lakehouse.errors import StorageFailed
from s3_server import BUCKET

# A new dataset of another process is listed within one second.
SEEN_SECONDS = 1.0
# What one call to a server that is away may take.
GIVEN_UP_SECONDS = 20.0


@pytest.fixture
def fresh(s3_place: Place, tmp_path: Path) -> Place:
    """An empty lake of the test's own on the shared server."""
    return replace(s3_place, address=f"s3://{BUCKET}/{uuid4().hex}", cache=tmp_path / "cache")


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again, for at most so long."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
    return True


def test_a_dataset_is_listed_at_once_by_its_maker_and_within_a_second_by_others(fresh: Place) -> None:
    with fresh.open() as maker, fresh.open() as other:
        assert maker.list_datasets().datasets == other.list_datasets().datasets == []
        maker.ingest(inline("new", "a\n1\n"))
        assert [each.name for each in maker.list_datasets().datasets] == ["new"]
        # Twice the promise: the machine that tests may be busy.
        assert until(lambda: [each.name for each in other.list_datasets().datasets] == ["new"], 2 * SEEN_SECONDS)


def test_everything_is_rebuilt_from_the_bucket_by_one_command(fresh: Place, tmp_path: Path) -> None:
    with fresh.open() as lake:
        lake.ingest(put(lake, "people.csv", PEOPLE), description="who", key=["id"])
        lake.ingest(inline("people", "id,name,city\n4,Barbara,Boston\n"))
        lake.ingest(inline("gone", "a\n1\n"))
        lake.drop_dataset("gone", "gone")
        before = lake.describe_dataset("people")
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "mcp_lakehouse", "rebuild", "--json", "--lake", fresh.address],
        env={**fresh.environment, "HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert {each["name"]: (each["rows"], each["dropped"]) for each in json.loads(done.stdout)["tables"]} == {
        "people": (4, False),
        "gone": (1, True),
    }
    with fresh.open(cache=tmp_path / "elsewhere") as again:
        assert again.describe_dataset("people") == before
        assert rows(again, "SELECT name FROM people AT (VERSION => 0) ORDER BY id") == [["Ada"], ["Grace"], ["Edsger"]]
        again.restore_dataset("gone")
        assert rows(again, "FROM gone") == [[1]]


def test_copies_that_are_removed_under_an_open_lake_are_fetched_again(fresh: Place, tmp_path: Path) -> None:
    with fresh.open() as lake:
        lake.ingest(inline("t", "a\n1\n"))
        assert rows(lake, "FROM t") == [[1]]
        # As another process does that needs the room, or rebuilds.
        for copy in (tmp_path / "cache" / "objects").glob("*.parquet"):
            copy.unlink()
        assert rows(lake, "SELECT a + 1 FROM t") == [[2]]


def test_a_record_that_is_gone_from_a_log_is_found_by_the_examination(fresh: Place) -> None:
    with fresh.open() as lake:
        for number in range(3):
            lake.ingest(inline("t", f"a\n{number}\n"))
        lake.bucket.delete([f"tables/t/_delta_log/{1:020d}.json"])
    with fresh.open() as again:
        assert [finding.problem for finding in examine_all(again)] == [
            "its log lacks version 1, and later versions are there"
        ]


def test_a_copy_that_was_cut_or_changed_is_fetched_again(fresh: Place, tmp_path: Path) -> None:
    with fresh.open() as lake:
        lake.ingest(inline("t", "a\n1\n"))
        assert rows(lake, "FROM t") == [[1]]
    (copy,) = (tmp_path / "cache" / "objects").glob("*.parquet")
    copy.write_bytes(copy.read_bytes()[:-10])
    with fresh.open() as again:
        assert rows(again, "FROM t") == [[1]]


def test_a_server_that_goes_away_is_told_in_time_and_all_works_again_when_it_is_back(fresh: Place) -> None:
    with switched_proxy(fresh.environment["AWS_ENDPOINT_URL"]) as proxy:
        place = replace(fresh, environment={**fresh.environment, "AWS_ENDPOINT_URL": proxy.endpoint})
        with place.open() as lake:
            lake.ingest(inline("t", "a\n1\n"))
            assert rows(lake, "FROM t") == [[1]]
            proxy.off()
            for call in (
                lambda: lake.sql("FROM t"),
                lambda: lake.list_datasets(),
                lambda: lake.describe_dataset("t"),
                lambda: lake.ingest(inline("t", "a\n2\n")),
                lambda: lake.drop_dataset("t", "t"),
                lambda: place.open(),
            ):
                began = time.monotonic()
                with pytest.raises(StorageFailed, match="cannot be reached") as caught:
                    call()
                assert time.monotonic() - began < GIVEN_UP_SECONDS
                assert "AWS_ENDPOINT_URL" in (caught.value.hint or "")
                assert "TESTSECRETVALUE" not in f"{caught.value!r}{caught.value}"
            # What needs no storage is answered all the same.
            assert rows(lake, "SELECT 1") == [[1]]
            proxy.on()
            assert rows(lake, "FROM t") == [[1]]
            assert lake.ingest(inline("t", "a\n2\n")).rows_added == 1
            assert lake.journal.flush()
            told = rows(lake, "SELECT DISTINCT operation FROM system.errors WHERE code = 'storage_failed' ORDER BY 1")
            assert told == [["describe_dataset"], ["drop_dataset"], ["ingest"], ["list_datasets"], ["sql"]]


def test_a_server_that_goes_away_in_the_middle_of_a_commit_leaves_the_last_version(fresh: Place) -> None:
    with switched_proxy(fresh.environment["AWS_ENDPOINT_URL"]) as proxy:
        place = replace(fresh, environment={**fresh.environment, "AWS_ENDPOINT_URL": proxy.endpoint})
        with place.open() as lake:
            lake.ingest(inline("t", "a\n0\n"))
            for version, request in enumerate((b".parquet", b"_delta_log/00000000000000000002.json"), 1):
                proxy.off_at(request)
                with pytest.raises(StorageFailed):
                    lake.ingest(inline("t", f"a\n{version}\n"))
                proxy.on()
                assert rows(lake, "SELECT count(*) FROM t") == [[version]]
                assert lake.ingest(inline("t", f"a\n{version}\n")).version == version
            assert rows(lake, "FROM t ORDER BY a") == [[0], [1], [2]]
