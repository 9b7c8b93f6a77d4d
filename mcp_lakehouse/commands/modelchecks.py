"""Checks of the models that the settings name: the embedder, and the one that writes answers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mcp_lakehouse.commands.checks import Check
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.llm.embedder import INSTALL_MINILM, MINILM, WORDLLAMA, default_spec, missing_for_minilm
from mcp_lakehouse.marker import user_cache
from mcp_lakehouse.settings import Settings


def model_checks(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """Whether each model answers. An endpoint is asked once, with one word and a budget of a few tokens."""
    yield _embedder(settings.text("embedder"), environment)
    yield _chat(settings.text("chat"), environment)


def _embedder(spec: str, environment: Mapping[str, str]) -> Check:
    from mcp_lakehouse.llm import open_embedder

    name = "embedder"
    wanted = spec.strip() or default_spec()
    cache = user_cache() or Path(os.devnull)
    try:
        if wanted == MINILM and not missing_for_minilm():
            from mcp_lakehouse.llm.minilm_model import MODEL, check_installed, is_kept

            check_installed()
            if not is_kept(cache):
                return Check(name, "ok", f"{MODEL} is installed; its first use converts it, which takes some seconds")
        found = open_embedder(wanted, cache=cache, environment=environment)
        answers = bool(found.embed(["word"]).any())
    except LakehouseError as error:
        return Check(name, "fail", error.message, error.hint)
    if not answers:
        return Check(name, "fail", f"{found.model} gives nothing for a word", "set another embedder")
    message = f"{found.model}, {found.dimensions} dimensions"
    return Check(name, "ok", message, f"{INSTALL_MINILM} finds more" if wanted == WORDLLAMA and not spec else None)


def _chat(spec: str, environment: Mapping[str, str]) -> Check:
    from mcp_lakehouse.llm.chat import LIMITS, Message, open_chat

    name = "chat model"
    try:
        chat = open_chat(spec, environment=environment, limits=replace(LIMITS, total_seconds=20.0, attempts=1))
        if chat is None:
            return Check(name, "ok", "none is set: answers are quotations")
        chat.complete([Message("user", "Say yes.")], max_tokens=16)
    except LakehouseError as error:
        return Check(name, "fail", error.message, error.hint)
    return Check(name, "ok", f"{chat.model} answers")
