"""The DuckDB connection of one job, and what its errors mean to the user."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.errors import LakehouseError, LimitExceeded, StorageFailed, UnreadableSource
from mcp_lakehouse.ingest.progress import Progress
from mcp_lakehouse.ingest.rejects import RejectLog

if TYPE_CHECKING:
    import duckdb

_NOTES_KEPT = 50
_FOLDERS = re.compile(r"([\"'])/[^\"']*/(?=[^/\"']+[\"'])")
_MESSAGE_CHARS = 400


@dataclass(slots=True)
class Job:
    """One request at work: its connection, where it writes, and what it has to tell."""

    connection: duckdb.DuckDBPyConnection
    staging: Path
    rejects: RejectLog
    progress: Progress
    row_group_rows: int
    file_bytes: int
    columns_limit: int
    # One thread for what can be done while the engine works.
    background: Executor
    notes: list[str] = field(default_factory=list)
    # BIGINT columns of the dataset whose values a DOUBLE holds exactly.
    exact: frozenset[str] = frozenset()
    # Whether the caller asked for several files: then one that cannot be read does not stop the others.
    several: bool = False
    # Whether the rows only name others, and what else they hold is no matter.
    names_rows: bool = False
    # What could not be read, and the places of those files in the request.
    problems: list[LakehouseError] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Tell the user something, once; past 50 notes they are dropped."""
        if text not in self.notes and len(self.notes) < _NOTES_KEPT:
            self.notes.append(text)

    def leave_out(self, name: str, problem: LakehouseError, number: int | None = None) -> None:
        """Set one of several files aside, whole, as rejected; a single file raises its `problem`."""
        if not self.several:
            raise problem
        self.problems.append(problem)
        if number is not None:
            self.left_out.append(number)
        reason = problem.message.rstrip()
        self.rejects.add(name, None, None, f"the file was left out: {reason}", "")
        self.note(f"left out: {reason}" + (f"; {problem.hint}" if problem.hint else ""))

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """All rows of a statement."""
        found: list[tuple[object, ...]] = self.connection.execute(statement).fetchall()
        return found


def open_engine(*, memory_bytes: int, threads: int, spill: Path) -> duckdb.DuckDBPyConnection:
    """The engine of a process, which loads nothing by itself: no extensions, no secrets, no variables of Python.

    It looks at the machine when it opens and aborts where it may not, so open it before confining.
    """
    import duckdb

    connection = duckdb.connect(":memory:")
    settings = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "python_enable_replacements": "false",
        "threads": str(threads),
        # A write that fails in the background can lock the whole process up for good (seen on a full disk; DuckDB
        # 2.0, issue 23885 there), and on local disks it saves no time.
        "async_threads": "0",
        "memory_limit": f"'{memory_bytes}B'",
        "temp_directory": literal(str(spill)),
        "parquet_metadata_cache": "false",
    }
    for name, value in settings.items():
        connection.execute(f"SET GLOBAL {name} = {value}")
    return connection


def session(engine: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection of one job: its temporary tables and views go with it."""
    connection = engine.cursor()
    connection.execute("SET TimeZone = 'UTC'")
    # Counted, so that progress can be asked for, but never printed.
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    return connection


def literal(text: str) -> str:
    """Text as a SQL literal. A path that exists is never expanded as a glob: the engine looks for it first."""
    return "'" + text.replace("'", "''") + "'"


@contextlib.contextmanager
def reading(name: str, *paths: Path) -> Iterator[None]:
    """Turn the engine's and the system's errors into ours; `paths` are not shown to the user."""
    import duckdb

    try:
        yield
    except LakehouseError:
        raise
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        if "max_temp_directory_size" in str(error):
            # What memory could not hold went to the disk, and found no room there.
            raise _meaning(str(error), name, paths) from None
        raise LimitExceeded(
            f"reading {name} needs more memory than a load may use",
            hint="raise the ingest_memory setting, or split the file; very long values and wide rows need the most",
        ) from None
    except (duckdb.Error, OSError, ValueError) as error:
        raise _meaning(str(error), name, paths) from None


def _meaning(message: str, name: str, paths: tuple[Path, ...]) -> LakehouseError:
    lowered = message.lower()
    if any(sign in lowered for sign in ("no space left", "quota exceeded", "disk full", "max_temp_directory_size")):
        return StorageFailed("the disk is full; nothing was kept", hint="free space where the lake and its cache are")
    if "file too large" in lowered:
        return LimitExceeded("a file being written reached its size limit", hint="load the source in parts")
    shown = message.strip().split("\n\n")[0].split("\n")[0]
    for prefix in ("Invalid Input Error: ", "Invalid Error: ", "IO Error: ", "Conversion Error: ", "Binder Error: "):
        shown = shown.removeprefix(prefix)
    for path in paths:
        shown = shown.replace(str(path), name)
    shown = _FOLDERS.sub(r"\1", shown)
    return UnreadableSource(
        f"{name} cannot be read: {shown[:_MESSAGE_CHARS]}",
        hint="check that the file is whole and is what its name says",
    )
