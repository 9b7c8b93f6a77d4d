"""Load workers as the lake starts them (see `loader.start` for what the configuration means)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from mcp_lakehouse.limits import Limits
from mcp_lakehouse.worker.process import Worker


def start_loader(limits: Limits, *, readable: Sequence[Path], scratch: Path) -> Worker:
    """A worker that may read below `readable` and `scratch`, and write in a folder of its own in `scratch`."""
    own = scratch / f"load-{secrets.token_hex(8)}"
    config = {
        "readable": [str(folder) for folder in (*readable, scratch)],
        "writable": [str(own)],
        "memory_bytes": limits.ingest.memory_bytes,
        "threads": limits.sql.threads,
        "address_space_bytes": limits.ingest.memory_bytes + limits.sql.address_space_headroom_bytes,
        "file_bytes": 1 << 40,
    }
    return Worker("load", config, scratch=own)
