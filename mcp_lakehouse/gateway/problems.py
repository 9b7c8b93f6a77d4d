"""Errors as problem JSON (RFC 9457), each with the status that fits it."""

from __future__ import annotations

import errno
import json
from http import HTTPStatus

from starlette.responses import Response

from mcp_lakehouse.errors import (
    Cancelled,
    Conflict,
    InvalidInput,
    LakehouseError,
    LimitExceeded,
    ModelFailed,
    NotAllowed,
    NotFound,
    ObjectMissing,
    SchemaMismatch,
    StatementFailed,
    StatementRefused,
    StorageFailed,
    UnreadableSource,
    UnsupportedLake,
    WorkerDied,
)

MEDIA_TYPE = "application/problem+json"
# Used by proxies and never by the standard: the client went away.
CLIENT_CLOSED_REQUEST = 499
_STATUS: dict[type[LakehouseError], int] = {
    InvalidInput: 400,
    StatementRefused: 400,
    StatementFailed: 400,
    NotAllowed: 403,
    NotFound: 404,
    ObjectMissing: 503,
    Conflict: 409,
    SchemaMismatch: 409,
    UnreadableSource: 422,
    Cancelled: CLIENT_CLOSED_REQUEST,
    ModelFailed: 502,
    LimitExceeded: 503,
    StorageFailed: 503,
    UnsupportedLake: 503,
    WorkerDied: 503,
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def status_of(error: LakehouseError) -> int:
    """The HTTP status for an error of the lake."""
    cause = error.__cause__
    if isinstance(error, StorageFailed) and isinstance(cause, OSError) and cause.errno in _FULL:
        return HTTPStatus.INSUFFICIENT_STORAGE
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def problem(error: LakehouseError, status: int | None = None, *, headers: dict[str, str] | None = None) -> Response:
    """The answer for an error. `status` is for what only HTTP knows, such as 413 or 421."""
    number = status if status is not None else status_of(error)
    body = {
        "type": "about:blank",
        "title": "Client Closed Request" if number == CLIENT_CLOSED_REQUEST else HTTPStatus(number).phrase,
        "status": number,
        "detail": error.message,
        **({"hint": error.hint} if error.hint else {}),
        "code": error.code,
    }
    # ASCII, because a message may quote half of a surrogate pair back to the sender.
    return Response(json.dumps(body), number, headers=headers, media_type=MEDIA_TYPE)
