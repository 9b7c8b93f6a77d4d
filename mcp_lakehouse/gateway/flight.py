"""Arrow Flight over gRPC: results of any length as record batches, under the same guard, limits and tokens.

A ticket is a statement. Load this module late: it takes gRPC with it. There is no check of hosts and origins as
for HTTP: a page in a browser cannot speak HTTP/2 without TLS.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from opentelemetry import context as otel_context
from opentelemetry import propagate
from pyarrow import flight

from mcp_lakehouse import __version__
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError, LimitExceeded, NotAllowed
from mcp_lakehouse.gateway.access import LakeFor, bearer
from mcp_lakehouse.gateway.binding import guard, listening, shown
from mcp_lakehouse.gateway.health import readable_datasets
from mcp_lakehouse.gateway.limits import FlightLimits
from mcp_lakehouse.gateway.tickets import Ticket, flight_error, read_ticket, telling
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.sql.streaming import Wanted
from mcp_lakehouse.sql.values import quote

_DOOR = "door"
_HEALTH = "health"


@contextlib.contextmanager
def serving(
    lake_for: LakeFor, host: str, port: int, *, token: str, limits: FlightLimits | None = None
) -> Iterator[FlightServer]:
    """A Flight server for as long as the context lasts; port 0 takes a free one. The address goes to stderr.

    `lake_for` gives the lake of whoever sends a token; `token` is only asked whether there is one. Raises
    `NotAllowed` when others could reach it and there is none, `InvalidInput` for an address that cannot be had.
    """
    # gRPC binds for itself and cannot say what is wrong with an address.
    with listening(host, port, token=token, flag="--flight") as probe:
        address = probe.getsockname()
    at = f"{shown(str(address[0]))}:{address[1]}"
    server = FlightServer(f"grpc://{at}", lake_for, limits or FlightLimits())
    print(f"Arrow Flight at grpc://{shown(host)}:{server.port} ({guard(token)})", file=sys.stderr)
    try:
        yield server
    finally:
        server.stop()


class FlightServer(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow has no types
    """Statements as tickets, over the lake that each caller's token stands for."""

    def __init__(self, location: str, lake_for: LakeFor, limits: FlightLimits) -> None:
        super().__init__(location, middleware={_DOOR: _Door(lake_for, limits)})
        self._limits = limits
        self._lock = threading.Lock()
        self._running: set[CancelToken] = set()
        self._stopping = False
        self.stopped = False

    # Reading ----------------------------------------------------------------------------------

    def do_get(self, context: Any, ticket: Any) -> Any:
        """The rows of a ticket's statement, as they are made."""
        door = _entered(context)
        with telling(self._limits), door.traced():
            rows = self._rows(context, door.lake, read_ticket(ticket.ticket, self._limits))
            # The rows follow in calls of their own.
            schema = next(rows)
        return flight.GeneratorStream(schema, rows)

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        """The schema and the ticket of a command (as a ticket) or a path (one dataset)."""
        door = _entered(context)
        with telling(self._limits), door.traced():
            if descriptor.descriptor_type == flight.DescriptorType.PATH:
                return _dataset_info(door.lake, [part.decode(errors="replace") for part in descriptor.path])
            command = descriptor.command or b""
            wanted = _wanted(read_ticket(command, self._limits), CancelToken())
            return _info(door.lake.streams.schema(wanted), descriptor, command, rows=-1)

    def get_schema(self, context: Any, descriptor: Any) -> Any:
        """The schema alone, as `get_flight_info`."""
        return flight.SchemaResult(self.get_flight_info(context, descriptor).schema)

    def list_flights(self, context: Any, criteria: bytes) -> Iterator[Any]:
        """The datasets whose name or description holds the criteria; each has its rows and a ticket."""
        door = _entered(context)
        with telling(self._limits), door.traced():
            match = (criteria or b"").decode(errors="replace").lower()
            with door.lake.recorder.recording("list_datasets", None):
                found = [
                    each
                    for each in door.lake.catalog.all()
                    if match in each.name or match in (each.snapshot.description or "").lower()
                ]
            return iter(_infos(door.lake, found))

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        """What `do_action` knows."""
        _entered(context)
        return [(_HEALTH, "whether the server and its lake answer")]

    def do_action(self, context: Any, action: Any) -> Iterator[bytes]:
        """`health`: whether the server and its lake answer, as JSON."""
        door = _entered(context)
        with telling(self._limits), door.traced():
            if action.type != _HEALTH:
                raise InvalidInput(f"there is no action {action.type[:60]!r}", hint=f"actions: {_HEALTH}")
            return iter([json.dumps(_health(door.lake)).encode()])

    def do_put(self, context: Any, _descriptor: Any, _reader: Any, _writer: Any) -> None:
        """Refused: data comes in through ingest."""
        self._refuse(context)

    def do_exchange(self, context: Any, _descriptor: Any, _reader: Any, _writer: Any) -> None:
        """Refused, as `do_put`."""
        self._refuse(context)

    def _refuse(self, context: Any) -> None:
        _entered(context)
        with telling(self._limits):
            raise InvalidInput("Arrow Flight only reads here", hint="load data with POST /ingest or the ingest tool")

    def _rows(self, context: Any, lake: Lakehouse, ticket: Ticket) -> Iterator[Any]:
        """The schema, then batches. Closed by gRPC when the client goes, which stops the statement."""
        token = CancelToken()
        with telling(self._limits), self._call(token):
            wanted = _wanted(ticket, token, waiting=partial(_look, context, token))
            with lake.streams.open(wanted) as stream:
                batches = stream.batches()
                # A batch alone goes without its dictionaries.
                coded = any(map(_has_dictionary, batches.schema.types))
                yield batches.schema
                for batch in batches:
                    yield pa.Table.from_batches([batch]) if coded else batch

    # Ending -----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Take no more calls, let those that run end, stop what is left. `stopped` says whether all of them ended.

        A client that neither takes rows nor hangs up can keep a call open; only the process can end that.
        """
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
        ending = threading.Thread(target=self.shutdown, daemon=True)
        ending.start()
        ending.join(self._limits.drain_seconds)
        with self._lock:
            running = list(self._running)
        for token in running:
            token.cancel()
        ending.join(self._limits.shutdown_seconds)
        self.stopped = not ending.is_alive()

    @contextlib.contextmanager
    def _call(self, token: CancelToken) -> Iterator[None]:
        with self._lock:
            if len(self._running) >= self._limits.calls:
                raise LimitExceeded(f"{self._limits.calls} results are under way", hint="try again in a moment")
            self._running.add(token)
        try:
            yield
        except Cancelled:
            if self._stopping:
                stopping = LakehouseError("the server is stopping", hint="ask again when it is back")
                raise flight.FlightUnavailableError(str(stopping)) from None
            raise
        finally:
            with self._lock:
                self._running.discard(token)


class _Door(flight.ServerMiddlewareFactory):  # type: ignore[misc]  # pyarrow has no types
    """Looks at the token in front of every call."""

    def __init__(self, lake_for: LakeFor, limits: FlightLimits) -> None:
        super().__init__()
        self._lake_for = lake_for
        self._limits = limits

    def start_call(self, _info: Any, headers: Mapping[str, Sequence[str]]) -> _Entered:
        with telling(self._limits):
            given = {name.lower(): str(values[0]) for name, values in headers.items() if values}
            try:
                return _Entered(self._lake_for(bearer(given.get("authorization"))), given)
            except NotAllowed as error:
                raise flight_error(error, self._limits, stranger=True) from None


class _Entered(flight.ServerMiddleware):  # type: ignore[misc]  # pyarrow has no types
    """A caller who was let in, and what they may read."""

    def __init__(self, lake: Lakehouse, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.lake = lake
        self._headers = headers

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """Spans inside continue the caller's trace."""
        attached = otel_context.attach(propagate.extract(self._headers))
        try:
            yield
        finally:
            otel_context.detach(attached)


def _entered(context: Any) -> _Entered:
    entered: _Entered = context.get_middleware(_DOOR)
    return entered


def _look(context: Any, token: CancelToken) -> None:
    if context.is_cancelled():
        token.cancel()


def _wanted(ticket: Ticket, token: CancelToken, waiting: Any = None) -> Wanted:
    return Wanted(ticket.statement, ticket.params, "arrow", token, waiting)


def _dataset_info(lake: Lakehouse, path: Sequence[str]) -> Any:
    if len(path) != 1:
        raise InvalidInput("a path names one dataset", hint='FlightDescriptor.for_path("workers")')
    with lake.recorder.recording("describe_dataset", path[0]):
        found = lake.catalog.get(path[0])
    (info,) = _infos(lake, [found])
    return info


def _infos(lake: Lakehouse, datasets: Sequence[Dataset]) -> list[Any]:
    """What is known of datasets at the versions given, which their tickets name."""
    columns = [[(column.name, column.type) for column in each.snapshot.columns] for each in datasets]
    schemas = lake.streams.schemas(columns) if datasets else []
    infos = []
    for each, schema in zip(datasets, schemas, strict=True):
        statement = f"FROM {quote(each.name)} AT (VERSION => {each.snapshot.version})"
        descriptor = flight.FlightDescriptor.for_path(each.name)
        infos.append(_info(schema, descriptor, statement.encode(), rows=each.snapshot.rows))
    return infos


def _info(schema: pa.Schema, descriptor: Any, ticket: bytes, *, rows: int) -> Any:
    # No location: the rows are had where this was asked.
    return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(ticket, [])], rows, -1)


def _health(lake: Lakehouse) -> dict[str, object]:
    known: dict[str, object] = {"read_only": lake.read_only}
    status = "ok"
    try:
        known["datasets"] = readable_datasets(lake)
    except LakehouseError as error:
        status, known["error"] = "failing", error.code
    return {"status": status, "version": __version__, "lake": known}


def _has_dictionary(type_: pa.DataType) -> bool:
    if pa.types.is_dictionary(type_):
        return True
    return any(_has_dictionary(type_.field(index).type) for index in range(type_.num_fields))
