"""`sample`: the staffing story's files."""

from __future__ import annotations

import argparse
from pathlib import Path

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import printable, say
from mcp_lakehouse.commands.progress import shown
from mcp_lakehouse.commands.running import interruptible


def sample(args: argparse.Namespace) -> int:
    """Make the files, list them, and say what to do with them."""
    from mcp_lakehouse.story.making import make_story

    folder = Path(args.folder).expanduser().resolve()
    resumes = min(15_000, args.workers) if args.resumes is None else args.resumes
    with shown("sample") as progress:
        made = interruptible(
            lambda cancel: make_story(
                folder,
                workers=args.workers,
                resumes=resumes,
                seed=args.seed,
                formats=args.formats,
                cancel=cancel,
                progress=progress,
            )
        )
    if args.json:
        show.json_value({"folder": str(folder), "files": made})
        return 0
    show.facts({"path": False, "rows": True, "bytes": True}, made)
    say(f"(made in {printable(str(folder))}: invented, and the same for every run with --seed {args.seed})")
    for file in made:
        if file.path.startswith("resumes."):
            text = "role,city,state,certifications,resume_text"
            say(f"next: mcp-lakehouse ingest {printable(str(folder / file.path))} --key worker_id --text {text}")
            break
    return 0
