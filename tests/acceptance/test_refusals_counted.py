"""One usage row a request of a known key, so that its errors are counted: whatever refused it, and how ever it came."""

import hashlib

import structlog

from graph import execution, persisted
from services import api_keys, key_terms

READ = "{ viewer { mode } }"
FOLLOW = "subscription { creatorUpdated { id } }"
UNKNOWN = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(b"x").hexdigest()}}}
JSON = {"Content-Type": "application/json"}
EVENTS = {"Accept": "text/event-stream"}


async def row(service):
    """The codes of the usage rows that were written since the last call."""
    await service.settled()
    rows = await service.tables_of("usage_events")
    await service.execute("delete from usage_events")
    assert all(row["credits"] == 0 for row in rows)
    return [row["code"] for row in rows]


async def test_what_is_refused_before_an_operation_is_known_is_one_row(service):
    key = {"X-API-Key": service.live}
    get = "/graphql?query=mutation%7BcreateApiKey(input%3A%7Bname%3A%22k%22%7D)%7Bsecret%7D%7D"
    for method, path, more, code in (
        ("POST", "/graphql", {"headers": JSON, "data": b"{"}, "BAD_REQUEST"),
        ("POST", "/graphql", {"headers": JSON, "data": b" " * 300_000}, "BODY_TOO_LARGE"),
        ("POST", "/graphql", {"headers": {"Content-Type": "text/plain"}, "data": b"x"}, "UNSUPPORTED_MEDIA_TYPE"),
        ("PUT", "/graphql", {}, "METHOD_NOT_ALLOWED"),
        ("GET", get, {}, "METHOD_NOT_ALLOWED"),
        ("POST", "/graphql", {"json": UNKNOWN}, "PERSISTED_QUERY_NOT_FOUND"),
        ("POST", "/graphql", {"json": UNKNOWN, "headers": EVENTS}, "PERSISTED_QUERY_NOT_FOUND"),
        ("POST", "/graphql", {"json": {"query": "{ nope }"}}, "GRAPHQL_VALIDATION_FAILED"),
    ):  # fmt: skip
        answer = await service.send(method, path, **more | {"headers": key | more.get("headers", {})})
        assert answer.code == code
        assert await row(service) == [code], (method, path)


async def test_over_a_socket_too(service):
    async with service.http.ws_connect(
        f"{service.url}/graphql", protocols=("graphql-transport-ws",), headers={"X-API-Key": service.live}
    ) as ws:
        await ws.send_json({"type": "connection_init"})
        await ws.send_json({"type": "subscribe", "id": "1", "payload": {"query": ""} | UNKNOWN})
        assert (await ws.receive_json())["type"] == "connection_ack"
        assert (await ws.receive_json())["payload"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert await row(service) == ["PERSISTED_QUERY_NOT_FOUND"]


async def test_a_document_that_is_not_trusted_and_a_stream_too_many_are_rows(service):
    async with service.database.write() as session:
        held = await api_keys.create(
            session, service.account.id, name="k", mode="LIVE", scopes=key_terms.SCOPES, trusted_only=True
        )
    answer = await service.ask(READ, key=held.secret)
    assert (answer.code, answer.reason) == ("FORBIDDEN", "DOCUMENT")
    assert await row(service) == ["FORBIDDEN"]
    await service.update(max_websockets=1)
    body = {"json": {"query": FOLLOW}, "headers": {"X-API-Key": service.live} | EVENTS}
    async with service.http.post(f"{service.url}/graphql", **body) as first:
        assert first.status == 200
        second = await service.send(**body)
        assert (second.status, second.credits["charged"]) == (429, 0)
        assert await row(service) == ["RATE_LIMITED"]


async def test_what_is_ours_is_a_row_and_not_lost(service, monkeypatch):
    async def broken(*_given, **_more):
        raise KeyError

    with structlog.testing.capture_logs():
        for where, name in ((execution, "_answered"), (persisted.Persisted, "resolve")):
            with monkeypatch.context() as patch:
                patch.setattr(where, name, broken)
                answer = await service.send(
                    json={"query": READ} | ({} if where is execution else UNKNOWN),
                    headers={"X-API-Key": service.live},
                )
            assert (answer.status, answer.code) == (500, "INTERNAL")
            assert await row(service) == ["INTERNAL"], name
