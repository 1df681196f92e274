"""What people and machines send by mistake: each gets our one shape, with a code, and pays nothing."""

import asyncio
import json

import pytest

from graph import execution

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
DEEP = b'{"query":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
GOOD = '{"query": "{ credits { remaining } }"}'


def operation(query, **more):
    return json.dumps({"query": query, **more}).encode()


# body, status as application/graphql-response+json, status as application/json, code
BODIES = [
    (b"", 400, 400, "BAD_REQUEST"),
    (b"   ", 400, 400, "BAD_REQUEST"),
    (b"{", 400, 400, "BAD_REQUEST"),
    (b'"text"', 400, 400, "BAD_REQUEST"),
    (b"7", 400, 400, "BAD_REQUEST"),
    (b"null", 400, 400, "BAD_REQUEST"),
    (b"true", 400, 400, "BAD_REQUEST"),
    (b"[]", 400, 400, "BAD_REQUEST"),
    (b"[" + GOOD.encode() + b"]", 400, 400, "BAD_REQUEST"),
    (b'{"query": "\xff\xfe"}', 400, 400, "BAD_REQUEST"),
    (DEEP, 400, 400, "BAD_REQUEST"),
    (b'{"query": ' + b"9" * 5_000 + b"}", 400, 400, "BAD_REQUEST"),
    (b"9" * 5_000, 400, 400, "BAD_REQUEST"),
    (b'{"query": "{ viewer { mode } }", "variables": {"n": ' + b"9" * 5_000 + b"}}", None, None, None),
    (b"{}", 400, 400, "BAD_REQUEST"),
    (b'{"query": ""}', 400, 400, "BAD_REQUEST"),
    (b'{"query": null}', 400, 400, "BAD_REQUEST"),
    (b'{"query": ["{ viewer { mode } }"]}', 400, 400, "BAD_REQUEST"),
    (operation("{ viewer { mode } }", variables=[]), 400, 400, "BAD_REQUEST"),
    (operation("{ viewer { mode } }", variables="{}"), 400, 400, "BAD_REQUEST"),
    (operation("{ viewer { mode } }", operationName=7), 400, 400, "BAD_REQUEST"),
    (b'{"query": "{ viewer { mode } } \\ud800"}', 400, None, None),
    (operation("{ viewer { mode } }" + " " * 262_144), 413, 413, "BODY_TOO_LARGE"),
    (operation("{"), 400, 200, "GRAPHQL_PARSE_FAILED"),
    (operation("\x00"), 400, 200, "GRAPHQL_PARSE_FAILED"),
    (operation("{ nope }"), 400, 200, "GRAPHQL_VALIDATION_FAILED"),
    (operation("{ viewer { keyNam } }"), 400, 200, "GRAPHQL_VALIDATION_FAILED"),
    (operation("{ creators(frist: 1) { totalCount } }"), 400, 200, "GRAPHQL_VALIDATION_FAILED"),
    (operation('{ creators(first: "1") { totalCount } }'), 400, 200, "GRAPHQL_VALIDATION_FAILED"),
    (operation("query A { viewer { mode } }", operationName="B"), 400, 200, "OPERATION_RESOLUTION_FAILURE"),
    (operation("query A { viewer { mode } } query B { plans { name } }"), 400, 200, "OPERATION_RESOLUTION_FAILURE"),
    (operation("fragment F on Viewer { mode }"), 400, 200, None),
    (operation("query($n: Int!) { creators(first: $n) { totalCount } }"), 400, 200, "BAD_USER_INPUT"),
    (operation("query($n: Int!) { creators(first: $n) { totalCount } }", variables={"n": "x"}), 400, 200, "BAD_USER_INPUT"),
    (operation("query($n: Int!) { creators(first: $n) { totalCount } }", variables={"n": 2**40}), 400, 200, "BAD_USER_INPUT"),
    (operation("{" + "a" * 33_000 + "}"), 400, 400, "QUERY_TOO_COMPLEX"),
    (operation("{ account { plan { name } } }" + "#" * 33_000), 400, 400, "QUERY_TOO_COMPLEX"),
    (operation("{ viewer { account { " + "a: name " * 101 + "} } }"), 400, 400, "QUERY_TOO_COMPLEX"),
    (operation("{ creators { nodes { videos { nodes { " + "creator { videos { nodes { " * 5 + "id" + " } } }" * 5 + " } } } } }"),
     400, 400, "QUERY_TOO_COMPLEX"),
    (operation("{ creators(first: 100) { nodes { videos(first: 100) { nodes { creator { videos(first: 100) { nodes { id } } } } } } } }"),
     400, 400, "QUERY_TOO_COMPLEX"),
    (operation("query { viewer " + "{ account " * 3_000 + "}" * 3_000 + "}"), 400, 400, "QUERY_TOO_COMPLEX"),
    (operation("subscription { creatorUpdated { id } }"), 406, 406, "NOT_ACCEPTABLE"),
]  # fmt: skip

# Told at their place, or before: nothing of them runs.
ARGUMENTS = [
    ("{ creators(first: 0) { totalCount } }", "first"),
    ("{ creators(first: 101) { totalCount } }", "first"),
    ("{ creators(first: -1) { totalCount } }", "first"),
    ("{ creators(last: 0) { totalCount } }", "last"),
    ("{ creators(first: 1, last: 1) { totalCount } }", None),
    ("{ creators { nodes { videos(first: 101) { totalCount } } } }", "first"),
    ('{ creators(first: 1, after: "nonsense") { nodes { id } } }', "after"),
    ('{ creators(first: 1, after: "") { nodes { id } } }', "after"),
    ('{ creators(first: 1, before: "bm9wZQ==") { nodes { id } } }', "before"),
    ('{ creators(first: 1, after: "\u202e\u0000") { nodes { id } } }', "after"),
    ('{ creator(id: "nonsense") { id } }', "id"),
    ('{ creator(id: "vid_00000000000000000000000000000000") { id } }', "id"),
    ('{ creator(id: "crt_0000000000000000000000000000000G") { id } }', "id"),
    ('{ creator(id: "\\u0000") { id } }', "id"),
    ('{ video(id: "crt_00000000000000000000000000000000") { id } }', "id"),
    ('{ sync(id: "1") { id } }', "id"),
    ('{ node(id: "nonsense") { id } }', "id"),
    ('{ nodes(ids: ["nonsense"]) { id } }', "ids"),
    ("{ nodes(ids: [" + '"crt_00000000000000000000000000000000",' * 101 + "]) { id } }", "ids"),
    ("{ creatorBy(platform: TIKTOK) { id } }", "username"),
    ('{ creatorBy(platform: TIKTOK, username: "a", reference: "b") { id } }', "username"),
    ('{ price(query: "{ viewer { mode } }", variables: "[]") { max } }', "variables"),
    ('mutation { syncCreator(input: {id: "nonsense"}) { joined } }', "id"),
    ('mutation { syncCreator(input: {id: "crt_00000000000000000000000000000000", waitSeconds: -1}) { joined } }', "waitSeconds"),
    ('mutation { disconnectCreator(input: {id: "vid_00000000000000000000000000000000"}) { disconnected } }', "id"),
    ('mutation { createApiKey(input: {name: "", mode: LIVE}) { secret } }', None),
    ('mutation { createApiKey(input: {name: "a\\u0000", mode: LIVE}) { secret } }', None),
    ('mutation { createApiKey(input: {name: "a", mode: LIVE, allowedIps: ["nonsense"]}) { secret } }', None),
    ('mutation { createApiKey(input: {name: "a", mode: LIVE, expiresAt: "2001-01-01T00:00:00Z"}) { secret } }', None),
]  # fmt: skip


def ours(answer, media=JSON):
    """Our one shape: JSON, a request id, a code in every error, nothing about what we run on."""
    assert answer.headers["Content-Type"].startswith(media), answer.raw
    assert answer.headers["X-Request-Id"]
    assert answer.headers.get("Server", "creator-graph") == "creator-graph"
    assert answer.body["errors"]
    for error in answer.errors:
        assert isinstance(error["message"], str)
        assert error["extensions"]["code"]
        assert error["extensions"]["code"] != "INTERNAL", error
    for told in ("Traceback", "asyncpg", "sqlalchemy", "graphql.", ".py", "site-packages", "Did you mean"):
        assert told not in answer.raw.decode()
    return answer


async def post(service, body, **headers):
    given = {"X-API-Key": service.live, "Content-Type": JSON} | headers
    return await service.send(data=body, headers=given)


async def test_a_body_that_is_no_operation_is_told_so_under_both_media_types_and_costs_nothing(service):
    before = await service.ledger()
    for body, proper, plain, code in BODIES:
        for media, status in ((RESPONSE, proper), (JSON, plain)):
            answer = await post(service, body, Accept=media)
            if status is None and answer.status == 200 and "errors" not in answer.body:
                continue
            ours(answer, media)
            assert status in {None, answer.status}, (body[:80], media, answer.body)
            assert code in {None, answer.code}, (body[:80], answer.body)
            assert "data" not in answer.body, body[:80]
            assert (
                answer.headers["X-Credits-Charged"] == "0" if "X-Credits-Charged" in answer.headers else True
            )
    assert await service.ledger() == before


async def test_an_argument_out_of_bounds_is_named_and_nothing_is_charged_or_written(service):
    before, rows = await service.ledger(), await service.counts("usage_events", "api_keys")
    keys = await service.value("select count(*) from api_keys")
    wrong = []
    for query, argument in ARGUMENTS:
        answer = await service.ask(query, key=service.live)
        error = answer.body.get("errors", [{"extensions": {}}])[0]
        told = (error["extensions"].get("code"), error["extensions"].get("argument"))
        if told not in {
            ("BAD_USER_INPUT", argument),
            ("BAD_USER_INPUT", told[1] if argument is None else argument),
        }:
            wrong.append((query[:100], answer.status, answer.body))
        else:
            ours(answer)
    assert wrong == []
    assert await service.ledger() == before
    assert await service.counts("usage_events", "api_keys") == rows
    assert await service.value("select count(*) from api_keys") == keys


async def test_methods_media_types_and_headers_are_refused_in_our_shape(service):
    key = {"X-API-Key": service.live}
    mutation = "/graphql?query=mutation%7BcreateApiKey(input%3A%7Bname%3A%22k%22%7D)%7Bsecret%7D%7D"
    for method, path, headers, body, status, code in (
        ("GET", mutation, {}, None, 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/graphql", {"Content-Type": JSON}, GOOD, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/graphql", {}, None, 405, "METHOD_NOT_ALLOWED"),
        ("PATCH", "/graphql", {"Content-Type": JSON}, GOOD, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/graphql", {}, None, 400, "BAD_REQUEST"),
        ("GET", "/graphql?query=%7Bviewer%7Bmode%7D%7D&variables=%5B%5D", {}, None, 400, "BAD_REQUEST"),
        ("GET", "/graphql?query=%7Bviewer%7Bmode%7D%7D&variables=%FF", {}, None, 400, "BAD_REQUEST"),
        ("POST", "/graphql", {"Content-Type": "text/plain"}, GOOD, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/graphql", {"Content-Type": "application/x-www-form-urlencoded"}, "query=x", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/graphql", {"Content-Type": "multipart/form-data; boundary=x"}, "x", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/graphql", {"Content-Type": "application/json; charset=utf-16"}, GOOD, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/graphql", {"Content-Type": JSON, "Accept": "text/html"}, GOOD, 406, "NOT_ACCEPTABLE"),
        ("POST", "/graphql", {"Content-Type": JSON, "Accept": f"{JSON};q=0"}, GOOD, 406, "NOT_ACCEPTABLE"),
        ("POST", "/graphql", {"Content-Type": JSON, "X-Credits-Max": "plenty"}, GOOD, 400, "BAD_REQUEST"),
        ("POST", "/graphql", {"Content-Type": JSON, "X-Credits-Max": "-1"}, GOOD, 400, "BAD_REQUEST"),
        ("POST", "/graphql", {"Content-Type": JSON, "X-Credits-Max": "\u0661"}, GOOD, 400, "BAD_REQUEST"),
        ("POST", "/graphql", {"Content-Type": JSON, "Content-Encoding": "gzip"}, GOOD, 400, "BAD_REQUEST"),
        ("GET", "/nowhere", {}, None, 404, "NOT_FOUND"),
        ("GET", "/graphql/", {}, None, 404, "NOT_FOUND"),
        ("POST", "/healthz", {}, None, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/connect/UPPER/callback", {}, None, 404, "NOT_FOUND"),
    ):  # fmt: skip
        answer = ours(await service.send(method, path, headers=key | headers, data=body))
        assert (answer.status, answer.code) == (status, code), (method, path, headers, answer.body)
        if status == 405:
            assert answer.headers["Allow"]
    assert await service.ledger() == (500_000, 0)
    for good in (JSON, f"{JSON}; charset=utf-8", "application/json;charset=UTF8"):
        assert (await post(service, GOOD, **{"Content-Type": good})).status == 200
    for accept in ("*/*", "application/*", "text/html, */*;q=0.1", f"{RESPONSE}, {JSON};q=0.9", ""):
        assert (await post(service, GOOD, Accept=accept)).status == 200


async def test_a_request_id_that_is_sent_comes_back_and_a_strange_one_does_not(service):
    kept = await service.ask("{", headers={"X-Request-Id": "abc-123"})
    assert kept.headers["X-Request-Id"] == "abc-123"
    for strange in ("a b", "x" * 65, "<script>", "\u00e9"):
        answer = await service.ask("{", headers={"X-Request-Id": strange})
        assert answer.headers["X-Request-Id"].startswith("req_")


async def raw(service, request):
    """Bytes on the wire, for what no client would send."""
    host, port = service.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n" % (b"sk_secret_" * 2_000),
        b"GET /graphql?api_key=%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"sk_secret_" * 4_000),
        b"GET /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_secret_\x00\r\n\r\n",
        b"sk_secret_ nonsense\r\n\r\n",
    ],
    ids=["long header", "long address", "NUL in a header", "no HTTP"],
)
async def test_what_is_no_http_is_not_echoed_neither_to_the_client_nor_to_the_log(
    service, caplog, request_bytes
):
    answer = await raw(service, request_bytes)
    assert answer.split()[1] in {b"400", b"431", b"414"}
    assert b"sk_secret" not in answer
    assert b"aiohttp" not in answer
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert body["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert b"x-request-id:" in answer.lower()
    assert "sk_secret" not in caplog.text


async def test_an_expectation_that_nobody_knows_is_refused_in_our_shape_and_not_echoed(service):
    for line in (b"POST /graphql", b"GET /healthz"):
        head = line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: sk_secret\r\n\r\n"
        answer = await raw(service, head)
        assert answer.startswith(b"HTTP/1.1 417 ")
        assert b"sk_secret" not in answer
        assert b"aiohttp" not in answer
        assert (
            json.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        )


async def test_what_fails_outside_every_net_is_told_with_the_request_id_that_was_sent(service, monkeypatch):
    monkeypatch.setattr(execution.Answer, "body", lambda _: object())  # no JSON
    answer = await service.ask("{ viewer { mode } }", headers={"X-Request-Id": "mine-1"})
    assert (answer.status, answer.code, answer.headers["X-Request-Id"]) == (500, "INTERNAL", "mine-1")
    assert answer.errors[0]["extensions"]["requestId"] == "mine-1"
