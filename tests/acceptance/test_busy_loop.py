"""Nothing that a client may send keeps the loop busy for long in one go: others' requests wait for it.

What is measured is the time of a core that the loop's own thread takes between two turns of others, in which neither
other processes count nor the client, which runs in a thread. What is over the limit is tried again, and judged by how
fast the core is just then: only what is over it each time fails.
"""

import asyncio
import contextlib
import gc
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from graphql import get_introspection_query, parse

import resolvers
from db import partitions
from db.session import raw
from graph import limits, quote
from server import processes, roomy
from services import errors
from tests.acceptance import wild

BUSY, TRIES = 0.1, 4
WILD = 50
USUAL = 0.042  # what the measure takes on the machine on which limits were set
MEASURE = "{ a { b c(d: [1, 2, 3]) { e ...F } } }" * 40
VIEWER = "{ viewer { mode } }"
TEN = "id title description url views likes comments shares kind publishedAt"
FILL = """
with many as (
  insert into creators (account_id, livemode, platform, external_id, username)
  select $1, false, 'TIKTOK', 'm' || g, 'many' || g from generate_series(1, 100) g returning id
)
insert into videos (account_id, creator_id, livemode, external_id, kind, title, views, likes, published_at, seen_in)
select $1, id, false, 'v' || g, 'VIDEO', 'a title', g, g, now() - g * interval '1 hour', id
from many, generate_series(1, 100) g
"""
HISTORY_HOURS = 400
HISTORY = """
insert into video_stats (account_id, creator_id, video_id, at, livemode, views, likes)
select account_id, creator_id, id, date_trunc('hour', now()) - h * interval '1 hour', false, h, h
from videos, generate_series(0, $2::int) h where account_id = $1 and external_id = 'v1'
"""
MORE_VIDEOS = """
insert into videos (account_id, creator_id, livemode, external_id, kind, title, views, likes, published_at, seen_in)
select $1, id, false, 'v' || g, 'VIDEO', 'a title', g, g, now() - g * interval '1 hour', id
from creators, generate_series(1, 100) g where account_id = $1
"""


# -- the measure


@contextlib.asynccontextmanager
async def lag():
    """The longest time the loop's thread worked between two turns while the block ran, in seconds of a core."""
    worst, over = [0.0], False

    async def probe():
        while not over:
            before = time.thread_time()
            await asyncio.sleep(0)
            worst[0] = max(worst[0], time.thread_time() - before)

    task = asyncio.create_task(probe())
    await asyncio.sleep(0)
    worst[0] = 0.0
    try:
        yield worst
    finally:
        over = True
        await task


def slowness():
    """How many times longer than usual the core takes for something just now; 1 at least."""
    before = time.thread_time()
    for _ in range(10):
        parse(MEASURE)
    return max(1.0, (time.thread_time() - before) / USUAL)


async def least_lag(give):
    """The shortest lag of a few tries: others on this machine make one longer, and never shorter."""
    lags = []
    for attempt in range(TRIES):
        async with lag() as worst:
            await give(attempt)
        lags.append(worst[0] if worst[0] < BUSY else worst[0] / slowness())
        if lags[-1] < BUSY:
            break
    return min(lags)


@pytest.fixture
def as_served(service, monkeypatch):
    """As in a process of the service: the tests' own objects are no load, and calls have room wherever they are."""
    before, run = gc.get_threshold(), asyncio.Handle._run
    monkeypatch.setattr(asyncio.Handle, "_run", lambda handle: roomy.run(run, handle))
    processes.keep_what_stands()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


async def asked(service, text, variables=None, **headers):
    """The status and the body of an answer, which a thread waits for."""
    body = json.dumps({"query": text, "variables": variables or {}}).encode()
    given = {"X-API-Key": service.test, "Content-Type": "application/json", **headers}
    request = urllib.request.Request(f"{service.url}/graphql", body, given)

    def send():
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()

    return await asyncio.to_thread(send)


async def over(cases, service, *, statuses=(200, 400), **headers):
    """The cases that keep the loop busy for too long, with their seconds. A case: its document and its variables."""
    found = {}
    for name, text, variables in cases:

        async def give(attempt, name=name, text=text, variables=variables):
            new = f"{text} #{attempt}"  # none that is kept from the last time
            assert len(new) <= limits.DOCUMENT_BYTES, name
            status, body = await asked(service, new, variables, **headers)
            assert status in statuses, (name, body)
            assert b"INTERNAL" not in body, (name, body)
            if statuses == (200,):
                assert b'"errors":[' not in body, (name, body)

        seconds = await least_lag(give)
        if seconds >= BUSY:
            found[name] = seconds
    return found


# -- new documents


def aliased(count, field):
    return "".join(f"a{n}:{field}" for n in range(count))


def introspected(of_types):
    return "{" + aliased(10, "__schema{...S}") + "}fragment S on __Schema{types{" + of_types + "}}"


def under_aliases(of_creators):
    return f"{{creators(first:1){{{aliased(90, 'nodes{...F}')}}}}}fragment F on Creator{{{of_creators}}}"


def side_by_side(count):
    """Not told valid at a glance: each field has arguments, and they merge."""
    fragments = "".join(f"fragment f{n} on Creator{{id videos(first:1){{totalCount}}}}" for n in range(count))
    return "{creators{nodes{" + "".join(f"...f{n} " for n in range(count)) + "}}}" + fragments


def worst_documents():
    fragments = " ".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(60))
    yield "fragments twice each", f"{{ ...f0 }} {fragments} fragment f60 on Query {{ __typename }}"
    cycle = " ".join(f"fragment f{n} on Query {{ ...f{(n + 1) % 300} }}" for n in range(300))
    yield "a circle of fragments", f"{{ ...f0 }} {cycle}"
    yield "one field again and again", "{ " + "plans { name } " * 480 + "}"
    yield "aliases", "{ " + " ".join(f"a{n}: __typename" for n in range(900)) + " }"
    yield "deep", "{ a" * 900 + " }" * 900
    yield "deep list value", "{ plans(a: " + "[" * 900 + "]" * 900 + ") { name } }"
    yield "directives", "{ viewer " + "@include(if: true) " * 280 + "{ mode } }"
    yield "variables", "query(" + " ".join(f"$v{n}: Int" for n in range(600)) + ") { viewer { mode } }"
    yield "unknown fields", "{ " + " ".join(f"nothing{n}" for n in range(900)) + " }"
    yield "operations", " ".join(f"query q{n} {{ viewer {{ mode }} }}" for n in range(300))
    yield (
        "conflicts",
        "{ " + " ".join(f"x: creators(first: {n + 1}) {{ totalCount }}" for n in range(99)) + " }",
    )
    yield "a long text", '{ creators(filter: {search: "' + "a" * 31_000 + '"}) { totalCount } }'
    yield "a long number", "{ creators(first: " + "9" * 30_000 + ") { totalCount } }"
    yield "comments", "#" + "x" * 32_000
    yield from (
        ("introspection under aliases", introspected("fields{type{fields{args{name}}}}")),
        ("introspection of types of types", introspected("fields{type{ofType{ofType{fields{type{name}}}}}}")),
        (
            "the largest usual introspection",
            get_introspection_query(input_value_deprecation=True, one_of=True),
        ),
        ("introspection at its limit", "{__schema{types{" + aliased(12, "fields{name}") + "}}}"),
    )
    for values in (1_000, 100):
        yield (
            f"a list of {values} under aliases",
            under_aliases(f"videos(first:1,filter:{{platform:[{'TIKTOK ' * values}]}}){{totalCount}}"),
        )
    yield "directives under aliases", under_aliases("id@include(if:true)" * 10)
    for count in (limits.FRAGMENTS, 150):
        yield f"{count} fragments side by side", side_by_side(count)
    spread = [" ".join(f"...f{m}" for m in range(n + 1, min(60, n + 3) + 1)) for n in range(60)]
    mesh = "".join(f"fragment f{n} on Creator{{id {below}}}" for n, below in enumerate(spread))
    yield "a mesh of fragments", f"{{creators{{nodes{{...f0}}}}}}{mesh}fragment f60 on Creator{{id}}"
    yield (
        "nested pages",
        "{ creators(first: 100) { nodes { videos(first: 100) { nodes { creator { id } } } } } }",
    )


async def test_no_document_keeps_the_loop_busy(service, as_served):
    await service.ask(VIEWER)
    assert await over(((name, text, None) for name, text in worst_documents()), service) == {}


@pytest.mark.compiled
async def test_no_document_of_a_seed_keeps_the_loop_busy(filled, as_served):
    cases = ((seed, wild.Document(seed).text(), None) for seed in range(WILD))
    assert await over(cases, filled, statuses=(200, 400, 403)) == {}


def test_documents_of_seeds_are_of_all_sorts():
    """Valid and run, or refused by one of several limits: else they would prove little."""
    engine, codes = resolvers.engine(), set()
    for seed in range(WILD):
        try:
            operation = engine.documents.operation(wild.Document(seed).text(), None)
            quote.of(engine.policy, operation, operation.read({}))
            codes.add(operation.kind)
        except errors.ServiceError as refusal:
            codes.add(getattr(refusal, "document_code", refusal.code))
    assert codes >= {"query", "mutation", "QUERY_TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED"}, codes


# -- what is not a document


async def test_no_body_and_no_message_keeps_the_loop_busy(service, as_served):
    bodies = (
        b"[" * 262_000, b'{"a":' * 50_000, b'{"query":"' + b"x" * 262_000 + b'"}', b"9" * 262_000, b'"\\u0041' * 40_000,
        json.dumps({"query": VIEWER, "variables": {str(n): n for n in range(15_000)}}).encode(),
        json.dumps({"query": "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", "variables": {"ids": ["x"] * 40_000}}).encode(),
    )  # fmt: skip
    headers = {"X-API-Key": service.test, "Content-Type": "application/json"}
    for body in bodies:

        async def send(_, body=body):
            answer = await service.send(data=body, headers=headers)
            assert answer.status in {200, 400, 413}, body[:20]

        assert await least_lag(send) < BUSY, body[:20]
    for text in ("[" * 60_000, '{"a":' * 10_000, "9" * 60_000, '"' + "\\u0041" * 10_000):

        async def say(_, text=text):
            async with service.http.ws_connect(
                f"{service.url}/graphql",
                protocols=["graphql-transport-ws"],
                headers={"X-API-Key": service.test},
            ) as ws:
                await ws.send_str(text)
                assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE

        assert await least_lag(say) < BUSY, text[:20]


async def test_no_variables_keep_the_loop_busy(service, as_served):
    many = "query($ids: [ID!]!, $p: [Platform!]) { nodes(ids: $ids) { id } creators(filter: {platform: $p}) { totalCount } }"
    cases = [
        ("ids", many, {"ids": ["crt_" + "0" * 32] * 4_900, "p": []}),
        ("platforms", many, {"ids": [], "p": ["TIKTOK"] * 4_900}),
        ("wrong ones", many, {"ids": [], "p": ["NOTHING"] * 4_900}),
        (
            "nobody's",
            "query($a: Int) { creators(first: $a) { totalCount } }",
            {str(n): n for n in range(15_000)},
        ),
    ]
    assert await over(cases, service) == {}


async def test_prices_of_ten_documents_do_not_keep_the_loop_busy(service, as_served):
    await service.ask(VIEWER)
    names = [f"q{n}" for n in range(10)]
    declared = " ".join(f"${name}: String!" for name in names)
    told = " ".join(
        f"{name}: price(query: ${name}) {{ max fields {{ path count credits }} }}" for name in names
    )
    each = under_aliases("videos(first:1,filter:{platform:[TIKTOK]}){totalCount}") + " #"

    async def give(attempt):
        documents = {name: f"{each} {name} {attempt}" for name in names}
        _, body = await asked(service, f"query ({declared}) {{ {told} }}", documents)
        assert [price["max"] for price in json.loads(body)["data"].values()] == [90] * 10

    assert await least_lag(give) < BUSY


async def test_many_new_documents_at_once_over_a_socket_do_not_keep_the_loop_busy(service, as_served):
    each = under_aliases("videos(first:1,filter:{platform:[TIKTOK]}){totalCount}")

    async def give(attempt):
        async with service.http.ws_connect(
            f"{service.url}/graphql",
            protocols=["graphql-transport-ws"],
            headers={"X-API-Key": service.test},
        ) as ws:
            await ws.send_json({"type": "connection_init"})
            assert (await ws.receive_json())["type"] == "connection_ack"
            for n in range(25):
                text = f"{each} # {n} {attempt}"
                await ws.send_json({"type": "subscribe", "id": str(n), "payload": {"query": text}})
            left = 25
            while left:
                left -= (await ws.receive_json())["type"] == "complete"

    assert await least_lag(give) < BUSY


# -- large answers


@pytest.fixture
async def filled(service):
    """A hundred creators of a hundred videos each, one of them with a long history."""
    async with service.database.write() as session:
        await partitions.ensure(session, datetime.now(UTC) - timedelta(hours=HISTORY_HOURS))
        connection = await raw(session)
        await connection.execute(FILL, service.account.id)
        await connection.execute(HISTORY, service.account.id, HISTORY_HOURS)
    await service.execute("analyze creators, videos, video_stats")
    return service


def midnight(days):
    """So many days ago."""
    return time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - days * 86_400))


def large_reads():
    objects = "creators(first: 100) {{ nodes {{ videos(first: 100) {{ nodes {{ {} }} }} }} }}"
    for beside in (
        "",
        "viewer { mode }",
        "__schema { queryType { name } }",
        "credits { remaining }",
        'price(query: "{plans{name}}") { max }',
    ):
        yield f"10,000 videos beside {beside}", f"{{ {beside} {objects.format(TEN)} }}", None
    yield "10,000 videos of 90 instants", f"{{ {objects.format(aliased(90, 'publishedAt '))} }}", None
    history = f'history(from: "{midnight(15)}", granularity: HOUR) {{ at views likes }}'
    yield (
        "100 long histories",
        f"{{ creators(first: 100) {{ nodes {{ videos(first: 1) {{ nodes {{ {history} }} }} }} }} }}",
        None,
    )


@pytest.mark.compiled
async def test_no_large_read_keeps_the_loop_busy(filled, as_served):
    assert await over(large_reads(), filled, statuses=(200,)) == {}


@pytest.mark.compiled
async def test_no_large_read_beside_a_root_that_fails_keeps_the_loop_busy(filled, as_served):
    for failing in ('creator(id: "x") { id }', "creatorBy(platform: TIKTOK) { id }"):
        text = f"{{ {failing} creators(first: 100) {{ nodes {{ videos(first: 100) {{ nodes {{ {TEN} }} }} }} }} }}"
        assert await over([(failing, text, None)], filled) == {}


async def test_no_payload_and_no_event_keeps_the_loop_busy(service, as_served):
    things = await service.things(service.test)
    await service.execute(MORE_VIDEOS, service.account.id)
    creator = f"creator {{ videos(first: 100) {{ nodes {{ {aliased(85, 'publishedAt ')} {TEN} }} }} }}"
    buckets = f"buckets(granularity: HOUR) {{ at credits errors {aliased(8, 'requests ')} }}"
    usage = f'usage(from: "{midnight(33)}", to: "{midnight(0)}") {{ {buckets} }}'
    cases = [
        ("a root", f"query($state: String!) {{ connectAttempt(state: $state) {{ {creator} }} }}", things),
        (
            "a mutation",
            f'mutation($key: ID!) {{ updateApiKey(input: {{id: $key, name: "n"}}) {{ apiKey {{ {usage} }} }} }}',
            things,
        ),
    ]
    cases = [
        (name, text, {n: v for n, v in given.items() if f"${n}:" in text}) for name, text, given in cases
    ]
    assert await over(cases, service, statuses=(200,)) == {}
    event = [
        (
            "an event",
            f"subscription($syn: ID!) {{ syncProgress(id: $syn) {{ {creator} }} }}",
            {"syn": things["syn"]},
        )
    ]
    assert await over(event, service, statuses=(200,), Accept="text/event-stream") == {}
