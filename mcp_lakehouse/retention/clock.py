"""What time it is where the objects are: their own clock wrote their times, whatever this machine believes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mcp_lakehouse.store import Bucket

_FOLDER = "system/clock"


def bucket_time(bucket: Bucket) -> datetime:
    """The time that an object written now has, in UTC."""
    key = f"{_FOLDER}/now"
    bucket.write(key, b"{}")
    found = next((info.modified for info in bucket.list(_FOLDER) if info.key == key), datetime.now(UTC))
    # Object storage tells whole seconds, cut off.
    return found if found.microsecond else found + timedelta(seconds=1)


class Clocks:
    """The time of each bucket, asked once. A dry run writes nothing, so it goes by this machine's clock."""

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._known: dict[str, datetime] = {}

    def now(self, bucket: Bucket) -> datetime:
        """What time it is there, in UTC."""
        if bucket.url not in self._known:
            self._known[bucket.url] = datetime.now(UTC) if self._dry_run else bucket_time(bucket)
        return self._known[bucket.url]
