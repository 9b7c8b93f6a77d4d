"""Row numbers on their way from a worker, in a message: as they are where they are few, as bits where they are many."""

from __future__ import annotations

import base64
from collections.abc import Sequence
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


def pack(numbers: NDArray[np.int64]) -> Packed | None:
    """Base64 text of the numbers, or of a bit for each row of each file; `None` where both are too long."""
    import numpy as np

    if numbers.nbytes <= _PLAIN_BYTES:
        return base64.b64encode(numbers.tobytes()).decode()
    files, rows = numbers >> ROW_BITS, numbers & ((1 << ROW_BITS) - 1)
    one = files[0] == files[-1] and bool((files == files[0]).all())
    parts = [(int(files[0]), rows)] if one else [(int(file), rows[files == file]) for file in np.unique(files)]
    if sum(int(part.max()) // 8 + 1 for _, part in parts) > _PACKED_BYTES:
        return None
    packed = []
    for file, part in parts:
        flags = np.zeros(int(part.max()) + 1, np.bool_)
        flags[part] = True
        packed.append((file, base64.b64encode(np.packbits(flags).tobytes()).decode()))
    return packed


def unpack(packed: Packed) -> NDArray[np.int64]:
    """The numbers that `pack` was given; out of bits they come in order."""
    import numpy as np

    if isinstance(packed, str):
        return np.frombuffer(base64.b64decode(packed), np.int64)
    return np.concatenate(
        [
            np.flatnonzero(np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8)).view(np.bool_))
            + (file << ROW_BITS)
            for file, bits in packed
        ]
    )
