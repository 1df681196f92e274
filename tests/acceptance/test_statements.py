"""How often the database is asked: one statement reads, one settles, for one creator or for many."""

import contextlib

import asyncpg
import pytest

NESTED = """{ creators(first: 20) { edges { cursor node { username platform stats { followers likes videoCount }
  videos(first: 10) { edges { cursor node { title views likes comments shares duration publishedAt } }
  pageInfo { hasNextPage endCursor } } } } pageInfo { hasNextPage endCursor } totalCount } }"""
DEEP = """{ creators { nodes { id history { at } syncs { nodes { id } } grant { status }
  videos { nodes { id creator { username videos(first: 2) { nodes { id } } } } totalCount } } } }"""
# What runs beside requests: the listener's probe, and keys asked for anew: after ten seconds, or at a hint.
BESIDE = ("LISTEN", "select 1")
KEYS = "key_lookups"


@pytest.fixture
def heard(monkeypatch):
    """Every statement any connection of this process sends, as long as the block lasts."""
    told: list[str] = []
    connected = asyncpg.connection.Connection.__init__

    def listening(connection, *arguments, **more):
        connected(connection, *arguments, **more)
        connection.add_query_logger(lambda record: told.append(record.query))

    execute = asyncpg.prepared_stmt.PreparedStatement._PreparedStatement__do_execute

    async def executing(statement, executor):  # those are not told to query loggers
        told.append(statement.get_query())
        return await execute(statement, executor)

    monkeypatch.setattr(asyncpg.connection.Connection, "__init__", listening)
    monkeypatch.setattr(asyncpg.prepared_stmt.PreparedStatement, "_PreparedStatement__do_execute", executing)

    @contextlib.contextmanager
    def hearing():
        told.clear()
        found: list[str] = []
        yield found
        found += [text for text in told if not text.strip().startswith(BESIDE) and KEYS not in text]

    return hearing


async def test_a_nested_read_is_one_statement_and_one_settlement_however_many_creators(heard, service):
    for secret in (service.live, service.test):
        counts = []
        for username in ("sim.single", "sim.twenty", "sim.quiet"):
            await service.connected(username, key=secret)
            await service.idle()
            await service.rest()
            for query in (NESTED, DEEP):
                assert (await service.ask(query, key=secret)).status == 200  # warm: key and plan
                with heard() as statements:
                    answer = await service.ask(query, key=secret)
                assert "errors" not in answer.body
                counts.append(len(statements))
                assert sum("usage_events" in text for text in statements) == 1
        assert counts == [2] * 6, statements


async def test_nodes_ask_once_a_type_and_refusals_ask_little(heard, service):
    things = await service.things(service.test)
    await service.idle()
    await service.rest()
    nodes = (
        "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Creator { username } ... on Video { title } } }"
    )
    ids = {"ids": [things["crt"], things["vid"], things["syn"]]}
    await service.ask(nodes, ids)
    with heard() as statements:
        assert (await service.ask(nodes, ids)).status == 200
    assert len(statements) == 3 + 1
    with heard() as statements:
        assert (await service.ask("{ viewer { keyName } }", key="sk_test_nonsense")).status == 401
    assert statements == []


async def test_an_id_that_is_asked_for_again_is_not_read_again(heard, service):
    things = await service.things(service.test)
    await service.idle()
    await service.rest()
    nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    await service.ask(nodes, {"ids": [things["crt"]] * 100})
    with heard() as statements:
        assert (await service.ask(nodes, {"ids": [things["crt"]] * 100})).status == 200
    assert len(statements) == 2
