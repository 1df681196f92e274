"""Every argument of the schema given what nobody should send: refused in our shape, or right; never our fault."""

import asyncio
import itertools
import json
import re
from pathlib import Path

from graphql import (
    build_schema,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

SCHEMA = build_schema((Path(__file__).parents[2] / "schema.graphql").read_text())
MOST = 2**53 - 1
SURROGATE = re.compile("[\ud800-\udfff]")
TEXTS = (
    "", "\x00", "a\x00b", "\ud800", "\u202e\u2066abc", "\u00e9e\u0301\u200d\U0001f468", "x" * 10_000, "a & b | !c:* <-> (", "'':*\\",
    "%_\\", "'; drop table creators; --", str(2**53), "\r\n\t\x1b[2J",
)  # fmt: skip
NUMBERS = (-1, 0, 2**31 - 1, 2**31, MOST, 2**53, -MOST - 1, 2**63, 10**40, 1.5, 1e308, True, "7")  # fmt: skip
MOMENTS = (
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-14:00",
    "10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-12-31T23:59:60Z", "2026-01-01T00:00:00+99:99",
    "2026-01-01", "infinity", "\u0662\u0660\u0662\u0666-01-01T00:00:00Z", MOST,
)  # fmt: skip
ADDRESSES = (
    "javascript:alert(1)", "https://", "https://[::1", "https://a:99999/", "//a", "https://\u202e/", "https://a/\x00", "file:///etc/passwd",
    "https://www.tiktok.com/@a/video/" + "9" * 10_000, "http://127.0.0.1:22/", "https://user:pass@www.youtube.com/watch?v=x",
)  # fmt: skip
STRANGE = {
    "String": TEXTS, "ID": TEXTS, "Int": NUMBERS, "Float": NUMBERS, "BigInt": NUMBERS, "DateTime": (*MOMENTS, *TEXTS[:4]),
    "URL": (*ADDRESSES, *TEXTS), "Boolean": ("x", 0),
}  # fmt: skip
# How to come to a type whose fields take arguments, and what an id is where another argument is tried.
WAYS = {
    "Query": "query%s { %s }", "Mutation": "mutation%s { %s }", "Creator": 'query%s { creator(id: "{crt}") { %s } }',
    "Video": 'query%s { video(id: "{vid}") { %s } }', "ApiKey": 'query%s { apiKey(id: "{key}") { %s } }', "Usage": "query%s { usage { %s } }",
}  # fmt: skip
RIGHT = {"query": "{ viewer { mode } }"}
KNOWN = {
    "syncCreator": "crt",
    "disconnectCreator": "crt",
    "rotateApiKey": "key",
    "updateApiKey": "key",
    "revokeApiKey": "key",
}
EXPECTED = {
    "BAD_USER_INPUT", "BAD_REQUEST", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "QUERY_TOO_COMPLEX", "NOT_FOUND", "FORBIDDEN",
    "CONFLICT", "PLATFORM_ERROR", "OPERATION_RESOLUTION_FAILURE",
}  # fmt: skip


def bare(kind):
    return kind.of_type if is_non_null_type(kind) else kind


def leaves(arguments, path=()):
    """Paths to whatever takes a value that is no choice of a few: (path, type at its end)."""
    for name, argument in arguments.items():
        kind = get_named_type(argument.type)
        if is_input_object_type(kind):
            yield from leaves(kind.fields, (*path, name))
        elif not is_enum_type(kind):
            yield (*path, name), argument.type


def given(arguments, path, field, ids, value="$v"):
    """Text of the arguments: the value at the path's end, the least that is right elsewhere."""
    told = []
    for name, argument in arguments.items():
        here = bool(path) and path[0] == name
        if here or name == "mode" or is_required(argument):
            text = _text(bare(argument.type), path[1:] if here else None, (field, name), ids, value)
            told.append(f"{name}: {text}")
    return ", ".join(told)


def is_required(argument):
    return is_non_null_type(argument.type) and argument.ast_node.default_value is None


def _text(kind, path, place, ids, value):
    if path == ():
        return value
    if is_list_type(kind):
        return f"[{_text(bare(kind.of_type), path, place, ids, value)}]"
    if is_input_object_type(kind):
        return "{" + given(kind.fields, path, place[0], ids, value) + "}"
    if is_enum_type(kind):
        return "TEST" if kind.name == "KeyMode" else next(iter(kind.values))
    return json.dumps(ids.get(KNOWN.get(place[0], place[1])) or RIGHT.get(place[1], "a"))


def selection(kind, depth=1):
    """Enough of a type that it has to be read."""
    kind = get_named_type(kind)
    if is_leaf_type(kind):
        return ""
    fields = {name: one for name, one in getattr(kind, "fields", {}).items() if not one.args}
    told = [name for name, one in fields.items() if is_leaf_type(get_named_type(one.type))]
    told += [
        f"{name} {selection(one.type, depth - 1)}"
        for name, one in fields.items()
        if name not in told and depth
    ]
    return "{ " + " ".join(told or ["__typename"]) + " }"


def operation(place, leaf, ids, value="$v"):
    """The text that gives one argument a value: by variable, or as it stands in the text."""
    owner, name, path = place
    field = SCHEMA.type_map[owner].fields[name]
    asked = f"{name}({given(field.args, path, name, ids, value)}) {selection(field.type)}"
    way = WAYS[owner]
    for key, id in ids.items():
        way = way.replace("{" + key + "}", id)
    return way % (f"($v: {leaf})" if value == "$v" else "", asked)


def places():
    """Every argument, and what lies inside it: ((owner, field, path), type)."""
    for owner, kind in SCHEMA.type_map.items():
        if not owner.startswith("__") and is_object_type(kind) and owner != "Subscription":
            for name, field in kind.fields.items():
                for path, leaf in leaves(field.args):
                    yield (owner, name, path), leaf


def values(leaf):
    """What is tried for a type; in a list, too, where it is one."""
    found = STRANGE[get_named_type(leaf).name]
    return [[one] for one in found] + [[], [None], [found[0]] * 101] if is_list_type(bare(leaf)) else found


def wrong(answer):
    """What is our fault in an answer; None where nothing is."""
    codes = [error["extensions"]["code"] for error in answer.body.get("errors", ())]
    if answer.status >= 500 or not set(codes) <= EXPECTED or not (codes or answer.body["data"]):
        return answer.status, answer.raw[:300]
    return None


async def send(service, text, value=None):
    body = json.dumps({"query": text, "variables": {"v": value}})
    headers = {"X-API-Key": service.test, "Content-Type": "application/json"}
    return await service.send(data=body, headers=headers)


async def test_no_value_of_any_argument_is_our_fault(service):
    ids = await service.things(service.test)
    ids |= {"state": ids["own"]}
    await service.rest()
    tried, faults, seen = list(places()), [], set()
    assert len(tried) > 80

    async def give(place, leaf, value):
        literal = json.dumps(value, ensure_ascii=False) if get_named_type(leaf).name not in seen else None
        for text in filter(
            None, (operation(place, leaf, ids), literal and operation(place, leaf, ids, literal))
        ):
            answer = await send(service, text, value)
            if fault := wrong(answer):
                faults.append((place, repr(value)[:80], *fault))

    for place, leaf in tried:
        await asyncio.gather(*(give(place, leaf, value) for value in values(leaf)))
        seen.add(get_named_type(leaf).name)  # how a scalar is read from the text is the same everywhere
    assert faults == []


async def test_strange_events_are_refused_and_the_socket_stays(service):
    fields = SCHEMA.subscription_type.fields.items()
    tried = [(name, *leaf) for name, field in fields for leaf in leaves(field.args)]
    async with service.http.ws_connect(
        f"{service.url}/graphql", protocols=["graphql-transport-ws"], headers={"X-API-Key": service.test}
    ) as ws:
        await ws.send_json({"type": "connection_init"})
        await ws.receive_json()
        whole = [
            text for text in TEXTS if not SURROGATE.search(text)
        ]  # one alone is no JSON: the socket closes
        for (name, path, leaf), text in itertools.product(tried, whole):
            query = f"subscription($v: {leaf}) {{ {name}({path[0]}: $v) {{ __typename }} }}"
            value = [text] if is_list_type(bare(leaf)) else text
            await ws.send_json(
                {"type": "subscribe", "id": "1", "payload": {"query": query, "variables": {"v": value}}}
            )
            told = await ws.receive_json()
            assert told["type"] == "error", told
            assert told["payload"][0]["extensions"]["code"] in {"BAD_USER_INPUT", "NOT_FOUND"}, (
                query,
                text,
                told,
            )


async def test_what_is_strange_and_right_is_kept_to_the_letter_and_found_again(service):
    reference = "a & b | !c:* <-> ( '':*\\ %_ \u202e\u05d0\u05d1 \U0001f600 e\u0301"
    creator = await service.connected("sim.single", reference=reference)
    by = "query($r: String!) { creatorBy(platform: TIKTOK, reference: $r) { id reference } }"
    assert (await service.data(by, {"r": reference}))["creatorBy"] == {"id": creator, "reference": reference}
    for other in ("%", "_", reference.replace("e\u0301", "\u00e9"), reference + " ", "x" * 10_000):
        assert (await service.data(by, {"r": other}))["creatorBy"] is None
    change = """mutation($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { name } } }"""
    made = await service.key()
    wanted = {"name": "\u05d0\u05d1 \U0001f600 & | !"}
    changed = await service.data(change, {"input": {"id": f"key_{made.id.hex}", **wanted}})
    assert changed["updateApiKey"]["apiKey"] == wanted
    for number in (MOST, -MOST):
        text = f"{{ creators(filter: {{followersMin: {number}}}) {{ totalCount }} }}"
        assert (await service.data(text))["creators"]["totalCount"] == (number < 0)
    for number in (MOST + 1, -MOST - 1, f"{MOST}.5"):
        answer = await service.ask(f"{{ creators(filter: {{followersMin: {number}}}) {{ totalCount }} }}")
        assert answer.code in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}
    for moment, found in (("0001-01-01T00:00:00Z", 1), ("9999-12-31T23:59:59.999Z", 0)):
        text = f'{{ videos(filter: {{publishedAfter: "{moment}"}}) {{ totalCount }} }}'
        assert (await service.data(text))["videos"]["totalCount"] == found
