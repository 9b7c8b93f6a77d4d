"""`demo`: a whole session, seen from the client's side.

Makes sample files and a lake, starts `mcp-lakehouse serve` as any MCP client would, over stdio, and
calls its tools. Prints each call with the text that a model would read, and checks every answer.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_lakehouse import install
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.sample import Sample, make_sample
from mcp_lakehouse.errors import InvalidInput, LakehouseError
from mcp_lakehouse.settings import read_settings

if TYPE_CHECKING:
    from mcp.client import Client

_LINES_SHOWN = 13
_COLUMNS_SHOWN = 118

_TOP_EARNERS = """\
SELECT w.state, w.name, w.role, sum(s.hours) AS hours, round(sum(s.hours * w.hourly_rate), 2) AS pay
FROM shifts s JOIN workers w USING (worker_id)
GROUP BY worker_id, w.state, w.name, w.role
QUALIFY row_number() OVER (PARTITION BY w.state ORDER BY pay DESC, w.name) <= 2
ORDER BY state, pay DESC"""
_TASKS = """\
SELECT site.city AS city, task, count(*) AS shifts, round(avg(hours), 2) AS hours
FROM (SELECT site, hours, unnest(tasks) AS task FROM shifts)
GROUP BY ALL ORDER BY shifts DESC, city, task LIMIT 4"""
_RAISE = """\
SELECT round(avg(n.hourly_rate - b.hourly_rate), 2) AS mean_raise, count(*) AS workers
FROM workers n JOIN workers b AT (VERSION => 0) USING (worker_id)
WHERE n.hourly_rate <> b.hourly_rate"""

_RESUME_TEXT = ["role", "city", "state", "certifications", "resume_text"]
_WANTED = "find me a forklift operator with OSHA-10 in IL"

_HISTORY = """\
SELECT dataset, to_version, operation, rows_added, rows_updated
FROM system.operations ORDER BY time"""


def demo(args: argparse.Namespace) -> int:
    """Run the session; fails when any answer is not what it must be."""
    import anyio

    lake, files = _places(args.lake)
    began = time.monotonic()
    sample = make_sample(files, args.rows)
    print(f"Sample files (invented, the same every time) in {files}:")
    for path in sorted(files.iterdir()):
        print(f"  {path.name:18} {path.stat().st_size:>9,} bytes")
    try:
        anyio.run(_session, lake, sample)
    except ExceptionGroup as group:
        # Raised beside an open connection: what happened is inside.
        raise _cause(group) from None
    print(f"\nAll answers were as expected ({time.monotonic() - began:.1f} s).")
    _farewell(lake, files)
    return 0


def _cause(error: Exception) -> Exception:
    from mcp.shared.exceptions import MCPError

    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        message = f"the server broke the session off: {error}"
        return LakehouseError(message, hint="what it said is above; mcp-lakehouse doctor looks for more")
    return error


def _places(given: str | None) -> tuple[Path, Path]:
    """Folders of the lake and of the sample files."""
    if given is None:
        folder = Path(tempfile.mkdtemp(prefix="mcp-lakehouse-demo-")).resolve()
        return folder / "lake", folder / "files"
    if "://" in given:
        raise InvalidInput("the demo makes its lake in a folder", hint="give --lake FOLDER, or leave it out")
    lake = Path(given).expanduser().resolve()
    if lake.exists() and (not lake.is_dir() or any(lake.iterdir())):
        raise InvalidInput(f"{lake} is there and not empty", hint="give the name of a new folder, or leave --lake out")
    return lake, lake.with_name(f"{lake.name}-files")


async def _session(lake: Path, sample: Sample) -> None:
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters

    arguments = ["-m", "mcp_lakehouse", "serve", "--lake", str(lake), "--allow", str(sample.folder)]
    # Always there and quick; what is found is checked below, so it must be the same everywhere.
    embedder = {"LAKEHOUSE_EMBEDDER": "wordllama"}
    server = StdioServerParameters(command=sys.executable, args=arguments, cwd=sample.folder, env=embedder)
    shown = " ".join(f"{name}={value}" for name, value in embedder.items())
    print(f"\nStarting the server as a client does:\n  {shown} mcp-lakehouse {shlex.join(arguments[2:])}")
    async with Client(server) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        print(f"Connected over stdio, protocol {client.protocol_version}. Tools: {', '.join(tools)}")
        talk = _Talk(client)
        await _loading(talk, sample)
        await _querying(talk, sample)
        await _searching(talk, sample)
        await _answering(talk, sample)
        await _travelling(talk, sample)
        await _minding(talk)


async def _loading(talk: _Talk, sample: Sample) -> None:
    talk.headline("Load a CSV export: types are inferred, broken rows are set aside with their line numbers")
    report = await talk.call("ingest", source="workers.csv", key=["worker_id"], description="People we can send")
    talk.expect(report, rows_added=sample.workers, rows_rejected=sample.bad_rows, version=0)
    rejects = await talk.call("read_result", result_uri=report["rejects_uri"])
    talk.expect(rejects, row_count=sample.bad_rows)

    talk.headline("Load nested JSON and a document the same way")
    report = await talk.call("ingest", source="shifts.ndjson", description="Who worked where, and what on")
    talk.expect(report, rows_added=sample.shifts, rows_rejected=0)
    report = await talk.call("ingest", source="handbook.md")
    talk.expect(report, rows_rejected=0)

    talk.headline("The same bytes again change nothing")
    report = await talk.call("ingest", source="workers.csv")
    talk.expect(report, unchanged=True, version=0, rows_added=0)


async def _querying(talk: _Talk, sample: Sample) -> None:
    talk.headline("Look before writing SQL")
    described = await talk.call("describe_dataset", dataset="workers", sample_rows=2)
    talk.expect(described, rows=sample.workers, key=["worker_id"])

    talk.headline("Query: a join and a window over two datasets, then a nested column unfolded")
    earners = await talk.call("sql", statement=_TOP_EARNERS)
    talk.expect(earners, truncated=False)
    talk.expect_rows(earners, least=1)
    talk.expect_rows(await talk.call("sql", statement=_TASKS), least=1)

    talk.headline("A big result is cut for the model; its handle holds all rows, and is a table itself")
    whole = await talk.call("sql", statement="SELECT * FROM shifts ORDER BY shift_id", max_rows=3)
    talk.expect(whole, row_count=sample.shifts, truncated=sample.shifts > 3)
    page = await talk.call("read_result", result_uri=whole["result_uri"], offset=max(0, sample.shifts - 2), max_rows=2)
    talk.expect(page, row_count=sample.shifts)
    again = f"SELECT count(*) AS shifts, sum(hours) AS hours FROM result('{whole['result_uri']}')"
    total = await talk.call("sql", statement=again)
    talk.require(total["rows"][0][0] == sample.shifts, "the handle, queried, must hold every row")


async def _searching(talk: _Talk, sample: Sample) -> None:
    talk.headline("Naming its text columns makes a table searchable; documents are so without being told")
    report = await talk.call("ingest", source="resumes.parquet", key=["worker_id"], text=_RESUME_TEXT)
    talk.expect(report, rows_added=sample.resumes)
    described = await talk.call("describe_dataset", dataset="resumes", sample_rows=0)
    talk.require("index" in described, "the résumés must have a search index")

    talk.headline("Search by words and meaning, under a condition of any SQL; each hit's id is a lasting citation")
    wanted = len(sample.wanted)
    arguments = {"query": _WANTED, "datasets": ["resumes"], "where": "state = 'IL'", "k": wanted}
    found = await talk.call("search", **arguments, columns=["worker_id", "role", "certifications"])
    people = {hit["columns"]["worker_id"] for hit in found["results"]}
    talk.require(people == sample.wanted, f"those found must be the {wanted} who are what was asked for")
    passage = await talk.call("fetch", id=found["results"][0]["id"])
    talk.require(found["results"][0]["text"].startswith(passage["text"][:100]), "the id must open what was found")


async def _answering(talk: _Talk, sample: Sample) -> None:
    talk.headline("Ask: sentences quoted from the data, each with a citation that opens")
    question = "Who needs an OSHA-10 card before the first shift?"
    answer = await talk.call("ask", question=question, datasets=["handbook"], k=2)
    talk.expect(answer, grounded=True, refused=False, model=None)
    await _check_citations(talk, answer)
    wanted = len(sample.wanted)
    answer = await talk.call("ask", question=_WANTED, datasets=["resumes"], where="state = 'IL'", k=wanted)
    talk.expect(answer, grounded=True, refused=False)
    await _check_citations(talk, answer)

    talk.headline("What the data does not hold is refused, not made up")
    answer = await talk.call("ask", question="What is the melting point of tungsten?", k=2)
    talk.expect(answer, refused=True, citations=[])


async def _check_citations(talk: _Talk, answer: dict[str, Any]) -> None:
    for citation in answer["citations"]:
        passage = await talk.quiet("fetch", id=citation["id"])
        talk.require(citation["quote"] in passage["text"], "each quote must stand in the passage it cites")
    print(f"  ✓ {counted(len(answer['citations']), 'citation')} fetched: each quote stands in its passage")


async def _travelling(talk: _Talk, sample: Sample) -> None:
    talk.headline("Raises come in: an upsert by key is a new version, and the old one stays")
    report = await talk.call("ingest", source="workers_april.csv", dataset="workers", mode="upsert")
    talk.expect(report, version=1, rows_updated=sample.raises, rows_added=sample.hires)
    raised = await talk.call("sql", statement=_RAISE)
    talk.require(raised["rows"][0] == [1.5, sample.raises], "the raise must show between version 0 and now")


async def _minding(talk: _Talk) -> None:
    talk.headline("What is refused says why, and what to do instead")
    await talk.refused("sql", statement="DELETE FROM workers WHERE state = 'IL'")
    await talk.refused("sql", statement="SELECT * FROM read_csv('/etc/passwd')")
    await talk.refused("sql", statement="SELECT hourly_wage FROM workers")

    talk.headline("The lake knows what happened to it")
    history = await talk.call("sql", statement=_HISTORY)
    # Five loads, and an index for each of the two that hold text.
    talk.expect(history, row_count=7)


class _Talk:
    """One client's calls, shown as they go."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._steps = 0

    def headline(self, text: str) -> None:
        self._steps += 1
        print(f"\n── {self._steps}. {text}")

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a call that must work."""
        failed, answer = await self._show(tool, arguments)
        self.require(not failed, f"{tool} must work here")
        return answer

    async def quiet(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a call that must work, not shown."""
        result = await self._client.call_tool(tool, arguments)
        self.require(not result.is_error, f"{tool} must work here")
        return dict(result.structured_content or {})

    async def refused(self, tool: str, **arguments: Any) -> None:
        """A call that must be refused."""
        failed, _ = await self._show(tool, arguments)
        self.require(failed, f"{tool} must be refused here")

    def expect(self, answer: dict[str, Any], **facts: Any) -> None:
        """Each of these facts must be in the answer."""
        for name, wanted in facts.items():
            self.require(answer.get(name) == wanted, f"{name} must be {wanted!r}, not {answer.get(name)!r}")

    def expect_rows(self, answer: dict[str, Any], *, least: int) -> None:
        """The answer must hold so many rows."""
        self.require(len(answer["rows"]) >= least, f"there must be at least {least} rows")

    def require(self, holds: bool, what: str) -> None:
        """Raise unless it holds."""
        if not holds:
            raise LakehouseError(f"step {self._steps} of the demo went wrong: {what}", hint="mcp-lakehouse doctor")

    async def _show(self, tool: str, arguments: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        print(f"\n→ {tool}{_call_text(arguments)}")
        result = await self._client.call_tool(tool, arguments)
        text = "\n".join(block.text for block in result.content if block.type == "text")
        lines = (f"(error) {text}" if result.is_error else text).splitlines()
        for line in lines[:_LINES_SHOWN]:
            shown = printable(line)
            print(f"  {shown}" if len(shown) <= _COLUMNS_SHOWN else f"  {shown[:_COLUMNS_SHOWN]}…")
        if len(lines) > _LINES_SHOWN:
            print(f"  … {len(lines) - _LINES_SHOWN} more lines")
        return bool(result.is_error), dict(result.structured_content or {})


def _call_text(arguments: dict[str, Any]) -> str:
    statement = arguments.get("statement")
    if statement is None:
        return " " + json.dumps(arguments, ensure_ascii=False)
    rest = {name: value for name, value in arguments.items() if name != "statement"}
    lines = "\n    ".join(statement.splitlines())
    return (" " + json.dumps(rest) if rest else "") + f"\n    {lines}"


def _farewell(lake: Path, files: Path) -> None:
    flags = {"lake": str(lake), "allow": str(files), "read_only": None}
    client = install.clients(home=Path.home(), here=Path.cwd())["claude-desktop"]
    entry = {client.key: {install.NAME: install.entry(client, read_settings(flags))}}
    command = shlex.join([*install.command(), "--lake", str(lake)])
    print(f"\nThe lake is at {lake}. Try:")
    print(f'  {command} sql "SELECT role, count(*), avg(hourly_rate) FROM workers GROUP BY ALL"')
    print(f'  {command} search "welder who reads drawings" --dataset resumes')
    print(f"  {command} describe shifts")
    print(f"  {command} doctor")
    print("\nTo give it to an MCP client, paste this into its configuration:")
    print(json.dumps(entry, indent=2, ensure_ascii=False))
    say("(mcp-lakehouse install writes such an entry for you, showing the change first)")
