"""A server in front of another that can be switched off and on again, at the same address."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class SwitchedProxy:
    """Passes requests on. While it is off, connections break and new ones are refused."""

    def __init__(self, behind: str) -> None:
        parts = urlsplit(behind)
        self._behind = (parts.hostname or "", parts.port or 80)
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._port = 0
        self._trigger: bytes | None = None
        self._answered = self._swallowing = False
        self.on()
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def on(self) -> None:
        """Listen (again)."""
        self._trigger = None
        self._swallowing = False
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def off(self) -> None:
        """Close every connection and take no more."""
        with self._lock:
            closing, self._sockets = [self._listener, *self._sockets], []
        for each in closing:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def off_at(self, trigger: bytes) -> None:
        """Go off when a request that writes (PUT) and names this arrives, before it is passed on."""
        self._trigger, self._answered = trigger, False

    def off_after(self, trigger: bytes) -> None:
        """Pass such a request on, and go off when it is answered: whoever sent it is not told."""
        self._trigger, self._answered = trigger, True

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                front, _ = listener.accept()
                back = socket.create_connection(self._behind)
                with self._lock:
                    self._sockets += [front, back]
                threading.Thread(target=self._pass_on, args=(front, back), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(back, front), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                line = data.split(b"\r\n", 1)[0]
                named = self._trigger and line.startswith(b"PUT ") and self._trigger in line
                if (named and not self._answered) or (self._swallowing and line.startswith(b"HTTP/")):
                    self.off()
                    return
                self._swallowing = self._swallowing or bool(named)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def switched_proxy(behind: str) -> Iterator[SwitchedProxy]:
    """A proxy that is on, and gone afterwards."""
    proxy = SwitchedProxy(behind)
    try:
        yield proxy
    finally:
        proxy.off()
