"""An embedded lakehouse: files into versioned tables, SQL over them, bounded and safe.

`from mcp_lakehouse import Lakehouse` is the Python API; everything heavy is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_lakehouse.errors import LakehouseError

if TYPE_CHECKING:
    from mcp_lakehouse.lakehouse import Lakehouse

__all__ = ["Lakehouse", "LakehouseError", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "Lakehouse":
        from mcp_lakehouse.lakehouse import Lakehouse

        return Lakehouse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
