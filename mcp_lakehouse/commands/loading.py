"""`ingest`: sources as a shell gives them."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.opening import Opening
from mcp_lakehouse.commands.progress import shown
from mcp_lakehouse.commands.running import interruptible
from mcp_lakehouse.commands.wording import in_commands
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.ingest import walk
from mcp_lakehouse.ingest.finding import local_path
from mcp_lakehouse.records import IngestReport


def ingest(args: argparse.Namespace, opening: Opening) -> int:
    """Load sources into a dataset."""
    with (
        _sources(args) as sources,
        opening(make=True, allow=_folders(sources)) as lake,
        shown("ingest") as progress,
    ):
        report = interruptible(
            lambda token: lake.ingest(
                sources if len(sources) > 1 else sources[0],
                args.dataset,
                args.mode,
                args.key,
                args.text,
                args.description,
                bucket=args.bucket,
                progress=progress,
                cancel=token,
            )
        )
    if args.json:
        show.json_value(report)
    else:
        _tell(report)
    return 0


@contextlib.contextmanager
def _sources(args: argparse.Namespace) -> Iterator[list[str]]:
    """Absolute paths; standard input becomes a file first, of any size and format."""
    if "-" not in args.source:
        if args.name:
            raise InvalidInput("--name goes with standard input only", hint="give - as the source, or leave it out")
        yield [_absolute(source) for source in args.source]
        return
    # Without an ending the content tells the format.
    name = args.name or "stdin"
    if args.source != ["-"] or Path(name).name != name:
        raise InvalidInput(
            "standard input goes alone, and --name is a file name",
            hint="as in: mcp-lakehouse ingest - --name data.csv < file",
        )
    with tempfile.TemporaryDirectory(prefix="mcp-lakehouse-") as folder:
        path = Path(folder).resolve() / name
        with open(path, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        yield [str(path)]


def _absolute(source: str) -> str:
    return source if "://" in source else os.path.abspath(Path(source).expanduser())


def _folders(sources: Sequence[str]) -> list[str]:
    """Where these sources lie: whoever types a path on a command line may read it."""
    folders = []
    for source in sources:
        path = Path(local_path(source))
        if not path.exists():
            path = walk.fixed_part(str(path))
        real = path.resolve()
        folder = str(real if real.is_dir() else real.parent)
        if os.pathsep in folder:
            raise InvalidInput(
                f"the folder's name holds {os.pathsep!r}: {printable(folder)}",
                hint="copy the file to another folder, or pipe it in: ingest - --name data.csv < file",
            )
        folders.append(folder)
    return list(dict.fromkeys(folders))


def _tell(report: IngestReport) -> None:
    counts = ["unchanged" if report.unchanged else f"{counted(report.rows_added, 'row')} added"]
    if report.rows_deleted:
        counts = [f"{counted(report.rows_deleted, 'row')} deleted"]
    if report.rows_updated:
        counts.append(f"{report.rows_updated:,} updated")
    if report.rows_rejected:
        counts.append(f"{report.rows_rejected:,} rejected")
    print(f"{report.dataset} v{report.version}: {', '.join(counts)}")
    for column in [] if report.unchanged else report.inferred:
        print(f"  {printable(column.column)} {column.type}")
    for note in report.notes:
        say(f"note: {printable(in_commands(note))}")
    if report.rejects_uri:
        load = report.rejects_uri.rpartition("/")[2]
        say(f"rejected rows: mcp-lakehouse sql \"FROM system.rejects WHERE load = '{load}'\"")
