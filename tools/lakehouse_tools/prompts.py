"""The prompts of the prompts room, with their arguments completed."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer

from lakehouse_prompts import load


def register(server: MCPServer[Any]) -> None:
    """Add the prompts."""

    @server.prompt(title=load("explore_dataset").title, description=load("explore_dataset").description)
    def explore_dataset(dataset: str) -> str:
        return load("explore_dataset").fill(dataset=dataset)

    @server.prompt(title=load("answer_with_evidence").title, description=load("answer_with_evidence").description)
    def answer_with_evidence(question: str) -> str:
        return load("answer_with_evidence").fill(question=question)

    @server.prompt(title=load("clean_and_load").title, description=load("clean_and_load").description)
    def clean_and_load(source: str) -> str:
        return load("clean_and_load").fill(source=source)
