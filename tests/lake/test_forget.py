"""Forgetting rows: no byte of them is left where the lake can reach, and the report says what it cannot."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lake.places import Place, inline, put, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, NotFound, StatementFailed
from mcp_lakehouse.ingest import removal
from mcp_lakehouse.records import Json

# Words and numbers that stand nowhere else: text, a number that the log keeps as a greatest value, a date.
NAME, NUMBER, DAY = "Zaphodqx", 987_654_321_987, "2977-03-19"
PLANTED = (NAME.encode(), NAME.lower().encode(), str(NUMBER).encode(), NUMBER.to_bytes(8, "little"), DAY.encode())
# Texts stored twice are compressed into references to each other, so each file holds this one once.
HEAD = "id,name,code,born,note\n"
ROW = f"7,{NAME},{NUMBER},{DAY},{NAME} was seen near the harbour\n"
OTHERS = "1,Ada,11,1815-12-10,wrote of engines\n2,Grace,12,1906-12-09,found a moth\n"
WHERE = f"name = '{NAME}'"


def raw(lake: Lakehouse) -> Iterator[tuple[str, bytes]]:
    """All bytes of the lake's bucket, and of its cache, by where they are; Parquet and Arrow files unpacked too."""
    for info in lake.bucket.list(""):
        yield info.key, lake.bucket.read(info.key)
    cache = lake.results.folder.parent
    for path in cache.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    folder = lake.bucket.local_path("")
    for path in folder.rglob("*") if folder is not None else ():
        if path.is_file():
            yield str(path), path.read_bytes()


def unpacked(data: bytes) -> bytes:
    """The bytes, with the values of a compressed file behind them."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        if data.startswith(b"PAR1"):
            return data + repr(pyarrow.parquet.read_table(pa.BufferReader(data)).to_pylist()).encode()
        if data.startswith(b"ARROW1"):
            return data + repr(pa.ipc.open_file(pa.BufferReader(data)).read_all().to_pylist()).encode()
    except pa.ArrowException:
        return data
    return data


def holding(lake: Lakehouse) -> list[str]:
    """Where something of the planted row is."""
    return sorted({name for name, data in raw(lake) if any(each in unpacked(data) for each in PLANTED)})


@pytest.fixture(params=["folder", "s3"])
def own(request: pytest.FixtureRequest, prepared: Place, tmp_path: Path) -> Place:
    """A lake of the test's own of each kind: what other tests wrote must not be found in it."""
    if request.param == "folder":
        return prepared
    shared: Place = request.getfixturevalue("s3_place")
    (tmp_path / "sources").mkdir()
    address = f"{shared.address}/forget/{tmp_path.name}"
    return Place("s3", address, tmp_path / "sources", tmp_path / "cache", shared.environment)


def everywhere(lake: Lakehouse) -> None:
    """Plants the row in every place that rows can reach."""
    put(lake, "people.csv", HEAD + OTHERS + ROW + f"{NAME},broken {NAME}\n")
    lake.ingest(lake.settings.allowed_roots[0] / "people.csv", dataset="people", text="note")
    lake.ingest(inline("people", HEAD + "3,Edsger,13,1930-05-11,walked\n"))
    lake.ingest(inline("people", HEAD + f"7,{NAME},{NUMBER},{DAY},{NAME} again\n"), mode="upsert", key="id")
    lake.compact("people")
    lake.ingest(inline("people", HEAD + "4,Barbara,14,1939-11-07,abstracted\n"))
    lake.describe_dataset("people")
    lake.search(NAME)
    lake.search("harbour", mode="keyword")
    lake.sql("FROM people", max_rows=10)
    # Large enough for a file.
    lake.sql("SELECT people.*, repeat(name, 9000) FROM people, range(40)")
    for statement in (f"SELECT CAST('{NAME}' AS INTEGER) FROM people", f"SELECT nothing FROM people WHERE {WHERE}"):
        with pytest.raises(StatementFailed):
            lake.sql(statement)
    lake.journal.flush()


def test_no_byte_of_forgotten_rows_is_left(own: Place) -> None:
    with own.open() as lake:
        everywhere(lake)
        places = holding(lake)
        for part in ("tables/people/part-", "_delta_log", "system/rejects", "_errors", "results", "statistics"):
            assert any(part in place for place in places), part
        assert any("/rows/" in place for place in places)
        report = lake.forget("people", WHERE, "people")
        assert holding(lake) == []
        assert report.verified
        assert report.rows == 1
        by_place = {each.place: each.removed for each in report.places}
        assert by_place["system.rejects"] == 1
        assert by_place["system.errors"] == 2
        assert by_place["data files"] >= 3
        assert by_place["saved results"] >= 2
        assert by_place["passages and embeddings"] >= 1
        assert any("backups" in line for line in report.left)
        # All else is as it was, and found.
        assert rows(lake, "SELECT id FROM people ORDER BY id") == [[1], [2], [3], [4]]
        assert lake.search("moth", mode="keyword").results[0].text == "found a moth"
        assert lake.search(NAME, mode="keyword").results == []
        with pytest.raises(NotFound, match="version 0 of dataset 'people' lost rows that were forgotten on 20"):
            lake.sql("FROM people AT (VERSION => 0)")
        # The same file again changes nothing, so it brings nothing back.
        assert lake.ingest(lake.settings.allowed_roots[0] / "people.csv", dataset="people").unchanged
        again = lake.forget("people", WHERE, "people")
        assert (again.rows, again.retired, again.verified) == (0, [], True)
        assert holding(lake) == []
    with own.open() as other:
        assert rows(other, "SELECT count(*) FROM people") == [[4]]
        assert holding(other) == []


def test_versions_that_never_held_them_stay(own: Place) -> None:
    with own.open() as lake:
        lake.ingest(inline("mixed", HEAD + OTHERS))
        lake.ingest(inline("mixed", HEAD + ROW))
        report = lake.forget("mixed", WHERE, "mixed")
        assert report.retired == ["1"]
        assert rows(lake, "SELECT count(*) FROM mixed AT (VERSION => 0)") == [[2]]


def test_versions_without_the_column_lose_what_is_theirs_alone(prepared: Place) -> None:
    with prepared.open() as lake:
        lake.ingest(inline("turned", f"who\n{NAME}\n"))
        lake.ingest(inline("turned", HEAD + OTHERS + ROW), mode="replace")
        report = lake.forget("turned", WHERE, "turned")
        assert report.retired == ["0-1"]
        assert holding(lake) == []


def test_documents_lose_their_names_too(prepared: Place) -> None:
    with prepared.open() as lake:
        for name, text in ((f"{NAME}.txt", "He was seen near the harbour."), ("ada.txt", "She wrote of engines.")):
            put(lake, name, text)
        lake.ingest(lake.settings.allowed_roots[0] / "*.txt", dataset="letters")
        report = lake.forget("letters", f"source = '{NAME}.txt'", "letters")
        assert report.rows == 1
        assert holding(lake) == []
        assert "ada.txt" in str(rows(lake, "SELECT source FROM system.versions WHERE dataset = 'letters'"))


def test_checkpoints_do_not_keep_values(prepared: Place) -> None:
    with prepared.open() as lake:
        lake.ingest(inline("long", HEAD + ROW))
        for number in range(101):
            lake.catalog.table("long").set_properties(properties={"lakehouse.note": str(number)})
        assert any("checkpoint" in place for place in holding(lake))
        lake.forget("long", WHERE, "long")
        assert holding(lake) == []
    with prepared.open() as other:
        assert rows(other, "SELECT count(*) FROM long") == [[0]]
        assert any("checkpoint" in info.key for info in other.bucket.list("tables/long"))


def test_spans_of_the_dataset_and_spans_with_content_go(prepared: Place) -> None:
    with prepared.open() as lake:
        lake.ingest(inline("traced", HEAD + ROW))
        spans: list[dict[str, object]] = [
            {"trace_id": "a", "name": "lake.sql", "attributes": f'{{"db.query.text": "SELECT \'{NAME}\'"}}'},
            {"trace_id": "b", "name": "lake.ingest", "attributes": '{"lakehouse.dataset": "traced"}'},
            {"trace_id": "b", "name": f"a child of b {NAME}", "attributes": "{}"},
            {"trace_id": "c", "name": "another", "attributes": '{"lakehouse.dataset": "traced_too"}'},
        ]
        lake._append_journal("spans", spans)
        lake.forget("traced", WHERE, "traced")
        assert rows(lake, "SELECT name FROM system.spans") == [["another"]]
        assert holding(lake) == []


def test_another_process_notices_before_it_answers(own: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    with own.open() as lake, own.open() as beside, own.open(cache=elsewhere) as far:
        lake.ingest(inline("shared", HEAD + OTHERS + ROW))
        uris = []
        for each in (beside, far):
            uris += [each.sql("FROM shared", max_rows=5).result_uri or ""]
            each.sql("SELECT shared.*, repeat(name, 9000) FROM shared, range(60)")
        assert holding(far)
        lake.forget("shared", WHERE, "shared")
        for each, uri in zip((beside, far), uris, strict=True):
            each._retention.notices._looked = float("-inf")
            with pytest.raises(NotFound, match="gone"):
                each.read_result(uri)
            assert holding(each) == []
    # A machine that slept through it clears its cache when it opens the lake next.
    (elsewhere / "results" / "0.arrow").write_bytes(NAME.encode())
    (elsewhere / "forgotten").unlink()
    with own.open(cache=elsewhere) as woken:
        rows(woken, "FROM shared")
        assert holding(woken) == []


def test_rows_that_are_loaded_meanwhile_stay(prepared: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    without = removal.without_rows

    with prepared.open() as lake, prepared.open() as other:
        lake.ingest(inline("busy", HEAD + OTHERS + ROW))

        def load_and_rewrite(*args: Any) -> Any:
            monkeypatch.setattr(removal, "without_rows", without)
            other.ingest(inline("busy", HEAD + f"8,{NAME},5,1999-01-01,late\n9,Donald,6,1938-01-10,early\n"))
            return without(*args)

        monkeypatch.setattr(removal, "without_rows", load_and_rewrite)
        report = lake.forget("busy", WHERE, "busy")
        assert report.rows == 2
        assert rows(lake, "SELECT id FROM busy ORDER BY id") == [[1], [2], [9]]
        assert holding(lake) == []


def test_a_dry_run_tells_and_changes_nothing(prepared: Place) -> None:
    with prepared.open() as lake:
        lake.ingest(inline("dry", HEAD + OTHERS + ROW))
        before = holding(lake)
        report = lake.forget("dry", WHERE, dry_run=True)
        assert (report.rows, report.retired, report.dry_run, report.verified) == (1, ["0"], True, False)
        assert holding(lake) == before
        assert rows(lake, "SELECT count(*) FROM dry") == [[3]]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"where": WHERE}, InvalidInput),
        ({"where": WHERE, "confirm": "other"}, InvalidInput),
        ({"where": " ", "confirm": "t"}, InvalidInput),
        ({"where": "nothing = 1", "confirm": "t"}, StatementFailed),
    ],
)
def test_what_is_not_meant_is_refused(prepared: Place, arguments: Mapping[str, Json], error: type[Exception]) -> None:
    with prepared.open() as lake:
        with pytest.raises(error):
            lake.forget("t", **arguments)  # type: ignore[arg-type]
        assert rows(lake, "FROM t") == [[1, "x"]]


def test_a_search_at_the_same_time_sees_all_or_nothing_of_them(prepared: Place) -> None:
    with prepared.open() as lake:
        lake.ingest(inline("read", HEAD + OTHERS + ROW), text="note")
        stop, seen = threading.Event(), []

        def reading() -> None:
            while not stop.is_set():
                seen.append(len(lake.search("seen near the harbour", mode="keyword").results))

        reader = threading.Thread(target=reading)
        reader.start()
        lake.forget("read", WHERE, "read")
        stop.set()
        reader.join()
        assert set(seen) <= {0, 1, 2, 3}
        assert lake.search("harbour", mode="keyword").results == []
