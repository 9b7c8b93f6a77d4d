"""Row numbers on their way from a worker, in a message: as they are where they are few, as bits where they are many."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_lakehouse.limits import KIB, MIB

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The lower bits of a number count the rows of a file, the upper ones the files.
ROW_BITS = 40
_PLAIN_BYTES = 16 * KIB
_PACKED_BYTES = 4 * MIB

Packed = str | Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of a version's files: their numbers, or flags for those of each file up to its last one."""

    numbers: NDArray[np.int64] | None = None
    flags: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        import numpy as np

        if self.numbers is not None:
            return len(self.numbers)
        return sum(int(np.count_nonzero(flags)) for flags in self.flags.values())

    def of_file(self, file: int, rows: int) -> NDArray[np.bool_]:
        """Which of a file's rows these are, for each of the `rows` it has."""
        import numpy as np

        chosen = np.zeros(rows, np.bool_)
        if self.numbers is not None:
            first = file << ROW_BITS
            within = (self.numbers >= first) & (self.numbers < first + (1 << ROW_BITS))
            chosen[self.numbers[within] - first] = True
        elif file in self.flags:
            flags = self.flags[file]
            chosen[: len(flags)] = flags[:rows]
        return chosen


def pack(numbers: NDArray[np.int64]) -> Packed | None:
    """Base64 text of the numbers, or of a bit for each row of each file; `None` where both are too long."""
    import numpy as np

    if numbers.nbytes <= _PLAIN_BYTES:
        return base64.b64encode(numbers.tobytes()).decode()
    first, last = int(numbers.min()) >> ROW_BITS, int(numbers.max()) >> ROW_BITS
    if first == last:
        parts = [(first, numbers - (first << ROW_BITS))]
    else:
        files, rows = numbers >> ROW_BITS, numbers & ((1 << ROW_BITS) - 1)
        parts = [(int(file), rows[files == file]) for file in np.unique(files)]
    if sum(int(part.max()) // 8 + 1 for _, part in parts) > _PACKED_BYTES:
        return None
    packed = []
    for file, part in parts:
        flags = np.zeros(int(part.max()) + 1, np.bool_)
        flags[part] = True
        packed.append((file, base64.b64encode(np.packbits(flags).tobytes()).decode()))
    return packed


def unpack(packed: Packed) -> Rows:
    """The rows that `pack` was given."""
    import numpy as np

    if isinstance(packed, str):
        return Rows(np.frombuffer(base64.b64decode(packed), np.int64))
    return Rows(
        flags={
            file: np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8)).view(np.bool_) for file, bits in packed
        }
    )
