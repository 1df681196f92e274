"""Null for a variable that has a default, where a value is needed: the client's mistake, whoever asked what before."""

import json
from urllib.parse import quote

import pytest

CASES = {
    "in a list": ("query($v: Platform = TIKTOK) { creators(filter: {platform: [$v]}) { nodes { id } } }", "TIKTOK"),
    "in an object": ("query($v: OrderDirection = ASC) { creators(orderBy: {field: CONNECTED_AT, direction: $v}) { totalCount } }", "ASC"),
    "for the place's default": ("query($v: OrderDirection) { creators(orderBy: {field: CONNECTED_AT, direction: $v}) { totalCount } }", "ASC"),
    "node": ('query($v: ID = "") { node(id: $v) { id } }', "crt_" + "0" * 32),
    "nodes": ("query($v: [ID!] = []) { nodes(ids: $v) { id } }", ["crt_" + "0" * 32]),
    "include": ("query($v: Boolean = true) { plans @include(if: $v) { name } viewer { mode } }", False),
    "skip in a fragment": ("query($v: Boolean = true) { ...F } fragment F on Query { viewer { mode keyName @skip(if: $v) } }", False),
}  # fmt: skip
MEDIA = ("application/json", "application/graphql-response+json")


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param


async def refusals(service, query):
    """What null is answered with, however it is sent."""
    body = {"query": query, "variables": {"v": None}}
    path = f"/graphql?query={quote(query)}&variables={quote(json.dumps({'v': None}))}"
    key = {"X-API-Key": service.live}
    found = [await service.send(json=body, headers=key | {"Accept": media}) for media in MEDIA]
    found += [await service.send("GET", path, headers=key | {"Accept": media}) for media in MEDIA]
    assert [answer.status for answer in found] == [200, 400] * 2
    assert all(answer.credits["charged"] == 0 and "data" not in answer.body for answer in found)
    streamed = await service.send(json=body, headers=key | {"Accept": "text/event-stream"})
    event = json.loads(streamed.raw.decode().split("data: ")[1].splitlines()[0])
    async with service.http.ws_connect(
        f"{service.url}/graphql", protocols=("graphql-transport-ws",), headers=key
    ) as ws:
        await ws.send_json({"type": "connection_init"})
        await ws.send_json({"type": "subscribe", "id": "1", "payload": body})
        assert (await ws.receive_json())["type"] == "connection_ack"
        told = await ws.receive_json()
        assert told["type"] == "error"
    return [*(answer.errors for answer in found), event["errors"], told["payload"]]


async def test_null_is_refused_alike_before_and_after_a_value_was_sent(service, case):
    query, value = case
    cold = await refusals(service, query)
    assert len({json.dumps(one) for one in cold}) == 1
    (error,) = cold[0]
    assert error["message"] == "Variable '$v' must not be null: it stands where a value is needed."
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "v")
    assert await service.data(query, {"v": value})
    assert await refusals(service, query) == cold
    await service.settled()
    rows = await service.tables_of("usage_events")
    assert sum(row["code"] == "BAD_USER_INPUT" and row["operation_hash"] is None for row in rows) == 12


async def test_null_is_no_value_where_none_is_needed(service):
    query = "query($v: [Platform!] = [TIKTOK], $n: Int = 3) { creators(first: $n, filter: {platform: $v}) { totalCount } }"
    assert (await service.data(query, {"v": None, "n": None})) == {"creators": {"totalCount": 0}}
