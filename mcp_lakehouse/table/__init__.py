"""Tables: versioned rows in Parquet files, under a log that any Delta Lake engine reads."""

from mcp_lakehouse.table.committing import ABSENT
from mcp_lakehouse.table.evolution import evolve, exact_in_double
from mcp_lakehouse.table.overlay import DELETED, OVERLAY, is_overlay
from mcp_lakehouse.table.schema import storable_type
from mcp_lakehouse.table.table import Table
from mcp_lakehouse.table.values import Commit, DataFile, Overlay, OverlayRows, Snapshot, StagedFile, TableColumn

__all__ = [
    "ABSENT",
    "DELETED",
    "OVERLAY",
    "Commit",
    "DataFile",
    "Overlay",
    "OverlayRows",
    "Snapshot",
    "StagedFile",
    "Table",
    "TableColumn",
    "evolve",
    "exact_in_double",
    "is_overlay",
    "storable_type",
]
