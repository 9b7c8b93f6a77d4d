"""Langfuse's OTLP endpoint. Imports the OTLP exporter, which is an extra."""

from __future__ import annotations

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from requests.auth import HTTPBasicAuth

_PATH = "/api/public/otel/v1/traces"
_INGESTION_VERSION = "x-langfuse-ingestion-version"
_SENT = frozenset({"content-type", "content-encoding", "user-agent", _INGESTION_VERSION})


class _OnlyOurHeaders(requests.Session):
    """The exporter adds the headers of OTEL_EXPORTER_OTLP_HEADERS, which may hold another collector's key."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """As `requests.Session.prepare_request`."""
        request.headers = {name: value for name, value in (request.headers or {}).items() if name.lower() in _SENT}
        return super().prepare_request(request)


def exporter(base_url: str, *, public_key: str, secret_key: str, timeout_seconds: float) -> OTLPSpanExporter:
    """An exporter of spans to the Langfuse server at `base_url`."""
    session = _OnlyOurHeaders()
    # As the session's own, because a header would yield to an entry for that host in ~/.netrc.
    session.auth = HTTPBasicAuth(public_key, secret_key)
    return OTLPSpanExporter(
        endpoint=base_url + _PATH,
        headers={_INGESTION_VERSION: "4"},
        timeout=timeout_seconds,
        compression=Compression.Gzip,
        session=session,
    )
