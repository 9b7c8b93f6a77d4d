"""Spans of the lake's own work, with nothing but the OpenTelemetry API.

Until `configure` sets an exporter up, a span costs some microseconds and goes nowhere. A span carries
names, counts and error codes; statements and arguments only where the setting `trace_content` is on.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence

from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode

from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.settings import Settings
from mcp_lakehouse.tracing import SpanRecord, Tracing, names

Attribute = str | bool | int | float

_UNTRACED = otel_context.create_key("mcp-lakehouse-untraced")
_SUMMARY_CHARS = 255
_NO_CODE = re.compile(r"\s+|--[^\n]*|/\*.*?\*/|\(", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
# A first word outside these could be anything, a part of someone's data included.
_READS = frozenset({"SELECT", "WITH", "FROM", "TABLE"})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "COPY", "ATTACH", "SET"})
_VERBS = _CHANGES | {"PIVOT", "UNPIVOT", "DESCRIBE", "SUMMARIZE", "SHOW", "EXPLAIN", "VALUES"}

# Follows whichever provider the process sets later; until then it makes spans that go nowhere.
_TRACER = otel.get_tracer("mcp-lakehouse")


def configure(settings: Settings, *, version: str, sink: Callable[[list[SpanRecord]], None] | None = None) -> Tracing:
    """Set up the exporters that the setting `trace` names; `close` what is returned.

    `sink` takes finished spans for `trace = lake`; it must return at once. For the composition root of a
    process: OpenTelemetry has one tracer provider for each process. Raises `InvalidInput` for an unknown
    exporter, a missing extra, or a missing variable.
    """
    wanted = [part.strip() for part in settings.text("trace").split(",") if part.strip()]
    if wanted in ([], ["none"]):
        return Tracing([])
    from mcp_lakehouse.tracing.setup import set_up

    return set_up(wanted, content=settings.flag("trace_content"), version=version, sink=sink)


@contextlib.contextmanager
def span(name: str, **attributes: Attribute | None) -> Iterator[Span]:
    """A span around the work inside; attributes are those of `annotate`.

    A `LakehouseError` marks it failed with the error's code, any other exception with its class name;
    neither records the message.
    """
    if otel_context.get_value(_UNTRACED):
        yield INVALID_SPAN
        return
    with _TRACER.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        annotate(**attributes)
        try:
            yield current
        except BaseException as error:
            code = error.code if isinstance(error, LakehouseError) else type(error).__qualname__
            current.set_attribute(names.ERROR_TYPE, code)
            current.set_status(Status(StatusCode.ERROR))
            raise


def annotate(**attributes: Attribute | None) -> None:
    """Put attributes on the current span: a short name gets the prefix `lakehouse.`, `None` is left out."""
    current = otel.get_current_span()
    if current.is_recording():
        current.set_attributes({names.full_name(key): value for key, value in attributes.items() if value is not None})


def current_trace_id() -> str | None:
    """The trace that is being recorded, as 32 hexadecimal digits; `None` when none is."""
    current = otel.get_current_span()
    return f"{current.get_span_context().trace_id:032x}" if current.is_recording() else None


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """No `span` inside is recorded: for the lake's writes about itself, which must not cause more of them."""
    token = otel_context.attach(otel_context.set_value(_UNTRACED, True))
    try:
        yield
    finally:
        otel_context.detach(token)


def statement_attributes(statement: str, datasets: Sequence[str], *, content: bool = False) -> dict[str, Attribute]:
    """What a span may say of a statement over these datasets: its verb and their names.

    The text itself only with `content`, which is the setting `trace_content`.
    """
    verb = _verb(statement)
    summary = verb
    for dataset in datasets:
        if len(summary) + 1 + len(dataset) > _SUMMARY_CHARS:
            break
        summary += f" {dataset}"
    attributes: dict[str, Attribute] = {
        names.DB_SYSTEM_NAME: "duckdb",
        names.DB_OPERATION_NAME: verb,
        names.DB_QUERY_SUMMARY: summary,
    }
    if len(datasets) == 1:
        attributes[names.DB_COLLECTION_NAME] = datasets[0]
    if content:
        attributes[names.DB_QUERY_TEXT] = statement
    return attributes


def _verb(statement: str) -> str:
    position = 0
    while passed := _NO_CODE.match(statement, position):
        position = passed.end()
    word = _WORD.match(statement, position)
    verb = word.group().upper() if word else ""
    if verb in _READS:
        return "SELECT"
    return verb if verb in _VERBS else "OTHER"
