"""The last door before a span leaves: without `content`, only attributes that are known to be safe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from mcp_lakehouse.tracing import SpanRecord
from mcp_lakehouse.tracing.names import SAFE

_LOG = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AllowedOnly(SpanExporter):
    """Hands an exporter copies of the spans with only what may leave."""

    def __init__(self, inner: SpanExporter, *, content: bool) -> None:
        self._inner = inner
        self._content = content

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the copies."""
        return self._inner.export(spans if self._content else [_without_content(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held back here."""
        return self._inner.force_flush(timeout_millis)


class ToSink(SpanProcessor):
    """Gives every sampled span to `sink` as it ends, as a plain record. `sink` runs in the traced call's thread."""

    def __init__(self, sink: Callable[[list[SpanRecord]], None], *, content: bool) -> None:
        self._sink: Callable[[list[SpanRecord]], None] | None = sink
        self._content = content

    def on_end(self, span: ReadableSpan) -> None:
        """Hand the span over."""
        sink = self._sink
        if sink and span.context and span.context.trace_flags.sampled:
            attributes = dict(span.attributes or {}) if self._content else _allowed(span)
            try:
                sink([_record(span, attributes)])
            except Exception:
                # A call that worked must not fail for its trace.
                _LOG.exception("a span could not be kept")

    def shutdown(self) -> None:
        """Hand over nothing more."""
        self._sink = None


def _allowed(span: ReadableSpan) -> dict[str, object]:
    return {key: value for key, value in (span.attributes or {}).items() if key in SAFE}


def _without_content(span: ReadableSpan) -> ReadableSpan:
    # Events carry exception texts and stack traces, a status its description: neither may leave.
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_allowed(span),  # type: ignore[arg-type]  # the SDK types them narrower than it gives them
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _record(span: ReadableSpan, attributes: Mapping[str, object]) -> SpanRecord:
    context, parent = span.context, span.parent
    start, end = span.start_time or 0, span.end_time or 0
    return SpanRecord(
        trace_id=f"{context.trace_id:032x}" if context else "",
        span_id=f"{context.span_id:016x}" if context else "",
        parent_id=f"{parent.span_id:016x}" if parent else None,
        name=span.name,
        kind=span.kind.name.lower(),
        started_at=_time(start),
        ended_at=_time(end),
        duration_ms=(end - start) / 1e6,
        status=span.status.status_code.name.lower(),
        attributes=attributes,
    )


def _time(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
