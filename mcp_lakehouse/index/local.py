"""What one machine keeps of the indexes, and how it is taken away while processes search and write."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mcp_lakehouse.errors import Conflict
from mcp_lakehouse.index.states import States

# Files of readers, which have them open or mapped and so lose nothing, or make them again.
_READ = ("rows", "bases", "unshared")
_BUILDING = ".building"


def forget_local(folder: Path) -> None:
    """Remove the files below the local index folder; what is being written at this moment is left alone.

    Folders and locks stay: processes that run go on in them.
    """
    for keywords in folder.glob("*/keywords-*"):
        states = States(keywords, {})
        # Its writer replaces what is there in a moment.
        with contextlib.suppress(Conflict, OSError):
            states.lock()
            while (state := states.latest()) is not None:
                states.remove(state)
                if state.path.exists():
                    break
        states.abandon()
    for path in (path for kind in _READ for path in folder.glob(f"*/{kind}/**/*")):
        if path.is_file() and _BUILDING not in path.parts:
            with contextlib.suppress(OSError):
                path.unlink()
