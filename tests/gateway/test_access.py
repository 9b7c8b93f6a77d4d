"""Who is let in: hosts, origins and the token, for REST and MCP alike."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from gateway.conftest import TOKEN, Served, serving
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.gateway.access import Access

FRIEND = "https://friend.example"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
MCP_HEADERS = {"Accept": "application/json, text/event-stream"}
# A harmless request for each door.
DOORS = {
    "sql": ("POST", "/sql", {"statement": "SELECT 1"}, {}),
    "mcp": ("POST", "/mcp", INITIALIZE, MCP_HEADERS),
    "openapi": ("GET", "/openapi.json", None, {}),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake that asks for a token and knows one foreign origin."""
    with serving(tmp_path_factory.mktemp("guarded"), token=TOKEN, origins=[FRIEND]) as each:
        yield each


def knock(served: Served, door: str, **headers: str) -> httpx2.Response:
    """The request of that door with these headers, and no token of its own."""
    method, path, body, own = DOORS[door]
    with httpx2.Client(base_url=served.url, timeout=30) as client:
        return client.request(method, path, json=body, headers={**own, **headers})


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost:x", "[::1"])
def test_a_foreign_host_name_is_refused(served: Served, door: str, host: str) -> None:
    answer = knock(served, door, Host=host)
    assert answer.status_code == 421
    assert "LAKEHOUSE_ORIGINS" in answer.json()["hint"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://"])
def test_a_foreign_origin_is_refused(served: Served, door: str, origin: str) -> None:
    answer = knock(served, door, Origin=origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "headers", [{"Origin": "http://localhost:5173"}, {"Host": "localhost:9999"}, {"Host": "[::1]"}]
)
def test_loopback_is_let_in(served: Served, door: str, headers: dict[str, str]) -> None:
    assert knock(served, door, **headers).status_code == 200


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        TOKEN,
        f"Basic {TOKEN}",
        "Bearer",
        "Bearer \xff",
    ],
)
def test_without_the_token_nothing_is_answered(guarded: Served, door: str, authorization: str | None) -> None:
    method, path, body, own = DOORS[door]
    headers = {name: value.encode("latin-1") for name, value in own.items()}
    if authorization is not None:
        headers["Authorization"] = authorization.encode("latin-1")
    with httpx2.Client(base_url=guarded.url) as client:
        answer = client.request(method, path, json=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="mcp-lakehouse"')
    assert ("invalid_token" in answer.headers["www-authenticate"]) == (authorization is not None)
    assert TOKEN not in answer.text


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_with_the_token_everything_is(guarded: Served, door: str, scheme: str) -> None:
    assert knock(guarded, door, Authorization=f"{scheme} {TOKEN}").status_code == 200


def test_health_asks_for_no_token_and_tells_none(guarded: Served) -> None:
    with httpx2.Client(base_url=guarded.url) as client:
        answer = client.get("/health")
    assert answer.status_code == 200
    assert TOKEN not in answer.text
    assert str(guarded.files.parent) not in answer.text


def test_the_description_says_that_a_token_is_asked_for(guarded: Served) -> None:
    document = guarded.http.get("/openapi.json").json()
    assert document["security"] == [{"bearer": []}]
    assert document["paths"]["/health"]["get"]["security"] == []


def test_a_named_origin_may_read_answers(guarded: Served) -> None:
    answer = knock(guarded, "sql", Authorization=f"Bearer {TOKEN}", Origin=FRIEND)
    assert answer.headers["access-control-allow-origin"] == FRIEND
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    with httpx2.Client(base_url=guarded.url) as client:
        preflight = client.options("/sql", headers={"Origin": FRIEND, **asked})
        foreign = client.options("/sql", headers={"Origin": "https://evil.example", **asked})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == FRIEND
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert foreign.status_code == 403
    assert "access-control-allow-origin" not in foreign.headers


def test_nobody_else_may(served: Served, guarded: Served) -> None:
    for answer in (
        knock(served, "sql", Origin="http://localhost:5173"),
        knock(guarded, "sql", Authorization=f"Bearer {TOKEN}", Origin="http://localhost:5173"),
    ):
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "text", ["friend.example", "ftp://x", "https://", "https://a/b", "https://u@a", "http://a:x", "*"]
)
def test_an_origin_that_is_none_is_told_at_the_start(text: str) -> None:
    with pytest.raises(InvalidInput, match="origin"):
        Access.of("127.0.0.1", 3100, origins=[text])


def test_on_a_wide_address_names_are_still_checked() -> None:
    access = Access.of("0.0.0.0", 3100, token=TOKEN, origins=["https://lake.example"])
    assert access.host_allowed("localhost:3100")
    assert access.host_allowed("lake.example")
    assert access.host_allowed("LAKE.example")
    assert not access.host_allowed("evil.example:3100")
    assert not access.host_allowed("")
    assert access.origin_allowed("https://lake.example")
    assert not access.origin_allowed("https://evil.example")


def test_a_bound_address_answers_to_its_own_name() -> None:
    assert Access.of("192.0.2.7", 3100, token=TOKEN).host_allowed("192.0.2.7:3100")
    assert not Access.of("192.0.2.7", 3100, token=TOKEN).host_allowed("192.0.2.7:3101")
    assert Access.of("fd00::7", 3100, token=TOKEN).host_allowed("[fd00::7]:3100")
