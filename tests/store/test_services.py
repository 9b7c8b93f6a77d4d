"""Google Cloud Storage and Azure, as far as that goes without their servers: addresses, variables, requests, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest

from mcp_lakehouse.errors import Conflict, InvalidInput, StorageFailed
from mcp_lakehouse.store import open_bucket
from store.servers import RefusesTheKey, Server, serving

SECRET = "c2VjcmV0LWNhbmFyeQ=="
GOOGLE = {"GOOGLE_BEARER_TOKEN": SECRET}
AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": SECRET}
BOTH = pytest.mark.parametrize(("scheme", "keys"), [("gs", GOOGLE), ("az", AZURE)])
ENDPOINTS = {"gs": "GOOGLE_BASE_URL", "az": "AZURE_STORAGE_ENDPOINT"}


def reached(scheme: str, keys: Mapping[str, str], endpoint: str) -> dict[str, str]:
    name = ENDPOINTS[scheme]
    return {**keys, name: endpoint, f"{name.partition('_')[0]}_ALLOW_HTTP": "true"}


@BOTH
def test_one_prefix_has_one_url_and_nothing_shows_the_keys(scheme: str, keys: Mapping[str, str]) -> None:
    bucket = open_bucket(f"{scheme}://bucket/a/lake/", {**keys, "PATH": "/bin"})
    assert bucket.url == f"{scheme}://bucket/a/lake"
    assert bucket.local_path("x") is None
    assert bucket.storage_options.items() >= keys.items()
    assert "PATH" not in bucket.storage_options
    assert SECRET not in repr(bucket)


@BOTH
def test_what_is_no_address_is_told_without_its_secrets(scheme: str, keys: Mapping[str, str]) -> None:
    for address in (f"{scheme}://", f"{scheme}:///prefix", f"{scheme}://key:{SECRET}@bucket/x", f"{scheme}://b/p?a=b"):
        with pytest.raises(InvalidInput) as caught:
            open_bucket(address, keys)
        assert SECRET not in str(caught.value)
        assert f"{ENDPOINTS[scheme].partition('_')[0]}_* environment variables" in str(caught.value.hint)
    with pytest.raises(InvalidInput, match="plain http"):
        open_bucket(f"{scheme}://bucket", {**keys, ENDPOINTS[scheme]: "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("az://bucket", {}),
        ("az://bucket", {**AZURE, "AZURE_STORAGE_ACCOUNT_KEY": "no base 64: secret-canary"}),
        ("gs://bucket", {"GOOGLE_SERVICE_ACCOUNT_KEY": "no JSON: secret-canary"}),
    ],
)
def test_variables_that_make_no_sense_are_named_and_not_quoted(address: str, keys: Mapping[str, str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_bucket(address, keys)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "in the environment" in str(caught.value.hint)


@BOTH
def test_a_new_key_is_asked_for_under_a_condition(scheme: str, keys: Mapping[str, str]) -> None:
    class Exists(Server):
        """Takes a write only where it has no condition, and keeps the conditions."""

        body = b""
        conditions: ClassVar[list[str]] = []

        def answer(self) -> None:
            found = {name.lower(): value for name, value in self.headers.items()}
            given = [
                f"{name}: {found[name]}" for name in ("x-goog-if-generation-match", "if-none-match") if name in found
            ]
            self.conditions.extend(given)
            self.rfile.read(int(found.get("content-length") or 0))
            self.send_response((412 if scheme == "gs" else 409) if given else 200)
            self.send_header("Content-Length", "0")
            self.send_header("ETag", '"0"')
            self.end_headers()

        do_PUT = answer

    with serving(Exists) as endpoint:
        bucket = open_bucket(f"{scheme}://bucket/lake", reached(scheme, keys, endpoint))
        with pytest.raises(Conflict):
            bucket.write("log/0.json", b"first", if_absent=True)
    assert Exists.conditions == [{"gs": "x-goog-if-generation-match: 0", "az": "if-none-match: *"}[scheme]]


@BOTH
def test_a_refusal_names_the_service_s_own_variables(scheme: str, keys: Mapping[str, str]) -> None:
    with serving(RefusesTheKey) as endpoint:
        bucket = open_bucket(f"{scheme}://bucket/lake", reached(scheme, keys, endpoint))
        with pytest.raises(StorageFailed, match="access was refused") as caught:
            bucket.read("x")
    assert ENDPOINTS[scheme].partition("_")[0] in str(caught.value.hint)
    assert "AWS" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_keys_of_a_bucket_s_own_go_without_the_session_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listens(Server):
        """Keeps what requests were signed with."""

        heard: ClassVar[list[tuple[str, bool]]] = []

        def answer(self) -> None:
            key = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
            self.heard.append((key, "X-Amz-Security-Token" in self.headers))
            super().answer()

        do_PUT = answer

    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
    with serving(Listens) as endpoint:
        named = {"AWS_ACCESS_KEY_ID": "OWN", "AWS_SECRET_ACCESS_KEY": SECRET}
        for more in ({}, {"AWS_SESSION_TOKEN": "its own"}):
            address = {**named, **more, "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"}
            open_bucket("s3://bucket", address).write("x", b"x")
    assert Listens.heard == [("OWN", False), ("OWN", True)]
