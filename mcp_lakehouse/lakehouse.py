"""The lake: opens and closes everything, one method for each verb. Synchronous; safe for several threads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mcp_lakehouse import trace
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog import listings
from mcp_lakehouse.catalog.buckets import bucket_list
from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.catalog.journals import Journals
from mcp_lakehouse.catalog.statistics import Statistics
from mcp_lakehouse.catalog.system import System
from mcp_lakehouse.catalog.visible import Visible
from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError, StorageFailed
from mcp_lakehouse.index.citation import with_warning
from mcp_lakehouse.index.indexes import Indexes
from mcp_lakehouse.index.requests import Build, Progress, Query, silent
from mcp_lakehouse.index.rows import BATCH_ROWS
from mcp_lakehouse.journal import Journal
from mcp_lakehouse.marker import CACHE_HINT, cache_folder, check_marker
from mcp_lakehouse.names import REJECTS_PREFIX
from mcp_lakehouse.profiles.opening import open_catalog, own_cache
from mcp_lakehouse.profiles.pinning import Pinned
from mcp_lakehouse.recording import Recorder, user
from mcp_lakehouse.records import (
    Answer,
    BucketList,
    DatasetDescription,
    DatasetList,
    ErrorList,
    IndexReport,
    IngestReport,
    Json,
    Passage,
    ProfileList,
    QueryResult,
    ReplayReport,
    RollbackReport,
    SearchResult,
    TrialList,
)
from mcp_lakehouse.rescue.rescue import Rescue, Work
from mcp_lakehouse.retention.local import Held, LocalState
from mcp_lakehouse.retention.retention import Doing, Retention
from mcp_lakehouse.retention.verbs import RetentionVerbs
from mcp_lakehouse.scratch import Scratch
from mcp_lakehouse.settings import Settings, read_settings
from mcp_lakehouse.sql.results import Results
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.sql.wanted import Parameters
from mcp_lakehouse.store import open_bucket
from mcp_lakehouse.store.homes import Home, other_homes, places_of, primary_home, rescue_bucket
from mcp_lakehouse.table import DataFile, TableColumn, is_overlay
from mcp_lakehouse.worker.channel import Message
from mcp_lakehouse.worker.pool import Pool
from mcp_lakehouse.worker.process import Worker

if TYPE_CHECKING:
    import pyarrow as pa

    from mcp_lakehouse.answer.answering import Answering
    from mcp_lakehouse.index.search import Searcher
    from mcp_lakehouse.ingest.compaction import Compaction
    from mcp_lakehouse.ingest.load import Loader
    from mcp_lakehouse.ingest.sources import Source

_DESCRIBED_COLUMNS = 200
_LINEAGE_ENTRIES = 5
_STATISTICS_SECONDS = 15.0


class Lakehouse(RetentionVerbs):
    """An opened lake. Use `Lakehouse.open`, as a context manager."""

    def __init__(self, homes: Sequence[Home], settings: Settings, *, cache: Path) -> None:
        self.settings = settings
        self.homes = homes
        self.bucket = homes[0].bucket
        self._cache = cache_folder(self.bucket, settings)
        self.read_only = settings.flag("read_only")
        self._limits = settings.limits
        self._scratch_folder = Scratch(cache / "scratch")
        self._scratch = self._scratch_folder.path
        self.profile = settings.profile()
        self._opened = open_catalog(
            homes,
            self.profile,
            limits=self._limits,
            cache=cache,
            scratch=self._scratch,
            key=settings.text("mask_key"),
        )
        self.catalog, self._data = self._opened.catalog, self._opened.data
        self._indexes = Indexes(
            self.catalog,
            cache=cache,
            scratch=self._scratch,
            read_only=self.read_only,
            embedder=settings.text("embedder").strip(),
            export=self._export,
            pinned=Pinned(self.profile, settings.profiles_file),
        )
        self.system = System(self.catalog, self._indexes, homes[0], whole=self.may("admin"))
        self.results = Results(cache / "results", self._limits.result)
        visible = Visible(self.catalog, self.system, self.results, flush_journals=lambda: self._journal.flush())
        self._runner = Runner(visible.resolve, self.results, self._limits, scratch=self._scratch, data=self._data)
        self._statistics = Statistics(cache / "statistics", self._first_row)
        self._loaders = Pool(self._start_loader, size=2, what="ingest")
        kept_in = rescue_bucket(settings.text("rescue").strip(), os.environ, lake=self.bucket)
        self.rescue = Rescue(kept_in, self.catalog, self.profile, tell=lambda *told: self.recorder.failed(*told))
        self._journal = Journal(self._append_journal, keep=self.rescue.keep_journal)
        self._journals = Journals(self.system, self._limits.journal, scratch=self._scratch)
        self.recorder = Recorder(
            self._journal,
            profile=self.profile,
            read_only=self.read_only,
            scratch=self._scratch,
            places=[str(cache), *places_of(homes, kept_in)],
        )
        self.recorder.before = lambda: self._retention.notices.check()
        self._recording, self._changing = self.recorder.recording, self.recorder.changing
        # Results of any length, passed on while they are made: for the servers, and for whoever wants them all.
        self.streams = self._runner.streams(partial(self._recording, "stream", None), settings.flag("trace_content"))

    @classmethod
    def open(
        cls,
        path_or_url: str | os.PathLike[str] | None = None,
        *,
        settings: Settings | None = None,
        read_only: bool | None = None,
        allow: Sequence[str | os.PathLike[str]] | None = None,
        profile: str | None = None,
    ) -> Self:
        """Open a lake, made if there is none yet.

        `path_or_url` is a folder or `s3://bucket/prefix`; the default is that of the settings. `allow`
        names folders that `ingest` may read from (default: the working directory); `profile` is one of the lake's
        `lakehouse.toml`, and what it does not show is not there.
        Raises `UnsupportedLake` for a lake of a newer version, `StorageFailed` when it cannot be reached.
        """
        if settings is None:
            flags: dict[str, str | None] = {
                "lake": os.fspath(path_or_url) if path_or_url is not None else None,
                "read_only": None if read_only is None else str(read_only).lower(),
                "allow": None if allow is None else os.pathsep.join(os.fspath(each) for each in allow),
                "profile": profile,
            }
            settings = read_settings(flags)
        bucket = open_bucket(settings.lake, os.environ)
        check_marker(bucket, read_only=settings.flag("read_only"))
        cache = cache_folder(bucket, settings)
        try:
            cache.mkdir(parents=True, exist_ok=True)
            homes = [primary_home(bucket, cache), *other_homes(settings.buckets, os.environ, cache=cache)]
            # A profile shares nothing with others that could tell of them.
            return cls(homes, settings, cache=own_cache(cache, settings.profile(), settings.text("mask_key")))
        except OSError as error:
            raise StorageFailed(
                f"cannot keep local state in {cache}: {error.strerror}",
                hint=CACHE_HINT,
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop all work, write what is still buffered, remove scratch files."""
        self._journal.close()
        if "_compaction" in self.__dict__:
            self._compaction.close()
        self._runner.close()
        self._opened.close()
        self._loaders.close()
        self._scratch_folder.close()

    def may(self, right: str) -> bool:
        """Whether this lake was opened with a right (one of `profile.RIGHTS`)."""
        return self.profile is None or right in self.profile.rights

    def warm(self) -> None:
        """Get ready for the first statement, in the background."""
        self._runner.warm()

    def confinement(self) -> Message:
        """What the kernel adds to the lock of a SQL worker here."""
        return self._runner.confinement()

    @cached_property
    def _loader(self) -> Loader:
        # Loaded with the first source: nothing before it, the first reply above all, is to wait for that.
        from mcp_lakehouse.ingest.allowed import allowed_below
        from mcp_lakehouse.ingest.load import Loader

        return Loader(
            self.catalog,
            self._limits.ingest,
            lend=self._lend,
            keep_rejects=lambda records: self._append_journal("rejects", records),
            allowed=allowed_below(
                self.settings.allowed_roots,
                [home.bucket.local_path("") for home in self.homes],
                [self._cache, None if self.rescue.bucket is None else self.rescue.bucket.local_path("")],
            ),
            scratch=self.uploads,
        )

    @cached_property
    def _retention(self) -> Retention:
        def forget_searches() -> None:
            self.__dict__.pop("_searcher", None)

        def index(name: str) -> str:
            return self._indexed(name, user(), silent, CancelToken())

        held = Held(self.results, self._statistics, self._indexes, self._runner, forget_searches)
        local = LocalState(held, self.results.folder.parent)

        def fold(dataset: Dataset, info: Mapping[str, str]) -> int:
            return self._compaction.fold(dataset, info, CancelToken())

        doing = Doing(self._lend, self._journal.flush, index, fold)
        pinned = [profile.pinned for profile in self.settings.profiles_by_name.values()]
        return Retention(self.catalog, self.system, self._limits, local, self._scratch, doing, pinned)

    @cached_property
    def _compaction(self) -> Compaction:
        from mcp_lakehouse.ingest.compaction import Compaction

        return Compaction(
            self.catalog,
            self._limits.ingest,
            lend=self._lend,
            folded=lambda name, who: self._indexed(name, who, silent, CancelToken()),
            failed=lambda error, name: self._journal.error(error, operation="compact", dataset=name, who=user()),
        )

    @property
    def uploads(self) -> Path:
        """A folder for sources that arrive as bytes; `ingest` may read from it, and it goes with this process."""
        return self._scratch / "sources"

    @property
    def journal(self) -> Journal:
        """Where errors and spans go."""
        return self._journal

    # Reading ----------------------------------------------------------------------------------

    def list_datasets(self, match: str | None = None, limit: int = 50, cursor: str | None = None) -> DatasetList:
        """A page of datasets by name; `match` is looked for in names and descriptions."""
        with self._recording("list_datasets", None):
            datasets, following = self.catalog.page(match, limit, cursor)
            return DatasetList([each.summary() for each in datasets], following, self.catalog.unreadable or None)

    def list_buckets(self) -> BucketList:
        """The buckets that datasets live in, whether they answer, and how many refused writes wait."""
        with self._recording("list_buckets", None, right="admin"):
            return bucket_list(self.catalog, self.rescue.bucket, self.rescue.waiting)

    def list_profiles(self, profile: str | None = None, statement: str | None = None) -> ProfileList:
        """The profiles of the lake; of one, what its reader sees, and what a statement gives there."""
        from mcp_lakehouse.profiles import showing

        with self._recording("list_profiles", None, right="admin"):
            settings = self.settings.renewed()
            if profile is None:
                return ProfileList([showing.summary(each) for each in settings.profiles_by_name.values()])
            settings = settings.as_profile(profile)
            with Lakehouse.open(settings=settings) as reader:
                return showing.seen_by(reader, self.catalog, settings.profiles_by_name[profile], statement)

    def describe_dataset(self, dataset: str, sample_rows: int = 3) -> DatasetDescription:
        """Columns with statistics, sample rows and lineage of a dataset's newest version."""
        with self._recording("describe_dataset", dataset):
            if not 0 <= sample_rows <= self._limits.result.preview_rows:
                raise InvalidInput(
                    f"sample_rows is {sample_rows}; it must be 0 to {self._limits.result.preview_rows}",
                    hint="use sql to see more rows",
                )
            found = self.catalog.get(dataset)
            sample = self._sample(found, sample_rows) if sample_rows else None
            return DatasetDescription(
                name=found.name,
                description=found.snapshot.description or "",
                kind=found.kind,
                version=found.snapshot.version,
                rows=found.snapshot.rows,
                columns=self._statistics.of(found, _DESCRIBED_COLUMNS),
                sample=sample.rows if sample else [],
                lineage=found.lineage(_LINEAGE_ENTRIES),
                truncated=len(found.snapshot.columns) > _DESCRIBED_COLUMNS,
                key=found.key or None,
                text=found.text or None,
                index=self._indexes.description(found),
            )

    def sql(
        self,
        statement: str,
        params: Parameters = None,
        max_rows: int = 100,
        *,
        detailed: bool = False,
        cancel: CancelToken | None = None,
    ) -> QueryResult:
        """Run one read-only statement over the datasets.

        `rows` is a preview within a reply's budget (`truncated` says so); `read_result` pages through the
        whole result and `arrow` gives all of it.

        Raises `StatementRefused`, `StatementFailed`, `NotFound`, `LimitExceeded`, `Cancelled`.
        """
        with self._recording("sql", None):
            content = self.settings.flag("trace_content")
            # Set before, so that the span of a statement that fails says what it was.
            trace.annotate(**trace.statement_attributes(statement, [], content=content))
            result, _ = self._runner.run(statement, params, max_rows=max_rows, detailed=detailed, cancel=cancel)
            trace.annotate(
                **trace.statement_attributes(statement, sorted(result.datasets or {}), content=content),
                rows=result.row_count,
                truncated=result.truncated,
            )
            if detailed:
                return replace(result, trace_id=trace.current_trace_id())
            return replace(result, datasets=None)

    def read_result(
        self, result_uri: str, offset: int = 0, max_rows: int = 100, *, cancel: CancelToken | None = None
    ) -> QueryResult:
        """Rows [offset, offset + max_rows) of an earlier result, or of the rows a load rejected."""
        with self._recording("read_result", None):
            if result_uri.startswith(REJECTS_PREFIX):
                load = result_uri.removeprefix(REJECTS_PREFIX)
                stored = listings.rejects(load, lambda *asked: self._runner.run(*asked, max_rows=1, cancel=cancel)[1])
            else:
                stored = self.results.find(result_uri)
            return self._runner.page(stored, offset=offset, max_rows=max_rows, cancel=cancel)

    def search(
        self,
        query: str,
        datasets: str | Sequence[str] | None = None,
        where: str | None = None,
        k: int = 10,
        mode: str = "hybrid",
        columns: str | Sequence[str] | None = None,
        *,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> SearchResult:
        """The `k` passages that answer a query best, by words and by meaning, of the rows that `where` holds for.

        `where` is a SQL condition over the columns of each dataset, checked as statements are; `datasets` may hold
        `name@version`. Rows that are not embedded yet are embedded first. Raises `InvalidInput`, `NotFound`,
        `StatementRefused`, `StatementFailed`, `LimitExceeded`, `Cancelled`.
        """
        with self._recording("search", None):
            wanted = Query(query, _names(datasets), where, k, mode, _names(columns))
            return self._searcher.search(wanted, progress=progress, cancel=cancel or CancelToken())

    def fetch(self, id: str, *, cancel: CancelToken | None = None) -> Passage:
        """The passage that an id of `search` or `ask` stands for, from the version it names, checked by its hash.

        Where the id has none, `metadata["unchecked"]` says so.
        """
        with self._recording("fetch", None):
            return with_warning(self._searcher.fetch(id, cancel=cancel or CancelToken()))

    def ask(
        self,
        question: str,
        datasets: str | Sequence[str] | None = None,
        where: str | None = None,
        k: int = 8,
        *,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> Answer:
        """An answer whose every citation was checked, or a refusal where the data does not hold one."""
        with self._recording("ask", None):
            told, token = partial(progress, 0, 0), cancel or CancelToken()
            return self._answering.ask(question, _names(datasets), where, k, progress=told, cancel=token)

    def arrow(self, result_uri: str) -> pa.Table:
        """All rows of an earlier result as a `pyarrow.Table`, whatever their number (types as DuckDB exports them)."""
        import pyarrow as pa

        with self._recording("read_result", None), pa.BufferReader(self.results.find(result_uri).read()) as source:
            return pa.ipc.open_file(source).read_all()

    def list_errors(self, limit: int = 20, dataset: str | None = None, since: str | None = None) -> ErrorList:
        """The newest errors of the journal first; `since` is ISO 8601, in UTC where it names no zone."""
        with self._recording("list_errors", dataset, right="admin"):
            return listings.errors(self._told, self._limits.journal, limit, dataset, since)

    def index_trials(self, dataset: str | None = None) -> TrialList:
        """Every index build, newest first: how it was measured, and why it was not published where it was not."""
        with self._recording("index_trials", dataset, right="admin"):
            named = None if dataset is None else self.catalog.get(dataset).name
            return listings.trials(self._told, self._limits.journal, named)

    # Writing ----------------------------------------------------------------------------------

    def ingest(
        self,
        source: Source,
        dataset: str | None = None,
        mode: str = "append",
        key: str | Sequence[str] | None = None,
        text: str | Sequence[str] | None = None,
        description: str | None = None,
        *,
        bucket: str | None = None,
        who: str | None = None,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> IngestReport:
        """Load files (path, folder, glob, several of them) or inline `{"text", "name"}` into a dataset.

        One atomic version, or none; the same bytes twice change nothing. `mode="upsert"` replaces rows by `key`, of
        documents all rows of each source that is loaded, without a key; "delete" takes away the rows with a key of
        the source. `bucket` names where a new dataset is to live (default: the lake's own).
        """
        from mcp_lakehouse.ingest.load import Request
        from mcp_lakehouse.ingest.sources import as_given

        with self._changing("ingest", dataset):
            request = Request(
                source=as_given(source),
                dataset=dataset,
                mode=mode,
                key=_names(key),
                text=_names(text),
                description=description,
                bucket=bucket,
                who=who or user(),
                trace_id=trace.current_trace_id(),
            )
            token = cancel or CancelToken()
            report = self.rescue.load(self._loader, request, progress=progress, cancel=token)
            if not self.may("admin"):
                # Its rows are in a journal that is not shown.
                report = replace(report, rejects_uri=None)
            note = self._indexed(report.dataset, request.who, progress, token)
            self._compaction.fold_if_large(report.dataset, self._info("compact", who))
            if note:
                report = replace(report, notes=[*report.notes, note])
            trace.annotate(
                dataset=report.dataset,
                version=report.version,
                rows_added=report.rows_added,
                rows_updated=report.rows_updated,
                rows_rejected=report.rows_rejected,
                unchanged=report.unchanged,
            )
            return report

    def replay_rescued(
        self, id: str | None = None, *, progress: Progress = silent, cancel: CancelToken | None = None
    ) -> ReplayReport:
        """Finish, once each, the refused writes that the rescue bucket holds: all, oldest first, or one."""
        with self._changing("replay_rescued", None):
            token = cancel or CancelToken()
            work = Work(
                self._loader,
                scratch=self.uploads,
                indexed=lambda dataset: self._indexed(dataset, user(), progress, token),
                append_journal=self._append_journal,
                over_newer=id is not None,
            )
            return self.rescue.replay(work, id, progress=progress, cancel=token)

    def build_index(
        self,
        dataset: str,
        columns: str | Sequence[str] | None = None,
        embedder: str | None = None,
        params: Mapping[str, float] | None = None,
        *,
        who: str | None = None,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> IndexReport:
        """Build a generation over a dataset's newest version and publish it, if its recall passes the gate.

        `columns` names the text columns anew (VARCHAR, or lists of it); `params` may hold M, ef_construction, ef
        and min_recall.
        """
        with self._changing("build_index", dataset):
            return self._indexes.build(
                self.catalog.get(dataset),
                Build(embedder=embedder, parameters=params, who=who or user()),
                columns=_names(columns),
                info=self._info("describe", who),
                progress=progress,
                cancel=cancel or CancelToken(),
            )

    def rollback_index(self, dataset: str, *, who: str | None = None) -> RollbackReport:
        """Let the generation before the present one serve again, at once."""
        with self._changing("rollback_index", dataset):
            info = self._info("describe", who)
            return self._indexes.rollback(self.catalog.get(dataset), info["who"], info)

    def compact(self, dataset: str, *, who: str | None = None) -> int:
        """Rewrite a dataset's many small files into few; returns the version that holds them."""
        with self._changing("compact", dataset):
            return self._compaction.compact(self.catalog.get(dataset), self._info("compact", who))

    # Inside -----------------------------------------------------------------------------------

    @cached_property
    def _searcher(self) -> Searcher:
        # Numbers and their libraries are loaded by whoever searches first.
        from mcp_lakehouse.index.search import Searcher

        return Searcher(self.catalog, self._indexes.of, self._indexes.past, self._runner.matching, self._limits.search)

    def _indexed(self, dataset: str, who: str, progress: Progress, cancel: CancelToken) -> str:
        """Make loaded rows findable. They are there whatever comes of it, so a failure is a note, and journaled."""
        try:
            return self._indexes.loaded(self.catalog.get(dataset), who=who, progress=progress, cancel=cancel)
        except Cancelled as error:
            raise Cancelled(
                "the call was cancelled while embedding", hint="the rows are loaded; a search embeds them"
            ) from error
        except LakehouseError as error:
            told = self.recorder.failed(error, "index", dataset)
            return f"the rows are loaded, but not searchable yet: {told.message}; hint: {told.hint}"

    def _export(
        self, dataset: Dataset, file: DataFile, columns: Sequence[TableColumn], to: Path, cancel: CancelToken
    ) -> None:
        path, overlay = dataset.home.copies.path(file), is_overlay(file.key)
        self._runner.export(dataset.name, path, columns, to, batch_rows=BATCH_ROWS, overlay=overlay, cancel=cancel)

    @cached_property
    def _answering(self) -> Answering:
        from mcp_lakehouse.answer.answering import Answering
        from mcp_lakehouse.llm.chat import open_chat

        return Answering(
            search=self.search,
            list_datasets=self.list_datasets,
            describe_dataset=self.describe_dataset,
            sql=self.sql,
            chat=open_chat(
                self.settings.text("chat"), environment=os.environ, trace_content=self.settings.flag("trace_content")
            ),
            embedder=self._indexes.embedder,
            failed=lambda error: self.recorder.failed(error, "ask", None).message,
            shown=self.recorder.shown,
        )

    def _sample(self, dataset: Dataset, rows: int) -> QueryResult:
        name = dataset.name.replace('"', '""')
        statement = f'FROM "{name}" AT (VERSION => {dataset.snapshot.version}) LIMIT {rows}'
        return self._runner.run(statement, max_rows=rows)[0]

    def _first_row(self, statement: str) -> list[Json]:
        return self._runner.run(statement, max_rows=1, detailed=True, timeout_seconds=_STATISTICS_SECONDS)[0].rows[0]

    def _told(self, statement: str, values: list[Json], rows: int) -> QueryResult:
        return self._runner.run(statement, values, max_rows=rows, detailed=True)[0]

    def _lend(self, cancel: CancelToken | None = None) -> AbstractContextManager[Worker]:
        return self._loaders.lend(timeout_seconds=self._limits.ingest.timeout_seconds, cancel=cancel)

    def _start_loader(self) -> Worker:
        from mcp_lakehouse.ingest.workers import start_loader

        return start_loader(self._limits, readable=[*self.settings.allowed_roots, *self._data], scratch=self._scratch)

    def _info(self, operation: str, who: str | None) -> dict[str, str]:
        return {"operation": operation, "who": who or user(), "trace_id": trace.current_trace_id() or ""}

    def _append_journal(self, name: str, records: Sequence[Mapping[str, object]], once: str = "") -> None:
        if not self.read_only:
            self._journals.append(name, records, once)


def _names(given: str | Sequence[str] | None) -> Sequence[str] | None:
    """One name is a sequence of characters too, which nobody means."""
    return [given] if isinstance(given, str) else given
