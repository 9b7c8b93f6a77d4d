"""Cold start: process spawn to the reply to `initialize`, beside a bare MCP server of the same SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import interleave, ms, table

ROUNDS = 15
BARE = """
from mcp.server import MCPServer
server = MCPServer("bare")
@server.tool()
def add(a: int, b: int) -> int:
    "Add."
    return a + b
server.run("stdio")
"""
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    },
}


def run(folder: Path) -> str:
    """The Markdown section."""
    lake = str(folder / "lake")
    ours = [sys.executable, "-m", "mcp_lakehouse", "serve", "--lake", lake]
    bare = [sys.executable, "-c", BARE]
    timing = interleave({"ours": lambda: _start(ours), "bare": lambda: _start(bare)}, rounds=ROUNDS, warm_up=2)
    mine, theirs = timing["ours"], timing["bare"]
    rows = [
        ["mcp-lakehouse", ms(mine.median), ms(mine.best)],
        ["bare MCPServer", ms(theirs.median), ms(theirs.best)],
        ["difference", ms(mine.median - theirs.median), ms(mine.best - theirs.best)],
    ]
    return f"### Cold start over stdio\n\n{ROUNDS} rounds, taking turns.\n\n" + table(
        ["to the reply to initialize", "median, ms", "best, ms"], rows
    )


def _start(command: list[str]) -> None:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        process.stdin.flush()
        reply = json.loads(process.stdout.readline())
        assert reply["id"] == 1
        process.kill()
