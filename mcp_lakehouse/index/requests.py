"""What callers ask of the index: a build, a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# done, total (rows), what is going on.
Progress = Callable[[float, float, str], None]
MODES = ("hybrid", "vector", "keyword")


@dataclass(frozen=True, slots=True)
class Build:
    """What one build is to do.

    `embedder` of `None`: the present one; `parameters` may hold M, ef_construction, ef and min_recall (a share).
    """

    embedder: str | None = None
    parameters: Mapping[str, float] | None = None
    who: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. `datasets` of `None`: every searchable one; `mode`: one of `MODES`."""

    text: str
    datasets: Sequence[str] | None = None
    where: str | None = None
    k: int = 10
    mode: str = "hybrid"
    columns: Sequence[str] | None = None


def silent(_done: float, _total: float, _message: str) -> None:
    """A `Progress` that tells nobody."""
