"""Run by the tests in a process of its own: finishes what is rescued, and dies where an entry is to be removed.

`ADDRESS`: the lake; exits with 9.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.store.local import LocalBucket


class DyingBucket(LocalBucket):
    """Ends the process at the first removal."""

    def delete(self, keys: Iterable[str]) -> None:
        if any(key.startswith("rescued/") for key in keys):
            os._exit(9)


def main(address: str) -> None:
    with Lakehouse.open(address) as lake:
        assert isinstance(lake.rescue.bucket, LocalBucket)
        lake.rescue.bucket = DyingBucket(lake.rescue.bucket.local_path(""))
        lake.replay_rescued()


if __name__ == "__main__":
    main(*sys.argv[1:2])
