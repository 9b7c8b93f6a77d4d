"""Lakes with a rescue bucket, and what refuses writes to another of their buckets."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lake.places import Place, folder_place
from lake.switched_proxy import SwitchedProxy
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import StorageFailed
from s3_server import BUCKET


@dataclass(frozen=True)
class Setting:
    """A lake with a second bucket, `archive`, and a rescue bucket; all are folders."""

    place: Place
    archive: Path
    rescue: Path

    def open(self) -> Lakehouse:
        return self.place.open()

    def refuse(self) -> None:
        """From now on nothing can be written to the archive: a file is where its folder was."""
        (self.archive / "tables").rename(self.archive / "held")
        (self.archive / "tables").write_text("")

    def mend(self) -> None:
        (self.archive / "tables").unlink()
        (self.archive / "held").rename(self.archive / "tables")

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.rescue.glob("rescued/*/request.json"))]


def refused(lake: Lakehouse, *source: Any, **options: Any) -> StorageFailed:
    with pytest.raises(StorageFailed) as caught:
        lake.ingest(*source, **options)
    return caught.value


def behind(switch: SwitchedProxy, environment: Mapping[str, str], folder: Path) -> Place:
    """A lake whose archive is on a server that can be switched off."""
    named = {
        "AWS_ENDPOINT_URL": switch.endpoint,
        "LAKEHOUSE_BUCKETS": f"archive=s3://{BUCKET}/{uuid4().hex}",
        "LAKEHOUSE_RESCUE": str(folder / "rescue"),
    }
    return replace(folder_place(folder), environment={**environment, **named})


class Meeting:
    """A bucket at which two meet after they have fetched something, so that both work on the same entry."""

    def __init__(self, bucket: Any, barrier: threading.Barrier) -> None:
        self._bucket = bucket
        self._barrier = barrier

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def download(self, key: str, to: Path) -> None:
        self._bucket.download(key, to)
        self._barrier.wait(30)
