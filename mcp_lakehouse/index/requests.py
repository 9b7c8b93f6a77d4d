"""What callers ask of the index: a build, a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mcp_lakehouse.errors import InvalidInput, LakehouseError, StorageFailed
from mcp_lakehouse.limits import SearchLimits

# done, total (rows), what is going on.
Progress = Callable[[float, float, str], None]
Mode = Literal["hybrid", "vector", "keyword"]
MODES: tuple[Mode, ...] = ("hybrid", "vector", "keyword")
_VERSION_DIGITS = 16


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


def checked(query: Query, limits: SearchLimits) -> tuple[str, Mode]:
    """The text without what cannot be searched for, and the mode. Raises `InvalidInput`."""
    if not 1 <= query.k <= limits.hits:
        more = "; where narrows the search" if query.k > limits.hits else ""
        raise InvalidInput(
            f"k is {query.k}; it must be 1 to {limits.hits:,}", hint=f"give k from 1 to {limits.hits:,}{more}"
        )
    text = " ".join("".join(c if c.isprintable() else " " for c in query.text).split())
    if not text:
        raise InvalidInput("the query is empty", hint="say in words what to look for; sql lists rows")
    if len(text) > limits.query_chars:
        raise InvalidInput(
            f"the query has {len(text):,} characters; the limit is {limits.query_chars:,}",
            hint="ask for one thing at a time; to compare a document, search for its most telling sentences",
        )
    for mode in MODES:
        if query.mode == mode:
            return text, mode
    raise InvalidInput(f"mode is {query.mode[:50]!r}", hint=f"modes: {', '.join(MODES)}")


def at_version(name: str) -> tuple[str, int | None]:
    """A dataset's name and the version that `name@version` asks for. Raises `InvalidInput`."""
    dataset, mark, version = name.partition("@")
    if not mark:
        return name, None
    if not (version.isascii() and version.isdigit() and len(version) < _VERSION_DIGITS):
        raise InvalidInput(
            f"{name[:100]!r} names no version", hint="write name@3 for version 3; system.versions lists them"
        )
    return dataset, int(version)


def nothing_searchable(unreadable: Sequence[str]) -> LakehouseError:
    """The error where there is no dataset to search; `unreadable` are those of which nothing can be known now."""
    if unreadable:
        return StorageFailed(
            f"there is nothing to search: {len(unreadable)} datasets cannot be read now",
            hint="mcp-lakehouse doctor says what is wrong with them",
        )
    return InvalidInput(
        "no dataset is searchable yet",
        hint="ingest documents, or tables with text=[columns]; build_index(dataset, columns) adds it later",
    )
