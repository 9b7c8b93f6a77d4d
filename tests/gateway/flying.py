"""A lake served by Arrow Flight from the test's own process, and a client of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.gateway.access import LakeFor, by_token
from mcp_lakehouse.gateway.flight import FlightServer, serving
from mcp_lakehouse.gateway.limits import FlightLimits
from mcp_lakehouse.settings import read_settings

ENDLESS = "SELECT range AS id, 'a text of some length' AS note FROM range(1_000_000_000_000)"


@dataclass(frozen=True, slots=True)
class Flown:
    """A lake, its Flight server, and a client of it."""

    lake: Lakehouse
    server: FlightServer
    client: flight.FlightClient

    def table(self, ticket: str | dict[str, Any]) -> pa.Table:
        """All rows of a ticket."""
        content = ticket if isinstance(ticket, str) else json.dumps(ticket)
        return self.client.do_get(flight.Ticket(content.encode())).read_all()


def opened(folder: Path, **settings: str) -> Lakehouse:
    flags: dict[str, str | None] = {"lake": str(folder / "lake"), "allow": str(folder), "embedder": "wordllama"}
    return Lakehouse.open(settings=read_settings(flags | settings))


@contextmanager
def flown(
    lake: Lakehouse, lake_for: LakeFor | None = None, *, token: str = "", limits: FlightLimits | None = None
) -> Iterator[Flown]:
    with (
        serving(lake_for or by_token((token, lake)), "127.0.0.1", 0, token=token, limits=limits) as server,
        flight.connect(f"grpc://127.0.0.1:{server.port}") as client,
    ):
        yield Flown(lake, server, client)
    assert server.stopped


def failure(up: Flown, ticket: str | dict[str, Any]) -> tuple[flight.FlightError, dict[str, str]]:
    """The error of a ticket that must fail, and what it says to programs."""
    with pytest.raises(flight.FlightError) as caught:
        up.table(ticket)
    assert "Traceback" not in str(caught.value)
    assert str(up.lake.settings.lake) not in str(caught.value)
    told = json.loads(caught.value.extra_info)
    assert told["message"] in str(caught.value)
    return caught.value, told
