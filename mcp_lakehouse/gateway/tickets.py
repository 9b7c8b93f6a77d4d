"""What clients of Arrow Flight send and are told: tickets, and errors that carry our message and hint."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from pyarrow import flight

from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError, NotAllowed, ObjectMissing, StorageFailed
from mcp_lakehouse.gateway.limits import FlightLimits
from mcp_lakehouse.records import Json

_SHAPE = 'send a statement, or JSON: {"statement": "SELECT …", "params": [1]}'


@dataclass(frozen=True, slots=True)
class Ticket:
    """A statement with its parameters."""

    statement: str
    params: list[Json] | dict[str, Json] | None = None


def read_ticket(content: bytes, limits: FlightLimits) -> Ticket:
    """A ticket's (or command's) bytes: SQL, or a JSON object. Raises `InvalidInput`."""
    if len(content) > limits.ticket_bytes:
        raise InvalidInput(f"the ticket has {len(content):,} bytes; the limit is {limits.ticket_bytes:,}", hint=_SHAPE)
    try:
        text = content.decode().strip()
    except UnicodeDecodeError as error:
        raise InvalidInput("the ticket is not UTF-8 text", hint=_SHAPE) from error
    # No statement begins with it.
    if not text.startswith("{"):
        return Ticket(text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the ticket is not JSON: {error}"[:200], hint=_SHAPE) from error
    statement, params = value.get("statement"), value.get("params")
    unknown = sorted(value.keys() - {"statement", "params"})
    if unknown:
        raise InvalidInput(f"a ticket has no {unknown[0][:60]!r}", hint=_SHAPE)
    if not isinstance(statement, str):
        raise InvalidInput("the ticket holds no statement", hint=_SHAPE)
    if params is not None and not isinstance(params, (list, dict)):
        raise InvalidInput("params must be a list (for ? and $1) or an object (for $name)", hint=_SHAPE)
    return Ticket(statement, cast("list[Json] | dict[str, Json] | None", params))


@contextmanager
def telling(limits: FlightLimits) -> Iterator[None]:
    """Errors inside leave as Flight errors. Any other exception would reach the client with its traceback."""
    try:
        yield
    except flight.FlightError:
        raise
    except LakehouseError as error:
        raise flight_error(error, limits) from None
    except Exception as error:
        logging.getLogger(__name__).exception("a Flight call failed")
        unexpected = LakehouseError(
            f"unexpected {type(error).__name__}", hint="the server's log has the details"
        )  # fmt: skip
        raise flight_error(unexpected, limits) from None


def flight_error(error: LakehouseError, limits: FlightLimits, *, stranger: bool = False) -> Exception:
    """The Flight error for one of ours. `extra_info` is JSON: code, message, hint. `stranger`: the token is wrong."""
    kinds: dict[type[LakehouseError], type[Exception]] = {
        NotAllowed: flight.FlightUnauthenticatedError if stranger else flight.FlightUnauthorizedError,
        Cancelled: flight.FlightCancelledError,
        StorageFailed: flight.FlightUnavailableError,
        ObjectMissing: flight.FlightUnavailableError,
    }
    message, hint = _cut(error.message, limits.message_bytes), _cut(error.hint or "", limits.hint_bytes)
    told = {"code": error.code, "message": message, **({"hint": hint} if hint else {})}
    text = f"{message}\nhint: {hint}" if hint else message
    kind = next((kinds[each] for each in type(error).__mro__ if each in kinds), flight.FlightServerError)
    return kind(text, json.dumps(told, ensure_ascii=False).encode())


def _cut(text: str, most_bytes: int) -> str:
    # A header ends where a NUL is.
    content = text.replace("\0", "�").encode()
    return text if len(content) <= most_bytes else content[: most_bytes - 3].decode(errors="ignore") + "…"
