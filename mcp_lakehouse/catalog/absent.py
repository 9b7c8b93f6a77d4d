"""What to say of a dataset that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from mcp_lakehouse.errors import NotFound, StorageFailed
from mcp_lakehouse.store.homes import Home

_NAMES_SHOWN = 20


def gone(name: str, erased: str) -> NotFound:
    """The error for a dataset that was dropped, and perhaps `erased` at some time."""
    if erased:
        return NotFound(
            f"dataset {name!r} was dropped, and then vacuumed on {erased}",
            hint="load it again, or copy it back from a backup of the lake",
        )
    return NotFound(f"dataset {name!r} was dropped", hint=f"restore_dataset(dataset={name!r}) brings it back")


def unknown(name: str, known: Sequence[str], away: Mapping[Home, StorageFailed]) -> NotFound:
    """The error for a name that none of the known datasets has, with what to do next."""
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {', '.join(near)}? list_datasets shows all"
    elif known:
        more = ", …" if len(known) > _NAMES_SHOWN else ""
        hint = f"there are: {', '.join(known[:_NAMES_SHOWN])}{more}"
    else:
        hint = "the lake is empty: load a file with ingest first"
    for home, failure in away.items():
        hint += f"; the datasets of bucket {home.name!r} are not known: {failure.message}"
    return NotFound(f"there is no dataset {name[:100]!r}", hint=hint)
