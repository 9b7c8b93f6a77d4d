"""The start-up check that makes several writers safe, or says that they are not."""

from __future__ import annotations

import contextlib
from uuid import uuid4

from mcp_lakehouse.errors import Conflict, LakehouseError, StorageFailed
from mcp_lakehouse.store.bucket import Bucket


def probe_writes(bucket: Bucket) -> None:
    """Write one key twice, "only if absent". Raises `StorageFailed` unless the second write is refused."""
    key = f"_probe-{uuid4().hex}"
    bucket.write(key, b"first", if_absent=True)
    try:
        bucket.write(key, b"second", if_absent=True)
    except Conflict:
        return
    finally:
        # Who may not delete may still commit.
        with contextlib.suppress(LakehouseError):
            bucket.delete([key])
    raise StorageFailed(
        f"{bucket.url} ignores conditional writes (If-None-Match): two writers would overwrite each other's commits",
        hint="use storage that honours them (Amazon S3, MinIO, Ceph, R2 and others do), or a local folder",
    )
