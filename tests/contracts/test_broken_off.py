"""Writes that end in the middle of a file: by a kill, a full disk, a server that hangs or dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.places import ID, Place, ids
from contracts.stalling_proxy import StallingProxy, stalling_proxy
from mcp_lakehouse.errors import StorageFailed
from mcp_lakehouse.table import StagedFile
from s3_server import BUCKET, environment

# More than one part of an upload, so that it is broken off between and within parts.
BIG_BYTES = 20_000_000
# What a dead server may cost a caller.
GIVEN_UP_SECONDS = 20.0


@pytest.fixture
def local(tmp_path: Path) -> Place:
    place = Place("local", str(tmp_path / "lake"), {}, tmp_path)
    place.table().create_or_append(ID, [place.stage(id=[1])])
    return place


@pytest.fixture
def remote(tmp_path: Path, s3_environment: Mapping[str, str]) -> Place:
    place = Place("s3", f"s3://{BUCKET}/{uuid4().hex}", s3_environment, tmp_path)
    place.table().create_or_append(ID, [place.stage(id=[1])])
    return place


def big(place: Place, size: int = BIG_BYTES) -> StagedFile:
    """Bytes in the place of a Parquet file: no bucket looks inside."""
    path = place.staging / "big.parquet"
    path.write_bytes(os.urandom(size))
    return StagedFile(path, size, 1, {})


@pytest.mark.parametrize("where", ["upload", "commit"])
def test_a_kill_in_the_middle_of_a_local_write_leaves_the_last_version(local: Place, where: str) -> None:
    big(local)
    process = local.process("limited_process.py", where, "killed")
    assert process.communicate()[0] == ""
    assert process.returncode == -signal.SIGXFSZ
    assert local.table().head() == 0
    assert ids(local.table()) == [1]
    # What was half-written is not an object of the bucket.
    assert all(info.bytes in (0, BIG_BYTES) or info.bytes < 2_000 for info in local.bucket().list())
    local.table().create_or_append(ID, [local.stage(id=[2])])
    assert ids(local.table()) == [1, 2]


@pytest.mark.parametrize("where", ["upload", "commit"])
def test_a_full_disk_is_an_error_that_leaves_nothing(local: Place, where: str) -> None:
    before = sorted(path for path in Path(local.address).rglob("*"))
    staged = big(local)
    told = local.process("limited_process.py", where, "refused").communicate()[0]
    assert told.startswith("StorageFailed cannot write file://")
    assert "hint: free space" in told
    assert sorted(path for path in Path(local.address).rglob("*")) == before
    assert staged.path.stat().st_size == BIG_BYTES


def through(place: Place, proxy: StallingProxy) -> Place:
    return replace(place, environment=environment(proxy.endpoint))


def test_a_kill_in_the_middle_of_an_upload_leaves_the_last_version(remote: Place) -> None:
    big(remote)
    with stalling_proxy(remote.environment["AWS_ENDPOINT_URL"], 8_500_000) as proxy:
        process = through(remote, proxy).process("uploading_process.py")
        assert proxy.stalled.wait(30)
        process.kill()
        process.communicate()
    assert ids(remote.table()) == [1]
    assert len([info for info in remote.bucket().list() if info.key.endswith(".parquet")]) == 1
    remote.table().create_or_append(ID, [remote.stage(id=[2])])
    assert ids(remote.table()) == [1, 2]


def test_a_server_that_dies_in_the_middle_of_an_upload_is_an_error_in_bounds(remote: Place) -> None:
    staged = big(remote)
    with stalling_proxy(remote.environment["AWS_ENDPOINT_URL"], 8_500_000) as proxy:
        table = through(remote, proxy).table()
        threading.Thread(target=proxy.break_off_when_stalled, daemon=True).start()
        start = time.monotonic()
        with pytest.raises(StorageFailed) as error:
            table.create_or_append(ID, [staged])
        assert time.monotonic() - start < GIVEN_UP_SECONDS
    assert error.value.hint
    assert staged.path.exists()
    assert ids(remote.table()) == [1]
    remote.table().replace(ID, [remote.stage(id=[2])])
    assert ids(remote.table()) == [2]


def test_a_server_that_falls_silent_is_given_up(remote: Place) -> None:
    with stalling_proxy(remote.environment["AWS_ENDPOINT_URL"], 20_000) as proxy:
        table = through(remote, proxy).table()
        assert table.head() == 0
        staged = big(remote, 100_000)
        start = time.monotonic()
        with pytest.raises(StorageFailed, match=r"did not answer in time|connection broke") as error:
            table.create_or_append(ID, [staged])
        assert time.monotonic() - start < GIVEN_UP_SECONDS
    assert "TESTSECRETVALUE" not in f"{error.value}{error.value!r}{error.getrepr()}"
    assert ids(remote.table()) == [1]
