"""What one HTTP request may use."""

from __future__ import annotations

from dataclasses import dataclass

from mcp_lakehouse.limits import GIB, KIB, MIB


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Budgets of the gateway, handed in at composition."""

    # Inline data of the largest permitted size, with room for what JSON escapes.
    json_bytes: int = 8 * MIB
    upload_bytes: int = 4 * GIB
    upload_files: int = 100
    field_bytes: int = 64 * KIB
    # Longest pause between two pieces of a body.
    silence_seconds: float = 30.0
    # How long a client may read nothing of a result that is sent while it is made.
    stall_seconds: float = 60.0
    # Blocking calls at the same time; they wait for workers, not for a processor.
    threads: int = 64
    connections: int = 1_000
    # After SIGINT or SIGTERM: how long statements may still run, and how long until open streams are cut off.
    drain_seconds: float = 1.0
    shutdown_seconds: int = 2


@dataclass(frozen=True, slots=True)
class FlightLimits:
    """Budgets of Arrow Flight."""

    # Results under way at the same time, those included whose clients have stopped taking rows.
    calls: int = 64
    # A ticket holds a statement, which has a limit of its own, and its parameters.
    ticket_bytes: int = 8 * MIB
    # Errors travel in headers, for which 8 KiB is a common limit: twice as they are, once with every byte escaped.
    message_bytes: int = 800
    hint_bytes: int = 400
    # After the server is told to stop: how long results may still run, and how long calls have to end after that.
    drain_seconds: float = 1.0
    shutdown_seconds: float = 2.0
