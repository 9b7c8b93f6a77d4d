"""From a source to a committed version: resolve, fingerprint, read in a worker, commit, report.

Nothing of a load is visible before its one commit. A load that is cancelled, killed or refused
leaves staged files in its worker's scratch folder, which goes with the worker.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.catalog.properties import properties_for, transaction
from mcp_lakehouse.catalog.texts import check_text, searches_instead
from mcp_lakehouse.errors import Conflict, InvalidInput, LakehouseError, NotFound, StorageFailed, UnreadableSource
from mcp_lakehouse.ingest import formats, overlaying, telling
from mcp_lakehouse.ingest.allowed import Allowed
from mcp_lakehouse.ingest.attempts import attempt_transaction, check_newest, committed, is_repeated
from mcp_lakehouse.ingest.files import none_readable
from mcp_lakehouse.ingest.loaded import Loaded, as_staged, reject_records, staged
from mcp_lakehouse.ingest.sources import InlineText, SourceFile, dataset_name, fingerprint, resolve
from mcp_lakehouse.ingest.staging import emptied, new_staging, of_dataset
from mcp_lakehouse.ingest.types import merge_columns
from mcp_lakehouse.limits import IngestLimits
from mcp_lakehouse.names import REJECTS_PREFIX, check_name
from mcp_lakehouse.records import InferredColumn, IngestReport
from mcp_lakehouse.table import ABSENT, DataFile, Table, TableColumn, exact_in_double
from mcp_lakehouse.worker.channel import Message
from mcp_lakehouse.worker.process import Worker

# done, total (0 where unknown), what is going on.
Progress = Callable[[float, float, str], None]
MODES = ("append", "replace", "upsert", "delete")
# These depend on the rows that are there.
_BY_KEY = ("upsert", "delete")
_BACKOFF_SECONDS = (0.01, 0.5)


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller asked for. `bucket`: where a new dataset is to live. `who` and `trace_id` are recorded.

    `attempt` names this load for good: under one name it is committed once. `files` are a source that was found before,
    `since` is when it was first asked for, and `over_newer` allows it to replace rows that came in after that.
    """

    source: str | Sequence[str] | InlineText
    dataset: str | None = None
    mode: str = "append"
    key: Sequence[str] | None = None
    text: Sequence[str] | None = None
    description: str | None = None
    bucket: str | None = None
    who: str = ""
    trace_id: str | None = None
    attempt: str = ""
    files: Sequence[SourceFile] = ()
    since: datetime | None = None
    over_newer: bool = False


@dataclass(frozen=True, slots=True)
class _Given:
    """A request with its files: the content (SHA-256) of each, and why others cannot be read."""

    request: Request
    contents: Mapping[SourceFile, str]
    problems: Mapping[SourceFile, LakehouseError]


class Loader:
    """Loads sources into datasets of one catalog."""

    def __init__(
        self,
        catalog: Catalog,
        limits: IngestLimits,
        *,
        lend: Callable[[CancelToken], AbstractContextManager[Worker]],
        keep_rejects: Callable[[list[dict[str, object]]], None],
        allowed: Allowed,
        scratch: Path,
    ) -> None:
        self._catalog = catalog
        self._limits = limits
        self._lend = lend
        self._keep_rejects = keep_rejects
        self._allowed = allowed
        self._scratch = scratch

    def load(self, request: Request, *, progress: Progress, cancel: CancelToken) -> IngestReport:
        """Load a source and return what came of it. Raises `LakehouseError`; then nothing was changed."""
        if request.mode not in MODES:
            raise InvalidInput(f"mode is {request.mode!r}", hint=f"modes: {', '.join(MODES)}")
        files = self._files(request)
        try:
            name = dataset_name(files, request.source, request.dataset)
            self._catalog.table(name, request.bucket)
            contents, problems = self._fingerprints(files, progress, cancel)
            present = self._present(name)
            if present is None and request.mode == "delete":
                raise self._catalog.missing(name)
            fresh = self._fresh(present, request, contents)
            if not fresh and present is not None and not problems:
                return self._unchanged(present, request)
            given = _Given(request, contents, problems)
            with self._lend(cancel) as worker, emptied(worker.scratch):
                loaded = self._read(worker, fresh, present, given, progress, cancel)
                loaded.notes.extend(telling.loaded_once(contents, fresh))
                return self._commit(name, loaded, given, fresh, worker, cancel)
        finally:
            if isinstance(request.source, InlineText):
                # Its text was written to a file of ours.
                for file in files:
                    file.path.unlink(missing_ok=True)

    def given(self, request: Request) -> tuple[str, list[SourceFile]]:
        """The dataset and the files that a request means. Raises as `load`."""
        files = self._files(request)
        return dataset_name(files, request.source, request.dataset), files

    def _files(self, request: Request) -> list[SourceFile]:
        if request.dataset:
            self._catalog.check_changeable(check_name(request.dataset))
        return list(request.files) or resolve(
            request.source, allowed=self._allowed, limits=self._limits, scratch=self._scratch
        )

    def _present(self, name: str) -> Dataset | None:
        """The dataset at its newest version; `None` where there is none, or it was dropped."""
        found = self._catalog.find(name)
        return None if found is None or found.dropped else found

    # Idempotence ------------------------------------------------------------------------------

    def _fingerprints(
        self, files: Sequence[SourceFile], progress: Progress, cancel: CancelToken
    ) -> tuple[dict[SourceFile, str], dict[SourceFile, LakehouseError]]:
        """The content (SHA-256) of each file; and of several, why some cannot be read."""
        problems = {file: file.problem for file in files if file.problem is not None}
        total = float(sum(file.bytes for file in files))
        done = 0
        contents: dict[SourceFile, str] = {}
        for file in files:
            if file in problems:
                continue
            start = done

            def report(position: int, start: int = start) -> None:
                progress(start + position, total, "checking")

            try:
                contents[file] = fingerprint(file, cancel=cancel, progress=report)
            except (UnreadableSource, NotFound) as error:
                if len(files) == 1:
                    raise
                problems[file] = error
            done += file.bytes
        if not contents:
            raise none_readable(list(problems.values()))
        return contents, problems

    def _fresh(self, present: Dataset | None, request: Request, contents: Mapping[SourceFile, str]) -> list[SourceFile]:
        """The files that are not in the dataset yet; each content once, however often it is named."""
        first = {content: file for file, content in reversed(list(contents.items()))}
        # An upsert replaces each document by itself, also where another one has become the same.
        each = formats.DOCUMENTS if request.mode == "upsert" else ()
        distinct = [file for file, content in contents.items() if first[content] is file or file.format in each]
        if present is None:
            return distinct
        told = {"operation": request.mode, "content": _combined(contents.values())}
        if (request.mode != "append" or request.since) and is_repeated(present, told, request.since):
            return []
        if request.mode != "append":
            check_newest(present, request.attempt, None if request.over_newer else request.since)
            return distinct
        known = present.writable.transaction_version
        return [file for file in distinct if known(transaction(present.epoch, contents[file])) is None]

    def _describe_only(self, present: Dataset, request: Request) -> int:
        """The same bytes again may still bring a new description; returns the version."""
        if request.description is not None and request.description != (present.snapshot.description or ""):
            return present.writable.set_properties(
                description=request.description,
                properties={},
                info={"operation": "describe", "who": request.who, "trace_id": request.trace_id or ""},
            )
        return present.snapshot.version

    # Reading ----------------------------------------------------------------------------------

    def _read(
        self,
        worker: Worker,
        files: Sequence[SourceFile],
        present: Dataset | None,
        given: _Given,
        progress: Progress,
        cancel: CancelToken,
    ) -> Loaded:
        request = given.request
        existing = _columns_of(present) if present is not None and request.mode != "replace" else None
        answer = self._call(
            worker,
            {
                "op": "load",
                "files": [{"path": str(f.path), "name": f.name, "format": f.format, "sheet": f.sheet} for f in files],
                "columns": existing,
                "exact": sorted(_exact(present)) if present is not None and existing is not None else [],
                "columns_limit": self._limits.columns,
                "unreadable": [
                    {"name": file.name, "code": error.code, "message": error.message, "hint": error.hint}
                    for file, error in given.problems.items()
                ],
                "names_rows": request.mode == "delete",
                "several": len(given.contents) + len(given.problems) > 1,
                # The others of this source are in the dataset already.
                "may_be_nothing": len(files) < len(set(given.contents.values())),
            },
            progress,
            cancel,
        )
        loaded = as_staged(answer, files)
        if not loaded.kind:
            return loaded
        wanted = "table" if request.mode == "delete" else present.kind if present is not None else loaded.kind
        if present is not None and request.mode != "replace" and wanted != loaded.kind:
            raise InvalidInput(
                f"{present.name!r} holds {present.kind}, the source is {loaded.kind}",
                hint="give another dataset name, or mode='replace'",
            )
        if request.mode == "delete":
            return self._upsert(worker, loaded, present, request, progress, cancel)
        text = _text_columns(request, present, loaded)
        if present is not None and (told := searches_instead(present.text, text)) and request.text:
            loaded = replace(loaded, notes=[*loaded.notes, told])
        if request.mode == "upsert":
            whole = loaded.kind == "documents" and _means_sources(request.key or (present.key if present else []))
            if whole:
                return self._supersede(worker, loaded, present, files, progress, cancel)
            return self._upsert(worker, loaded, present, request, progress, cancel)
        names = [file.name for file in files if file not in loaded.left_out]
        return replace(loaded, notes=[*loaded.notes, *self._what_stays(worker, present, request, names, cancel)])

    def _what_stays(
        self, worker: Worker, present: Dataset | None, request: Request, names: Sequence[str], cancel: CancelToken
    ) -> list[str]:
        """What a caller may not expect: rows that stay beside the new ones, or go."""
        if present is None:
            return []
        if request.mode == "replace":
            return [telling.replaced(present)]
        files = present.snapshot.files
        if present.kind == "documents" and len(files) <= _FILES_LOOKED_INTO:
            with contextlib.suppress(StorageFailed, NotFound, UnreadableSource):
                # A file that is damaged or gone is no reason not to append others.
                existing = [str(path) for path in present.paths()]
                asked = {"op": "sources", "existing": existing, "sources": list(names)}
                return telling.sources_stay(self._call(worker, asked, _silent, cancel)["sources"])
        return telling.files_stay(present, names)

    def _supersede(
        self,
        worker: Worker,
        loaded: Loaded,
        present: Dataset | None,
        files: Sequence[SourceFile],
        progress: Progress,
        cancel: CancelToken,
    ) -> Loaded:
        """Documents in the place of what the dataset holds of the same sources."""
        sources = [file.name for file in files if file not in loaded.left_out]
        wanted: Message = {"op": "supersede", "sources": sources}
        answer, local = self._rewritten(worker, wanted, loaded, present, progress, cancel)
        kept = [staged(each["file"]) for each in answer["replaced"] if each["file"] is not None]
        told = telling.superseded(answer["gone"], [(name, other) for name, other in answer["elsewhere"]])
        return replace(
            loaded,
            files=[*kept, *loaded.files],
            rows=answer["inserted"],
            updated=answer["updated"],
            notes=[*loaded.notes, *told],
            base=_version(present),
            removed=[local[each["path"]].key for each in answer["replaced"]],
            by_source=True,
        )

    def _upsert(
        self,
        worker: Worker,
        loaded: Loaded,
        present: Dataset | None,
        request: Request,
        progress: Progress,
        cancel: CancelToken,
    ) -> Loaded:
        deletes = request.mode == "delete"
        written = _columns_of(present) if present is not None and deletes else loaded.columns
        key = _known_columns(overlaying.wanted_key(request.key, present, request.mode), written, "key")
        if present is not None and present.key and key != present.key and not deletes:
            raise InvalidInput(
                f"{present.name!r} has the key {', '.join(present.key)}; an upsert by {', '.join(key)} would drop rows",
                hint="leave key out, or load with mode='replace' to give the dataset another key",
            )
        wanted: Message = {
            "op": "rewrite",
            "key": key,
            "documents": loaded.kind == "documents",
            "deletes": deletes,
            "written": written,
            **overlaying.allowance(present, key, request.mode, self._limits),
        }
        # A deletion compares its source's columns, and adds none.
        compared = replace(loaded, columns=loaded.columns[: len(written)])
        answer, local = self._rewritten(worker, wanted, compared, present, progress, cancel)
        return overlaying.by_key(loaded, answer, local, base=_version(present), deletes=deletes)

    def _rewritten(
        self,
        worker: Worker,
        wanted: Message,
        loaded: Loaded,
        present: Dataset | None,
        progress: Progress,
        cancel: CancelToken,
    ) -> tuple[Message, Mapping[str, DataFile]]:
        """The worker's answer to what is wanted of the present files and the new ones; the present by their paths."""
        told, local = overlaying.stored(present)
        incoming = [str(file.path) for file in loaded.files]
        request: Message = {**wanted, **told, "incoming": incoming, "columns": loaded.columns}
        with of_dataset(present.name) if present else contextlib.nullcontext():
            return self._call(worker, request, progress, cancel), local

    def _call(self, worker: Worker, request: Message, progress: Progress, cancel: CancelToken) -> Message:
        limits = self._limits

        def on_event(event: Message) -> None:
            progress(event.get("done", 0), event.get("total", 0), event.get("message", ""))

        staging = new_staging(worker.scratch)
        budget = {
            "staging": str(staging),
            "row_group_rows": limits.row_group_rows,
            "file_bytes": limits.file_bytes,
            "rejects_kept": limits.rejects_kept,
        }
        return worker.call(
            request | budget,
            timeout_seconds=limits.timeout_seconds,
            cancel=cancel,
            on_event=on_event,
            on_timeout="the load",
        )

    # Committing -------------------------------------------------------------------------------

    def _commit(
        self,
        name: str,
        loaded: Loaded,
        given: _Given,
        fresh: Sequence[SourceFile],
        worker: Worker,
        cancel: CancelToken,
    ) -> IngestReport:
        request = given.request
        load = self._kept(loaded, name)
        for attempt in range(self._limits.commit_attempts):
            cancel.check()
            if not loaded.kind:
                return self._nothing_read(name, loaded, request, load)
            try:
                if request.mode == "delete" and not loaded.deleted:
                    return overlaying.nothing_deleted(_report(name, loaded.base, loaded, load, request.mode))
                info = _info(loaded, given, load)
                contents = [given.contents[file] for file in fresh if file not in loaded.left_out]
                version = self._commit_once(name, loaded, request, contents, info)
                if version is not None:
                    self._catalog.added(name)
                    return _report(name, version, loaded, load, request.mode)
                # Another writer has loaded some of these files in the meantime; the others are still to come.
                present = self._present(name)
                fresh = self._fresh(present, request, given.contents)
                if not fresh and not given.problems and present is not None:
                    return telling.unchanged(present, present.snapshot.version, request.mode)
                loaded = self._read(worker, fresh, present, given, _silent, cancel)
                load = self._kept(loaded, name)
            except Conflict:
                low, high = _BACKOFF_SECONDS
                time.sleep(random.uniform(low, min(high, low * 2 ** (attempt + 1))))
                if request.mode in _BY_KEY:
                    # What the rewrite read has changed: read it again, over the new base.
                    loaded = self._read(worker, fresh, self._present(name), given, _silent, cancel)
        raise Conflict(f"other writers of {name!r} kept winning", hint="try again when fewer are at work")

    def _nothing_read(self, name: str, loaded: Loaded, request: Request, load: str) -> IngestReport:
        """The files that can be read are in the dataset already."""
        present = self._present(name)
        if present is None:
            raise Conflict(f"{name!r} was dropped while it was loaded", hint="load it again")
        unchanged = self._unchanged(present, request)
        return replace(
            unchanged,
            rows_rejected=loaded.rejected,
            rejects_uri=REJECTS_PREFIX + load,
            notes=[*unchanged.notes, *loaded.notes],
        )

    def _unchanged(self, present: Dataset, request: Request) -> IngestReport:
        version = self._describe_only(present, request)
        return telling.unchanged(present, version, request.mode, telling.left_out_then(present, request.mode))

    def _kept(self, loaded: Loaded, name: str) -> str:
        """A new load's id, under which its rejected rows are kept."""
        load = secrets.token_hex(8)
        if loaded.rejects is not None:
            self._keep_rejects(reject_records(loaded.rejects, load, name))
        return load

    def _commit_once(
        self, name: str, loaded: Loaded, request: Request, fresh: Sequence[str], info: Mapping[str, str]
    ) -> int | None:
        """One attempt against the newest version; `None` when another writer has loaded the same bytes."""
        base = self._catalog.find(name)
        present = base if base is not None and not base.dropped else None
        table = self._catalog.table(name, request.bucket)
        if (before := committed(table, request.attempt)) is not None:
            return before
        if request.mode in _BY_KEY and loaded.base != _version(present):
            raise Conflict(f"{name!r} was changed since it was read", hint="read it again")
        own = {attempt_transaction(request.attempt): 1} if request.attempt else {}
        if present is not None and request.mode == "delete":
            return overlaying.commit(table, loaded, present, info, description=request.description, transactions=own)
        wanted = [] if loaded.by_source else request.key or (present.key if present else [])
        key = _known_columns(list(wanted), loaded.columns, "key")
        text = _text_columns(request, present, loaded)
        if loaded.kind == "documents" and not text:
            text = ["text"]
        at_version = base.snapshot.version if base is not None else ABSENT
        next_version = at_version + 1
        if present is None or request.mode == "replace":
            properties = properties_for(kind=loaded.kind, key=key, text=text, epoch=next_version)
            transactions = {transaction(next_version, content): 1 for content in fresh}
            commit = table.create_or_append if base is None else table.replace
            # Lineage goes back as far as this.
            info = dict(info) | {"replaces": "all"}
            return commit(
                [TableColumn(column, type_, True, None) for column, type_ in loaded.columns],
                loaded.files,
                transactions=transactions | own,
                info=info,
                description=request.description if request.description is not None else _description(present),
                properties=properties,
                at_version=at_version,
            )
        transactions = {transaction(present.epoch, content): 1 for content in fresh}
        if request.mode == "append" and any(table.transaction_version(each) is not None for each in transactions):
            return None
        columns = _merged(present, loaded.columns)
        properties = properties_for(kind=present.kind, key=key, text=text, epoch=present.epoch)
        changed = {
            name: value for name, value in properties.items() if present.snapshot.properties.get(name, "") != value
        }
        if request.mode == "upsert" and not loaded.keeps_overlay:
            return overlaying.commit(
                table,
                loaded,
                present,
                info,
                description=request.description,
                columns=columns,
                properties=changed,
                transactions=own | (_unknown(table, transactions) if loaded.by_source else {}),
            )
        # A plain append fits any base; one that changes the schema or a property fits only this one.
        plain = (
            request.mode == "append"
            and not changed
            and request.description is None
            and columns == list(present.snapshot.columns)
        )
        return table.create_or_append(
            columns,
            loaded.files,
            transactions=own | (transactions if request.mode == "append" else {}),
            info=info,
            description=request.description,
            properties=changed,
            at_version=None if plain else present.snapshot.version,
        )


# An append of documents asks so many files for the sources of their rows; each is opened for that.
_FILES_LOOKED_INTO = 1_000


def _silent(_done: float, _total: float, _message: str) -> None:
    return


def _version(present: Dataset | None) -> int:
    return ABSENT if present is None else present.snapshot.version


def _info(loaded: Loaded, given: _Given, load: str) -> dict[str, str]:
    """What the version's record says of the load."""
    request = given.request
    left_out = [file.name for file in (*given.problems, *loaded.left_out)]
    return {
        "operation": request.mode,
        "load": load,
        **({"attempt": request.attempt} if request.attempt else {}),
        "source": telling.some([file.name for file in given.contents if file not in loaded.left_out]),
        "content": _combined(given.contents.values()),
        **({"left_out": telling.some(left_out)} if left_out else {}),
        "rows_added": str(loaded.rows),
        "rows_updated": str(loaded.updated),
        "rows_rejected": str(loaded.rejected),
        **({"rows_deleted": str(loaded.deleted)} if request.mode == "delete" else {}),
        "who": request.who,
        "trace_id": request.trace_id or "",
    }


def _report(name: str, version: int, loaded: Loaded, load: str, mode: str) -> IngestReport:
    return IngestReport(
        dataset=name,
        version=version,
        rows_added=loaded.rows,
        rows_updated=loaded.updated,
        rows_rejected=loaded.rejected,
        unchanged=False,
        inferred=[InferredColumn(column, type_) for column, type_ in loaded.columns],
        rejects_uri=REJECTS_PREFIX + load if loaded.rejects is not None else None,
        notes=loaded.notes,
        rows_deleted=loaded.deleted if mode == "delete" else None,
    )


def _means_sources(key: Sequence[str]) -> bool:
    """Whether a key of documents, or none, stands for all rows of a source."""
    return not key or [name.casefold() for name in key] == ["source"]


def _unknown(table: Table, transactions: Mapping[str, int]) -> dict[str, int]:
    """Those that were not committed before."""
    return {each: version for each, version in transactions.items() if table.transaction_version(each) is None}


def _text_columns(request: Request, present: Dataset | None, loaded: Loaded) -> list[str]:
    text = _known_columns(list(request.text or (present.text if present else [])), loaded.columns, "text")
    if request.text:
        check_text("the source", text, [(name, type_) for name, type_ in loaded.columns])
    return text


def _combined(contents: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()


def _columns_of(dataset: Dataset) -> list[list[str]]:
    return [[column.name, column.type] for column in dataset.snapshot.columns]


def _exact(dataset: Dataset) -> frozenset[str]:
    return exact_in_double(dataset.snapshot.columns, dataset.snapshot.parts)


def _merged(present: Dataset, columns: Sequence[Sequence[str]]) -> list[TableColumn]:
    known = {column.name: column for column in present.snapshot.columns}
    old = [(name, type_) for name, type_ in _columns_of(present)]
    merged = merge_columns(old, [(name, type_) for name, type_ in columns], _exact(present))
    return [
        TableColumn(name, type_, True, known[name].description if name in known else None) for name, type_ in merged
    ]


def _description(present: Dataset | None) -> str | None:
    return present.snapshot.description if present else None


def _known_columns(wanted: Sequence[str], columns: Sequence[Sequence[str]], what: str) -> list[str]:
    spelled = {name.lower(): name for name, _ in columns}
    missing = [name for name in wanted if name.lower() not in spelled]
    if missing:
        raise InvalidInput(
            f"{what} names {', '.join(map(repr, missing))}, which the source does not have",
            hint=f"its columns: {', '.join(name for name, _ in columns[:50])}",
        )
    return [spelled[name.lower()] for name in wanted]
