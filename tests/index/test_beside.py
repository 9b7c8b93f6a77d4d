"""Work beside other work: done once, by whichever thread comes to it first."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mcp_lakehouse.index import beside as beside_module
from mcp_lakehouse.index.beside import Beside


def test_another_thread_does_it() -> None:
    done = threading.Event()

    def work() -> int:
        done.set()
        return threading.get_ident()

    beside = Beside(work)
    assert done.wait(20)
    assert beside.result() != threading.get_ident()


def test_with_all_threads_busy_it_is_done_here() -> None:
    end = threading.Event()
    busy = [Beside(lambda: end.wait(20)) for _ in range(os.cpu_count() or 1)]
    done: list[int] = []
    waiting = Beside(lambda: done.append(threading.get_ident()))
    waiting.result()
    end.set()
    assert all(each.result() for each in busy)
    assert done == [threading.get_ident()]


def test_no_thread_is_asked_where_it_is_not_to_begin() -> None:
    assert Beside(threading.get_ident, begin=False).result() == threading.get_ident()


def test_without_a_thread_to_be_had_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> ThreadPoolExecutor:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(beside_module, "_threads", none)
    with Beside(threading.get_ident) as beside:
        assert beside.result() == threading.get_ident()


def test_nothing_goes_on_after_the_block() -> None:
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        time.sleep(0.2)
        done.set()

    with Beside(work):
        assert begun.wait(20)
    assert done.is_set()


@pytest.mark.parametrize("begin", [True, False])
def test_its_error_is_that_of_the_result(begin: bool) -> None:
    def work() -> None:
        raise OSError("gone")

    beside = Beside(work, begin=begin)
    with pytest.raises(OSError, match="gone"):
        beside.result()
