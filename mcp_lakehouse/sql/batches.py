"""Arrow batches out of a stream of bytes that a worker sends, copied as little as may be."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from mcp_lakehouse.errors import LimitExceeded, WorkerDied


class Batches:
    """The batches of an Arrow IPC stream, with their `schema`. Raises what `pieces` raises.

    The bytes come from a process that runs foreign statements: no part of them is believed to be longer than
    `most_bytes`, and each batch is checked to lie within its own memory.
    """

    def __init__(self, pieces: Iterator[bytearray], *, most_bytes: int) -> None:
        self._pieces = pieces
        self._reader = pa.ipc.open_stream(pa.PythonFile(_Source(pieces, most_bytes), mode="r"))
        self.schema: pa.Schema = self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._reader:
            batch.validate()
            yield batch
        # The Arrow stream says where it ends; what the worker says after that counts too.
        for _ in self._pieces:
            raise WorkerDied("the worker sent more than a result", hint="run the statement again")


class _Source:
    """The pieces as a file that is read from the front."""

    closed = False

    def __init__(self, pieces: Iterator[bytearray], most_bytes: int) -> None:
        self._pieces = pieces
        self._most = most_bytes
        self._piece = memoryview(b"")

    def read(self, count: int) -> memoryview | bytes:
        """So many bytes, fewer only at the end. They are not copied where they lie in one piece."""
        if count > self._most:
            raise LimitExceeded("a batch of the result is too large", hint="select fewer columns, or shorter texts")
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        if len(self._piece) >= count:
            taken, self._piece = self._piece[:count], self._piece[count:]
            return taken
        parts = bytearray()
        while self._piece and len(parts) < count:
            taken = self._piece[: count - len(parts)]
            parts += taken
            self._piece = self._piece[len(taken) :] or memoryview(next(self._pieces, b""))
        return bytes(parts)

    def close(self) -> None:
        """Nothing: the stream belongs to whoever opened it."""
