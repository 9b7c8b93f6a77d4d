"""The tools and a served lake for the conformance tests."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.node import ROOT, Node, Unavailable, installed

START_SECONDS = 30


@pytest.fixture(scope="session")
def node() -> Node:
    """Skips, with the reason, where the tools cannot be had: they come from npm."""
    try:
        return installed()
    except Unavailable as reason:
        pytest.skip(f"the official tools are not available: {reason}")


@contextmanager
def serving(lake: Path, *options: str) -> Iterator[str]:
    """The URL of our MCP endpoint in a process of its own, which must end well when asked to."""
    command = [sys.executable, "-m", "tests.conformance.serving", str(lake), *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/mcp", process.stderr.readline())
            assert found, process.communicate(timeout=START_SECONDS)[1]
            # By name: the suite tries other Host headers and expects this one to be right.
            yield f"http://localhost:{found.group(1)}/mcp"
        finally:
            process.send_signal(signal.SIGTERM)
            errors = process.communicate(timeout=START_SECONDS)[1]
        assert process.returncode == 0, errors
        assert "Traceback" not in errors


@pytest.fixture(scope="module")
def with_fixtures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our server with what the suite looks for registered on it."""
    with serving(tmp_path_factory.mktemp("fixtures") / "lake", "--fixtures") as url:
        yield url


@pytest.fixture(scope="module")
def as_it_is(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our server as users get it."""
    with serving(tmp_path_factory.mktemp("plain") / "lake") as url:
        yield url
