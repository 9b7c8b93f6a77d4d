"""Hints in the words of the command line: the lake speaks of tools and arguments, a person types commands."""

from __future__ import annotations

import re

# Tools whose command has another name.
COMMANDS = {
    "list_datasets": "datasets",
    "list_buckets": "buckets",
    "list_profiles": "profiles",
    "list_errors": "errors",
    "index_trials": "trials",
    "describe_dataset": "describe",
    "read_result": "sql --max-rows N",
    "build_index": "index",
    "rollback_index": "index --rollback",
    "drop_dataset": "drop",
    "restore_dataset": "restore",
    "replay_rescued": "replay",
}
_OPTIONS = {"mode": "--mode", "key": "--key COL,…", "text": "--text COL,…", "columns": "--column NAME"}
_TOOL = "|".join(COMMANDS)
_CALL = re.compile(rf"\b({_TOOL})\(([^()]*)\)")
_NAME = re.compile(rf"\b({_TOOL})\b")
_OPTION = re.compile(rf"\b({'|'.join(_OPTIONS)})=(?:'([^']*)'|\[([^\]]*)\])")
# What stands in brackets where nothing needs to be explained.
_PLAIN = ("", "…", "columns")


def in_commands(hint: str) -> str:
    """A hint with its tools as commands and its arguments as options; anything else stays as it is."""
    named = _CALL.sub(_called, hint)
    named = _NAME.sub(lambda found: f"mcp-lakehouse {COMMANDS[found[1]]}", named)
    named = _OPTION.sub(_option, named)
    return named.replace("the ingest tool", "mcp-lakehouse ingest")


def _called(call: re.Match[str]) -> str:
    arguments = [_argument(each) for each in call[2].split(", ")] if call[2] else []
    return " ".join([call[1], *arguments])


def _argument(text: str) -> str:
    name, _, value = text.partition("=")
    if name in ("dataset", "profile"):
        return value.strip("'…") or name.upper()
    return _OPTIONS.get(name, text)


def _option(found: re.Match[str]) -> str:
    name, value, explained = found.groups()
    if value is not None:
        return f"--{name} {value}"
    return _OPTIONS[name] + ("" if explained in _PLAIN else f" ({explained})")
