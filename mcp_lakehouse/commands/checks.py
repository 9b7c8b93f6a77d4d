"""What `doctor` says of one thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `hint` says what to do about it."""

    name: str
    status: Status
    message: str
    hint: str | None = None
