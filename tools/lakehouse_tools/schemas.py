"""JSON Schemas from the lake's records: small, because every client pays for them in tokens."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, get_args, get_origin

from mcp_lakehouse import records

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}
# A value of any SQL type as JSON (see the rules in `mcp_lakehouse.sql.values`). A list of types would be
# shorter, but clients that know only one type for each schema drop or refuse it.
_ANY = {"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null", "array", "object")]}


def output_schema(record: type) -> dict[str, Any]:
    """The schema of a record as it is sent: fields without a default are required."""
    hints = typing.get_type_hints(record, vars(records) | {"Json": records.Column | _JsonMark})
    properties = {
        field.name: {"anyOf": [_schema(hints[field.name]), {"type": "null"}]}
        if "null" in field.metadata
        else _schema(hints[field.name])
        for field in fields(record)
    }
    required = [field.name for field in fields(record) if field.default is MISSING and field.default_factory is MISSING]
    return {"type": "object", "properties": properties, "required": required}


class _JsonMark:
    """Stands for "any JSON value" while type hints are read."""


def _schema(hint: Any) -> dict[str, Any]:
    if _is_any(hint):
        return dict(_ANY)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        kinds = [argument for argument in arguments if argument is not type(None)]
        return _schema(kinds[0])
    if origin is list:
        items = {} if _is_any(arguments[0]) else {"items": _schema(arguments[0])}
        return {"type": "array", **items}
    if origin is dict:
        values = {} if _is_any(arguments[1]) else {"additionalProperties": _schema(arguments[1])}
        return {"type": "object", **values}
    if is_dataclass(hint):
        return output_schema(typing.cast(type, hint))
    return {"type": _SCALARS[hint]}


def _is_any(hint: Any) -> bool:
    return _JsonMark in get_args(hint) or hint is _JsonMark


def slim(schema: Any) -> Any:
    """An input schema without what a model does not need: titles, definitions apart, null as "not given"."""
    return _slim(schema, schema.get("$defs", {}))


def _slim(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_slim(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        # Each is used once: written in its place it is shorter.
        definition = definitions[schema["$ref"].removeprefix("#/$defs/")]
        schema = {key: value for key, value in definition.items() if key != "description"} | {
            key: value for key, value in schema.items() if key != "$ref"
        }
    dropped = {"title", "$defs"} if isinstance(schema.get("title", ""), str) else {"$defs"}
    small = {key: _slim(value, definitions) for key, value in schema.items() if key not in dropped}
    if "properties" in schema:
        small["properties"] = {name: _slim(value, definitions) for name, value in schema["properties"].items()}
    optional = small.get("default", ...) is None
    if optional:
        del small["default"]
    if isinstance(small.get("anyOf"), list):
        small.update(_choices(small.pop("anyOf"), optional=optional))
    return small


def _choices(choices: list[Any], *, optional: bool) -> dict[str, Any]:
    """Alternatives, as few as say the same. An optional argument is left out rather than null."""
    needless = [{"type": "null"}] if optional else []
    if {"type": "number"} in choices:
        needless.append({"type": "integer"})
    choices = [choice for choice in choices if choice not in needless]
    return dict(choices[0]) if len(choices) == 1 else {"anyOf": choices}
