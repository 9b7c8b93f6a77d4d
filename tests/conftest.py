"""What all tests share, and how they are dealt out to processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence

import pytest

from s3_server import s3_server
from tests.place import ON_S3

# Modules that take long begin first, so that nobody waits for them at the end.
_LONGEST = ("packaging/test_wheel.py", "safety/test_rates.py", "cli/test_data.py", "conformance/test_suite.py")


@pytest.fixture(autouse=True, scope="session")
def small_embedder() -> Iterator[None]:
    """Tests embed with the model that needs no conversion; those of the other one ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEHOUSE_EMBEDDER", "wordllama")
        yield


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """What a shell starts in the background ignores interrupts, and so would all that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def s3_environment() -> Iterator[Mapping[str, str]]:
    """The variables that reach an S3 server with one bucket."""
    with s3_server() as environment:
        yield environment


@pytest.fixture(autouse=True, scope="session")
def s3_for_servers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lakes behind servers reach the S3 server where they are to be there."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in request.getfixturevalue("s3_environment").items() if ON_S3 else ():
            patch.setenv(name, value)
        yield


def pytest_xdist_auto_num_workers() -> int:
    """One more process than there are processors: a quarter of the time a test waits, for a server or for time to pass."""
    return min(4, (os.cpu_count() or 1) + 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long modules first. Each module stays in one process (`--dist loadfile`): what it shares is made once."""
    items.sort(key=lambda item: next((n for n, name in enumerate(_LONGEST) if item.path.match(name)), len(_LONGEST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says in quiet runs too: the safety rates, and why the official tools' tests were skipped."""
    for text in _properties(terminalreporter.getreports("passed") + terminalreporter.getreports("failed")):
        terminalreporter.write_line(text)
    reasons = {
        report.longrepr[2]
        for report in terminalreporter.getreports("skipped")
        if "official tools" in str(report.longrepr)
    }
    for reason in sorted(reasons):
        terminalreporter.write_line(f"conformance tests: {reason}")


def _properties(reports: Sequence[pytest.TestReport]) -> Iterator[str]:
    """What tests recorded under the name `summary`."""
    for report in reports:
        if report.when == "call":
            yield from (str(value) for name, value in report.user_properties if name == "summary")
