"""What every bucket promises, on a local folder and on an S3 server."""

from __future__ import annotations

import io
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.places import Place
from mcp_lakehouse.errors import Conflict, InvalidInput, NotFound

STRANGE = "tables/größe 数 a%20b#?&+='\"/part=1.parquet"


def test_what_was_written_is_read_under_any_key(place: Place) -> None:
    bucket = place.bucket()
    for key in ("plain", "a/b/c.json", STRANGE):
        bucket.write(key, key.encode())
    assert [place.bucket().read(key) for key in ("plain", "a/b/c.json", STRANGE)] == [
        b"plain",
        b"a/b/c.json",
        STRANGE.encode(),
    ]
    assert bucket.exists(STRANGE)


def test_what_is_not_there_is_not_found_by_name(place: Place) -> None:
    bucket = place.bucket()
    with pytest.raises(NotFound, match=r"nothing/here\.json does not exist"):
        bucket.read("nothing/here.json")
    assert not bucket.exists("nothing/here.json")
    assert bucket.read_many(["nothing/here.json"]) == [None]


def test_a_write_replaces_the_whole_object(place: Place) -> None:
    bucket = place.bucket()
    bucket.write("key", b"a long first value")
    bucket.write("key", b"short")
    assert bucket.read("key") == b"short"


def test_a_stream_is_put_whole_and_in_pieces(place: Place, tmp_path: Path) -> None:
    class Watched(io.FileIO):
        """Notes how much is asked of it at once."""

        largest = 0

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size > 0
            self.largest = max(self.largest, size)
            return super().read(size) or b""

    source = tmp_path / "source"
    source.write_bytes(os.urandom(1 << 20) * 12)
    bucket = place.bucket()
    with Watched(source) as stream:
        bucket.write_from(stream, "big")  # type: ignore[arg-type]  # a file opened without a buffer
        assert stream.tell() == source.stat().st_size
    assert stream.largest <= 5 << 20
    assert bucket.read("big") == source.read_bytes()
    source.write_bytes(b"")
    with source.open("rb", buffering=0) as empty:
        bucket.write_from(empty, "empty")  # type: ignore[arg-type]
    assert bucket.read("empty") == b""


def test_a_folder_is_not_an_object(place: Place) -> None:
    bucket = place.bucket()
    bucket.write("folder/key", b"1")
    assert not bucket.exists("folder")


def test_the_second_writer_of_a_new_key_is_refused(place: Place) -> None:
    bucket = place.bucket()
    bucket.write("log/0.json", b"first", if_absent=True)
    with pytest.raises(Conflict, match="exists already"):
        bucket.write("log/0.json", b"second", if_absent=True)
    assert bucket.read("log/0.json") == b"first"


def test_of_racing_first_writers_exactly_one_wins(place: Place) -> None:
    bucket = place.bucket()
    for number in range(5):
        won: list[int] = []
        start = threading.Barrier(8)

        def race(writer: int, number: int = number, won: list[int] = won, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                bucket.write(f"log/{number}", str(writer).encode(), if_absent=True)
                won.append(writer)
            except Conflict:
                pass

        threads = [threading.Thread(target=race, args=(writer,)) for writer in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [str(writer).encode() for writer in won] == [bucket.read(f"log/{number}")]


def test_an_upload_leaves_the_local_file_and_comes_back_whole(place: Place, tmp_path: Path) -> None:
    bucket = place.bucket()
    source = tmp_path / "source.bin"
    content = bytes(range(256)) * 100_000
    source.write_bytes(content)
    bucket.upload(source, "data/file.bin")
    assert source.read_bytes() == content
    target = tmp_path / "not there yet" / "copy.bin"
    bucket.download("data/file.bin", target)
    assert target.read_bytes() == content
    assert [entry.name for entry in target.parent.iterdir()] == ["copy.bin"]


def test_an_upload_replaces_and_an_empty_file_is_a_file(place: Place, tmp_path: Path) -> None:
    bucket = place.bucket()
    for content in (b"something", b""):
        source = tmp_path / f"{len(content)}.bin"
        source.write_bytes(content)
        bucket.upload(source, "data/file.bin")
        assert bucket.read("data/file.bin") == content


def test_a_download_of_nothing_leaves_nothing(place: Place, tmp_path: Path) -> None:
    target = tmp_path / "copy.bin"
    with pytest.raises(NotFound):
        place.bucket().download("nothing", target)
    assert not target.exists()


def test_a_listing_shows_every_depth_below_its_folder_and_nothing_beside_it(place: Place) -> None:
    bucket = place.bucket()
    for key in ("a/1", "a/b/2", "a/b/c/3", "ab/4", "a.txt"):
        bucket.write(key, b"xyz")
    assert sorted(info.key for info in bucket.list("a")) == ["a/1", "a/b/2", "a/b/c/3"]
    assert sorted(info.key for info in bucket.list("a/")) == ["a/1", "a/b/2", "a/b/c/3"]
    everything = list(bucket.list())
    assert sorted(info.key for info in everything) == ["a.txt", "a/1", "a/b/2", "a/b/c/3", "ab/4"]
    assert {info.bytes for info in everything} == {3}
    assert all(abs(info.modified - datetime.now(UTC)) < timedelta(minutes=5) for info in everything)
    assert list(bucket.list("nowhere")) == []


def test_folders_are_named_one_level_at_a_time(place: Place) -> None:
    bucket = place.bucket()
    for key in ("tables/b/x", "tables/a/x", "tables/a/c/y", "tables/file", "other/z"):
        bucket.write(key, b"")
    assert bucket.folders("tables") == ["a", "b"]
    assert bucket.folders("tables/") == ["a", "b"]
    assert bucket.folders() == ["other", "tables"]
    assert bucket.folders("nowhere") == []


def test_deleting_twice_is_no_error(place: Place) -> None:
    bucket = place.bucket()
    for key in ("a", "b", "c"):
        bucket.write(key, b"")
    for _ in range(2):
        bucket.delete(["a", "b"])
    bucket.delete([])
    assert [info.key for info in bucket.list()] == ["c"]


def test_many_are_read_in_the_order_asked_for(place: Place) -> None:
    bucket = place.bucket()
    for number in range(20):
        bucket.write(f"n/{number}", str(number).encode())
    assert bucket.read_many([f"n/{number}" for number in (19, 0, 99, 7)]) == [b"19", b"0", None, b"7"]


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/etc/passwd", "a//b", "a/./b", "nul\0", "trailing/"])
def test_a_key_cannot_leave_its_bucket(place: Place, key: str) -> None:
    bucket = place.bucket()
    with pytest.raises(InvalidInput, match="not a key"):
        bucket.write(key, b"")
    with pytest.raises(InvalidInput, match="not a key"):
        bucket.read(key)


def test_the_probe_passes_and_leaves_nothing(place: Place) -> None:
    bucket = place.bucket()
    bucket.probe()
    assert list(bucket.list()) == []


def test_only_a_local_bucket_has_paths(place: Place) -> None:
    bucket = place.bucket()
    bucket.write("a/b", b"here")
    path = bucket.local_path("a/b")
    assert path.read_bytes() == b"here" if path is not None else place.kind == "s3"
