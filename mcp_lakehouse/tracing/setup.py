"""The tracer provider of this process, with the exporters that were asked for. Imports the OpenTelemetry SDK."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from opentelemetry import trace as otel
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.tracing import SpanRecord, Tracing
from mcp_lakehouse.tracing.privacy import AllowedOnly, ToSink

EXPORT_SECONDS = 5

KNOWN = ("lake", "otlp", "langfuse")
_NO_EXTRA = "trace = {kind}: its packages are not installed"


def set_up(
    kinds: Sequence[str],
    *,
    content: bool,
    version: str,
    sink: Callable[[list[SpanRecord]], None] | None,
) -> Tracing:
    """Processors for these exporters, added to the provider of this process."""
    for kind in kinds:
        if kind not in KNOWN:
            raise InvalidInput(
                f"trace = {','.join(kinds)}: {kind!r} cannot be used there",
                hint=f"give none alone, or any of: {', '.join(KNOWN)}",
            )
    exporters: list[SpanExporter] = []
    if "otlp" in kinds:
        exporters.append(_otlp())
    if "langfuse" in kinds:
        exporters.append(_langfuse())
    processors: list[SpanProcessor] = [BatchSpanProcessor(AllowedOnly(each, content=content)) for each in exporters]
    if "lake" in kinds:
        if sink is None:
            raise InvalidInput("trace = lake: there is no lake to write to", hint="use it with a command on a lake")
        processors.append(ToSink(sink, content=content))
    provider = _provider(version)
    for processor in processors:
        provider.add_span_processor(processor)
    return Tracing([processor.shutdown for processor in processors])


def _provider(version: str) -> TracerProvider:
    present = otel.get_tracer_provider()
    if isinstance(present, TracerProvider):
        # The process is traced already (by a launcher such as opentelemetry-instrument): join in.
        return present
    attributes = {SERVICE_VERSION: version}
    if "OTEL_SERVICE_NAME" not in os.environ:
        attributes[SERVICE_NAME] = "mcp-lakehouse"
    # Not shut down at exit: that would wait 30 s for a collector that is gone. `Tracing.close` waits less.
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    otel.set_tracer_provider(provider)
    return provider


def _otlp() -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise InvalidInput(_NO_EXTRA.format(kind="otlp"), hint='pip install "mcp-lakehouse[otlp]"') from error
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = os.environ.get(variable) or "http/protobuf"
        if protocol != "http/protobuf":
            raise InvalidInput(
                f"trace = otlp: {variable} is {protocol!r}", hint="unset it or set http/protobuf (port 4318)"
            )
    return OTLPSpanExporter()


def _langfuse() -> SpanExporter:
    """Plain OTLP to Langfuse. Its own client would import for a second, drop the spans of our SQL, start
    threads for media and scores, and send to a public host where no address is given."""
    base = (os.environ.get("LANGFUSE_BASE_URL") or os.environ.get("LANGFUSE_HOST") or "").rstrip("/")
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).netloc:
        raise InvalidInput(
            "trace = langfuse: LANGFUSE_BASE_URL holds no address, and there is no default one",
            hint="set it to your own server, as in LANGFUSE_BASE_URL=http://localhost:3000",
        )
    keys = [os.environ.get(name, "") for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")]
    if not all(keys):
        raise InvalidInput("trace = langfuse: a key is missing", hint="set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
    try:
        from mcp_lakehouse.tracing.langfuse import exporter
    except ImportError as error:
        raise InvalidInput(_NO_EXTRA.format(kind="langfuse"), hint='pip install "mcp-lakehouse[langfuse]"') from error
    return exporter(base, public_key=keys[0], secret_key=keys[1], timeout_seconds=EXPORT_SECONDS)
