"""Files of a bucket in one folder of a reader's own, so that its workers need see nothing else."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from mcp_lakehouse.store.copies import Copies, StoredFile
from mcp_lakehouse.store.failures import local_failure


class LinkedCopies:
    """As `LocalCopies`; the files get a second name in `folder` (or are copied there, from another file system)."""

    def __init__(self, copies: Copies, folder: Path) -> None:
        self._copies = copies
        self.folder = folder

    def path(self, file: StoredFile) -> Path:
        """The path of one file. Raises `StorageFailed`."""
        return self.paths([file])[0]

    def paths(self, files: Sequence[StoredFile]) -> list[Path]:
        """The paths of files, in their order."""
        missing = [file for file in files if not self._present(file)]
        if missing:
            self.folder.mkdir(parents=True, exist_ok=True)
            for file, path in zip(missing, self._copies.paths(missing), strict=True):
                self._link(path, self._place(file))
        return [self._place(file) for file in files]

    def keep(self, files: Sequence[StoredFile]) -> None:
        """Have the files that `paths` named still there."""
        self.paths(files)

    def _place(self, file: StoredFile) -> Path:
        return self.folder / f"{hashlib.sha256(file.key.encode()).hexdigest()}.parquet"

    def _present(self, file: StoredFile) -> bool:
        with contextlib.suppress(OSError):
            return self._place(file).stat().st_size == file.bytes
        return False

    def _link(self, path: Path, to: Path) -> None:
        part = to.with_suffix(f".{secrets.token_hex(4)}.part")
        try:
            try:
                os.link(path, part)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise
                shutil.copyfile(path, part)
            os.replace(part, to)
        except OSError as error:
            raise local_failure(error, "show", path.name, str(self.folder)) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
