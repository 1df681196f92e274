"""The Python client gql with each of its transports: python gql_client.py '{"url", "key", "creator"}'. Prints one JSON."""

import asyncio
import contextlib
import json
import sys
import traceback

from gql import Client, GraphQLRequest, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLError

FACTS = json.loads(sys.argv[1])
URL, KEY, CREATOR = FACTS["url"], FACTS["key"], FACTS["creator"]
SOCKET = URL.replace("http", "ws")
HEADERS = {"X-API-Key": KEY}
VIEWER = "{ viewer { mode } }"
NESTED = """query($id: ID!) { creator(id: $id) { username platform syncedAt
  videos(first: 5) { totalCount nodes { title views publishedAt kind } } } }"""
SYNC = "mutation($id: ID!) { syncCreator(input: {id: $id}) { sync { id } } }"
PROGRESS = "subscription($id: ID!) { syncProgress(id: $id) { id status } }"
CHANGED = "subscription($ids: [ID!]) { creatorUpdated(ids: $ids) { id syncedAt } }"


def asked(query, **variables):
    return GraphQLRequest(gql(query).document, variable_values=variables)


@contextlib.contextmanager
def refused(told, *kinds):
    """The block fails in such a way, and says so."""
    try:
        yield
    except kinds as error:
        said = f"{error} {getattr(error, 'errors', '')} {getattr(error, 'code', '')} {error.__cause__}"
        if told not in said:
            raise
    else:
        raise AssertionError(f"not refused: {told}")


def http(**more):
    return Client(transport=AIOHTTPTransport(URL, headers=HEADERS), **more)


async def queries_and_mutations_over_http():
    async with http() as session:
        found = await session.execute(asked(NESTED, id=CREATOR))
        assert len(found["creator"]["videos"]["nodes"]) == 5
        assert (await session.execute(asked(SYNC, id=CREATOR)))["syncCreator"]["sync"]["id"]


async def the_schema_by_introspection_and_operations_checked_against_it():
    async with http(fetch_schema_from_transport=True) as session:
        assert (await session.execute(asked(VIEWER)))["viewer"]["mode"] == "TEST"
        with refused("Cannot query field", GraphQLError):
            await session.execute(asked("{ nothing }"))


async def values_parsed_by_the_types_of_the_schema():
    async with http(fetch_schema_from_transport=True, parse_results=True) as session:
        found = await session.execute(asked(NESTED, id=CREATOR))
        assert found["creator"]["platform"] == "TIKTOK"


async def refusals_come_with_codes():
    async with http() as session:
        with refused("GRAPHQL_VALIDATION_FAILED", TransportQueryError):
            await session.execute(asked("{ nothing }"))
    async with Client(transport=AIOHTTPTransport(URL)) as session:
        with refused("UNAUTHENTICATED", TransportQueryError):
            await session.execute(asked(VIEWER))


async def _over_a_socket(transport):
    async with Client(transport=transport) as session:
        assert (await session.execute(asked(VIEWER)))["viewer"]["mode"] == "TEST"
        sync = (await session.execute(asked(SYNC, id=CREATOR)))["syncCreator"]["sync"]["id"]
        states = [
            event["syncProgress"]["status"] async for event in session.subscribe(asked(PROGRESS, id=sync))
        ]
        assert states[-1] == "SUCCEEDED", states
        seen = 0
        async for event in session.subscribe(asked(CHANGED, ids=[CREATOR])):
            assert event["creatorUpdated"]["id"] == CREATOR
            seen += 1
            if seen == 2:
                break
            await session.execute(asked(SYNC, id=CREATOR))
        with refused("GRAPHQL_VALIDATION_FAILED", TransportQueryError):
            await session.execute(asked("{ nothing }"))


async def everything_over_websockets():
    await _over_a_socket(WebsocketsTransport(SOCKET, init_payload={"apiKey": KEY}))


async def everything_over_websockets_pinged_by_the_client():
    await _over_a_socket(WebsocketsTransport(SOCKET, headers=HEADERS, ping_interval=0.05, pong_timeout=5))


async def everything_over_the_websockets_of_aiohttp():
    await _over_a_socket(AIOHTTPWebsocketsTransport(SOCKET, init_payload={"Authorization": f"Bearer {KEY}"}))


async def a_wrong_key_over_a_socket_is_told():
    transport = WebsocketsTransport(SOCKET, init_payload={"apiKey": "wrong"})
    with refused("4403", TransportConnectionFailed):
        async with Client(transport=transport) as session:
            await session.execute(asked(VIEWER))


async def main():
    results = []
    for check in (
        queries_and_mutations_over_http, the_schema_by_introspection_and_operations_checked_against_it,
        values_parsed_by_the_types_of_the_schema, refusals_come_with_codes, everything_over_websockets,
        everything_over_websockets_pinged_by_the_client, everything_over_the_websockets_of_aiohttp, a_wrong_key_over_a_socket_is_told,
    ):  # fmt: skip
        result = {"name": check.__name__.replace("_", " "), "status": "ok"}
        try:
            async with asyncio.timeout(30):
                await check()
        except Exception:  # noqa: BLE001 -- told, whatever it is
            result |= {"status": "failed", "reason": traceback.format_exc()[-2000:]}
        results.append(result)
    sys.stdout.write(json.dumps(results))


asyncio.run(main())
