"""One HTTP server for several readers: each token opens its own part of the lake."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pyarrow import flight

from profiles.conftest import CANARY

WHOLE, NORTH = "the-token-of-the-whole-lake", "the-token-of-the-north"


@pytest.fixture(scope="module")
def addresses(folder: Path) -> Iterator[tuple[str, str]]:
    """Of a server with a token for all of the lake, and one for `north`: HTTP and Arrow Flight."""
    environment = {**os.environ, "LAKEHOUSE_TOKEN": WHOLE, "LAKEHOUSE_TOKEN_NORTH": NORTH}
    command = [sys.executable, "-m", "mcp_lakehouse", "serve", "--lake", str(folder), "--http", "127.0.0.1:0"]
    command += ["--flight", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            lines = process.stderr.readline() + process.stderr.readline()
            found = re.search(r"(grpc://\S+) .*(http://\S+)/mcp", lines, re.DOTALL)
            assert found, lines
            yield found.group(2), found.group(1)
        finally:
            process.terminate()
            assert process.wait(30) == 0


@pytest.fixture(scope="module")
def url(addresses: tuple[str, str]) -> str:
    return addresses[0]


def asked(url: str, token: str | None, statement: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.post(f"{url}/sql", json={"statement": statement}, headers=headers, timeout=60)


def test_each_token_opens_its_own_part(url: str) -> None:
    assert asked(url, WHOLE, "SELECT count(*) FROM people").json()["rows"] == [[4]]
    assert asked(url, NORTH, "SELECT count(*) FROM people").json()["rows"] == [[2]]
    hidden = asked(url, NORTH, "FROM canary_plans")
    assert hidden.status_code == 404
    assert CANARY not in hidden.text.replace("canary_plans", "")


def test_what_a_reader_is_not_offered_is_refused_over_rest_too(url: str) -> None:
    headers = {"Authorization": f"Bearer {NORTH}"}
    body = {"source": {"name": "people.csv", "text": "id\n9\n"}}
    refused = httpx2.post(f"{url}/ingest", json=body, headers=headers, timeout=60)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    # A body that is no form at all shows that nobody reads it.
    form = {**headers, "Content-Type": "multipart/form-data; boundary=x"}
    upload = httpx2.post(f"{url}/ingest", content=b"no form", headers=form, timeout=60)
    assert (upload.status_code, upload.json()["code"]) == (403, "not_allowed")
    for path in ("/storage/errors", "/hnsw/trials"):
        assert httpx2.get(f"{url}{path}", headers=headers, timeout=60).status_code == 403


@pytest.mark.parametrize("token", [None, "another", NORTH[:-1], WHOLE + "x"])
def test_no_other_token_opens_anything(url: str, token: str | None) -> None:
    assert asked(url, token, "SELECT 1").status_code == 401


def flown(client: flight.FlightClient, token: str | None, statement: str) -> list[dict[str, Any]]:
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    options = flight.FlightCallOptions(timeout=60, headers=headers)
    rows: list[dict[str, Any]] = client.do_get(flight.Ticket(statement.encode()), options).read_all().to_pylist()
    return rows


def test_bulk_results_stay_behind_the_same_walls(addresses: tuple[str, str]) -> None:
    count = "SELECT count(*) AS n FROM people"
    with flight.connect(addresses[1]) as client:
        assert flown(client, WHOLE, count) == [{"n": 4}]
        assert flown(client, NORTH, count) == [{"n": 2}]
        options = flight.FlightCallOptions(timeout=60, headers=[(b"authorization", f"Bearer {NORTH}".encode())])
        assert [each.descriptor.path for each in client.list_flights(options=options)].count([b"canary_plans"]) == 0
        with pytest.raises(flight.FlightServerError) as hidden:
            flown(client, NORTH, "FROM canary_plans")
        assert CANARY not in str(hidden.value).replace("canary_plans", "")
        for token in (None, "another", NORTH[:-1]):
            with pytest.raises(flight.FlightUnauthenticatedError):
                flown(client, token, "SELECT 1")
    streamed = httpx2.post(
        f"{addresses[0]}/sql",
        json={"statement": "SELECT * EXCLUDE (email) FROM people ORDER BY id"},
        headers={"Authorization": f"Bearer {NORTH}", "Accept": "text/csv"},
        timeout=60,
    )
    assert streamed.status_code == 200
    assert len(streamed.text.splitlines()) == 3
    assert CANARY not in streamed.text


def test_whoever_has_no_token_is_not_told_how_much_there_is(url: str) -> None:
    health = httpx2.get(f"{url}/health", timeout=60).json()
    assert health["status"] == "ok"
    assert "datasets" not in health["lake"]


def test_a_token_for_no_profile_and_two_that_are_the_same_are_refused(folder: Path) -> None:
    command = [sys.executable, "-m", "mcp_lakehouse", "serve", "--lake", str(folder), "--http", "127.0.0.1:0"]
    for environment, told in (
        ({"LAKEHOUSE_TOKEN_NOBODY": "x"}, "there is no profile 'nobody'"),
        ({"LAKEHOUSE_TOKEN": "x", "LAKEHOUSE_TOKEN_NORTH": "x"}, "two tokens are the same"),
    ):
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert told in done.stderr
