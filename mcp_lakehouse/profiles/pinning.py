"""The generations that serve a profile, as its settings file says now, while it is served."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.profile import Profile
from mcp_lakehouse.settings import profiles_in


class Pinned:
    """Call it for the generations by dataset. A file that is broken, or without the profile, changes nothing."""

    def __init__(self, profile: Profile | None, file: Path | None) -> None:
        self._name = profile.name if profile is not None else ""
        self._pinned = profile.pinned if profile is not None else {}
        self._file = file if profile is not None else None
        self._read = self._signature()

    def __call__(self) -> Mapping[str, int]:
        """Looks at the file's time and length, and reads it when they changed."""
        signature = self._signature()
        if self._file is not None and signature not in (None, self._read):
            self._read = signature
            try:
                found = profiles_in(self._file).get(self._name)
            except InvalidInput:
                found = None
            if found is not None:
                self._pinned = found.pinned
        return self._pinned

    def _signature(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat() if self._file is not None else None
        except OSError:
            return None
        return None if status is None else (status.st_mtime_ns, status.st_size)
