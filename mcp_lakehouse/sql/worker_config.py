"""What a SQL worker is told at its start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcp_lakehouse.limits import SqlLimits
from mcp_lakehouse.worker.channel import Message


def worker_config(limits: SqlLimits, scratch: Path, data: Sequence[str], results: str) -> Message:
    """The configuration of one SQL worker (see `engine.start`)."""
    return {
        "readable": [*data, results],
        "data": list(data),
        "scratch": str(scratch),
        "memory_bytes": limits.memory_bytes,
        "address_space_bytes": limits.memory_bytes + limits.address_space_headroom_bytes,
        "spill_bytes": limits.spill_bytes,
        "file_bytes": max(limits.spill_bytes, limits.stored_result_bytes * 2),
        "threads": limits.threads,
    }
