"""Which status and which Flight error an error of the lake becomes, also one of a kind of its own."""

from __future__ import annotations

import pytest
from pyarrow import flight

from mcp_lakehouse.errors import KeyRefused, LakehouseError, ObjectExists, ObjectMissing, StorageFailed, Unreachable
from mcp_lakehouse.gateway.limits import FlightLimits
from mcp_lakehouse.gateway.problems import status_of
from mcp_lakehouse.gateway.tickets import flight_error


@pytest.mark.parametrize(
    ("kind", "status", "raised"),
    [
        (StorageFailed, 503, flight.FlightUnavailableError),
        (Unreachable, 503, flight.FlightUnavailableError),
        (ObjectMissing, 503, flight.FlightUnavailableError),
        (ObjectExists, 409, flight.FlightServerError),
        (KeyRefused, 403, flight.FlightUnauthorizedError),
        (LakehouseError, 500, flight.FlightServerError),
    ],
)
def test_a_kind_that_has_no_status_has_that_of_what_it_is(
    kind: type[LakehouseError], status: int, raised: type[flight.FlightError]
) -> None:
    assert status_of(kind("it failed")) == status
    assert type(flight_error(kind("it failed"), FlightLimits())) is raised
