"""A lake on object storage that misbehaves: nothing is lost, nothing false is shown, and all is well afterwards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from lake.faulty_proxy import FaultyProxy, busy, closed_to_writes, faulty_proxy, late, lost, none, shorter
from lake.places import Place, inline, rows
from mcp_lakehouse.errors import LakehouseError, StorageFailed
from s3_server import BUCKET

# What one call to a server that always refuses may take.
GIVEN_UP_SECONDS = 20.0
NOTES = "id,note\n1,an otter\n2,an owl\n"


@pytest.fixture
def proxy(s3_place: Place) -> Iterator[FaultyProxy]:
    with faulty_proxy(s3_place.environment["AWS_ENDPOINT_URL"]) as between:
        yield between


@pytest.fixture
def place(s3_place: Place, proxy: FaultyProxy, tmp_path: Path) -> Place:
    """A lake of the test's own behind the proxy, with dataset `t`, which is searchable."""
    environment = {**s3_place.environment, "AWS_ENDPOINT_URL": proxy.endpoint}
    made = replace(s3_place, address=f"s3://{BUCKET}/{uuid4().hex}", cache=tmp_path / "cache", environment=environment)
    with made.open() as lake:
        lake.ingest(inline("t", NOTES), text="note", key="id")
    return made


def test_a_server_that_answers_late_only_costs_time(place: Place, proxy: FaultyProxy) -> None:
    proxy.fault = late(0.2)
    with place.open() as lake:
        assert lake.ingest(inline("t", "id,note\n2,an owlet\n3,a bee\n"), mode="upsert").rows_added == 1
        assert rows(lake, "FROM t ORDER BY id") == [[1, "an otter"], [2, "an owlet"], [3, "a bee"]]
        assert lake.search("bee", datasets="t", k=1).results[0].text == "a bee"


def test_a_server_that_is_busy_for_a_moment_is_asked_again(place: Place, proxy: FaultyProxy) -> None:
    proxy.fault = busy(times=1)
    with place.open() as lake:
        assert lake.ingest(inline("t", "id,note\n3,a bee\n")).version == 1
        assert rows(lake, "SELECT count(*) FROM t") == [[3]]
        assert lake.build_index("t").published


def test_a_server_that_stays_busy_is_told_in_time_and_all_is_well_when_it_is_not(
    place: Place, proxy: FaultyProxy
) -> None:
    with place.open() as lake:
        assert rows(lake, "SELECT count(*) FROM t") == [[2]]
        proxy.fault = busy()
        for call in (lambda: lake.sql("FROM t"), lambda: lake.ingest(inline("t", "id,note\n3,a bee\n"))):
            began = time.monotonic()
            with pytest.raises(StorageFailed) as caught:
                call()
            assert time.monotonic() - began < GIVEN_UP_SECONDS
            assert caught.value.hint
        proxy.fault = none
        assert lake.ingest(inline("t", "id,note\n3,a bee\n")).version == 1
        assert rows(lake, "SELECT count(*) FROM t") == [[3]]


@pytest.mark.parametrize("part", ["_delta_log", ".parquet"])
def test_a_write_whose_answer_is_lost_is_done_once(place: Place, proxy: FaultyProxy, part: str) -> None:
    with place.open() as lake:
        for number in range(3, 6):
            proxy.fault = lost("PUT", part, times=1)
            assert lake.ingest(inline("t", f"id,note\n{number},a bee\n")).version == number - 2
        assert rows(lake, "SELECT count(*), count(DISTINCT id) FROM t") == [[5, 5]]
        assert rows(lake, "SELECT count(*) FROM system.versions WHERE dataset = 't'") == [[4]]


def test_a_bucket_that_may_not_be_written_is_read_and_searched(place: Place, proxy: FaultyProxy) -> None:
    with place.open() as lake:
        proxy.fault = closed_to_writes
        assert rows(lake, "FROM t ORDER BY id") == [[1, "an otter"], [2, "an owl"]]
        assert lake.search("otter", datasets="t", k=1).results[0].text == "an otter"
        changes = (
            lambda: lake.ingest(inline("t", "id,note\n3,a bee\n")),
            lambda: lake.ingest(inline("new", "id\n3\n")),
            lambda: lake.build_index("t"),
            lambda: lake.drop_dataset("t", "t"),
        )
        for change in changes:
            with pytest.raises(StorageFailed) as caught:
                change()
            assert caught.value.hint
            assert "TESTSECRETVALUE" not in f"{caught.value!r}"
        proxy.fault = none
        assert [each.name for each in lake.list_datasets().datasets] == ["t"]
        assert rows(lake, "SELECT max(version) FROM system.versions") == [[0]]
        assert lake.search("otter", datasets="t", k=1).generations == {"t": 1}
        # The failures waited until they could be written.
        assert lake.journal.flush(20)
        assert lake.list_errors().total == len(changes)


@pytest.mark.parametrize(
    ("part", "told"), [("part-", True), ("part-", False), ("_delta_log", True), ("_delta_log", False), ("index/", True)]
)
def test_an_object_that_is_cut_is_never_taken_for_the_whole(
    place: Place, proxy: FaultyProxy, tmp_path: Path, part: str, told: bool
) -> None:
    proxy.fault = shorter(part, told=told)
    # What can be had in another way, or made anew, may be; else it is an error of ours.
    with contextlib.suppress(LakehouseError), place.open(cache=tmp_path / "another") as lake:
        assert rows(lake, "FROM t ORDER BY id") == [[1, "an otter"], [2, "an owl"]]
    with contextlib.suppress(LakehouseError), place.open(cache=tmp_path / "another") as lake:
        assert lake.search("otter", datasets="t", k=1).results[0].text == "an otter"
    proxy.fault = none
    with place.open(cache=tmp_path / "another") as lake:
        assert rows(lake, "FROM t ORDER BY id") == [[1, "an otter"], [2, "an owl"]]
        assert lake.search("otter", datasets="t", k=1).results[0].text == "an otter"
        assert lake.ingest(inline("t", "id,note\n3,a bee\n")).version == 1
