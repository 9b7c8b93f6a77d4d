"""One POST of JSON to a model's endpoint: retried, timed, cancellable, and never telling its key.

Retries happen before the first byte of an answer only. What was sent, what came back and the key stay out of
every message; a refusal quotes the status and the endpoint's own short reason.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput, KeyRefused, LakehouseError, ModelFailed, ModelTimedOut
from mcp_lakehouse.llm.endpoint import Endpoint, wrong_shape

if TYPE_CHECKING:
    import httpx

# What an endpoint sends: anything, until it was looked at.
Json: TypeAlias = Any
_REFUSED, _BUSY = (401, 403), (408, 409, 425, 429)
_REASON_CHARS, _REASON_BYTES = 200, 100_000
_PRINTABLE = re.compile(r"[^\x20-\x7e]+")


class Watch:
    """Breaks a connection off from outside: when the call is cancelled, and when its time is up."""

    def __init__(self, endpoint: Endpoint, cancel: CancelToken | None) -> None:
        self._endpoint = endpoint
        self._cancel = cancel
        self._ends = time.monotonic() + endpoint.limits.total_seconds
        self._broken = threading.Event()
        self._socket: socket.socket | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While inside, the connection is broken off when it must be."""
        timer = threading.Timer(max(0.0, self._ends - time.monotonic()), self._break_off)
        timer.daemon = True
        timer.start()
        try:
            with self._cancel.calling(self._break_off) if self._cancel else contextlib.nullcontext():
                yield
        finally:
            timer.cancel()
            timer.join()

    def connected(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn the socket, also the one that TLS puts in its place (httpx calls this as things happen)."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._broken.is_set():
                self._break_off()

    def check(self) -> None:
        """Raise `Cancelled` or `ModelTimedOut` if it is over."""
        if self._cancel is not None:
            self._cancel.check()
        if time.monotonic() >= self._ends:
            raise ModelTimedOut(
                f"{self._endpoint.host} had not finished after {self._endpoint.limits.total_seconds:g} seconds",
                hint="ask for less, or try again later",
            )

    def wait(self, seconds: float) -> None:
        """Wait, or raise like `check`; at once where the time would be up before."""
        self.check()
        self._broken.wait(min(seconds, max(0.0, self._ends - time.monotonic())))
        self.check()

    def _break_off(self) -> None:
        self._broken.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Past the TLS layer: its own state belongs to the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Answer:
    """An answer that has begun: status 200, its bytes still to come."""

    def __init__(self, response: httpx.Response, watch: Watch, endpoint: Endpoint) -> None:
        self._response = response
        self._watch = watch
        self._endpoint = endpoint

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they come. Raises like `Poster.posted`."""
        seen, most = 0, self._endpoint.limits.answer_bytes
        with _failing(self._endpoint, self._watch):
            for chunk in self._response.iter_bytes():
                self._watch.check()
                seen += len(chunk)
                if seen > most:
                    raise wrong_shape(self._endpoint, f"longer than {most:,} bytes")
                yield chunk
        # A connection that we broke off may look like the end.
        self._watch.check()

    def json(self) -> Json:
        """The whole answer as JSON. Raises like `Poster.posted`, and `ModelFailed` where it is none."""
        content = b"".join(self.chunks())
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise wrong_shape(self._endpoint, "not JSON") from None


class Poster:
    """Calls one endpoint. Any thread may use it at any time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._tls: ssl.SSLContext | None = None

    @contextlib.contextmanager
    def posted(self, path: str, body: Json, *, cancel: CancelToken | None = None) -> Iterator[Answer]:
        """POST `body` and give the answer as soon as it begins.

        Raises `KeyRefused` where the key is refused, `InvalidInput` for a request that is no JSON, `ModelTimedOut`
        where time runs out, `Cancelled`, and `ModelFailed` for everything else that goes wrong.
        """
        import httpx

        endpoint, limits = self.endpoint, self.endpoint.limits
        try:
            content = json.dumps(body, allow_nan=False).encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidInput(
                f"the request is not JSON: {error}", hint="send plain JSON, every number finite"
            ) from None
        # Reading the trusted certificates takes 40 ms of processor time: kept, and spared where they are not needed.
        secure = endpoint.base_url.startswith("https:")
        self._tls = self._tls or (httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        timeout = httpx.Timeout(limits.idle_seconds, connect=limits.connect_seconds)
        watch = Watch(endpoint, cancel)
        watch.check()
        with watch.watching(), _failing(endpoint, watch), httpx.Client(timeout=timeout, verify=self._tls) as client:
            request = client.build_request(
                "POST",
                endpoint.base_url + path,
                content=content,
                headers={"content-type": "application/json", **endpoint.headers},
                extensions={"trace": watch.connected},
            )
            response = _begun(lambda: client.send(request, stream=True), endpoint, watch)
            try:
                yield Answer(response, watch, endpoint)
            finally:
                response.close()


def _begun(send: Callable[[], httpx.Response], endpoint: Endpoint, watch: Watch) -> httpx.Response:
    """The first answer with status 200; busy endpoints and broken connections are tried again."""
    import httpx

    limits = endpoint.limits
    for attempt in range(1, limits.attempts + 1):
        last = attempt == limits.attempts
        pause = limits.first_wait_seconds * 2 ** (attempt - 1)
        try:
            response = send()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            watch.check()
            if last:
                raise
        else:
            if response.status_code == httpx.codes.OK:
                return response
            error, asked = _refusal(response, endpoint), _retry_after(response)
            response.close()
            if last or not _worth_retrying(response.status_code) or (asked or 0) > limits.longest_wait_seconds:
                raise error
            pause = max(pause, asked or 0)
        watch.wait(min(pause, limits.longest_wait_seconds))
    raise AssertionError("attempts is at least 1")


def _worth_retrying(status: int) -> bool:
    return status in _BUSY or status >= 500


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the endpoint asks for; dates are not looked at."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


def _refusal(response: httpx.Response, endpoint: Endpoint) -> LakehouseError:
    status, host = response.status_code, endpoint.host
    if status in _REFUSED:
        # Without the endpoint's reason: many quote the key there, or most of it.
        return KeyRefused(
            f"{host} refuses the key (HTTP {status})" if endpoint.key else f"{host} wants a key",
            hint="set the key in the environment; mcp-lakehouse doctor names the variable",
        )
    reason = _reason(response, endpoint)
    if status == 404:
        return ModelFailed(
            f"{host} knows no such model or path (HTTP 404){reason}",
            hint=f"check the model {endpoint.model!r} and the address {endpoint.base_url}",
        )
    if _worth_retrying(status):
        return ModelFailed(
            f"{host} is busy or broken (HTTP {status}) after {endpoint.limits.attempts} attempts at most{reason}",
            hint="try again later",
        )
    if 300 <= status < 400:
        return ModelFailed(f"{host} sends us elsewhere (HTTP {status})", hint="set the address it really has")
    return ModelFailed(f"{host} refused the request (HTTP {status}){reason}", hint="check the model and the request")


def _reason(response: httpx.Response, endpoint: Endpoint) -> str:
    """The endpoint's own words from an error of the usual shapes, short and without any key of ours."""
    import httpx

    content = b""
    try:
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > _REASON_BYTES:
                return ""
        said = json.loads(content)
        said = said.get("error", said)
        text = said if isinstance(said, str) else str(said["message"])
    except (httpx.HTTPError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return ""
    if endpoint.key and endpoint.key in text:
        return ""
    text = _PRINTABLE.sub(" ", text).strip()
    return f": {text[:_REASON_CHARS]}" if text else ""


@contextlib.contextmanager
def _failing(endpoint: Endpoint, watch: Watch) -> Iterator[None]:
    """httpx's errors as ours; one that we caused by breaking the connection off says why we did."""
    import httpx

    host, limits = endpoint.host, endpoint.limits
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        watch.check()
        kind = type(error).__name__
        if isinstance(error, httpx.ConnectTimeout):
            told = f"{host} did not accept a connection within {limits.connect_seconds:g} seconds"
        elif isinstance(error, httpx.TimeoutException):
            raise ModelTimedOut(
                f"{host} sent nothing for {limits.idle_seconds:g} seconds", hint="try again later"
            ) from None
        elif isinstance(error, httpx.ConnectError):
            told = f"{host} cannot be reached ({_PRINTABLE.sub(' ', str(error)) or kind})"
        elif isinstance(error, httpx.DecodingError):
            raise wrong_shape(endpoint, "not what its headers say") from None
        else:
            told = f"{host} broke off ({kind})"
        raise ModelFailed(told, hint=f"is {endpoint.base_url} right, and does it run?") from None
