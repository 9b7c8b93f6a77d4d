"""Texts for models: one Markdown file each, with a title and a description as front matter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt; `{name}` in the body is filled by `fill`."""

    name: str
    title: str
    description: str
    body: str

    def fill(self, **values: str) -> str:
        """The body with its placeholders replaced. A value is data: it is put in as it is, on one line."""
        text = self.body
        for name, value in values.items():
            text = text.replace("{" + name + "}", " ".join(value.split()))
        return text


@cache
def load(name: str) -> PromptText:
    """The prompt of that name. Raises `FileNotFoundError` for an unknown one."""
    text = files("lakehouse_prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.strip().splitlines())
    return PromptText(name, fields["title"], fields["description"], body.strip())
