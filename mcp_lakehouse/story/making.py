"""Makes the story's files: block by block, so that memory does not grow with the number of workers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.story import tables
from mcp_lakehouse.story.clients import make_clients
from mcp_lakehouse.story.contracts import make_contracts
from mcp_lakehouse.story.pdf import pdf
from mcp_lakehouse.story.resumes import Person, Resume, make_resumes
from mcp_lakehouse.story.sinks import CsvSink, JsonSink, ParquetSink, Sink
from mcp_lakehouse.story.workers import BLOCK, Workers, make_workers

TABLES: Mapping[str, Callable[[Path, pa.Schema], Sink]] = {"parquet": ParquetSink, "csv": CsvSink, "ndjson": JsonSink}
DOCUMENTS = ("text", "pdf")
FORMATS = (*TABLES, *DOCUMENTS)
_RESUMES = pa.schema(dict.fromkeys(Resume.__dataclass_fields__, pa.string()))

Batches = Iterator[tuple[str, pa.Table]]


@dataclass(frozen=True, slots=True)
class Made:
    """One file that was made (or one folder of documents): its path in the story's folder, its rows, its bytes."""

    path: str
    rows: int
    bytes: int


def make_story(
    folder: Path,
    *,
    workers: int,
    resumes: int,
    seed: int,
    formats: Sequence[str] = ("parquet",),
    cancel: CancelToken | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> list[Made]:
    """Make the story's files in a new folder, all or none.

    Tables (workers, certificates, clients, contracts, fills, resumes) in each format of `parquet`, `csv`,
    `ndjson`; `text` and `pdf` write one file for each résumé. The first `resumes` workers have a résumé.
    The same seed, numbers and formats give the same bytes with the same versions of the libraries.
    Raises `InvalidInput` for a folder with something in it, an unknown format or more résumés than workers.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise InvalidInput(
            f"there is no format {', '.join(unknown) or 'given'}", hint=f"there are {', '.join(FORMATS)}"
        )
    if resumes > workers:
        raise InvalidInput(
            f"{resumes:,} résumés of {workers:,} workers", hint="a worker has at most one: ask for fewer"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder} is there and not empty", hint="give the name of a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made aside: nobody finds half a story.
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        made = _Making(aside, formats).run(_batches(seed, workers, resumes, cancel, progress))
        folder.mkdir(exist_ok=True)
        for path in aside.iterdir():
            path.rename(folder / path.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return made


def _batches(
    seed: int,
    count: int,
    resumes: int,
    cancel: CancelToken | None,
    progress: Callable[[float, float, str], None] | None,
) -> Batches:
    """Names of tables with rows of them, until the story is told."""
    clients = make_clients(seed, count)
    yield "clients", tables.client_table(clients)
    first_contract = first_fill = 0
    for first in range(0, count, BLOCK):
        if cancel is not None:
            cancel.check()
        if progress is not None:
            progress(first, count, "workers")
        workers = make_workers(seed, first, min(BLOCK, count - first))
        contracts, fills = make_contracts(seed, workers, clients)
        people = tables.worker_table(seed, workers, fills)
        yield "workers", people
        yield "certificates", tables.certificate_table(workers)
        yield "contracts", tables.contract_table(first_contract, contracts, clients)
        yield "fills", tables.fill_table(first_fill, first_contract, workers, contracts, fills)
        first_contract += len(contracts)
        first_fill += len(fills)
        if first < resumes:
            yield "resumes", _resume_table(seed, workers, people.slice(0, resumes - first))


def _resume_table(seed: int, workers: Workers, people: pa.Table) -> pa.Table:
    records = people.select(list(Person.__dataclass_fields__)).to_pylist()
    written = make_resumes(seed, workers, [Person(**record) for record in records])
    return pa.Table.from_pylist([asdict(resume) for resume in written], schema=_RESUMES)


class _Making:
    """Hands each batch to the files it belongs in, and counts."""

    def __init__(self, folder: Path, formats: Sequence[str]) -> None:
        self._folder = folder
        self._tables = [name for name in TABLES if name in formats]
        self._documents = [name for name in DOCUMENTS if name in formats]
        self._sinks: dict[str, Sink] = {}
        self._rows: dict[str, int] = {}

    def run(self, batches: Batches) -> list[Made]:
        with ExitStack() as open_files:
            for table, rows in batches:
                for name in self._tables:
                    path = f"{table}.{name}"
                    if path not in self._sinks:
                        self._sinks[path] = TABLES[name](self._folder / path, rows.schema)
                        open_files.callback(self._sinks[path].close)
                    self._sinks[path].write(rows)
                    self._rows[path] = self._rows.get(path, 0) + rows.num_rows
                if table == "resumes":
                    self._write_documents(rows)
        return [Made(path, rows, _size(self._folder / path)) for path, rows in sorted(self._rows.items())]

    def _write_documents(self, rows: pa.Table) -> None:
        for name in self._documents:
            folder = self._folder / f"resumes_{name}"
            folder.mkdir(exist_ok=True)
            for row in rows.select(["worker_id", "name", "resume_text"]).to_pylist():
                text = row["resume_text"]
                if name == "pdf":
                    (folder / f"{row['worker_id']}.pdf").write_bytes(pdf(text, row["name"]))
                else:
                    (folder / f"{row['worker_id']}.txt").write_bytes(text.encode("utf-8"))
            self._rows[folder.name] = self._rows.get(folder.name, 0) + rows.num_rows


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in path.iterdir()) if path.is_dir() else path.stat().st_size
