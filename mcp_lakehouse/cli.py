"""The command `mcp-lakehouse`: parses, hands each command what it needs, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mcp_lakehouse.commands.console import say, tell_error
from mcp_lakehouse.commands.parser import Parser, arguments
from mcp_lakehouse.errors import Cancelled, LakehouseError

if TYPE_CHECKING:
    from mcp_lakehouse.settings import Settings

FAILED, INTERRUPTED = 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        # Data may hold what the terminal's encoding does not; that must not end in an error. A closed one is None.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser, args = arguments(argv)
    try:
        status = _run(parser, args)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except Cancelled as error:
        tell_error(error.message, hint=error.hint)
        return INTERRUPTED
    except LakehouseError as error:
        tell_error(error.message, hint=error.hint)
        return FAILED
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`). The interpreter flushes once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        say()
        tell_error(
            "interrupted", hint="every change is made whole or not at all; mcp-lakehouse datasets shows what is there"
        )
        return INTERRUPTED
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        return _unexpected(error)


def _run(parser: Parser, args: argparse.Namespace) -> int:
    module, _, name = args.run.partition(":")
    command: Callable[..., int] = getattr(importlib.import_module(f"mcp_lakehouse.{module}"), name)
    if args.needs == "parser":
        return command(args, parser)
    if args.needs == "settings":
        return command(args, _settings(args))
    if args.needs == "lake":
        from mcp_lakehouse import app

        return command(args, partial(app.opened_for, partial(_settings, args)))
    return command(args)


def _settings(args: argparse.Namespace, allow: Sequence[str] | None = None) -> Settings:
    from mcp_lakehouse.settings import read_settings

    folders = allow or getattr(args, "allow", None)
    flags = {
        "lake": args.lake,
        "read_only": "true" if getattr(args, "read_only", False) else None,
        "profile": getattr(args, "profile", None),
        "allow": None if folders is None else os.pathsep.join(folders),
    }
    return read_settings(flags)


def _unexpected(error: BaseException) -> int:
    while isinstance(error, BaseExceptionGroup):
        # Raised beside an open connection: what happened is inside.
        error = error.exceptions[0]
    if isinstance(error, LakehouseError):
        tell_error(error.message, hint=error.hint)
    elif isinstance(error, OSError):
        tell_error(str(error), hint="mcp-lakehouse doctor checks disk, folders and rights")
    else:
        tell_error(
            f"unexpected {type(error).__name__}: {error}",
            hint="this is a mistake in mcp-lakehouse; `python -X dev -m mcp_lakehouse …` shows where",
        )
    return FAILED
