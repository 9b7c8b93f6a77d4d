"""Every budget of the lake, by name and with its unit. `settings.py` may override those a user owns."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """What one statement may use."""

    statement_chars: int = 100_000
    columns: int = 4_096
    timeout_seconds: float = 60.0
    memory_bytes: int = 2 * GIB
    # Scalar functions allocate outside the engine's own limit (measured: up to 8x), so the
    # process gets an address-space limit of its own, this far above the engine's.
    address_space_headroom_bytes: int = 3 * GIB
    threads: int = 2
    spill_bytes: int = 4 * GIB
    stored_result_bytes: int = 1 * GIB
    workers: int = 4


@dataclass(frozen=True, slots=True)
class ResultLimits:
    """What one reply to a model may carry."""

    preview_rows: int = 100
    # About 2,000 tokens at 4 characters a token.
    preview_chars: int = 8_000
    rows: int = 1_000
    chars: int = 256 * KIB
    cell_chars: int = 1_000
    detailed_cell_chars: int = 20_000
    kept_results: int = 500
    kept_bytes: int = 4 * GIB


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What one result may use that is passed on while it is made; its rows are not limited."""

    # All of it. For its first rows, and for each piece after them, a statement has `SqlLimits.timeout_seconds`.
    seconds: float = 3_600.0
    # How long a client may take nothing: its statement holds a worker meanwhile.
    stall_seconds: float = 60.0
    batch_rows: int = 65_536
    # Longer batches are cut between rows, so one row may be longer, up to a limit of its own.
    piece_bytes: int = 4 * MIB
    row_bytes: int = 256 * MIB


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """What one load may use."""

    timeout_seconds: float = 6 * 3600.0
    memory_bytes: int = 1 * GIB
    columns: int = 4_096
    files: int = 100_000
    inline_bytes: int = 4 * MIB
    # A document (PDF, HTML, Markdown, Excel) is parsed in memory; tables stream.
    document_bytes: int = 256 * MIB
    rejects_kept: int = 100_000
    commit_attempts: int = 20
    row_group_rows: int = 122_880
    file_bytes: int = 512 * MIB
    # An upsert or a deletion by key goes into an overlay where it spares files of so many rows; one may have so many
    # rows, and such a share of those of the dataset. Above `overlay_fold_rows` it is folded in the background.
    overlay_from_rows: int = 10_000
    overlay_rows: int = 100_000
    overlay_share: float = 0.2
    overlay_fold_rows: int = 50_000


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """What one search may ask for, and how far it looks."""

    query_chars: int = 10_000
    hits: int = 1_000
    # Candidates of each kind for each hit asked for, and how many at most where most are of the same rows.
    depth_of_a_hit: int = 5
    depth: int = 50
    greatest_depth: int = 5_000
    embedded_queries: int = 256
    # One byte for each passage.
    kept_filters: int = 16
    columns: int = 12
    column_chars: int = 200


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """What the lake keeps of what it writes about itself: the newest."""

    error_rows: int = 100_000
    # About 30 MB; who wants more of them sends them to a collector.
    span_rows: int = 200_000
    # Of one listing of errors or trials.
    listed: int = 1_000


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """What a vacuum keeps. A version stays while one of the first two keeps it."""

    # Since it stopped being the newest.
    keep_days: int = 30
    # Of the newest ones.
    keep_versions: int = 10
    # How long files stay after the last version that names them was retired, for whoever still reads; and files
    # that nothing names, for their commit may be under way.
    grace_seconds: float = 24 * 3600.0
    commit_attempts: int = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """All budgets, handed in at composition."""

    sql: SqlLimits = SqlLimits()
    result: ResultLimits = ResultLimits()
    stream: StreamLimits = StreamLimits()
    ingest: IngestLimits = IngestLimits()
    search: SearchLimits = SearchLimits()
    journal: JournalLimits = JournalLimits()
    retention: RetentionLimits = RetentionLimits()
