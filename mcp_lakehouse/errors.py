"""The one error tree. Every error says what happened and, in `hint`, what to do next."""

from __future__ import annotations


class LakehouseError(Exception):
    """Base of all errors the lake raises on purpose.

    `message` says what happened, `hint` what to do next. `code` is the stable name
    used in the error journal, in spans and in problem JSON. `journaled`: whether the journal has it.
    """

    code = "error"
    journaled = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = _whole(message)
        self.hint = None if hint is None else _whole(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


def _whole(text: str) -> str:
    """Half a surrogate pair, quoted from an argument, would make the message unfit for every file and wire."""
    return text.encode("utf-8", "replace").decode("utf-8")


class InvalidInput(LakehouseError):
    """An argument, a name, a setting or a source is not usable as given."""

    code = "invalid_input"


class NotFound(LakehouseError):
    """A dataset, column, version, result or file does not exist (or is not visible)."""

    code = "not_found"


class ObjectMissing(NotFound):
    """An object of a bucket is not there; the message holds its address. To whoever asked for data, storage failed."""

    code = "storage_failed"


class StatementRefused(LakehouseError):
    """The SQL guard does not let this statement run."""

    code = "statement_refused"


class StatementFailed(LakehouseError):
    """The SQL engine could not parse, bind or run the statement."""

    code = "statement_failed"


class NotAllowed(LakehouseError):
    """The caller's rights (read-only, allowed roots, token) do not cover this."""

    code = "not_allowed"


class KeyRefused(NotAllowed):
    """A model's endpoint does not take the key that is set here."""


class SchemaMismatch(LakehouseError):
    """New data does not fit the dataset's schema; the message shows both."""

    code = "schema_mismatch"


class UnreadableSource(LakehouseError):
    """A source exists but cannot be read as data (corrupt, encrypted, empty, wrong format)."""

    code = "unreadable_source"


class LimitExceeded(LakehouseError):
    """A named limit (time, rows, bytes, memory) was reached; nothing was kept."""

    code = "limit_exceeded"


class ModelTimedOut(LimitExceeded):
    """A model's endpoint took longer than it may."""


class Cancelled(LakehouseError):
    """The caller cancelled; nothing was kept."""

    code = "cancelled"


class Conflict(LakehouseError):
    """Other writers kept winning; the bounded retries are used up."""

    code = "conflict"


class ObjectExists(Conflict):
    """An object of a bucket is there already; the message holds its address."""


class StorageFailed(LakehouseError):
    """A bucket refused or did not answer (full disk, read-only folder, dead server).

    `kept`: the id under which the rescue bucket holds the refused write, if it does.
    """

    code = "storage_failed"
    kept: str | None = None


class Unreachable(StorageFailed):
    """A bucket's server did not answer, or could not: it may later."""


class WorkerDied(LakehouseError):
    """A worker process ended before it answered."""

    code = "worker_died"


class ModelFailed(LakehouseError):
    """A model's endpoint refused, did not answer, or answered what cannot be used."""

    code = "model_failed"


class UnsupportedLake(LakehouseError):
    """The lake was written by a newer version, or is not a lake."""

    code = "unsupported_lake"


def from_wire(code: str, message: str, hint: str | None) -> LakehouseError:
    """The error a worker process reported, rebuilt as its own class."""
    for kind in LakehouseError.__subclasses__():
        if kind.code == code:
            return kind(message, hint=hint)
    return LakehouseError(message, hint=hint)
