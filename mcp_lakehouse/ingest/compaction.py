"""Many small data files as few, and an overlay in the files it lies over: the same rows all the while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.errors import Cancelled, Conflict, LakehouseError
from mcp_lakehouse.ingest.loaded import staged
from mcp_lakehouse.ingest.overlaying import stored
from mcp_lakehouse.ingest.staging import emptied, new_staging, of_dataset
from mcp_lakehouse.limits import IngestLimits
from mcp_lakehouse.worker.channel import Message
from mcp_lakehouse.worker.process import Worker

_ENDED_SECONDS = 30.0


class Compaction:
    """Compacts and folds the datasets of one lake."""

    def __init__(
        self,
        catalog: Catalog,
        limits: IngestLimits,
        *,
        lend: Callable[[CancelToken], AbstractContextManager[Worker]],
        folded: Callable[[str, str], object],
        failed: Callable[[LakehouseError, str], object],
    ) -> None:
        """`folded` and `failed` (with its error) are told of the dataset that was folded in the background."""
        self._catalog = catalog
        self._limits = limits
        self._lend = lend
        self._folded = folded
        self._failed = failed
        self._cancel = CancelToken()
        self._lock = threading.Lock()
        self._folding: dict[str, threading.Thread] = {}

    def compact(self, dataset: Dataset, info: Mapping[str, str]) -> int:
        """All rows of a version in as few files as fit; returns the version that holds them.

        Raises `Conflict` where those files or the overlay are replaced meanwhile.
        """
        snapshot = dataset.snapshot
        if len(snapshot.files) < 2 and snapshot.overlay is None:
            return snapshot.version
        return self._rewritten(dataset, "merge", info, CancelToken())

    def fold(self, dataset: Dataset, info: Mapping[str, str], cancel: CancelToken) -> int:
        """The overlay of a version in those of its files that it lies over. Raises as `compact` does."""
        return self._rewritten(dataset, "fold", info, cancel)

    def fold_if_large(self, name: str, info: Mapping[str, str]) -> None:
        """Fold a dataset's overlay in the background where it has become large. Returns at once.

        Where another writer is faster nothing is lost but the work: the next one that finds it large begins anew.
        """
        found = self._catalog.find(name)
        overlay = None if found is None or found.dropped else found.snapshot.overlay
        if found is None or overlay is None or overlay.rows <= self._limits.overlay_fold_rows:
            return
        with self._lock:
            if name in self._folding or self._cancel.cancelled:
                return
            thread = threading.Thread(target=self._fold, args=(found, info), name=f"fold {name}", daemon=True)
            self._folding[name] = thread
            thread.start()

    def wait(self) -> None:
        """Return when nothing is being folded."""
        with self._lock:
            threads = list(self._folding.values())
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """Break off what is being folded; the overlays stay as they are."""
        self._cancel.cancel()
        with self._lock:
            threads = list(self._folding.values())
        for thread in threads:
            thread.join(_ENDED_SECONDS)

    def _fold(self, dataset: Dataset, info: Mapping[str, str]) -> None:
        try:
            self.fold(dataset, info, self._cancel)
            self._folded(dataset.name, info["who"])
        except (Cancelled, Conflict):
            # What was read is not the newest any more, or nobody waits for it.
            return
        except LakehouseError as error:
            if not self._cancel.cancelled:
                self._failed(error, dataset.name)
        finally:
            with self._lock:
                del self._folding[dataset.name]

    def _rewritten(self, dataset: Dataset, op: str, info: Mapping[str, str], cancel: CancelToken) -> int:
        snapshot = dataset.snapshot
        told, files = stored(dataset)
        with self._lend(cancel) as worker, emptied(worker.scratch):
            answer = self._call(worker, dataset, {"op": op, **told}, cancel)
            if op == "merge":
                remove, add = list(files.values()), answer["files"]
            else:
                remove = [files[each["path"]] for each in answer["replaced"]]
                add = [each["file"] for each in answer["replaced"] if each["file"]] + answer["incoming"]
            return dataset.writable.rewrite(
                [file.key for file in remove],
                [staged(file) for file in add],
                at_version=snapshot.version,
                info=info,
                # Loads that were committed meanwhile stay valid, and this stays valid on top of them.
                data_change=False,
            )

    def _call(self, worker: Worker, dataset: Dataset, request: Message, cancel: CancelToken) -> Message:
        limits = self._limits
        with of_dataset(dataset.name):
            return worker.call(
                {
                    **request,
                    "columns": [[column.name, column.type] for column in dataset.snapshot.columns],
                    "staging": str(new_staging(worker.scratch)),
                    "row_group_rows": limits.row_group_rows,
                    "file_bytes": limits.file_bytes,
                },
                timeout_seconds=limits.timeout_seconds,
                cancel=cancel,
                on_timeout="the compaction",
            )
