"""Several clients as if they were one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any


class InTurn:
    """Asks several clients in turn, with each kind of call for itself."""

    def __init__(self, *clients: object) -> None:
        self._clients = clients
        self._turns: dict[str, Iterator[object]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(next(self._turns.setdefault(name, cycle(self._clients))), name)
