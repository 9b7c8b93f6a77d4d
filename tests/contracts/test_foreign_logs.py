"""Tables that another engine wrote: read where a plain scan is right, refused by name where it is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.places import ID, Place, ids, put_log, read_rows
from mcp_lakehouse.errors import NotFound, UnsupportedLake
from mcp_lakehouse.table import TableColumn
from mcp_lakehouse.table.reading import write_checkpoint

PREFIX = "tables/foreign"
PROTOCOL = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
SCHEMA = {"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": True, "metadata": {}}]}


def metadata(schema: Mapping[str, Any] = SCHEMA, **changes: Any) -> dict[str, Any]:
    body = {
        "id": "00000000-0000-0000-0000-000000000000",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(schema),
        "partitionColumns": [],
        "configuration": {},
    }
    return {"metaData": body | changes}


def features(*names: str) -> dict[str, Any]:
    return {
        "protocol": {
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": list(names),
            "writerFeatures": list(names),
        }
    }


def add(place: Place, path: str, rows: list[int], **changes: Any) -> dict[str, Any]:
    staged = place.stage("foreign", id=rows)
    place.bucket().upload(staged.path, f"{PREFIX}/{path}")
    staged.path.unlink()
    body = {
        "path": path,
        "partitionValues": {},
        "size": staged.bytes,
        "modificationTime": 1,
        "dataChange": True,
        "stats": json.dumps({"numRecords": len(rows)}),
    }
    return {"add": body | changes}


VECTOR = {
    "storageType": "u",
    "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^",
    "offset": 4,
    "sizeInBytes": 40,
    "cardinality": 1,
}


def test_deletion_vectors_are_refused_and_their_purge_is_welcome(place: Place) -> None:
    clean = add(place, "a.parquet", [1, 2, 3])
    put_log(place.bucket(), PREFIX, 0, [features("deletionVectors"), metadata(), clean])
    table = place.table(PREFIX)
    assert ids(table) == [1, 2, 3]
    marked = {"add": clean["add"] | {"deletionVector": VECTOR}}
    gone = {"remove": {"path": "a.parquet", "dataChange": True, "deletionTimestamp": 1}}
    # In either order: the file is the same, its deletion vector is not.
    put_log(place.bucket(), PREFIX, 1, [marked, gone])
    for reader in (table, place.table(PREFIX)):
        for refused in (reader.snapshot, lambda: table.create_or_append(ID, [])):
            with pytest.raises(UnsupportedLake, match="has deletion vectors"):
                refused()
        assert reader.snapshot(0).rows == 3
    purged = {"remove": gone["remove"] | {"deletionVector": VECTOR}}
    put_log(place.bucket(), PREFIX, 2, [purged, add(place, "b.parquet", [1, 2])])
    assert ids(table) == ids(place.table(PREFIX)) == [1, 2]


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (
            [{"protocol": {"minReaderVersion": 4, "minWriterVersion": 8}}, metadata()],
            "needs a Delta reader of version 4",
        ),
        ([features("v9Sharding"), metadata()], "does not read: v9Sharding"),
        ([PROTOCOL, metadata(partitionColumns=["id"])], "is partitioned"),
        ([features("columnMapping"), metadata(configuration={"delta.columnMapping.mode": "name"})], "maps its column"),
        (
            [PROTOCOL, metadata({"type": "struct", "fields": [{"name": "v", "type": "variant", "nullable": True}]})],
            "a type this version does not know",
        ),
        ([metadata()], "no metadata or protocol"),
    ],
    ids=["newer reader", "unknown feature", "partitions", "mapped columns", "unknown type", "no protocol"],
)
def test_what_this_version_cannot_read_is_refused(place: Place, actions: list[dict[str, Any]], said: str) -> None:
    put_log(place.bucket(), PREFIX, 0, actions)
    with pytest.raises(UnsupportedLake, match=said) as error:
        place.table(PREFIX).snapshot()
    assert error.value.hint
    with pytest.raises(UnsupportedLake):
        place.table(PREFIX).create_or_append(ID, [])


def test_what_this_version_cannot_write_it_still_reads(place: Place) -> None:
    put_log(
        place.bucket(),
        PREFIX,
        0,
        [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 4}}, metadata(), add(place, "a.parquet", [1])],
    )
    table = place.table(PREFIX)
    assert ids(table) == [1]
    with pytest.raises(UnsupportedLake, match="writer version 4"):
        table.create_or_append(ID, [])


def test_an_append_only_table_is_only_appended_to(place: Place) -> None:
    put_log(place.bucket(), PREFIX, 0, [PROTOCOL, metadata(configuration={"delta.appendOnly": "true"})])
    table = place.table(PREFIX)
    table.create_or_append(ID, [place.stage(id=[1])])
    with pytest.raises(UnsupportedLake, match="append-only"):
        table.replace(ID, [place.stage(id=[2])])
    assert ids(place.table(PREFIX)) == [1]


def test_a_damaged_commit_is_named(place: Place) -> None:
    place.bucket().write(f"{PREFIX}/_delta_log/{0:020d}.json", b'{"protocol": {"minRea')
    with pytest.raises(UnsupportedLake, match=r"00000000000000000000\.json is damaged"):
        place.table(PREFIX).head()


def test_rows_that_were_not_counted_are_counted(place: Place) -> None:
    put_log(place.bucket(), PREFIX, 0, [PROTOCOL, metadata(), add(place, "a.parquet", [4, 5, 6], stats=None)])
    assert place.table(PREFIX).snapshot().rows == 3


def test_paths_are_decoded_and_encoded_again(place: Place) -> None:
    # The log holds the URL form, the bucket the plain one.
    plain = add(place, "year=1/a b%.parquet", [1])
    coded = {"add": plain["add"] | {"path": "year=1/a%20b%25.parquet"}}
    put_log(place.bucket(), PREFIX, 0, [PROTOCOL, metadata(), coded])
    table = place.table(PREFIX)
    assert [file.key for file in table.snapshot().files] == [f"{PREFIX}/year=1/a b%.parquet"]
    table.replace(ID, [place.stage(id=[2])])
    assert ids(place.table(PREFIX)) == [2]
    place.table(PREFIX).restore(0, {})
    assert ids(place.table(PREFIX)) == [1]


def test_only_exact_statistics_are_passed_on(place: Place) -> None:
    fields = [("i", "long"), ("f", "double"), ("d", "date"), ("s", "string"), ("t", "timestamp"), ("x", "decimal(9,2)")]
    schema = {
        "type": "struct",
        "fields": [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in fields],
    }
    least = {"i": 1, "f": -0.5, "d": "2026-01-01", "s": "a", "t": "2026-01-01T00:00:00.000Z", "x": 1.5}
    stats = {"numRecords": 1, "minValues": least, "maxValues": least, "nullCount": {"i": 0, "s": 1}}
    put_log(
        place.bucket(), PREFIX, 0, [PROTOCOL, metadata(schema), add(place, "a.parquet", [1], stats=json.dumps(stats))]
    )
    (file,) = place.table(PREFIX).snapshot().files
    assert file.statistics == {
        "i": {"min": 1, "max": 1, "nulls": 0},
        "f": {"min": -0.5, "max": -0.5},
        "d": {"min": "2026-01-01", "max": "2026-01-01"},
        "s": {"nulls": 1},
    }


def checkpoint_in_parts(place: Place, prefix: str, version: int) -> None:
    """Put the library's one-file checkpoint in two parts, as Spark does for large tables."""
    folder = f"{prefix}/_delta_log/{version:020d}.checkpoint"
    content = pq.read_table(pa.BufferReader(place.bucket().read(f"{folder}.parquet")))
    for part, rows in ((1, content.slice(0, 3)), (2, content.slice(3))):
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        place.bucket().write(f"{folder}.{part:010d}.{2:010d}.parquet", sink.getvalue().to_pybytes())
    place.bucket().delete([f"{folder}.parquet"])


@pytest.mark.parametrize("shape", ["one file", "two parts", "no pointer", "broken pointer", "cleaned log"])
def test_a_checkpoint_of_any_shape_gives_the_same_table(place: Place, shape: str) -> None:
    writer = place.table(PREFIX)
    writer.create_or_append(ID, [place.stage(id=[0])], transactions={"t0": 0}, properties={"a": "1"})
    for number in range(1, 5):
        writer.create_or_append(ID, [place.stage(id=[number])], transactions={f"t{number}": number})
    writer.rewrite([writer.snapshot().files[0].key], [place.stage(id=[50])], at_version=4)
    write_checkpoint(place.bucket(), PREFIX)
    writer.create_or_append([*ID, TableColumn("b", "DATE")], [place.stage(id=[6])])
    log = f"{PREFIX}/_delta_log"
    if shape == "two parts":
        checkpoint_in_parts(place, PREFIX, 5)
    elif shape == "no pointer":
        place.bucket().delete([f"{log}/_last_checkpoint"])
    elif shape == "broken pointer":
        place.bucket().write(f"{log}/_last_checkpoint", b"{")
    elif shape == "cleaned log":
        place.bucket().delete([*(f"{log}/{version:020d}.json" for version in range(5)), f"{log}/_last_checkpoint"])
    reader = place.table(PREFIX)
    assert reader.snapshot() == writer.snapshot()
    assert ids(reader) == [1, 2, 3, 4, 6, 50]
    assert [reader.transaction_version(f"t{number}") for number in range(6)] == [0, 1, 2, 3, 4, None]
    assert ids(reader, 5) == [1, 2, 3, 4, 50]
    versions = [commit.version for commit in reader.history()]
    if shape == "cleaned log":
        assert versions == [6, 5]
        assert reader.snapshot(at=reader.history()[1].at).version == 5
        with pytest.raises(NotFound, match="has no version 4") as error:
            reader.snapshot(4)
        assert error.value.hint == "it has versions 5 to 6"
    else:
        assert versions == [6, 5, 4, 3, 2, 1, 0]
        assert ids(reader, 2) == [0, 1, 2]
    writer.create_or_append(ID, [place.stage(id=[7])])
    assert reader.snapshot() == writer.snapshot() == place.table(PREFIX).snapshot()


def test_a_checkpoint_that_lost_a_part_is_passed_over(place: Place) -> None:
    writer = place.table(PREFIX)
    for number in range(5):
        writer.create_or_append(ID, [place.stage(id=[number])])
        if number in (2, 4):
            write_checkpoint(place.bucket(), PREFIX)
    checkpoint_in_parts(place, PREFIX, 4)
    log = f"{PREFIX}/_delta_log"
    lost = [f"{4:020d}.checkpoint.{2:010d}.{2:010d}.parquet", "_last_checkpoint", f"{0:020d}.json", f"{1:020d}.json"]
    place.bucket().delete(f"{log}/{name}" for name in lost)
    assert ids(place.table(PREFIX)) == list(range(5))
    assert ids(place.table(PREFIX), 3) == list(range(4))


def test_a_checkpoint_is_written_by_itself_and_commits_go_on(place: Place) -> None:
    table = place.table()
    for number in range(101):
        assert table.create_or_append(ID, [], transactions={"t": number}) == number
    pointer = json.loads(place.bucket().read("tables/numbers/_delta_log/_last_checkpoint"))
    assert pointer["version"] == 100
    table.create_or_append(ID, [place.stage(id=[1])])
    assert place.table().snapshot() == table.snapshot()
    assert place.table().head() == 101
    assert place.table().transaction_version("t") == 100
    assert read_rows(place.table(), [table.snapshot().files[0].key])["id"].to_pylist() == [1]
