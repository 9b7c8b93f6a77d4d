"""Several writers lose nothing, repeats change nothing, and whoever dies leaves the last version whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable

import pytest

from contracts.faults import AlwaysBeaten, AnswerLost, DeadForCommits, FullAfter, FullForCommits
from contracts.places import ID, Place, ids
from mcp_lakehouse.errors import Conflict, LakehouseError, StorageFailed
from mcp_lakehouse.table import Table

PREFIX = "tables/numbers"


def parquet_files(place: Place) -> int:
    return sum(info.key.endswith(".parquet") for info in place.bucket().list(PREFIX))


def together(count: int, work: Callable[[int], object]) -> None:
    """Run `work(0..count-1)` in threads that start at the same moment."""
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_repeated_transaction_changes_nothing(place: Place) -> None:
    table = place.table()
    # Version 0 is a version: "is there one" must not be asked as "is it true".
    table.create_or_append(ID, [place.stage(id=[1])], transactions={"load:abc": 0})
    for repeat in (table, place.table()):
        assert repeat.transaction_version("load:abc") == 0
        assert repeat.transaction_version("load:other") is None
        for commit in (repeat.create_or_append, repeat.replace):
            with pytest.raises(Conflict, match="has taken in transaction 'load:abc' 0 before"):
                commit(ID, [place.stage(id=[1])], transactions={"load:abc": 0})
    table.create_or_append(ID, [place.stage(id=[2])], transactions={"load:abc": 1})
    assert ids(place.table()) == [1, 2]
    assert parquet_files(place) == 2


def test_of_many_at_once_a_transaction_is_taken_in_once(place: Place) -> None:
    place.table().create_or_append(ID, [])
    won: list[int] = []

    def load(number: int) -> None:
        staged = place.stage(f"w{number}", id=[7])
        with contextlib.suppress(Conflict):
            won.append(place.table().create_or_append(ID, [staged], transactions={"load:abc": 0, f"own:{number}": 0}))

    together(6, load)
    assert won == [1]
    assert ids(place.table()) == [7]
    assert parquet_files(place) == 1


def test_racing_creators_end_in_one_table_with_all_rows(place: Place) -> None:
    together(6, lambda number: place.table().create_or_append(ID, [place.stage(f"w{number}", id=[number])]))
    assert ids(place.table()) == list(range(6))
    assert place.table().head() == 5


def test_one_table_object_serves_many_threads(place: Place) -> None:
    table = place.table()
    together(6, lambda number: table.create_or_append(ID, [place.stage(f"w{number}", id=[number])]))
    assert ids(table) == list(range(6))
    assert [commit.version for commit in table.history()] == [5, 4, 3, 2, 1, 0]


def test_of_two_rewrites_of_one_version_one_is_told_to_redo(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])])
    read = table.snapshot()
    outcomes: list[str] = []

    def bump(number: int) -> None:
        try:
            place.table().rewrite(
                [read.files[0].key], [place.stage(f"w{number}", id=[10 + number])], at_version=read.version
            )
            outcomes.append("won")
        except Conflict:
            outcomes.append("redo")

    together(4, bump)
    assert sorted(outcomes) == ["redo", "redo", "redo", "won"]
    assert len(ids(place.table())) == 1
    assert place.table().head() == 1


def test_four_processes_lose_no_commit(place: Place) -> None:
    writers = [place.process("appending_process.py", str(writer), "10") for writer in range(4)]
    versions = [int(line) for writer in writers for line in writer.communicate()[0].split()]
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    assert sorted(versions) == list(range(40))
    assert ids(place.table()) == [writer * 1000 + number for writer in range(4) for number in range(10)]


def test_a_process_killed_between_upload_and_commit_leaves_the_last_version(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])])
    process = place.process("halting_process.py")
    assert process.stdout is not None
    assert process.stdout.readline() == "halted\n"
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert parquet_files(place) == 2
    assert ids(place.table()) == [1]
    table.create_or_append(ID, [place.stage(id=[2])])
    assert ids(place.table()) == [1, 2]


def test_a_process_killed_anywhere_leaves_whole_versions(place: Place) -> None:
    told = 0
    for round_ in range(4):
        process = place.process("appending_process.py", str(round_), "0")
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2 + round_)]
        process.kill()
        lines += process.communicate()[0].splitlines()
        told += len([line for line in lines if line.strip()])
        table = place.table()
        head = table.head()
        assert head is not None
        assert head + 1 >= told
        assert len(ids(table)) == head + 1
        told = head + 1


@pytest.mark.parametrize(
    "error",
    [StorageFailed("the connection broke", hint="wait"), Conflict("exists already", hint="try again")],
    ids=["no answer", "refused as a repeat of itself"],
)
def test_a_commit_whose_answer_is_lost_is_found_again(place: Place, error: LakehouseError) -> None:
    place.table().create_or_append(ID, [place.stage(id=[1])])
    table = Table(AnswerLost(place.bucket(), error), PREFIX)
    assert table.create_or_append(ID, [place.stage(id=[2])]) == 1
    assert ids(table) == ids(place.table()) == [1, 2]
    assert place.table().head() == 1


def test_files_stay_where_a_commit_may_still_arrive(place: Place) -> None:
    place.table().create_or_append(ID, [place.stage(id=[1])])
    with pytest.raises(StorageFailed):
        Table(DeadForCommits(place.bucket()), PREFIX).create_or_append(ID, [place.stage(id=[2])])
    assert parquet_files(place) == 2
    assert ids(place.table()) == [1]


def test_a_full_disk_leaves_nothing_behind_and_the_same_files_can_be_tried_again(place: Place) -> None:
    place.table().create_or_append(ID, [place.stage(id=[1])])
    staged = [place.stage("a", id=[2]), place.stage("b", id=[3])]
    with pytest.raises(StorageFailed):
        Table(FullAfter(place.bucket(), uploads=1), PREFIX).create_or_append(ID, staged)
    # A server that fails is not asked to delete: what it has taken is named by nothing.
    assert parquet_files(place) == (1 if place.kind == "local" else 2)
    if place.kind == "local":
        # Over a network a commit that failed may still arrive; here it cannot.
        with pytest.raises(StorageFailed):
            Table(FullForCommits(place.bucket()), PREFIX).create_or_append(ID, staged)
        assert parquet_files(place) == 1
    assert ids(place.table()) == [1]
    place.table().create_or_append(ID, staged)
    assert ids(place.table()) == [1, 2, 3]


def test_a_writer_that_is_always_beaten_gives_up(place: Place) -> None:
    place.table().create_or_append(ID, [place.stage(id=[1])])
    with pytest.raises(Conflict, match="kept winning"):
        Table(AlwaysBeaten(place.bucket()), PREFIX).create_or_append(ID, [place.stage(id=[2])])
    assert parquet_files(place) == 1
