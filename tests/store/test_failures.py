"""Every failure of storage says what happened and what to do, in bounded time, and never a secret."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_lakehouse.errors import LakehouseError, NotFound, StorageFailed
from mcp_lakehouse.store import Bucket, open_bucket
from mcp_lakehouse.store.failures import local_failure
from s3_server import BUCKET, environment
from store.servers import BreaksDown, CutsShort, HasNoBucket, IgnoresConditions, RefusesTheKey, Server, serving

GIVEN_UP_SECONDS = 20.0


def remote(endpoint: str) -> Bucket:
    return open_bucket(f"s3://{BUCKET}/lake", environment(endpoint))


def failure_of(bucket: Bucket) -> StorageFailed:
    """What a read, a write and a look end with; all the same, and without any secret."""
    errors: list[StorageFailed] = []
    for work in (lambda: bucket.read("key"), lambda: bucket.write("key", b"", if_absent=True)):
        start = time.monotonic()
        with pytest.raises(StorageFailed) as caught:
            work()
        assert time.monotonic() - start < GIVEN_UP_SECONDS
        errors.append(caught.value)
        shown = "".join(traceback.format_exception(caught.value))
        assert not any(secret in shown for secret in ("AKIATESTKEY", "TESTSECRETVALUE", "deadbeef", "<?xml"))
        assert caught.value.hint
    assert errors[0].hint == errors[1].hint
    return errors[0]


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EROFS, "make the folder writable"),
        (errno.EACCES, "make the folder writable"),
        (errno.EIO, "check the disk"),
    ],
)
def test_what_the_disk_said_becomes_what_to_do(number: int, hint: str) -> None:
    error = local_failure(OSError(number, os.strerror(number)), "write", "a/b", "file:///lake")
    assert isinstance(error, StorageFailed)
    assert error.message == f"cannot write file:///lake/a/b: {os.strerror(number)}"
    assert (error.hint or "").startswith(hint)


def test_a_missing_file_is_not_found() -> None:
    error = local_failure(FileNotFoundError(errno.ENOENT, "x"), "read", "a", "file:///lake")
    assert isinstance(error, NotFound)
    assert error.message == "file:///lake/a does not exist"


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """An empty folder that everyone may look into and nobody but the super-user may write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_says_so(closed_folder: Path) -> None:
    # The super-user may write anywhere, so the attempt is made as somebody else.
    script = (
        "import os, sys\n"
        "from mcp_lakehouse.store import open_bucket\n"
        "from mcp_lakehouse.errors import LakehouseError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "bucket = open_bucket(sys.argv[1], {})\n"
        "for work in (bucket.probe, lambda: bucket.write('a/b', b'')):\n"
        "    try: work()\n"
        "    except LakehouseError as error: print(error.code, '|', error.hint)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(closed_folder)], capture_output=True, text=True, check=True
    )
    expected = "storage_failed | make the folder writable for this user, or serve the lake with --read-only"
    assert told.stdout.splitlines() == [expected, expected]
    assert list(closed_folder.iterdir()) == []


def test_a_file_in_the_way_of_a_folder_says_so(tmp_path: Path) -> None:
    bucket = open_bucket(tmp_path, {})
    bucket.write("a", b"")
    with pytest.raises(LakehouseError) as error:
        bucket.write("a/b", b"")
    assert isinstance(error.value, StorageFailed)


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure_of(remote(f"http://127.0.0.1:{port}"))
    assert error.message == f"cannot read s3://lakes/lake/key: 127.0.0.1:{port} cannot be reached"


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bucket = remote(f"http://127.0.0.1:{listener.getsockname()[1]}")
        start = time.monotonic()
        with pytest.raises(StorageFailed, match="did not answer in time"):
            bucket.exists("key")
        assert time.monotonic() - start < GIVEN_UP_SECONDS


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (RefusesTheKey, r"access was refused \(SignatureDoesNotMatch\)"),
        (HasNoBucket, "there is no such bucket"),
        (BreaksDown, "the server answered 500 InternalError"),
    ],
)
def test_what_a_server_said_becomes_what_to_do(kind: type[Server], said: str) -> None:
    with serving(kind) as endpoint:
        error = failure_of(remote(endpoint))
    with pytest.raises(StorageFailed, match=said):
        raise error


def test_a_download_that_is_cut_short_leaves_nothing(tmp_path: Path) -> None:
    with serving(CutsShort) as endpoint, pytest.raises(StorageFailed):
        remote(endpoint).download("key", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_ignores_conditions_is_refused_by_the_probe() -> None:
    wrong = "two writers would overwrite each other's commits"
    with serving(IgnoresConditions) as endpoint, pytest.raises(StorageFailed, match=wrong) as error:
        remote(endpoint).probe()
    assert "MinIO" in (error.value.hint or "")


def test_a_local_path_that_cannot_be_written_is_not_blamed_on_the_server(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with serving(Server) as endpoint, pytest.raises(StorageFailed, match=r"File exists|Not a directory"):
        remote(endpoint).download("key", tmp_path / "file" / "copy")
