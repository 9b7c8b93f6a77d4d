"""The two streams under MCP over stdio: whole lines in, whole texts out, and the event loop never waits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from lakehouse_tools.stdio import Lines, Replies

pytestmark = pytest.mark.anyio

LARGE = "x" * 1_000_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


async def received(descriptor: int) -> list[str]:
    return [line async for line in Lines(descriptor)]


async def test_lines_come_whole_however_they_are_cut(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    data = f"один\n\n{LARGE}\nlast".encode()

    async def send() -> None:
        for part in (data[:3], data[3:10], data[10:200_000], data[200_000:]):
            await anyio.to_thread.run_sync(os.write, writer, part)
            await anyio.sleep(0.01)
        os.close(writer)

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        assert await received(reader) == ["один", "", LARGE, "last"]


async def test_what_is_no_utf8_is_replaced(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"a\xffb\n")
    os.close(writer)
    assert await received(reader) == ["a\ufffdb"]


async def test_ends_that_do_not_wait_are_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    for descriptor in pipe:
        os.set_blocking(descriptor, False)

    async def write() -> None:
        await Replies(writer).write(LARGE + "\n")
        os.close(writer)

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        assert await received(reader) == [LARGE]


async def test_a_file_is_read_like_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("one\ntwo\n")
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        assert await received(source.fileno()) == ["one", "two"]
        await Replies(target.fileno()).write("three\n")
        await Replies(target.fileno()).write(LARGE)
    assert (tmp_path / "out").read_text() == "three\n" + LARGE


@pytest.mark.parametrize("texts", [["short\n"] * 20_000, [LARGE, LARGE]], ids=["many", "large"])
async def test_a_reader_that_does_not_read_holds_up_nothing_else(pipe: tuple[int, int], texts: list[str]) -> None:
    reader, writer = pipe
    longest = 0.0
    got = b""

    async def write() -> None:
        replies = Replies(writer)
        for text in texts:
            await replies.write(text)
        os.close(writer)

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        for _ in range(20):
            began = time.monotonic()
            await anyio.sleep(0.01)
            longest = max(longest, time.monotonic() - began)
        while data := await anyio.to_thread.run_sync(os.read, reader, 1 << 20):
            got += data
    # Blocked it would have been for as long as nobody read, which is for ever.
    assert longest < 5
    assert got.decode() == "".join(texts)


def test_stray_output_and_children_do_not_touch_the_wire() -> None:
    script = """
import os, subprocess, sys
from lakehouse_tools.stdio import _wire
with _wire() as (incoming, outgoing):
    print("stray", flush=True)
    subprocess.run([sys.executable, "-c", "import sys; print('child read', repr(sys.stdin.read()))"])
    os.write(outgoing, os.read(incoming, 100))
print("after", sys.stdin.read() == "", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", script], input="wire\n", capture_output=True, text=True, timeout=60)
    assert done.stdout == "wire\nafter True\n", done.stderr
    assert done.stderr == "stray\nchild read ''\n"
