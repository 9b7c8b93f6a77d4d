"""Writes the documents that are made from the code: `python -m docs.generate`, or with `--check` only compares.

`docs/tools.md` comes from the tools, resources and prompts that a real server lists, and
`docs/configuration.md` from the settings.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.settings import KNOWN

FOLDER = Path(__file__).parent
_NOTE = "<!-- Made by `python -m docs.generate`; change the code instead. -->\n"

_CONFIGURATION = """\
Every setting can be given in several ways; the first of these that has it counts:

1. a command-line flag (`--lake`, `--allow`, `--read-only`),
2. the environment variable `LAKEHOUSE_…`,
3. `lakehouse.toml` in the lake's own folder, which travels with it,
4. the default.

`mcp-lakehouse settings` prints each with its value and where that came from. Tokens and keys are taken from the
environment only. A value that makes no sense is refused at the start, with its source.

```toml
# lakehouse.toml
sql_timeout = 120
sql_memory = "4GB"
trace = "lake"
```
"""
_OTHERS = """\
## Local state
`cache` holds results (for `result_uri`), copies of remote files and statistics. All of it can be deleted at any time;
`mcp-lakehouse rebuild` does so, and reads every table again. Where the setting is empty it is `_cache` in the lake's
folder if that can be written, else a folder of the user's cache (`$XDG_CACHE_HOME`, `~/.cache`).

## Object storage
A lake at `s3://bucket/prefix` is configured by the usual variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` (or `AWS_ENDPOINT_URL_S3`) for a compatible server,
`AWS_ALLOW_HTTP=true` where that one speaks plain http, and those of web identity and container roles. The server must
honour `If-None-Match: *`; `mcp-lakehouse doctor` proves it, because two writers would overwrite each other without.

`gs://bucket/prefix` (Google Cloud Storage: `GOOGLE_APPLICATION_CREDENTIALS`, `GOOGLE_SERVICE_ACCOUNT`,
`GOOGLE_SERVICE_ACCOUNT_KEY`) and `az://container/prefix` (Azure: `AZURE_STORAGE_ACCOUNT_NAME`,
`AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_SAS_TOKEN`, `AZURE_CLIENT_ID` and its kind) are reached by the same library;
neither was exercised here against its own service.

A bucket of `buckets` may have keys of its own: variables with `LAKEHOUSE_BUCKET_` and its name in front, such as
`LAKEHOUSE_BUCKET_ARCHIVE_AWS_ACCESS_KEY_ID`, take the place of the common ones for it alone (those of the rescue bucket
begin with `LAKEHOUSE_BUCKET_RESCUE_`).

## Rescue
With `rescue` set, a load that its bucket refuses, or that does not reach it, is kept there: the source's own bytes and
the request, under `rescued/<id>/`. Name another disk or another server. The error says under which id; `replay_rescued`
(`mcp-lakehouse replay`) finishes what is kept, each once.

## Tracing
`trace` takes `none`, `lake` (spans become rows of `system.spans`), `otlp` and `langfuse`, or several of them with
commas. `otlp` needs the extra of that name (`pip install "mcp-lakehouse[otlp]"`) and follows the usual
`OTEL_EXPORTER_OTLP_*` variables. `langfuse` needs its extra, `LANGFUSE_BASE_URL` (there is no default address),
`LANGFUSE_PUBLIC_KEY` and `LANGFUSE_SECRET_KEY`. Spans carry names, counts and codes; statements and arguments
only where `trace_content` is on.
"""


def configuration() -> str:
    """`docs/configuration.md`."""
    lines = [
        f"# Configuration\n{_NOTE}",
        _CONFIGURATION,
        "## Settings",
        "| setting | environment | default | meaning |",
    ]
    lines.append("|---|---|---|---|")
    for setting in KNOWN:
        default = f"`{setting.default}`" if setting.default else ""
        meaning = setting.meaning + (" (environment only)" if setting.secret else "")
        lines.append(f"| `{setting.name}` | `{setting.variable}` | {default} | {_cell(meaning)} |")
    return "\n".join([*lines, "", _OTHERS])


def tools() -> str:
    """`docs/tools.md`."""
    with tempfile.TemporaryDirectory() as folder, Lakehouse.open(folder) as lake:
        server = build_server(lake)
        return asyncio.run(_tools(server))


async def _tools(server: Any) -> str:
    lines = [
        f"# MCP tools, resources and prompts\n{_NOTE}",
        "What a client sees of `mcp-lakehouse serve`. With `--read-only` the tools that change data are not listed.",
        "Every result comes as `structuredContent` that stands alone, and as compact text with the same facts; an",
        "error comes as text that says what happened, what is valid and what to call next.",
    ]
    for tool in await server.list_tools():
        lines += ["", f"## `{tool.name}`: {tool.title.lower()}", "", tool.description, "", *_hints(tool), ""]
        lines += _properties("argument", tool.input_schema)
        lines += ["", *_properties("result", tool.output_schema)]
    lines += ["", "## Resources", "", "| URI | what |", "|---|---|"]
    resources = [(str(each.uri), each.description) for each in await server.list_resources()]
    templates = [(each.uri_template, each.description) for each in await server.list_resource_templates()]
    lines += [f"| `{uri}` | {_cell(text or '')} |" for uri, text in (*resources, *templates)]
    lines += ["", "## Prompts", "", "| prompt | arguments | what |", "|---|---|---|"]
    for prompt in await server.list_prompts():
        arguments = ", ".join(f"`{argument.name}`" for argument in prompt.arguments or ())
        lines.append(f"| `{prompt.name}` | {arguments} | {_cell(prompt.description or '')} |")
    return "\n".join([*lines, ""])


def _hints(tool: Any) -> list[str]:
    hints = tool.annotations
    words = [
        "reads only" if hints.read_only_hint else "changes data",
        *(["destructive"] if hints.destructive_hint else []),
        *(["calling it twice is calling it once"] if hints.idempotent_hint and not hints.read_only_hint else []),
    ]
    return [f"*{', '.join(words)}*"]


def _properties(what: str, schema: Mapping[str, Any]) -> list[str]:
    required = set(schema.get("required", ()))
    lines = [f"| {what} | type | |", "|---|---|---|"]
    for name, each in schema["properties"].items():
        facts = [each["description"]] if "description" in each else []
        if what == "argument":
            facts.append("required" if name in required else f"default `{_json(each.get('default'))}`")
        elif name not in required:
            facts.append("may be missing")
        lines.append(f"| `{name}` | {_cell(_type(each))} | {_cell('; '.join(facts))} |")
    return lines


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{_json(value)}`" for value in schema["enum"])
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        return "any JSON value"
    if kind == "array":
        return f"[{_type(schema['items'])}]" if "items" in schema else "array"
    if kind == "object" and "properties" in schema:
        return "{" + ", ".join(schema["properties"]) + "}"
    return str(kind)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


DOCUMENTS: Mapping[str, Callable[[], str]] = {"tools.md": tools, "configuration.md": configuration}


def main(arguments: list[str]) -> int:
    """Write the documents; with `--check` say which differ, and return 1 if any does."""
    stale = []
    for name, make in DOCUMENTS.items():
        path, text = FOLDER / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    print(f"{'stale' if '--check' in arguments else 'written'}: {', '.join(stale) or 'none'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
