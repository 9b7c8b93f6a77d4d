"""Run by the tests in a process of its own: many small loads into two datasets that another process loads too.

`ADDRESS WRITER COUNT`: prints `ready`, waits for a line, then appends COUNT times to `events` (one row each) and
upserts COUNT times into `state`: key 0, which every writer has, and a key of its own.
"""

from __future__ import annotations

import sys

from mcp_lakehouse import Lakehouse


def main(address: str, writer: int, count: int) -> None:
    with Lakehouse.open(address) as lake:
        lake.ingest({"name": f"warm_{writer}.csv", "text": "a\n1\n"})
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(count):
            own = writer * 100 + number
            lake.ingest({"name": "events.csv", "text": f"id\n{own}\n"})
            text = f"id,writer\n0,{writer}\n{own},{writer}\n"
            lake.ingest({"name": "state.csv", "text": text}, mode="upsert", key=["id"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
