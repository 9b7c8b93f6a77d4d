"""Passages of one data file with their embeddings: in memory as arrays, in the bucket as Parquet.

A data file never changes, so neither does what was made of it: one Parquet file of passages for each data
file and recipe, at a key that both give. Whoever finds it there need not embed again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import StorageFailed
from mcp_lakehouse.index.chunking import spans

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from mcp_lakehouse.llm.embedder import Embedder

HASH_BYTES = 16
# Texts are embedded, and vectors written, so many at a time.
_SLICE = 2_048
# Vectors that are known already, by the hash of their text.
Known = Mapping[bytes, "NDArray[np.float32]"]


@dataclass(frozen=True, slots=True, eq=False)
class Passages:
    """`n` passages of one data file, in the order of its rows.

    `rows` int32 (n,): row in the file; `chunks` int32 (n,): number of the passage within its row; `starts` and
    `ends` int32 (n,): characters of the row's text; `hashes` uint8 (n, 16): SHA-256 of the passage's text, its
    first half; `vectors` float32 (n, dimensions), of length 1 or 0.
    """

    file_rows: int
    rows: NDArray[np.int32]
    chunks: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    hashes: NDArray[np.uint8]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def offsets(self) -> NDArray[np.int64]:
        """(file_rows + 1,): passages of row r are those from offsets[r] up to offsets[r + 1]."""
        import numpy as np

        return np.searchsorted(self.rows, np.arange(self.file_rows + 1)).astype(np.int64)


def text_hash(text: str) -> bytes:
    """What identifies a passage's text: the first half of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:HASH_BYTES]


def vectors_by_hash(passages: Iterable[Passages]) -> dict[bytes, NDArray[np.float32]]:
    """The vectors of passages by the hash of their text, for `make_passages` to know."""
    known: dict[bytes, NDArray[np.float32]] = {}
    for each in passages:
        hashes = each.hashes.tobytes()
        for number in range(len(each)):
            known[hashes[number * HASH_BYTES : (number + 1) * HASH_BYTES]] = each.vectors[number]
    return known


def make_passages(
    batches: Iterable[Sequence[str]],
    embedder: Embedder,
    *,
    known: Known,
    cancel: CancelToken,
    progress: Callable[[int], None],
) -> Passages:
    """Cut the texts of all rows (in order, batch by batch) and embed what is not `known` yet.

    `progress` is told the number of rows done. Raises what the embedder raises, and `Cancelled`.
    """
    import numpy as np

    rows: list[int] = []
    chunks: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    hashes: list[bytes] = []
    vectors: list[NDArray[np.float32]] = []
    waiting: list[str] = []
    row = 0

    def flush() -> None:
        cancel.check()
        fresh = hashes[len(hashes) - len(waiting) :]
        block = np.zeros((len(waiting), embedder.dimensions), np.float32)
        # The same text is embedded once.
        new: dict[bytes, list[int]] = {}
        for place, each in enumerate(fresh):
            if each in known:
                block[place] = known[each]
            else:
                new.setdefault(each, []).append(place)
        if new:
            made = embedder.embed([waiting[places[0]] for places in new.values()], cancel=cancel)
            for places, vector in zip(new.values(), made, strict=True):
                block[places] = vector
        vectors.append(block)
        waiting.clear()

    for batch in batches:
        for text in batch:
            for chunk, (start, end) in enumerate(spans(text)):
                piece = text[start:end]
                rows.append(row)
                chunks.append(chunk)
                starts.append(start)
                ends.append(end)
                hashes.append(text_hash(piece))
                waiting.append(piece)
                if len(waiting) >= _SLICE:
                    flush()
            row += 1
        progress(row)
    flush()
    return Passages(
        file_rows=row,
        rows=np.array(rows, np.int32),
        chunks=np.array(chunks, np.int32),
        starts=np.array(starts, np.int32),
        ends=np.array(ends, np.int32),
        hashes=np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES),
        vectors=np.concatenate(vectors),
    )


def to_parquet(passages: Passages, metadata: Mapping[str, str]) -> bytes:
    """The passages as a Parquet file, with `metadata` in its footer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    dimensions = passages.vectors.shape[1]
    table = pa.table(
        {
            "row": pa.array(passages.rows),
            "chunk": pa.array(passages.chunks),
            "start": pa.array(passages.starts),
            "end": pa.array(passages.ends),
            "hash": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(HASH_BYTES), len(passages), [None, pa.py_buffer(passages.hashes.tobytes())]
            ),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(passages.vectors.reshape(-1)), dimensions),
        }
    ).replace_schema_metadata({**metadata, "file_rows": str(passages.file_rows)})
    sink = io.BytesIO()
    # Vectors do not compress; the rest does. A changed bit of a vector would be a wrong answer that nobody notices.
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_page_checksum=True)
    return sink.getvalue()


def from_parquet(data: bytes, *, key: str, dimensions: int) -> Passages:
    """What `to_parquet` wrote. Raises `StorageFailed` for anything else, naming `key`."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True).combine_chunks()
        count = len(table)
        file_rows = int((table.schema.metadata or {})[b"file_rows"])
        embedding = _one(table, "embedding")
        vectors = embedding.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        passages = Passages(
            file_rows=file_rows,
            rows=_numbers(table, "row"),
            chunks=_numbers(table, "chunk"),
            starts=_numbers(table, "start"),
            ends=_numbers(table, "end"),
            hashes=np.frombuffer(b"".join(_one(table, "hash").to_pylist()), np.uint8).reshape(count, HASH_BYTES),
            vectors=vectors.reshape(count, dimensions),
        )
        rows = passages.rows
        if count and (rows[0] < 0 or rows[-1] >= file_rows or (np.diff(rows) < 0).any()):
            raise ValueError("rows out of order")
        if not np.isfinite(passages.vectors).all():
            raise ValueError("a vector is not finite")
        return passages
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise StorageFailed(
            f"the embeddings in {key} cannot be read", hint=f"delete that file and run: mcp-lakehouse index ({error})"
        ) from error


def _one(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _numbers(table: pa.Table, name: str) -> NDArray[np.int32]:
    import numpy as np

    found: NDArray[np.int32] = _one(table, name).to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return found
