"""Where sources may lie: below the folders that may be read, but not in the lake's own parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Of a lake's folder; names that begin with _ are the lake's too. Whatever else lies there is somebody's.
_PARTS = frozenset({"tables", "index", "system", "pins", "lakehouse.toml"})


@dataclass(frozen=True, slots=True)
class Allowed:
    """Below `roots`, as the person wrote them; of the folders `lakes` what is no part of a lake; nothing `private`.

    What a lake holds is read by statements: as files it would be there for whoever may load, whatever a profile shows.
    """

    roots: tuple[Path, ...]
    lakes: tuple[Path, ...] = ()
    private: tuple[Path, ...] = ()

    @property
    def resolved(self) -> tuple[Path, ...]:
        """The roots without links."""
        return tuple(root.resolve() for root in self.roots)

    def is_kept_back(self, real: Path) -> bool:
        """Whether a path without links is a part of the lake."""
        parts = [real.relative_to(lake).parts[:1] for lake in self.lakes if real.is_relative_to(lake)]
        own = any(name in _PARTS or name.startswith("_") for first in parts for name in first)
        return own or any(real.is_relative_to(folder) for folder in self.private)


def allowed_below(roots: Sequence[Path], folders: Sequence[Path | None], private: Sequence[Path | None]) -> Allowed:
    """`folders`: those of the lake's buckets; `private`: its cache, and where rescued writes wait."""
    return Allowed(
        tuple(roots),
        tuple(folder.resolve() for folder in folders if folder is not None),
        tuple(folder.resolve() for folder in private if folder is not None),
    )
