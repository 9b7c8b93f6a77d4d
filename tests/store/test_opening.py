"""Addresses become buckets; wrong ones are named with what is right; nothing is touched yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.store import open_bucket

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTKEY", "AWS_SECRET_ACCESS_KEY": "TESTSECRETVALUE"}


def test_one_folder_has_one_url_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a lake"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    written: list[str | Path] = [folder, str(folder), "a lake", "./x/../a lake", "~/a lake", folder.as_uri()]
    assert {open_bucket(each, {}).url for each in written} == {folder.resolve().as_uri()}
    assert not folder.exists()


def test_one_prefix_has_one_url_however_it_is_written() -> None:
    urls = {open_bucket(f"s3://bucket/{prefix}", KEYS).url for prefix in ("lake", "lake/", "/lake", "lake//")}
    assert urls == {"s3://bucket/lake"}
    assert open_bucket("s3://bucket", KEYS).url == "s3://bucket"


@pytest.mark.parametrize("address", ["http://host/p", "file://host/p", "S3:///", "://", "x://"])
def test_an_unknown_kind_of_address_is_answered_with_the_known_ones(address: str) -> None:
    with pytest.raises(InvalidInput) as error:
        open_bucket(address, KEYS)
    assert error.value.hint == "give a folder, file:///absolute/folder, or s3://bucket/prefix (gs:// and az:// too)"


@pytest.mark.parametrize("address", ["s3://", "s3:///prefix", "s3://key:TESTSECRETVALUE@bucket/x", "s3://b/p?a=b"])
def test_credentials_do_not_belong_into_an_address_and_are_not_repeated(address: str) -> None:
    with pytest.raises(InvalidInput) as error:
        open_bucket(address, KEYS)
    assert "TESTSECRETVALUE" not in str(error.value)
    assert "AWS_* environment variables" in (error.value.hint or "")


def test_a_key_of_object_storage_cannot_leave_its_prefix() -> None:
    with pytest.raises(InvalidInput):
        open_bucket("s3://bucket/a/../../b", KEYS)


def test_a_file_is_not_a_lake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match="is a file"):
        open_bucket(tmp_path / "file", {})
    with pytest.raises(InvalidInput, match="NUL"):
        open_bucket("a\0b", {})


def test_plain_http_must_be_meant() -> None:
    with pytest.raises(InvalidInput) as error:
        open_bucket("s3://bucket", {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert "AWS_ALLOW_HTTP=true" in (error.value.hint or "")
    open_bucket("s3://bucket", {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true"})


def test_another_engine_is_told_the_same_and_nothing_shows_the_keys() -> None:
    environment = {
        **KEYS,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "https://general.example",
        "AWS_ENDPOINT_URL_S3": "https://s3.example",
        "PATH": "/bin",
    }
    bucket = open_bucket("s3://bucket/lake", environment)
    told = bucket.storage_options
    assert told.items() >= {**KEYS, "AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "https://s3.example"}.items()
    assert "PATH" not in told
    assert repr(bucket) == "ObjectBucket('s3://bucket/lake')"


def test_opening_loads_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys; from mcp_lakehouse.store import open_bucket; from mcp_lakehouse.table import Table;"
        f"t = Table(open_bucket({str(tmp_path)!r}, {{}}), 't'); t.create_or_append; t.head();"
        "print([m for m in ('deltalake', 'obstore', 'pyarrow', 'duckdb') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
