"""Who subscribed hears of each change, in the way of its era."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from mcp import Client
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp_types import ResourceUpdatedNotification

from lakehouse_tools import watching
from tests.mcp.calling import Served, call

# Clients of earlier revisions subscribe in a way that the newest has removed.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

SECONDS = 10
PEOPLE, SAMPLE, LIST = "lakehouse://datasets/people", "lakehouse://datasets/people/sample", "lakehouse://datasets"
URIS = [PEOPLE, SAMPLE, LIST]
Change = Callable[[Client], Awaitable[Any]]
MORE = {"text": "id,name,city,born\n7,Alan,Wilmslow,1912-06-23\n", "name": "more.csv"}


async def load(client: Client) -> None:
    await call(client, "ingest", source=MORE, dataset="people")


async def drop(client: Client) -> None:
    await call(client, "drop_dataset", dataset="people", confirm="people")


async def restore(client: Client) -> None:
    await call(client, "drop_dataset", dataset="people", confirm="people")
    await call(client, "restore_dataset", dataset="people")


@pytest.mark.parametrize("change", [load, drop, restore])
async def test_a_modern_subscriber_hears_of_a_change(own: Served, change: Change) -> None:
    async with (
        Client(own.server) as client,
        client.listen(resource_subscriptions=URIS, resources_list_changed=True) as events,
    ):
        await change(client)
        heard = set()
        with anyio.fail_after(SECONDS):
            async for event in events:
                heard.add(event)
                if len(heard) == 4:
                    break
    assert heard == {ResourcesListChanged(), *(ResourceUpdated(uri=uri) for uri in URIS)}


@pytest.mark.parametrize("change", [load, drop, restore])
async def test_an_earlier_subscriber_hears_of_a_change(own: Served, change: Change) -> None:
    heard: set[str] = set()
    told = anyio.Event()

    async def listen(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.add(str(message.params.uri))
            if heard == set(URIS):
                told.set()

    async with Client(own.server, mode="legacy", message_handler=listen) as client:
        for uri in URIS:
            await client.subscribe_resource(uri)
        await change(client)
        with anyio.fail_after(SECONDS):
            await told.wait()


async def test_a_modern_subscriber_hears_of_what_another_process_changed(own: Served) -> None:
    async with (
        Client(own.server) as client,
        Client(own.other) as other,
        client.listen(resource_subscriptions=[PEOPLE, "lakehouse://datasets/new"]) as events,
    ):
        following = aiter(events)
        with anyio.fail_after(SECONDS):
            for name in ("people", "new", "people"):
                await call(
                    other, "ingest", source={**MORE, "text": MORE["text"] + f"{time.time_ns()},x,y,\n"}, dataset=name
                )
                assert await anext(following) == ResourceUpdated(uri=f"lakehouse://datasets/{name}")


async def test_an_earlier_subscriber_hears_of_what_another_process_changed(own: Served) -> None:
    told = anyio.Event()

    async def listen(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification) and str(message.params.uri) == LIST:
            told.set()

    async with Client(own.server, mode="legacy", message_handler=listen) as client, Client(own.other) as other:
        await client.subscribe_resource(LIST)
        await drop(other)
        with anyio.fail_after(SECONDS):
            await told.wait()


async def test_nobody_looks_for_changes_any_more_when_nobody_listens(
    own: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(watching, "_GRACE_SECONDS", 0.0)
    watch = own.server._subscribers._watch
    async with Client(own.server) as client:
        assert watch._thread is None
        async with client.listen(resource_subscriptions=[PEOPLE]):
            assert watch._thread is not None
        with anyio.fail_after(SECONDS):
            while watch._thread is not None:
                await anyio.sleep(0.01)


async def test_who_unsubscribed_hears_nothing_more(own: Served) -> None:
    heard: list[str] = []

    async def listen(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.append(str(message.params.uri))

    async with Client(own.server, mode="legacy", message_handler=listen) as client:
        for uri in URIS:
            await client.subscribe_resource(uri)
        await client.unsubscribe_resource(LIST)
        await load(client)
        await client.send_ping()
    assert set(heard) == {PEOPLE, SAMPLE}


async def test_nobody_is_told_of_what_did_not_change(own: Served) -> None:
    async with Client(own.server) as client, client.listen(resource_subscriptions=[PEOPLE]) as events:
        await call(client, "ingest", source=str(own.files / "people.csv"))
        await client.call_tool("ingest", {"source": "/etc/passwd", "dataset": "people"})
        await load(client)
        following = aiter(events)
        with anyio.fail_after(SECONDS):
            await anext(following)
        with anyio.move_on_after(0.2) as waited:
            await anext(following)
        assert waited.cancelled_caught


async def test_a_name_of_another_script_is_heard_of_however_it_is_written(own: Served) -> None:
    for name in ("столбцы", quote("столбцы")):
        uri = f"lakehouse://datasets/{name}"
        async with Client(own.server) as client, client.listen(resource_subscriptions=[uri]) as events:
            source = {"text": f"a\n{len(name)}\n", "name": "x.csv"}
            await call(client, "ingest", source=source, dataset="столбцы")
            with anyio.fail_after(SECONDS):
                assert await anext(aiter(events)) == ResourceUpdated(uri=uri)


async def test_a_subscriber_that_left_is_forgotten_and_holds_up_nobody(own: Served) -> None:
    async with Client(own.server, mode="legacy") as left:
        await left.subscribe_resource(LIST)
        await left.subscribe_resource(LIST)
        await left.subscribe_resource(PEOPLE)
        assert own.server._subscribers.count == 2
    assert own.server._subscribers.count == 0
    async with Client(own.server, mode="legacy") as client:
        with anyio.fail_after(SECONDS):
            await load(client)
