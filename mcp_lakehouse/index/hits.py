"""Passages as readers get them: with text, title, columns, and an address that opens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.index.chunking import spans
from mcp_lakehouse.index.citation import HASH_DIGITS, PassageId
from mcp_lakehouse.index.index import DatasetIndex
from mcp_lakehouse.index.naming import page_of, title_of
from mcp_lakehouse.index.passages import text_hash
from mcp_lakehouse.index.view import Place
from mcp_lakehouse.limits import SearchLimits
from mcp_lakehouse.records import Hit, Json, Passage
from mcp_lakehouse.table import DataFile

_CONTEXT_CHARS = 300
_SOURCES = 3


def check_columns(wanted: Sequence[str], datasets: Sequence[Dataset], *, every: bool) -> None:
    """Raise `InvalidInput` for a column that none of the datasets has, or (`every`) that one of them lacks."""
    for name in wanted:
        having = [
            dataset
            for dataset in datasets
            if any(column.name.casefold() == name.casefold() for column in dataset.snapshot.columns)
        ]
        lacking = [dataset for dataset in datasets if dataset not in having]
        if lacking and (every or not having):
            known = ", ".join(column.name for column in lacking[0].snapshot.columns)
            raise InvalidInput(f"{lacking[0].name!r} has no column {name[:100]!r}", hint=f"columns: {known}"[:2_000])


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A row of a version by its file, the file's number, and its place there."""

    file: DataFile
    ordinal: int
    row: int


def place_of(dataset: Dataset, row: int) -> RowPlace | None:
    """Where a row lies that an address counts; none beyond the last one."""
    for ordinal, file in enumerate(dataset.snapshot.parts):
        if row < file.rows:
            return RowPlace(file, ordinal, row)
        row -= file.rows
    return None


def no_row(dataset: Dataset, wanted: PassageId) -> InvalidInput:
    """The error for an address of a row that the version does not have."""
    rows = dataset.snapshot.rows
    return InvalidInput(
        f"version {wanted.version} of {dataset.name!r} has {rows:,} rows, no row {wanted.row:,}",
        hint="give an id that search or ask returned",
    )


class Hits:
    """Makes hits and passages from rows."""

    def __init__(self, index_of: Callable[[Dataset], DatasetIndex], limits: SearchLimits) -> None:
        self._index_of = index_of
        self._limits = limits

    def hit(
        self, dataset: Dataset, place: Place, score: float, columns: Sequence[str] | None, cancel: CancelToken
    ) -> Hit:
        """A passage that was found, with its citation."""
        file = dataset.snapshot.parts[place.part.ordinal]
        values = self._index_of(dataset).rows(dataset, file, cancel).get(place.row_in_part)
        whole = _text_of(dataset, values)
        text = whole[place.start : place.end]
        identifier = str(self._identifier(dataset, place, text, values, whole))
        return Hit(
            id=identifier,
            title=title_of(dataset, values, place.row),
            url=identifier,
            score=round(score, 4),
            text=text,
            dataset=dataset.name,
            columns=self._columns(dataset, values, columns),
        )

    def _identifier(
        self, dataset: Dataset, place: Place, text: str, values: Mapping[str, Json], whole: str
    ) -> PassageId:
        return PassageId(
            dataset=dataset.name,
            version=dataset.snapshot.version,
            row=place.row,
            chunk=place.chunk,
            chars=(place.start, place.end),
            digest=text_hash(text).hex()[:HASH_DIGITS],
            page=page_of(dataset, values),
            lines=_lines(dataset, values, whole, place.start, place.end),
        )

    def _columns(self, dataset: Dataset, values: Mapping[str, Json], wanted: Sequence[str] | None) -> dict[str, Json]:
        limits = self._limits
        if wanted is not None:
            by_name = {name.casefold(): name for name in values}
            chosen = [by_name[name.casefold()] for name in wanted if name.casefold() in by_name]
            return {name: values[name] for name in chosen}
        text = dataset.text
        shown = [name for name in values if name not in text and values[name] is not None]
        return {name: _short(values[name], limits.column_chars) for name in shown[: limits.columns]}

    @staticmethod
    def _extent(wanted: PassageId, whole: str) -> tuple[int, int]:
        if wanted.chars is not None:
            start, end = wanted.chars
            if not 0 <= start < end <= len(whole):
                raise InvalidInput(
                    f"the row's text has {len(whole):,} characters, no {start}-{end}", hint="search again"
                )
            return start, end
        if wanted.chunk is None:
            return 0, len(whole)
        found = spans(whole)
        if wanted.chunk >= len(found):
            raise InvalidInput(
                f"the row has {len(found)} passages, no chunk {wanted.chunk}", hint="chunks count from 0"
            )
        return found[wanted.chunk]

    def passage(self, dataset: Dataset, wanted: PassageId, identifier: str, cancel: CancelToken) -> Passage:
        """What an address stands for in the dataset's version that it names, under its true id.

        That has a hash only where the address had one: nothing else was checked. Raises `InvalidInput`.
        """
        if not dataset.text:
            raise InvalidInput(f"{dataset.name!r} has no text in version {wanted.version}", hint="search again")
        place = place_of(dataset, wanted.row)
        if place is None:
            raise no_row(dataset, wanted)
        values = self._index_of(dataset).rows(dataset, place.file, cancel).get(place.row)
        whole = _text_of(dataset, values)
        start, end = self._extent(wanted, whole)
        text = whole[start:end]
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if wanted.digest is not None and not digest.startswith(wanted.digest):
            raise InvalidInput(
                f"the text at {identifier[:200]!r} is not what was cited: its hash is another",
                hint="the id was changed, or the file was; search again",
            )
        metadata: dict[str, Json] = {"dataset": dataset.name, "version": wanted.version, "row": wanted.row}
        # From the text, not from the id, which anybody may have written.
        true = replace(
            wanted,
            dataset=dataset.name,
            chunk=_chunk(whole, start, end),
            # A row without text has no characters to name.
            chars=(start, end) if end > start else None,
            digest=digest[:HASH_DIGITS] if wanted.digest is not None else None,
            page=page_of(dataset, values),
            lines=_lines(dataset, values, whole, start, end),
        )
        metadata |= {"chunk": true.chunk} if true.chunk is not None else {}
        metadata |= {"page": true.page} if true.page is not None else {}
        metadata |= {"lines": f"{true.lines[0]}-{true.lines[1]}"} if true.lines is not None else {}
        metadata["source"] = _source_of(dataset, values)
        metadata["sha256"] = digest
        before, after = whole[max(0, start - _CONTEXT_CHARS) : start], whole[end : end + _CONTEXT_CHARS]
        metadata |= {"before": before} if before.strip() else {}
        metadata |= {"after": after} if after.strip() else {}
        metadata["columns"] = self._columns(dataset, values, None)
        canonical = str(true)
        return Passage(canonical, title_of(dataset, values, wanted.row), text, canonical, metadata)


def _text_of(dataset: Dataset, values: Mapping[str, Json]) -> str:
    return "\n".join(str(values[name]) for name in dataset.text if values.get(name) is not None)


def _source_of(dataset: Dataset, values: Mapping[str, Json]) -> str:
    source = values.get("source")
    if dataset.kind == "documents" and isinstance(source, str):
        return source
    return ", ".join(dict.fromkeys(entry.source for entry in dataset.lineage(_SOURCES)))


def _short(value: Json, chars: int) -> Json:
    if isinstance(value, str) and len(value) > chars:
        return f"{value[:chars]}… [{len(value) - chars:,} more characters]"
    if isinstance(value, list | dict):
        text = str(value)
        return value if len(text) <= chars else f"{text[:chars]}…"
    return value


def _lines(dataset: Dataset, values: Mapping[str, Json], whole: str, start: int, end: int) -> tuple[int, int] | None:
    """First and last line of a passage in its source, from 1, where the row knows its own first one."""
    first = values.get("line") if dataset.kind == "documents" else None
    if not isinstance(first, int):
        return None
    begins = first + whole.count("\n", 0, start)
    return begins, begins + whole.count("\n", start, end)


def _chunk(whole: str, start: int, end: int) -> int | None:
    """Which of the row's passages this is, if it is one."""
    return next((number for number, span in enumerate(spans(whole)) if span == (start, end)), None)
