"""An overlay is committed, kept, restored and taken away with the versions of its table."""

from __future__ import annotations

import signal
import threading

import pytest

from contracts.places import ID, Place, log_of
from mcp_lakehouse.errors import Conflict, NotFound, UnsupportedLake
from mcp_lakehouse.table import DELETED, OVERLAY, OverlayRows, Snapshot, StagedFile, Table, TableColumn, is_overlay

PREFIX = "tables/numbers"


def overlay(place: Place, name: str, *, ids: list[int], gone: list[int]) -> StagedFile:
    deleted = [False] * len(ids) + [True] * len(gone)
    return place.stage(name, id=[*ids, *gone], **{DELETED: deleted})


def lay(place: Place, table: Table, *, ids: list[int], gone: list[int], shadowed: int, name: str = "laid") -> int:
    content = OverlayRows(("id",), len(ids), len(gone), shadowed)
    at_version = table.head()
    assert at_version is not None
    return table.lay_over(overlay(place, name, ids=ids, gone=gone), content, at_version=at_version)


def overlays(place: Place) -> list[str]:
    return [info.key for info in place.bucket().list(PREFIX) if is_overlay(info.key)]


@pytest.fixture
def laid(place: Place) -> Table:
    """Rows 1, 2 and 3, of which an overlay changes one, adds one and takes one away."""
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1, 2, 3])], properties={"mine": "1"})
    lay(place, table, ids=[2, 4], gone=[3], shadowed=2)
    return table


def test_a_version_knows_its_overlay(place: Place, laid: Table) -> None:
    for reader in (laid, place.table()):
        snapshot = reader.snapshot()
        assert snapshot.overlay is not None
        assert snapshot.overlay.key.startswith(f"{PREFIX}/_overlay/")
        assert snapshot.overlay.content == OverlayRows(("id",), 2, 1, 2)
        assert (snapshot.version, snapshot.rows, snapshot.overlay.rows) == (1, 3, 3)
        assert snapshot.properties["mine"] == "1"
        assert [file.rows for file in snapshot.files] == [3]
        assert [file.rows for file in snapshot.parts] == [3, 2]
        assert (reader.snapshot(0).overlay, reader.snapshot(0).rows) == (None, 3)
    # One commit, which names no data file.
    assert [list(action) for action in log_of(place.bucket(), PREFIX, 1)] == [["commitInfo"], ["metaData"]]


def test_an_overlay_does_not_reach_what_is_added_later(place: Place, laid: Table) -> None:
    place.table().create_or_append(ID, [place.stage(id=[2, 3])])
    snapshot = laid.snapshot()
    assert snapshot.overlay is not None
    assert snapshot.overlay.after == {snapshot.files[1].key}
    assert snapshot.rows == 5
    assert place.table().snapshot(1).rows == 3


def test_the_next_overlay_takes_the_place_of_the_one_before(place: Place, laid: Table) -> None:
    place.table().create_or_append(ID, [place.stage(id=[7])])
    assert lay(place, laid, ids=[], gone=[1, 2, 3], shadowed=3) == 3
    snapshot = place.table().snapshot()
    assert snapshot.overlay is not None
    assert (snapshot.rows, snapshot.overlay.after, snapshot.parts) == (1, frozenset(), snapshot.files)
    assert place.table().snapshot(1).rows == 3
    assert laid.lay_over(None, OverlayRows((), 0, 0, 0), at_version=3) == 4
    assert (place.table().snapshot().overlay, place.table().snapshot().rows) == (None, 4)


def test_columns_come_with_an_overlay(place: Place, laid: Table) -> None:
    more = [*ID, TableColumn("more", "VARCHAR")]
    staged = place.stage("wide", id=[1], more=["x"], **{DELETED: [False]})
    laid.lay_over(staged, OverlayRows(("id",), 1, 0, 1), at_version=1, columns=more)
    assert [column.name for column in place.table().snapshot().columns] == ["id", "more"]


def test_restoring_brings_the_overlay_back_and_replacing_takes_it_away(place: Place, laid: Table) -> None:
    kept = laid.snapshot().overlay
    assert laid.replace(ID, [place.stage(id=[9])]) == 2
    assert (place.table().snapshot().overlay, laid.snapshot().rows) == (None, 1)
    assert laid.restore(1, {}) == 3
    assert (place.table().snapshot().overlay, laid.snapshot().rows) == (kept, 3)
    assert laid.restore(0, {}) == 4
    assert place.table().snapshot().overlay is None
    place.bucket().delete(overlays(place))
    with pytest.raises(NotFound, match="has lost the file"):
        laid.restore(1, {})


def test_a_rewrite_folds_the_overlay(place: Place, laid: Table) -> None:
    read = laid.snapshot()
    place.table().create_or_append(ID, [place.stage("b", id=[3])])
    keys = [file.key for file in read.files]
    assert laid.rewrite(keys, [place.stage("c", id=[1, 2, 4])], at_version=1, data_change=False) == 3
    snapshot = place.table().snapshot()
    assert (snapshot.overlay, snapshot.rows) == (None, 4)
    # Others, who saw the base alone, see other rows now.
    assert all(action["add"]["dataChange"] for action in log_of(place.bucket(), PREFIX, 3) if "add" in action)


def test_rows_are_not_moved_from_under_a_new_overlay(place: Place, laid: Table) -> None:
    read: Snapshot = laid.snapshot()
    lay(place, place.table(), ids=[5], gone=[], shadowed=0)
    with pytest.raises(Conflict, match="overlay"):
        laid.rewrite([read.files[0].key], [place.stage("c", id=[1])], at_version=1, data_change=False)
    assert laid.snapshot().rows == 4


def test_of_two_overlays_over_one_version_one_is_told_to_redo(place: Place, laid: Table) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(3)

    def write(number: int) -> None:
        staged = overlay(place, f"w{number}", ids=[number], gone=[])
        start.wait()
        try:
            place.table().lay_over(staged, OverlayRows(("id",), 1, 0, 0), at_version=1)
            outcomes.append("won")
        except Conflict:
            outcomes.append("redo")

    threads = [threading.Thread(target=write, args=(number,)) for number in (20, 21, 22)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["redo", "redo", "won"]
    # Those that lost leave no file.
    assert len(overlays(place)) == 2
    assert laid.snapshot().rows == 4


def test_a_process_killed_before_its_overlay_counts_leaves_the_last_version(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])])
    process = place.process("halting_process.py", "overlay")
    assert process.stdout is not None
    assert process.stdout.readline() == "halted\n"
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(overlays(place)) == 1
    assert (place.table().snapshot().overlay, place.table().head()) == (None, 0)
    assert lay(place, table, ids=[1], gone=[], shadowed=1) == 1
    assert place.table().snapshot().rows == 1


def test_other_engines_see_the_base_and_leave_the_overlay_alone(place: Place, laid: Table) -> None:
    if place.kind != "local":
        pytest.skip("the file operations of the other engine are the same there")
    from deltalake import DeltaTable

    folder = place.bucket().local_path(PREFIX)
    theirs = DeltaTable(str(folder))
    assert theirs.version() == 1
    assert sorted(theirs.to_pyarrow_table()["id"].to_pylist()) == [1, 2, 3]
    theirs.create_checkpoint()
    theirs.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    assert len(overlays(place)) == 1
    assert place.table().snapshot().overlay == laid.snapshot().overlay


def test_an_overlay_of_a_newer_kind_is_refused(place: Place, laid: Table) -> None:
    laid.set_properties(properties={OVERLAY: '{"key": "x"}'})
    with pytest.raises(UnsupportedLake, match="newer kind"):
        place.table().snapshot()
