"""Names of datasets and columns: what is valid, and what a file or a header becomes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePath

from mcp_lakehouse.errors import InvalidInput

MAX_NAME_CHARS = 64
# Of the handles of rows that a load rejected.
REJECTS_PREFIX = "lakehouse://rejects/"
# Schemas and catalogs of the SQL engine: a dataset of that name could not be told from them.
RESERVED = frozenset({"system", "main", "information_schema", "pg_catalog", "temp"})
_COMPRESSED = (".gz", ".zst")


def as_kept(name: str) -> str:
    """A dataset name as it is compared: NFC, lower case."""
    return unicodedata.normalize("NFC", name).lower()


def is_name(kept: str) -> bool:
    """Whether a name (as kept) can be that of a dataset."""
    return kept.isidentifier() and len(kept) <= MAX_NAME_CHARS and kept not in RESERVED


def check_name(name: str) -> str:
    """The dataset name as kept (NFC, lower case). Raises `InvalidInput` suggesting a valid one."""
    kept = as_kept(name)
    if is_name(kept):
        return kept
    if kept in RESERVED:
        reason = "is reserved"
    elif len(kept) > MAX_NAME_CHARS:
        reason = f"is longer than {MAX_NAME_CHARS} characters"
    else:
        reason = "is not a name: letters (of any script), digits and underscores, not beginning with a digit"
    raise InvalidInput(f"the dataset name {name[:100]!r} {reason}", hint=f"for example {as_name(kept)!r}")


def as_name(text: str) -> str:
    """Any text as a valid dataset name, never empty."""
    folded = unicodedata.normalize("NFC", text).lower()
    # A character may stand inside an identifier exactly if it may follow a letter.
    kept = "".join(char if ("a" + char).isidentifier() else "_" for char in folded)
    name = re.sub(r"_{2,}", "_", kept).strip("_")
    if name and not name[0].isidentifier():
        name = f"t_{name}"
    name = name[:MAX_NAME_CHARS].rstrip("_") or "dataset"
    return f"{name}_data" if name in RESERVED else name


def stem(file_name: str) -> str:
    """A file's name without folders and format endings: `a/b.csv.gz` becomes `b`."""
    path = PurePath(file_name)
    if path.suffix.lower() in _COMPRESSED:
        path = path.with_suffix("")
    return path.stem


def column_names(raw: Sequence[str]) -> tuple[list[str], list[str]]:
    """Usable column names for a header row, and notes about what was changed.

    Empty names become `column_N`, a name that was there before (in any case) gets `_2`, `_3`, …
    """
    names: list[str] = []
    taken: set[str] = set()
    empty: list[str] = []
    repeated: list[str] = []
    # A suffix must not take a name that stands further right in the header.
    spoken_for = {_clean(each).casefold() for each in raw}
    for place, each in enumerate(raw, start=1):
        name = _clean(each)
        if not name:
            name = f"column_{place}"
            empty.append(name)
        if name.casefold() in taken:
            number = 2
            while (numbered := f"{name}_{number}").casefold() in taken | spoken_for:
                number += 1
            repeated.append(f"{name} → {numbered}")
            name = numbered
        taken.add(name.casefold())
        names.append(name)
    notes = []
    if repeated:
        notes.append(f"repeated column names were numbered: {_some(repeated)}")
    if empty:
        notes.append(f"columns without a name were named {_some(empty)}")
    return names, notes


def check_column_count(count: int, limit: int, source: str) -> None:
    """Raise `InvalidInput` for more columns than the limit."""
    if count > limit:
        raise InvalidInput(
            f"{source} has {count:,} columns; the limit is {limit:,} (named columns_limit)",
            hint="turn wide data into rows first (one row for each column and value), or load fewer columns",
        )


def _clean(name: str) -> str:
    printable = "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in name)
    return " ".join(unicodedata.normalize("NFC", printable).split())


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return ", ".join(items[:5]) + more
