"""What options take as values: each function reads one text, or says what is wrong with it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable


def address(default: tuple[str, int]) -> Callable[[str], tuple[str, int]]:
    """HOST:PORT, of which either may be left out."""

    def parse(text: str) -> tuple[str, int]:
        host, colon, port = text.rpartition(":")
        if text.isdecimal():
            host, port = "", text
        elif not colon or text.endswith("]"):
            host, port = text, str(default[1])
        if not (port.isdecimal() and port.isascii() and int(port) < 65_536):
            raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT; a port is 0 to 65535")
        return host.strip("[]") or default[0], int(port)

    return parse


def parameter(text: str) -> tuple[str, object]:
    """NAME=VALUE, the value JSON where it parses."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def parameters(text: str) -> object:
    """A JSON list or object."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(values, (list, dict)):
        raise argparse.ArgumentTypeError("give a JSON list or object")
    return values


def whole(smallest: int) -> Callable[[str], int]:
    """A whole number, at least the smallest."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = smallest - 1
        if value < smallest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {smallest}")
        return value

    return parse


count = whole(1)
number = whole(0)


def names(text: str) -> list[str]:
    """NAME,NAME."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of names; write a,b")
    return found
