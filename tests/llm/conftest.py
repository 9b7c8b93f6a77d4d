"""A scripted endpoint for each test, and limits that make waiting short."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm.endpoints import FakeEndpoint, running
from mcp_lakehouse.llm.endpoint import CallLimits

QUICK = CallLimits(
    connect_seconds=5.0,
    idle_seconds=0.3,
    total_seconds=5.0,
    attempts=3,
    first_wait_seconds=0.01,
    longest_wait_seconds=0.5,
    answer_bytes=100_000,
)


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with running() as fake:
        yield fake
