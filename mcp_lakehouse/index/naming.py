"""What a row is called before people: its title, and the page it stands on."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.records import Json

# Columns that commonly hold what a row is called, the most telling first.
_TITLES = ("title", "name", "headline", "subject", "full_name", "label", "business_title", "job_title", "heading")
_TITLE_CHARS = 120


def title_of(dataset: Dataset, values: Mapping[str, Json], row: int) -> str:
    """A row's title: where a document's text stands, a column that names things, the key, or the row's number."""
    if dataset.kind == "documents":
        page = page_of(dataset, values)
        parts = [values.get("source"), f"page {page}" if page is not None else None, values.get("section")]
        return _short(", ".join(str(each) for each in parts if each))
    by_name = {name.casefold().replace(" ", "_"): value for name, value in values.items()}
    for name in _TITLES:
        if by_name.get(name):
            return _short(str(by_name[name]))
    key = [f"{name} {values[name]}" for name in dataset.key if values.get(name) is not None]
    return _short(f"{dataset.name}: {', '.join(key)}" if key else f"{dataset.name}, row {row}")


def page_of(dataset: Dataset, values: Mapping[str, Json]) -> int | None:
    """The page of a document's row, from 1."""
    page = values.get("page") if dataset.kind == "documents" else None
    return page if isinstance(page, int) else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_CHARS else f"{line[: _TITLE_CHARS - 1]}…"
