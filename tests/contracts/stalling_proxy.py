"""A server in front of another that passes requests on until so many bytes have gone in, then hangs or breaks."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class StallingProxy:
    """`limit` bytes go to the server behind; then `stalled` is set and nothing moves until `break_off`."""

    def __init__(self, behind: str, limit: int) -> None:
        parts = urlsplit(behind)
        self._behind = (parts.hostname or "", parts.port or 80)
        self._left = limit
        self._lock = threading.Lock()
        self._broken = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.stalled = threading.Event()
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def break_off(self) -> None:
        """Close every connection and answer no more."""
        self._broken.set()
        for each in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def break_off_when_stalled(self) -> None:
        """Wait for the limit, then close."""
        self.stalled.wait(30)
        self.break_off()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                front, _ = self._listener.accept()
                back = socket.create_connection(self._behind)
                self._sockets += [front, back]
                threading.Thread(target=self._pass_on, args=(front, back, True), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(back, front, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if counted and not self._allowed(len(data)):
                    self.stalled.set()
                    self._broken.wait()
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _allowed(self, count: int) -> bool:
        with self._lock:
            self._left -= count
            return self._left >= 0


@contextlib.contextmanager
def stalling_proxy(behind: str, limit: int) -> Iterator[StallingProxy]:
    """A proxy that is gone afterwards."""
    proxy = StallingProxy(behind, limit)
    try:
        yield proxy
    finally:
        proxy.break_off()
