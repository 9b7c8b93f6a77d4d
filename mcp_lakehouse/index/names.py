"""What files of a data file are called."""

from __future__ import annotations


def leaf(key: str) -> str:
    """A data file's key below its table's folder, as the name of one file."""
    return key.split("/", 2)[-1].replace("/", "~")
