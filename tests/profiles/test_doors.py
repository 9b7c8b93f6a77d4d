"""One HTTP server for several readers: each token opens its own part of the lake."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from profiles.conftest import CANARY

WHOLE, NORTH = "the-token-of-the-whole-lake", "the-token-of-the-north"


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The address of a server with a token for all of the lake, and one for `north`."""
    environment = {**os.environ, "LAKEHOUSE_TOKEN": WHOLE, "LAKEHOUSE_TOKEN_NORTH": NORTH}
    command = [sys.executable, "-m", "mcp_lakehouse", "serve", "--lake", str(folder), "--http", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"(http://\S+)/mcp", process.stderr.readline())
            assert found
            yield found.group(1)
        finally:
            process.terminate()
            assert process.wait(30) == 0


def asked(url: str, token: str | None, statement: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.post(f"{url}/sql", json={"statement": statement}, headers=headers, timeout=60)


def test_each_token_opens_its_own_part(url: str) -> None:
    assert asked(url, WHOLE, "SELECT count(*) FROM people").json()["rows"] == [[4]]
    assert asked(url, NORTH, "SELECT count(*) FROM people").json()["rows"] == [[2]]
    hidden = asked(url, NORTH, "FROM canary_plans")
    assert hidden.status_code == 404
    assert CANARY not in hidden.text.replace("canary_plans", "")


@pytest.mark.parametrize("token", [None, "another", NORTH[:-1], WHOLE + "x"])
def test_no_other_token_opens_anything(url: str, token: str | None) -> None:
    assert asked(url, token, "SELECT 1").status_code == 401


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
