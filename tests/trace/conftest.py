"""What the trace tests share: spans as the lake would keep them, and an environment without collectors."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from mcp_lakehouse.settings import Settings, read_settings
from mcp_lakehouse.trace import configure
from mcp_lakehouse.tracing import SpanRecord


@pytest.fixture(autouse=True)
def _no_collector_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OTEL_", "LANGFUSE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def settings() -> Settings:
    return read_settings({"trace": "lake"}, {})


@pytest.fixture
def kept(settings: Settings) -> Iterator[list[SpanRecord]]:
    """Every span that ends while the test runs."""
    records: list[SpanRecord] = []
    tracing = configure(settings, version="0.0.test", sink=records.extend)
    yield records
    tracing.close()
