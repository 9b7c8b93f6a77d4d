"""Arrow Flight: who is let in, what they see, and what their going away ends."""

from __future__ import annotations

import collections
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from gateway.conftest import PEOPLE, TOKEN
from gateway.flying import ENDLESS, Flown, failure, flown, opened
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, NotAllowed
from mcp_lakehouse.gateway.access import by_token
from mcp_lakehouse.gateway.flight import serving
from mcp_lakehouse.gateway.limits import FlightLimits
from tests.mcp.processes import LONG


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    """A lake with the dataset `people`."""
    folder = tmp_path_factory.mktemp("called")
    (folder / "people.csv").write_text(PEOPLE)
    with opened(folder) as each:
        each.ingest(folder / "people.csv")
        yield each


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flown]:
    """A lake with one worker, and room for two results under way."""
    with (
        opened(tmp_path_factory.mktemp("alone"), sql_workers="1") as lake,
        flown(lake, limits=FlightLimits(calls=2)) as each,
    ):
        yield each


def knocks(client: flight.FlightClient, options: flight.FlightCallOptions) -> list[Any]:
    """Every call that there is."""
    descriptor = flight.FlightDescriptor.for_command("SELECT 1")
    return [
        lambda: client.do_get(flight.Ticket(b"SELECT 1"), options).read_all(),
        lambda: client.get_flight_info(descriptor, options),
        lambda: list(client.list_flights(options=options)),
        lambda: client.list_actions(options),
        lambda: list(client.do_action("health", options)),
        lambda: client.do_put(descriptor, pa.schema([]), options)[0].close(),
        lambda: client.do_exchange(descriptor, options)[1].read_chunk(),
    ]


@pytest.mark.parametrize("sent", [None, "Bearer wrong", f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}", "Bearer"])
def test_without_the_token_no_call_is_answered(lake: Lakehouse, sent: str | None) -> None:
    headers = [] if sent is None else [(b"authorization", sent.encode())]
    with flown(lake, token=TOKEN) as guarded:
        knocking = flight.FlightCallOptions(headers=headers)
        for knock in knocks(guarded.client, knocking):
            with pytest.raises(flight.FlightUnauthenticatedError, match="bearer token"):
                knock()
        with pytest.raises(OSError, match="bearer token"):
            guarded.client.get_schema(flight.FlightDescriptor.for_command("SELECT 1"), knocking)
        right = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {TOKEN}".encode())])
        assert guarded.client.do_get(flight.Ticket(b"FROM people"), right).read_all().num_rows == 3


def test_each_token_has_the_lake_it_stands_for(lake: Lakehouse, tmp_path: Path) -> None:
    with opened(tmp_path) as other, flown(lake, by_token(("one", lake), ("two", other)), token="one") as each:
        seen = {}
        for token in ("one", "two"):
            options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {token}".encode())])
            seen[token] = [info.descriptor.path[0] for info in each.client.list_flights(options=options)]
        assert b"people" in seen["one"]
        assert seen["two"] == []


PROFILES = """
[profiles.agency]
datasets = ["people"]
[profiles.agency.restrict.people]
where = "city <> 'London'"
hide = ["name"]
"""


def test_a_profile_sees_by_flight_what_it_sees_by_sql(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "secrets.csv").write_text("id\n1\n")
    with opened(tmp_path) as lake:
        for name in ("people", "secrets"):
            lake.ingest(tmp_path / f"{name}.csv")
    (tmp_path / "lake" / "lakehouse.toml").write_text(PROFILES)
    with opened(tmp_path, profile="agency") as agency, flown(agency) as up:
        assert up.table("FROM people ORDER BY id").to_pylist() == [
            {"id": 2, "city": "New York"},
            {"id": 3, "city": "Austin"},
        ]
        (info,) = up.client.list_flights()
        assert (info.schema.names, info.total_records) == (["id", "city"], 2)
        assert up.client.do_get(info.endpoints[0].ticket).read_all().num_rows == 2
        error, told = failure(up, "FROM secrets")
        assert (told["code"], "secrets" in told["hint"]) == ("not_found", False)
        assert "London" not in str(error)
        with pytest.raises(flight.FlightServerError, match="no dataset"):
            up.client.get_flight_info(flight.FlightDescriptor.for_path("secrets"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_wide_address_needs_a_token(lake: Lakehouse, host: str) -> None:
    with pytest.raises(NotAllowed, match="no token is set"), serving(by_token(("", lake)), host, 0, token=""):
        raise AssertionError("it serves")


def test_a_port_in_use_is_named_with_a_way_out(lake: Lakehouse) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(InvalidInput, match=f"port {port} is in use") as caught,
            serving(by_token(("", lake)), "127.0.0.1", port, token=""),
        ):
            raise AssertionError("it serves")
    assert f"--flight 127.0.0.1:{port + 1}" in (caught.value.hint or "")


def test_a_client_that_cancels_in_the_middle_frees_the_worker(alone: Flown) -> None:
    reader = alone.client.do_get(flight.Ticket(ENDLESS.encode()))
    assert reader.read_chunk().data.num_rows > 0
    reader.cancel()
    # There is one worker: without it, this would wait until the stream has stalled for long.
    began = time.monotonic()
    assert alone.lake.sql("SELECT 1").rows == [[1]]
    assert time.monotonic() - began < 30
    assert alone.table("SELECT 2 AS two").to_pylist() == [{"two": 2}]


def test_a_client_that_gives_up_before_the_first_row_stops_the_statement(alone: Flown) -> None:
    with pytest.raises(flight.FlightTimedOutError):
        alone.client.do_get(flight.Ticket(LONG.encode()), flight.FlightCallOptions(timeout=1)).read_all()
    # With the one worker at work on it, this would wait for the time limit.
    began = time.monotonic()
    assert alone.lake.sql("SELECT 1").rows == [[1]]
    assert time.monotonic() - began < 30


def test_one_worker_is_left_for_short_statements(tmp_path: Path) -> None:
    with opened(tmp_path, sql_workers="2") as lake, flown(lake) as up:
        reader = up.client.do_get(flight.Ticket(ENDLESS.encode()))
        reader.read_chunk()
        assert lake.sql("SELECT 1").rows == [[1]]
        patience = flight.FlightCallOptions(timeout=0.5)
        with pytest.raises(flight.FlightTimedOutError):
            up.client.do_get(flight.Ticket(b"SELECT 1"), patience).read_all()
        reader.cancel()
        assert up.table("SELECT 2 AS two").to_pylist() == [{"two": 2}]


def test_results_under_way_are_counted(alone: Flown) -> None:
    reader = alone.client.do_get(flight.Ticket(ENDLESS.encode()))
    reader.read_chunk()
    # Waits for the worker, in the second place.
    deadline = time.monotonic() + 30

    def wait() -> None:
        refused = True
        while refused and time.monotonic() < deadline:
            # Until the other one is not in that place.
            with contextlib.suppress(flight.FlightServerError):
                alone.table("SELECT 1")
                refused = False

    waiting = threading.Thread(target=wait)
    waiting.start()
    told: dict[str, str] = {}
    patience = flight.FlightCallOptions(timeout=0.3)
    while not told.get("message", "").startswith("2 results") and time.monotonic() < deadline:
        with pytest.raises(flight.FlightError) as caught:
            alone.client.do_get(flight.Ticket(b"SELECT 1"), patience).read_all()
        told = json.loads(caught.value.extra_info or "{}")
    assert told["code"] == "limit_exceeded"
    reader.cancel()
    waiting.join()


def test_a_server_that_stops_ends_its_results_with_an_error(lake: Lakehouse) -> None:
    with flown(lake, limits=FlightLimits(drain_seconds=0.1)) as stopping:
        reader = stopping.client.do_get(flight.Ticket(ENDLESS.encode()))
        stop = threading.Thread(target=stopping.server.stop)
        stop.start()
        reader.read_chunk()
        with pytest.raises(flight.FlightError, match="stopping"):
            collections.deque(reader, maxlen=0)
        stop.join()
