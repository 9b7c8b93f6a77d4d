"""Where lakes behind servers are: in the folder of their test or, if `TESTS_LAKE` is s3, on the S3 server."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.s3_server import BUCKET

ON_S3 = os.environ.get("TESTS_LAKE") == "s3"
# On object storage a server looks about once a second for what another one published.
SEEN_SECONDS = 1.5 if ON_S3 else 0.0


def place_of(folder: Path) -> dict[str, str | None]:
    """The settings `lake` and `cache` of the lake of this folder."""
    if not ON_S3:
        return {"lake": str(folder / "lake")}
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return {"lake": f"s3://{BUCKET}/{name}", "cache": str(folder / "cache")}
