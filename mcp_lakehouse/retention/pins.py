"""Versions that no vacuum takes: one small object for each version and reason.

pins/<dataset>/<version>/<hash of the reason>.json
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from mcp_lakehouse.catalog.catalog import Catalog, Dataset, timestamp
from mcp_lakehouse.catalog.listing import folder_of
from mcp_lakehouse.errors import InvalidInput, LakehouseError
from mcp_lakehouse.retention.records import Pin

PINS = "pins"
_REASON_CHARS = 500


class Pins:
    """The pins of a lake; each lies in the bucket of its dataset."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def of(self, dataset: Dataset) -> list[Pin]:
        """A dataset's pins, by version."""
        bucket = dataset.home.bucket
        keys = sorted(info.key for info in bucket.list(_folder(dataset)))
        return [pin for data in bucket.read_many(keys) for pin in _parsed(data)]

    @staticmethod
    def versions(dataset: Dataset) -> frozenset[int]:
        """The versions that are pinned; also where a pin cannot be read, its key says which it holds."""
        folder = _folder(dataset)
        numbers = (info.key.removeprefix(folder).split("/")[1] for info in dataset.home.bucket.list(folder))
        return frozenset(int(number) for number in numbers if number.isdecimal())

    def add(self, dataset: str, version: int, reason: str, who: str) -> Pin:
        """Pin a version that can be read. Raises `NotFound` where it cannot."""
        if not reason.strip() or len(reason) > _REASON_CHARS:
            raise InvalidInput("a pin needs a reason", hint=f"say in 1 to {_REASON_CHARS} characters what needs it")
        found = self._catalog.get(dataset, version=version)
        pin = Pin(found.name, version, reason, timestamp(datetime.now(UTC)), who)
        key = _key(found, version, reason)
        found.home.bucket.write(key, json.dumps(asdict(pin), ensure_ascii=False).encode())
        try:
            # A vacuum looks at the pins again after it retired versions: one of both sees the other.
            self._catalog.get(dataset, version=version)
        except LakehouseError:
            found.home.bucket.delete([key])
            raise
        return pin

    def remove(self, dataset: str, version: int, reason: str | None) -> int:
        """Take a pin away, or with no reason every pin of that version; returns how many."""
        found = self._catalog.find(dataset)
        if found is None:
            raise self._catalog.missing(dataset)
        keys = {_key(found, pin.version, pin.reason): pin for pin in self.of(found) if pin.version == version}
        gone = [key for key, pin in keys.items() if reason in (None, pin.reason)]
        found.home.bucket.delete(gone)
        return len(gone)


def _folder(dataset: Dataset) -> str:
    return f"{PINS}/{folder_of(dataset.name)}"


def _key(dataset: Dataset, version: int, reason: str) -> str:
    return f"{_folder(dataset)}/{version}/{hashlib.sha256(reason.encode()).hexdigest()[:16]}.json"


def _parsed(data: bytes | None) -> Iterator[Pin]:
    try:
        yield Pin(**json.loads(data or b""))
    except (ValueError, TypeError):
        return
