"""Completions for every argument that names something in the lake."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from lakehouse_tools.calls import Calls
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.index.requests import MODES
from mcp_lakehouse.lakehouse import Lakehouse

# The protocol's own limit on one reply.
_MOST = 100


def register(server: MCPServer[Any], lake: Lakehouse, calls: Calls) -> None:
    """Add the completion handler."""

    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        given = dict(context.arguments) if context is not None and context.arguments else {}
        try:
            candidates = await calls.run_raw(lambda _: _candidates(lake, ref, argument.name, given))
        except LakehouseError:
            # A dataset that is not there has no columns to offer; that is no error of who types.
            candidates = []
        begun = argument.value.lower()
        starting = [name for name in candidates if name.lower().startswith(begun)]
        within = [name for name in candidates if begun in name.lower() and name not in starting]
        found = starting + within
        return Completion(values=found[:_MOST], total=len(found), has_more=len(found) > _MOST)

    server.completion()(complete)  # type: ignore[no-untyped-call]  # the SDK's decorator is untyped


def _candidates(
    lake: Lakehouse, ref: PromptReference | ResourceTemplateReference, argument: str, given: dict[str, str]
) -> list[str]:
    if argument == "format":
        return ["arrow", "csv", "json"]
    if argument == "mode":
        return list(MODES)
    if argument in ("column", "columns") and given.get("dataset"):
        return [column.name for column in lake.catalog.get(given["dataset"]).snapshot.columns]
    names_a_dataset = isinstance(ref, ResourceTemplateReference) and "datasets/" in ref.uri and argument == "name"
    if argument in ("dataset", "datasets") or names_a_dataset:
        return [dataset.name for dataset in lake.catalog.all()]
    if argument == "source" and lake.may("ingest"):
        # Files that ingest could read, at the top of the allowed folders.
        names = {name for root in lake.settings.allowed_roots for name in _names_in(root)}
        return sorted(name for name in names if not name.startswith("."))
    return []


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
