"""Datasets in several buckets: each is found where it lives, and a bucket that is away takes only its own with it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from lake.places import PEOPLE, Place, folder_place, inline, rows
from lake.switched_proxy import SwitchedProxy, switched_proxy
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotFound, StorageFailed
from mcp_lakehouse.records import Json
from mcp_lakehouse.store.circuit import FIRST_PAUSE_SECONDS
from s3_server import BUCKET

TEXTS = "id,body\n1,the quick brown fox\n2,a lazy dog\n"
# What a call may take that must not wait for a server that is away.
AT_ONCE_SECONDS = 2.0


def with_buckets(place: Place, **addresses: str) -> Place:
    named = ",".join(f"{name}={address}" for name, address in addresses.items())
    return replace(place, environment={**place.environment, "LAKEHOUSE_BUCKETS": named})


@pytest.fixture(params=["folder", "s3"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A lake in a folder, with a second bucket beside it."""
    place = folder_place(tmp_path)
    if request.param == "folder":
        return with_buckets(place, archive=str(tmp_path / "archive"))
    environment: Mapping[str, str] = request.getfixturevalue("s3_environment")
    place = replace(place, environment=environment)
    return with_buckets(place, archive=f"s3://{BUCKET}/{uuid4().hex}")


def test_a_dataset_lives_where_it_was_made_and_all_are_one_lake(two: Place) -> None:
    with two.open() as lake:
        lake.ingest(inline("people", PEOPLE))
        lake.ingest(inline("texts", TEXTS), key=["id"], text=["body"], bucket="archive")
        assert [(each.name, each.datasets, each.answers) for each in lake.list_buckets().buckets] == [
            ("primary", 1, True), ("archive", 1, True),
        ]  # fmt: skip
        assert not lake.bucket.folders("tables/texts")
        assert [each.name for each in lake.list_datasets().datasets] == ["people", "texts"]
        assert rows(lake, "SELECT name FROM people JOIN texts USING (id) WHERE body LIKE '%fox%'") == [["Ada"]]
        # No bucket is named: it goes where the dataset is.
        lake.ingest(inline("texts", "id,body\n2,a sleeping cat\n"), mode="upsert")
        lake.build_index("texts")
        (hit, *_) = lake.search("cat", "texts", k=1).results
        assert hit.text == "a sleeping cat"
    with two.open() as again:
        assert again.fetch(hit.id).text == "a sleeping cat"
        again.drop_dataset("texts", "texts")
        again.restore_dataset("texts")
        assert rows(again, "SELECT count(*) FROM texts") == [[2]]
        assert again.compact("texts") >= 1


def test_a_dataset_does_not_move_and_an_unknown_bucket_is_told(two: Place) -> None:
    with two.open() as lake:
        lake.ingest(inline("people", PEOPLE))
        with pytest.raises(InvalidInput, match="is in bucket 'primary', not in 'archive'"):
            lake.ingest(inline("people", "id,name,city\n4,Barbara,Boston\n"), bucket="archive")
        with pytest.raises(InvalidInput, match="there is no bucket 'nowhere'") as caught:
            lake.ingest(inline("more", PEOPLE), bucket="nowhere")
        assert caught.value.hint == "buckets: primary, archive; see list_buckets"


@pytest.mark.parametrize("named", ["Archive=x", "primary=x", "1=x"])
def test_names_that_are_none_are_told(tmp_path: Path, named: str) -> None:
    place = replace(folder_place(tmp_path), environment={"LAKEHOUSE_BUCKETS": named})
    with pytest.raises(InvalidInput, match="cannot name a bucket"):
        place.open()


def test_buckets_may_stand_in_the_lake_s_own_settings(tmp_path: Path) -> None:
    place = folder_place(tmp_path)
    Path(place.address).mkdir()
    (Path(place.address) / "lakehouse.toml").write_text(f'[buckets]\narchive = "{tmp_path / "archive"}"\n')
    with place.open() as lake:
        lake.ingest(inline("people", PEOPLE), bucket="archive")
        assert [each.name for each in lake.list_buckets().buckets] == ["primary", "archive"]
    assert (tmp_path / "archive" / "tables" / "people").is_dir()


def test_of_one_name_in_two_buckets_the_first_is_meant(tmp_path: Path) -> None:
    place = folder_place(tmp_path)
    with replace(place, address=str(tmp_path / "archive")).open() as other:
        other.ingest(inline("people", "id\n9\n"))
    with with_buckets(place, archive=str(tmp_path / "archive")).open() as lake:
        assert rows(lake, "FROM people") == [[9]]
    with place.open() as alone:
        alone.ingest(inline("people", PEOPLE))
    with with_buckets(place, archive=str(tmp_path / "archive")).open() as lake:
        assert rows(lake, "SELECT count(*) FROM people") == [[3]]
        assert len(lake.list_datasets().datasets) == 1


@pytest.fixture
def switch(s3_environment: Mapping[str, str]) -> Iterator[SwitchedProxy]:
    with switched_proxy(s3_environment["AWS_ENDPOINT_URL"]) as proxy:
        yield proxy


def test_a_bucket_that_is_away_takes_only_its_own_datasets_with_it_and_comes_back(
    tmp_path: Path, s3_environment: Mapping[str, str], switch: SwitchedProxy
) -> None:
    place = replace(folder_place(tmp_path), environment={**s3_environment, "AWS_ENDPOINT_URL": switch.endpoint})
    place = with_buckets(place, archive=f"s3://{BUCKET}/{uuid4().hex}")
    with place.open() as lake:
        lake.ingest(inline("people", PEOPLE))
        lake.ingest(inline("texts", TEXTS), text=["body"], bucket="archive")
        switch.off()
        with pytest.raises(StorageFailed, match=r"archive|texts"):
            lake.sql("FROM texts")
        began = time.monotonic()
        assert rows(lake, "SELECT count(*) FROM people") == [[3]]
        listed = lake.list_datasets()
        assert [each.name for each in listed.datasets] == ["people"]
        assert listed.unreadable == ["archive:*", "texts"]
        with pytest.raises(StorageFailed, match="bucket 'archive' does not answer, and is tried again in"):
            lake.sql("FROM texts")
        with pytest.raises(NotFound) as caught:
            lake.describe_dataset("nothing")
        assert "the datasets of bucket 'archive' are not known" in str(caught.value.hint)
        (_, archive) = lake.list_buckets().buckets
        assert (archive.answers, archive.datasets) == (False, 0)
        assert time.monotonic() - began < AT_ONCE_SECONDS
        switch.on()
        assert _until_answered(lake) == [[2]]
        assert lake.list_datasets().unreadable is None
        assert [hit.dataset for hit in lake.search("fox").results] == ["texts", "texts"]


def test_a_name_that_may_be_in_a_bucket_that_never_answered_is_not_taken_for_a_new_one(
    tmp_path: Path, s3_environment: Mapping[str, str], switch: SwitchedProxy
) -> None:
    place = replace(folder_place(tmp_path), environment={**s3_environment, "AWS_ENDPOINT_URL": switch.endpoint})
    place = with_buckets(place, archive=f"s3://{BUCKET}/{uuid4().hex}")
    with place.open() as lake:
        lake.ingest(inline("texts", TEXTS), text=["body"], bucket="archive")
        lake.ingest(inline("people", PEOPLE))
    switch.off()
    with place.open() as lake:
        with pytest.raises(StorageFailed, match="not known whether 'texts' is in it"):
            lake.ingest(inline("texts", TEXTS + "3,another\n"))
        assert lake.ingest(inline("people", PEOPLE + "9,Zoe,Lima\n")).version == 1
        assert lake.ingest(inline("fresh", "a\n1\n"), bucket="primary").version == 0
        switch.on()
        assert _until_answered(lake) == [[2]]
        assert lake.ingest(inline("texts", TEXTS + "3,another\n")).version == 1


def test_a_folder_that_is_gone_is_missed_and_not_made_anew(tmp_path: Path) -> None:
    place = with_buckets(folder_place(tmp_path), archive=str(tmp_path / "archive"))
    with place.open() as lake:
        lake.ingest(inline("people", PEOPLE))
        lake.ingest(inline("texts", TEXTS), key=["id"], bucket="archive")
    (tmp_path / "archive").rename(tmp_path / "away")
    for empty in (False, True):
        if empty:
            # A disk that is not mounted leaves an empty folder.
            (tmp_path / "archive").mkdir()
        with place.open() as lake:
            assert rows(lake, "SELECT count(*) FROM people") == [[3]]
            assert lake.list_datasets().unreadable == ["archive:*"]
            for bucket in (None, "archive"):
                with pytest.raises(StorageFailed, match="archive"):
                    lake.ingest(inline("texts", TEXTS + "3,new\n"), bucket=bucket)
            (_, archive) = lake.list_buckets().buckets
            assert not archive.answers
            assert "is its disk mounted?" in str(archive.problem)
            assert not (tmp_path / "archive" / "tables").exists()
    (tmp_path / "archive").rmdir()
    with place.open() as lake:
        (tmp_path / "away").rename(tmp_path / "archive")
        assert rows(lake, "SELECT count(*) FROM texts") == [[2]]
        assert lake.ingest(inline("texts", TEXTS + "3,new\n"), mode="upsert").version == 1


def test_a_file_in_the_place_of_a_bucket_takes_only_that_bucket_away(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("")
    place = with_buckets(folder_place(tmp_path), archive=str(tmp_path / "archive"))
    with place.open() as lake:
        lake.ingest(inline("people", PEOPLE))
        assert rows(lake, "SELECT count(*) FROM people") == [[3]]
        with pytest.raises(StorageFailed):
            lake.ingest(inline("texts", TEXTS), bucket="archive")


def _until_answered(lake: Lakehouse) -> list[list[Json]]:
    deadline = time.monotonic() + 10 * FIRST_PAUSE_SECONDS
    while True:
        try:
            return rows(lake, "SELECT count(*) FROM texts")
        except LakehouseError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_a_bucket_may_have_keys_of_its_own_which_nothing_tells(
    tmp_path: Path, s3_environment: Mapping[str, str]
) -> None:
    wrong = {**s3_environment, "AWS_ACCESS_KEY_ID": "COMMONKEYID", "AWS_SESSION_TOKEN": "common-session"}
    own = {
        "LAKEHOUSE_BUCKET_ARCHIVE_AWS_ACCESS_KEY_ID": s3_environment["AWS_ACCESS_KEY_ID"],
        "LAKEHOUSE_BUCKET_ARCHIVE_AWS_SECRET_ACCESS_KEY": "own-secret-canary",
    }
    place = replace(folder_place(tmp_path), environment={**wrong, **own})
    with with_buckets(place, archive=f"s3://{BUCKET}/{uuid4().hex}").open() as lake:
        options = lake.catalog.homes[1].bucket.storage_options
        assert options["AWS_SECRET_ACCESS_KEY"] == "own-secret-canary"
        assert "AWS_SESSION_TOKEN" not in options
        lake.ingest(inline("people", PEOPLE), bucket="archive")
        told = f"{lake.list_buckets()} {lake.catalog.homes} {lake.settings}"
    assert "canary" not in told
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"own-secret-canary" in path.read_bytes()]
