"""Frozen values that cross a boundary: what tools, the command line and REST return.

Field names are those of the published contract. `None` means "not there" and is left out on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and SQL type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of one statement. `row_count` is the exact total, `rows` may hold fewer (then `truncated`)."""

    columns: list[Column]
    rows: list[list[Json]]
    row_count: int
    truncated: bool
    elapsed_ms: float
    result_uri: str | None = None
    # Only with response_format="detailed".
    datasets: dict[str, int] | None = None
    trace_id: str | None = None
    # What a reader should know of this reply, such as that columns were left out of it.
    note: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One line of `list_datasets`. `columns` is a count."""

    name: str
    description: str
    kind: str
    rows: int
    columns: int
    version: int
    updated_at: str
    searchable: bool


@dataclass(frozen=True, slots=True)
class DatasetList:
    """A page of summaries."""

    datasets: list[DatasetSummary]
    next_cursor: str | None = None
    # Names of datasets whose tables cannot be read; describing one says why.
    unreadable: list[str] | None = None


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """A column with what was measured over the whole version. `distinct` is an estimate (HyperLogLog)."""

    name: str
    type: str
    nullable: bool
    distinct: int | None = None
    min: Json = None
    max: Json = None
    nulls: int | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class LineageEntry:
    """Where rows came from: a source, when, and how many rows it brought."""

    source: str
    at: str
    rows: int


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """The generation that serves a dataset's searches."""

    generation: int
    model: str
    dimensions: int
    rows: int
    recall_at_10: float


@dataclass(frozen=True, slots=True)
class DatasetDescription:
    """What `describe_dataset` returns."""

    name: str
    description: str
    kind: str
    version: int
    rows: int
    columns: list[ColumnStatistics]
    sample: list[list[Json]]
    lineage: list[LineageEntry]
    truncated: bool = False
    key: list[str] | None = None
    # The columns that search looks in; without an `index` it compares all their passages exactly.
    text: list[str] | None = None
    index: IndexDescription | None = None


@dataclass(frozen=True, slots=True)
class InferredColumn:
    """What ingest made of one source column."""

    column: str
    type: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did. `unchanged` means the same bytes were already there and nothing was written.

    A file of several that cannot be read is left out, and counts as one of `rows_rejected`.
    """

    dataset: str
    version: int
    rows_added: int
    rows_updated: int
    rows_rejected: int
    unchanged: bool
    inferred: list[InferredColumn]
    rejects_uri: str | None = None
    notes: list[str] = field(default_factory=list)
    # Of mode="delete" only.
    rows_deleted: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. `id` is its citation, `score` runs from 0 to 1 and compares across datasets."""

    id: str
    title: str
    url: str
    score: float
    text: str
    dataset: str
    columns: dict[str, Json]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first. `generations` are those that served; `plan` says for each dataset how the filter was served."""

    results: list[Hit]
    generations: dict[str, int]
    mode: str
    plan: dict[str, str]
    elapsed_ms: float
    truncated: bool = False
    # What a reader should know of this reply, such as that texts were cut.
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """What a citation stands for: the exact text, with where it lies (`metadata`)."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Citation:
    """[n] in an answer: the passage, and the words quoted from it."""

    n: int
    id: str
    quote: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage the answer was drawn from."""

    id: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """`model` is `None` where the answer is extractive; `grounded`: every sentence has a checked citation."""

    answer: str
    citations: list[Citation]
    evidence: list[Evidence]
    model: str | None = field(metadata={"null": True})
    grounded: bool
    refused: bool
    # The statement that computed the answer, where one did.
    statement: str | None = None
    # Sentences of a written answer that no citation supports.
    unsupported: list[str] | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one index build did.

    `rows` are passages; `recall_at_10` is measured against exact search, and below its gate nothing is published.
    """

    dataset: str
    generation: int
    rows: int
    recall_at_10: float
    build_seconds: float
    published: bool
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RollbackReport:
    """The generation that serves now, and the one that did."""

    dataset: str
    generation: int
    previous: int


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """A failure: what was asked for, what happened, and what to do about it."""

    time: str
    code: str
    operation: str
    message: str
    dataset: str | None = None
    hint: str | None = None
    who: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorList:
    """Failures, the newest first; `total` counts all that were asked for."""

    errors: list[ErrorEntry]
    total: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """One index build. `parameters` are those of the graph as JSON, or `exact`; times of a search are in ms."""

    dataset: str
    trial: int
    published: bool
    model: str
    passages: int
    parameters: str
    build_seconds: float
    recall_at_10: float
    p50_ms: float
    p99_ms: float
    index_bytes: int
    time: str
    note: str | None = None
    who: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class TrialList:
    """Index builds, the newest first."""

    trials: list[Trial]
    total: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class DropReport:
    """`restorable_until`: so long `restore_dataset` brings it back for certain; after it, until a vacuum runs."""

    dropped: str
    restorable_until: str


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The dataset's new version, whose content is that of the version asked for."""

    dataset: str
    version: int


@dataclass(frozen=True, slots=True)
class BucketState:
    """A bucket as it is now. `datasets`: how many of those that can be read live in it."""

    name: str
    url: str
    datasets: int
    answers: bool
    # Why it does not, and what to do.
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class BucketList:
    """The buckets of a lake, its own first. `rescued`: how many refused writes wait for `replay_rescued`."""

    buckets: list[BucketState]
    # Only where a rescue bucket is set, and answers.
    rescued: int | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A rescued write: finished as `version`, or still waiting, and why. `at`: when it was first asked for."""

    id: str
    dataset: str
    at: str
    version: int | None = None
    waits: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What became of rescued writes, oldest first."""

    entries: list[Replayed]


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """A profile: names and patterns of the datasets it shows, those of them it shows in part, and its rights."""

    name: str
    description: str
    datasets: list[str]
    restricted: list[str]
    rights: list[str]
    # Absent: all of them.
    buckets: list[str] | None = None


@dataclass(frozen=True, slots=True)
class ShownDataset:
    """What a profile's reader sees of a dataset: `rows` of `of_rows`, and which columns."""

    dataset: str
    rows: int
    of_rows: int
    columns: list[str]
    hidden: list[str]
    masked: list[str] | None = None
    where: str | None = None
    generation: int | None = None
    # Why nothing can be shown.
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ProfileList:
    """The profiles; of one that was asked for, what its reader sees and what a statement gives there, as lines."""

    profiles: list[ProfileSummary]
    shown: list[ShownDataset] | None = None
    answer: list[str] | None = None


def to_json(value: object) -> Json:
    """A record as plain JSON values; fields that are `None` are left out, except inside rows and where marked."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: to_json(item) for f, item in pairs if item is not None or "null" in f.metadata}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"not a JSON value: {type(value).__name__}")
