"""One random damage to a file's bytes."""

from __future__ import annotations

import random


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bits flipped, a stretch overwritten, cut, grown, emptied, moved, or another file's bytes."""
    if not data:
        return chance.randbytes(10)
    at = chance.randrange(len(data))
    length = chance.randint(1, 64)
    kind = chance.randrange(7)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + chance.randbytes(length) + data[at + length :]
    if kind == 2:
        return data[:at]
    if kind == 3:
        return data + chance.randbytes(length)
    if kind == 4:
        return data[:at] + data[at + length :]
    if kind == 5:
        return data[:at] + data[at : at + length] + data[at:]
    return chance.randbytes(len(data))
