"""A load that its bucket refuses is kept in the rescue bucket, and finished later, once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from ingest.harness import workbook
from lake.places import PEOPLE, folder_place, inline, rows
from lake.rescuing import Meeting, Setting, behind, refused
from lake.switched_proxy import SwitchedProxy, switched_proxy
from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotFound
from s3_server import BUCKET

NEWER = "id,name,city\n2,Grace,Arlington\n4,Barbara,Boston\n"
MB = 1 << 20


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    place = folder_place(tmp_path)
    archive, rescue = tmp_path / "archive", tmp_path / "rescue"
    (archive / "tables").mkdir(parents=True)
    named = {"LAKEHOUSE_BUCKETS": f"archive={archive}", "LAKEHOUSE_RESCUE": str(rescue)}
    return Setting(replace(place, environment=named), archive, rescue)


def test_a_refused_load_is_kept_and_finished_as_it_was_asked_for(setting: Setting) -> None:
    with setting.open() as lake:
        lake.ingest(inline("people", PEOPLE), key=["id"], bucket="archive", description="all of them")
        setting.refuse()
        error = refused(lake, inline("people", NEWER), mode="upsert", description="more of them", who="a tester")
        (entry,) = setting.entries()
        assert error.hint is not None
        assert f"kept as {entry['id']}: replay_rescued finishes it" in error.hint
        known = {"dataset": "people", "mode": "upsert", "who": "a tester", "bucket": "archive", "key": None}
        assert entry.items() >= {**known, "description": "more of them"}.items()
        assert entry["error"]["message"] == error.message
        assert lake.list_buckets().rescued == 1
        # It is tried again, and stays.
        (still,) = lake.replay_rescued().entries
        assert (still.id, still.version) == (entry["id"], None)
        assert still.waits
        setting.mend()
        (done,) = lake.replay_rescued().entries
        assert (done.id, done.dataset, done.version, done.waits) == (entry["id"], "people", 1, None)
        found = [[1, "London"], [2, "Arlington"], [3, "Austin"], [4, "Boston"]]
        assert rows(lake, "SELECT id, city FROM people ORDER BY id") == found
        assert lake.describe_dataset("people").description == "more of them"
        assert rows(lake, "SELECT operation, who FROM system.versions WHERE version = 1") == [["upsert", "a tester"]]
        assert lake.list_buckets().rescued == 0
        assert lake.replay_rescued().entries == []
        assert not list(setting.rescue.rglob("*.csv"))
        told = rows(lake, "SELECT operation, code FROM system.errors ORDER BY time")
        assert told == [["ingest", "storage_failed"], ["replay_rescued", "storage_failed"]]


def test_sources_keep_their_names_and_what_could_not_be_read_is_told_again(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise LakehouseError("the model is gone", hint="bring it back")

    place = setting.place
    for name in ("notes/a.md", "notes/deep/a.md", "notes/größe 100%.md"):
        place.put(name, f"# {name}\n\nthe text of {name}\n")
    (place.files / "notes" / "torn.pdf").write_bytes(b"\x1f\x8b\x08\x00 no pdf at all")
    folder = str(place.files / "notes")
    with setting.open() as lake:
        # A load that cannot be embedded is loaded all the same, so it is no entry any more.
        monkeypatch.setattr(lake._indexes, "loaded", broken)
        expected = lake.ingest(folder, dataset="twin")
        # The bucket of a new dataset is that of the request.
        setting.refuse()
        refused(lake, folder, bucket="archive")
        (entry,) = setting.entries()
        assert entry["dataset"] == "notes"
        for path in (place.files / "notes").rglob("*.md"):
            path.write_text("changed since")
        setting.mend()
        (done,) = lake.replay_rescued().entries
        assert done.waits is None
        assert "the model is gone" in str(done.note)
        assert setting.entries() == []
        sources = "SELECT source, text FROM {} ORDER BY source"
        assert rows(lake, sources.format("notes")) == rows(lake, sources.format("twin"))
        assert expected.rows_rejected == 1
        assert rows(lake, "SELECT rows_rejected FROM system.versions WHERE dataset = 'notes'") == [[1]]
        assert (setting.archive / "tables" / "notes").is_dir()


def test_entries_of_a_dataset_are_finished_in_their_order_and_others_go_on(setting: Setting) -> None:
    book = setting.place.files / "book.xlsx"
    book.write_bytes(workbook({"First": [["a"], [1]], "B 2": [["b"], [2], [3]]}))
    with setting.open() as lake:
        lake.ingest(inline("people", PEOPLE), key=["id"], bucket="archive")
        setting.refuse()
        refused(lake, inline("people", NEWER), mode="upsert")
        refused(lake, inline("people", "id,name,city\n2,Grace,Washington\n"), mode="upsert")
        refused(lake, f"{book}#B 2", bucket="archive")
        book.unlink()
        setting.mend()
        first, second, third = (entry["id"] for entry in setting.entries())
        whole = next((setting.rescue / "rescued" / first).rglob("people.csv"))
        text = whole.read_text()
        whole.write_text(text[:-5])
        found = {each.id: each for each in lake.replay_rescued().entries}
        assert "its request says" in str(found[first].waits)
        assert found[second].waits == f"{first} of the same dataset comes before it"
        assert (found[third].dataset, found[third].version) == ("book_b_2", 0)
        assert rows(lake, "FROM book_b_2") == [[2], [3]]
        (alone,) = lake.replay_rescued(second).entries
        assert alone.waits == f"{first} of the same dataset comes before it"
        whole.write_text(text)
        assert [each.version for each in lake.replay_rescued(first).entries] == [1]
        assert [each.version for each in lake.replay_rescued().entries] == [2]
        assert rows(lake, "SELECT city FROM people WHERE id = 2") == [["Washington"]]


@pytest.fixture
def switch(s3_environment: Mapping[str, str]) -> Iterator[SwitchedProxy]:
    with switched_proxy(s3_environment["AWS_ENDPOINT_URL"]) as proxy:
        yield proxy


def test_a_server_that_goes_off_at_the_commit_loses_nothing(
    tmp_path: Path, s3_environment: Mapping[str, str], switch: SwitchedProxy
) -> None:
    place = behind(switch, s3_environment, tmp_path)
    with place.open() as lake:
        lake.ingest(inline("people", PEOPLE), bucket="archive")
        switch.off_at(b"_delta_log/00000000000000000001.json")
        refused(lake, inline("people", NEWER))
        # Its circuit is open now: that is a refusal too.
        assert "is tried again" in refused(lake, inline("people", "id,name,city\n5,Alan,London\n")).message
        assert lake.list_buckets().rescued == 2
    switch.on()
    with place.open() as lake:
        assert [each.version for each in lake.replay_rescued().entries] == [1, 2]
        assert rows(lake, "SELECT count(*), count(DISTINCT id) FROM people") == [[6, 5]]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert s3_environment["AWS_SECRET_ACCESS_KEY"].encode() not in kept


def test_a_commit_that_arrived_though_nobody_was_told_is_not_repeated(
    tmp_path: Path, s3_environment: Mapping[str, str], switch: SwitchedProxy
) -> None:
    place = behind(switch, s3_environment, tmp_path)
    with place.open() as lake:
        lake.ingest(inline("people", PEOPLE), key=["id"], bucket="archive")
        switch.off_after(b"_delta_log/00000000000000000001.json")
        refused(lake, inline("people", NEWER), mode="upsert")
    switch.on()
    with place.open() as lake:
        # Since then somebody else has changed the same rows.
        lake.ingest(inline("people", "id,name,city\n2,Grace,Washington\n"), mode="upsert")
        (done,) = lake.replay_rescued().entries
        assert (done.version, done.note) == (1, "it had arrived before")
        assert rows(lake, "SELECT city FROM people WHERE id IN (2, 4) ORDER BY id") == [["Washington"], ["Boston"]]
        assert lake.describe_dataset("people").version == 2
        assert lake.list_buckets().rescued == 0


def test_rows_that_came_in_later_are_not_replaced_unless_that_is_asked_for(setting: Setting) -> None:
    with setting.open() as lake:
        lake.ingest(inline("people", PEOPLE), key=["id"], bucket="archive")
        setting.refuse()
        for city in ("Leeds", "York"):
            refused(lake, inline("people", f"id,name,city\n1,Ada,{city}\n"), mode="upsert")
        setting.mend()
        # Entries do not stand in each other's way: the later one wins.
        assert [each.version for each in lake.replay_rescued().entries] == [1, 2]
        assert rows(lake, "SELECT city FROM people WHERE id = 1") == [["York"]]
        setting.refuse()
        refused(lake, inline("people", "id,name,city\n1,Ada,Hull\n"), mode="upsert")
        setting.mend()
        lake.ingest(inline("people", "id,name,city\n1,Ada,Bath\n"), mode="upsert")
        (waiting,) = lake.replay_rescued().entries
        assert waiting.version is None
        assert "would replace newer ones" in str(waiting.waits)
        assert rows(lake, "SELECT city FROM people WHERE id = 1") == [["Bath"]]
        (done,) = lake.replay_rescued(waiting.id).entries
        assert done.version == 4
        assert rows(lake, "SELECT city FROM people WHERE id = 1") == [["Hull"]]


def test_a_replay_that_is_killed_before_it_removes_the_entry_is_not_repeated(setting: Setting) -> None:
    with setting.open() as lake:
        lake.ingest(inline("people", PEOPLE), key=["id"], bucket="archive")
        setting.refuse()
        refused(lake, inline("people", NEWER), mode="upsert")
        setting.mend()
    script = Path(__file__).with_name("replaying_process.py")
    environment = {**setting.place.environment, "PATH": "/usr/bin:/bin", "LAKEHOUSE_EMBEDDER": "wordllama"}
    command = [sys.executable, str(script), setting.place.address]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 9, done.stderr
    with setting.open() as lake:
        assert lake.describe_dataset("people").version == 1
        lake.ingest(inline("people", "id,name,city\n2,Grace,Washington\n"), mode="upsert")
        (found,) = lake.replay_rescued().entries
        assert (found.version, found.note) == (1, "it had arrived before")
        assert rows(lake, "SELECT city FROM people WHERE id = 2") == [["Washington"]]
        assert setting.entries() == []
        # Nor is one that somebody loaded again after all.
        setting.refuse()
        refused(lake, inline("people", "id,name,city\n1,Ada,Paris\n"), mode="upsert")
        setting.mend()
        for city in ("Paris", "Oxford"):
            lake.ingest(inline("people", f"id,name,city\n1,Ada,{city}\n"), mode="upsert")
        (found,) = lake.replay_rescued().entries
        assert (found.version, setting.entries()) == (4, [])
        assert "in the dataset already" in str(found.note)
        assert rows(lake, "SELECT city FROM people WHERE id = 1") == [["Oxford"]]


def test_two_that_replay_at_once_do_it_once(setting: Setting) -> None:
    with setting.open() as one, setting.open() as other:
        one.ingest(inline("people", PEOPLE), key=["id"], bucket="archive")
        setting.refuse()
        refused(one, inline("people", NEWER), mode="upsert")
        setting.mend()
        barrier = threading.Barrier(2)
        for lake in (one, other):
            lake.rescue.bucket = Meeting(lake.rescue.bucket, barrier)
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(lambda lake: lake.replay_rescued(), (one, other)))
        assert [[each.version for each in report.entries] for report in reports] == [[1], [1]]
        assert rows(one, "SELECT count(*) FROM people") == [[4]]
        assert one.describe_dataset("people").version == 1
        assert setting.entries() == []


def test_a_big_source_goes_through_and_not_into_memory(setting: Setting) -> None:
    source = setting.place.files / "big.csv"
    with source.open("w") as file:
        file.write("a,b\n")
        file.writelines(f"{number},{'x' * 100}\n" for number in range(300_000))
    with setting.open() as lake:
        setting.refuse()
        tracemalloc.start()
        try:
            refused(lake, source, bucket="archive")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        kept = next(setting.rescue.rglob("big.csv"))
        assert kept.stat().st_size == source.stat().st_size > 30 * MB
        assert peak < 12 * MB
        # A copy: whoever writes into the source does not write into the entry.
        assert kept.stat().st_ino != source.stat().st_ino


def test_where_the_rescue_bucket_fails_too_the_first_error_stands_and_both_are_journaled(setting: Setting) -> None:
    with setting.open() as lake:
        setting.refuse()
        setting.rescue.write_text("a file in its way")
        error = refused(lake, inline("people", NEWER), bucket="archive")
        assert "replay_rescued" not in str(error)
        told = rows(lake, "SELECT operation, message FROM system.errors ORDER BY operation")
        assert [operation for operation, _ in told] == ["ingest", "rescue"]
        assert str(setting.rescue) in str(told[1][1])
        (*_, state) = lake.list_buckets().buckets
        assert (state.name, lake.list_buckets().rescued) == ("rescue", 0)


def test_without_a_rescue_bucket_nothing_is_different(setting: Setting) -> None:
    alone = replace(setting.place, environment={"LAKEHOUSE_BUCKETS": f"archive={setting.archive}"})
    with alone.open() as lake:
        lake.ingest(inline("people", PEOPLE), bucket="archive")
        setting.refuse()
        assert "kept" not in str(refused(lake, inline("people", NEWER)))
        setting.mend()
        transactions = lake.catalog.get("people").writable.transactions_at(0)
        assert not [each for each in transactions if each.startswith("load:")]
        assert lake.list_buckets().rescued is None
        with pytest.raises(InvalidInput, match="no rescue bucket is set"):
            lake.replay_rescued()


def test_addresses_and_ids_that_are_none_are_told(setting: Setting) -> None:
    own = replace(setting.place, environment={"LAKEHOUSE_RESCUE": setting.place.address})
    with pytest.raises(InvalidInput, match="the rescue bucket is the lake's own"):
        own.open()
    with setting.open() as lake:
        for id in ("nothing", "../../etc", ""):
            with pytest.raises(NotFound, match="nothing is kept as"):
                lake.replay_rescued(id)
        (setting.rescue / "rescued" / "20260101T000000000000-00").mkdir(parents=True)
        (setting.rescue / "rescued" / "20260101T000000000000-00" / "request.json").write_text("{")
        (found,) = lake.replay_rescued().entries
        assert "is damaged" in str(found.waits)


def test_what_no_request_names_goes_when_it_is_old(setting: Setting) -> None:
    for name, age in (("old", 2), ("new", 0)):
        orphan = setting.rescue / "rescued" / name / "00000" / "x.csv"
        orphan.parent.mkdir(parents=True)
        orphan.write_text("x")
        os.utime(orphan, (time.time() - age * 86_400,) * 2)
    with setting.open() as lake:
        assert lake.replay_rescued().entries == []
    assert [path.name for path in (setting.rescue / "rescued").iterdir()] == ["new"]


def test_errors_of_a_bucket_that_is_down_until_the_end_are_not_lost(
    tmp_path: Path, s3_environment: Mapping[str, str], switch: SwitchedProxy
) -> None:
    address = f"s3://{BUCKET}/{uuid4().hex}"
    place = behind(switch, s3_environment, tmp_path)
    place = replace(place, address=address, cache=tmp_path / "cache")
    with place.open() as lake:
        lake.ingest(inline("people", PEOPLE))
        assert lake.journal.flush(10)
        switch.off()
        with pytest.raises(LakehouseError):
            lake.sql("FROM people")
    switch.on()
    with place.open() as lake:
        assert lake.list_buckets().rescued == 1
        (done,) = lake.replay_rescued().entries
        assert (done.id.startswith("journal-"), done.waits) == (True, None)
        assert rows(lake, "SELECT count(*), min(operation) FROM system.errors") == [[1, "sql"]]
        assert lake.replay_rescued().entries == []
