"""Tables: versioned rows in Parquet files, under a log that any Delta Lake engine reads."""

from mcp_lakehouse.table.committing import ABSENT
from mcp_lakehouse.table.evolution import evolve, exact_in_double
from mcp_lakehouse.table.lifetimes import Lifetimes
from mcp_lakehouse.table.overlay import DELETED, OVERLAY, is_overlay
from mcp_lakehouse.table.redacting import bare, without_bounds
from mcp_lakehouse.table.retired import RETIRED, Retirement, ranges, retirements, with_retired, without_retired
from mcp_lakehouse.table.schema import schema_string, storable_type
from mcp_lakehouse.table.table import Table
from mcp_lakehouse.table.values import Commit, DataFile, Overlay, OverlayRows, Snapshot, StagedFile, TableColumn

__all__ = [
    "ABSENT",
    "DELETED",
    "OVERLAY",
    "RETIRED",
    "Commit",
    "DataFile",
    "Lifetimes",
    "Overlay",
    "OverlayRows",
    "Retirement",
    "Snapshot",
    "StagedFile",
    "Table",
    "TableColumn",
    "bare",
    "evolve",
    "exact_in_double",
    "is_overlay",
    "ranges",
    "retirements",
    "schema_string",
    "storable_type",
    "with_retired",
    "without_bounds",
    "without_retired",
]
