"""What the properties of a dataset's table say of it, and the transactions that name what was loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

KIND, KEY, TEXT, DROPPED_AT, EPOCH = (f"lakehouse.{name}" for name in ("kind", "key", "text", "dropped_at", "epoch"))
# Of a dropped dataset: until when it is not vacuumed, and the version (with its time) that removed it.
RESTORABLE_UNTIL, ERASED = "lakehouse.restorable_until", "lakehouse.erased"


def properties_for(*, kind: str, key: Sequence[str], text: Sequence[str], epoch: int) -> dict[str, str]:
    """The table properties of a dataset that is there."""
    return {
        KIND: kind,
        KEY: json.dumps(list(key), ensure_ascii=False) if key else "",
        TEXT: json.dumps(list(text), ensure_ascii=False) if text else "",
        EPOCH: str(epoch),
        DROPPED_AT: "",
        RESTORABLE_UNTIL: "",
    }


def properties_of_columns(
    properties: Mapping[str, str], names: Sequence[str], *, whole: Sequence[str]
) -> dict[str, str]:
    """A dataset's properties where only some columns are shown; `whole` are those whose values are as they are.

    A key that is not all there is none; of the columns that are searched, those that are shown stay.
    """
    key, text = listed(properties.get(KEY)), listed(properties.get(TEXT))
    shown = {
        KEY: key if set(key) <= set(whole) else [],
        TEXT: [each for each in text if each in names],
    }
    return {
        **properties,
        **{name: json.dumps(each, ensure_ascii=False) if each else "" for name, each in shown.items()},
    }


def transaction(epoch: int, content: str) -> str:
    """The application id under which a content (SHA-256) is loaded in an epoch."""
    return f"ingest:{epoch}:{content}"


def loaded_contents(transactions: Iterable[str], epoch: int) -> list[str]:
    """The contents that application ids say were loaded in an epoch."""
    prefix = transaction(epoch, "")
    return [each.removeprefix(prefix) for each in transactions if each.startswith(prefix)]


def listed(value: str | None) -> list[str]:
    """The names that a property holds."""
    return list(_listed(value)) if value else []


@lru_cache(maxsize=256)
def _listed(value: str) -> tuple[str, ...]:
    # A search asks a few times for each hit.
    return tuple(json.loads(value))
