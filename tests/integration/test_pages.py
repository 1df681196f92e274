"""Pages: nothing comes twice, nothing is skipped, whichever way and order one reads, and each page is an index's."""

import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from db.session import Database
from graph.planner import reading


def _load(name: str) -> ModuleType:
    """A helper of the planner's tests: tests are no package."""
    known = f"planner_tests_{name}"
    if known not in sys.modules:
        path = Path(__file__).parents[1] / "planner" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec
        assert spec.loader
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


world = _load("world")
ENGINE = world.make_engine()
VIDEOS = 5_000
VIDEO_ORDERS = {
    "PUBLISHED_AT": "published_at", "VIEWS": "views", "LIKES": "likes", "COMMENTS": "comments", "SHARES": "shares",
    "ENGAGEMENT_RATE": "engagement",
}  # fmt: skip
CREATOR_ORDERS = {
    "CONNECTED_AT": "connected_at", "SYNCED_AT": "synced_at", "FOLLOWERS": "followers", "LIKES": "likes",
    "USERNAME": "username",
}  # fmt: skip
FILL = """
with account as (insert into accounts (name, plan) values ('a', 'pro') returning id),
many as (
  insert into creators (account_id, livemode, platform, external_id, username, followers, likes, connected_at, synced_at)
  select id, g % 2 = 0, 'TIKTOK', g, 'u' || g % 500, nullif(g % 50, 0), nullif(g % 7, 0), now() - g % 900 * interval '1 min',
         case when g % 3 > 0 then now() - g * interval '1 s' end
  from account, generate_series(1, 4000) g
),
one as (
  insert into creators (account_id, livemode, platform, external_id, username)
  select id, true, 'YOUTUBE', 'o' || g, 'owner' || g from account, generate_series(1, 2) g returning account_id, id, username
)
insert into videos (account_id, creator_id, livemode, external_id, kind, views, likes, comments, shares, published_at, gone_at, seen_in)
select account_id, id, true, 'v' || g, 'VIDEO', nullif(g % 100, 0), nullif(g % 9, 0), g % 4, 1, now() - g % 700 * interval '1 hour',
       case when g > %s then now() end, id
from one, generate_series(1, %s) g
""".replace("%s", "{}")


class Stage:
    def __init__(self, database: Database, connection: Any, account_id: Any, creator_id: Any) -> None:
        self.database, self.connection = database, connection
        self.account_id, self.creator_id = account_id, creator_id
        self.driver = world.Driver(ENGINE, connection, world.Caller(account_id))


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    writer = await database.connect(statement_timeout="60s")
    await writer.execute(FILL.format(VIDEOS // 2, VIDEOS // 2 + 100), timeout=60)
    await writer.execute("vacuum analyze creators, videos", timeout=60)
    account_id = await writer.fetchval("select id from accounts")
    creator_id = await writer.fetchval("select id from creators where username = 'owner1'")
    await writer.close()
    async with database.read() as connection:
        yield Stage(database, connection, account_id, creator_id)


PAGE = """query ($c: String) {{ videos({size}: 100, {way}: $c, orderBy: {{field: {order}, direction: {direction}}}) {{
  nodes {{ id }} pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }}"""


async def _walk(stage: Stage, order: str, direction: str, *, backward: bool) -> list[str]:
    way, size = ("before", "last") if backward else ("after", "first")
    text = PAGE.format(size=size, way=way, order=order, direction=direction)
    found: list[str] = []
    cursor, more = None, True
    while more:
        page = (await stage.driver.ask(text, {"c": cursor})).data["videos"]
        ids = [node["id"] for node in page["nodes"]]
        assert page["pageInfo"]["hasPreviousPage" if not backward else "hasNextPage"] == bool(found)
        found = [*ids, *found] if backward else [*found, *ids]
        cursor = page["pageInfo"]["startCursor" if backward else "endCursor"]
        more = page["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]
    return found


async def test_paging_through_5000_videos_skips_none_and_repeats_none_in_every_order_both_ways(
    stage: Stage,
) -> None:
    for order in VIDEO_ORDERS:
        down = await _walk(stage, order, "DESC", backward=False)
        assert len(down) == len(set(down)) == VIDEOS
        assert await _walk(stage, order, "DESC", backward=True) == down
        assert await _walk(stage, order, "ASC", backward=False) == down[::-1]


async def test_pages_by_publishing_stand_while_rows_come_and_change(stage: Stage) -> None:
    text = PAGE.format(size="first", way="after", order="PUBLISHED_AT", direction="DESC")
    writer = await stage.database.connect()
    there = {
        f"vid_{row['id'].hex}" for row in await writer.fetch("select id from videos where gone_at is null")
    }
    found: list[str] = []
    cursor, more, n = None, True, 0
    while more:
        page = (await stage.driver.ask(text, {"c": cursor})).data["videos"]
        found += [node["id"] for node in page["nodes"]]
        cursor, more, n = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"], n + 1
        await writer.execute(
            "insert into videos (account_id, creator_id, livemode, external_id, kind, published_at, seen_in) "
            "values ($1, $2, true, $3, 'VIDEO', now() - $4 * interval '13 hours', $2)",
            stage.account_id, stage.creator_id, f"new{n}", n,
        )  # fmt: skip
        await writer.execute(
            "update videos set views = views + 1, likes = likes + 5 where external_id = $1", f"v{n * 7}"
        )
    await writer.close()
    assert len(found) == len(set(found))
    assert there <= set(found)


async def test_a_cursor_leads_on_though_the_row_that_it_names_is_gone(stage: Stage) -> None:
    """In every order and both ways: it says a place, not a row."""
    writer = await stage.database.connect()
    for order in VIDEO_ORDERS:
        for way, back in (("after", "before"), ("before", "after")):
            size = "first" if way == "after" else "last"
            text = PAGE.format(size=size, way=way, order=order, direction="DESC")
            first = (await stage.driver.ask(text, {"c": None})).data["videos"]
            edge = "endCursor" if way == "after" else "startCursor"
            cursor, named = first["pageInfo"][edge], first["nodes"][-1 if way == "after" else 0]["id"]
            expected = (await stage.driver.ask(text, {"c": cursor})).data["videos"]["nodes"]
            await writer.execute("delete from videos where id = $1", UUID(named.removeprefix("vid_")))
            assert (await stage.driver.ask(text, {"c": cursor})).data["videos"]["nodes"] == expected
            text = PAGE.format(
                size="last" if way == "after" else "first", way=back, order=order, direction="DESC"
            )
            before = (await stage.driver.ask(text, {"c": cursor})).data["videos"]["nodes"]
            assert before == [node for node in first["nodes"] if node["id"] != named]
    await writer.close()


async def _plans(
    stage: Stage, text: str, variables: dict[str, Any], now: datetime = world.NOW
) -> list[dict[str, Any]]:
    """Every node of the generic plan that a statement runs by."""
    operation = ENGINE.documents.operation(text, None)
    values = operation.declared.read(variables)
    root = operation.roots(values)[0]
    prepared = reading.prepared(root, world.ROOTS[root.name], "Query")
    read = world.Caller(stage.account_id, now=now).read(values)
    plan = prepared.plan(read)
    explained = await stage.connection.fetchval(
        f"explain (analyze, format json) {plan.statement.sql}", *plan.arguments(read)
    )
    return list(_nodes(json.loads(explained)[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Any:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


async def test_below_the_row_that_only_tells_of_a_next_page_nothing_is_read(stage: Stage) -> None:
    inner = "videos(first: 1) { nodes { id } totalCount }"
    for page in ("first: 2", "last: 2"):
        nodes = await _plans(stage, f"{{ creators({page}) {{ nodes {{ {inner} }} }} }}", {})
        found = next(node for node in nodes if node.get("Relation Name") == "creators")
        assert found["Actual Rows"] == 3
        looked = [node["Actual Loops"] for node in nodes if node.get("Relation Name") == "videos"]
        assert looked == [2, 2]


async def _far(stage: Stage, root: str, ordered: str) -> str:
    text = f"query ($c: String) {{ {root}(first: 100, after: $c, {ordered}) {{ pageInfo {{ endCursor }} }} }}"
    cursor = None
    for _ in range(10):
        cursor = (await stage.driver.ask(text, {"c": cursor})).data[root]["pageInfo"]["endCursor"]
    assert cursor
    return str(cursor)


def _assert_by_index(nodes: list[dict[str, Any]], index: str) -> None:
    used = [node for node in nodes if node.get("Index Name") == index]
    assert used, [node.get("Index Name") or node["Node Type"] for node in nodes]
    sorts = [node for node in nodes if "Sort" in node["Node Type"]]
    for node in used + sorts:
        read = node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
        assert read <= 102, "more rows were read than a page needs"


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_each_order_reads_its_index_and_no_more_than_a_page_at_the_front_and_far_in(
    stage: Stage, direction: str
) -> None:
    for root, orders, index in (
        ("creators", CREATOR_ORDERS, "ix_creators_{}"),
        ("videos", VIDEO_ORDERS, "ix_videos_account_{}"),
    ):
        for order, name in orders.items():
            ordered = f"orderBy: {{field: {order}, direction: {direction}}}"
            cursor = await _far(stage, root, ordered)
            for given in (
                f"first: 50, {ordered}",
                f"last: 50, {ordered}",
                f"first: 50, after: $c, {ordered}",
                f"last: 50, before: $c, {ordered}",
            ):
                text = f"query ($c: String) {{ __typename {root}({given}) {{ nodes {{ id }} }} }}".replace(
                    "__typename ", ""
                )
                if "$c" not in given:
                    text = text.replace("query ($c: String) ", "")
                _assert_by_index(
                    await _plans(stage, text, {"c": cursor} if "$c" in given else {}), index.format(name)
                )


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_each_order_of_a_creators_videos_reads_its_index_and_no_more_than_a_page(
    stage: Stage, direction: str
) -> None:
    who = 'filter: {username: ["owner1"]}, first: 1, orderBy: {field: CONNECTED_AT, direction: DESC}'
    for order, name in VIDEO_ORDERS.items():
        page = f"orderBy: {{field: {order}, direction: {direction}}}"
        first = f"{{ creators({who}) {{ nodes {{ videos(first: 100, {page}) {{ pageInfo {{ endCursor }} nodes {{ id }} }} }} }} }}"
        cursor = (await stage.driver.ask(first)).data["creators"]["nodes"][0]["videos"]["pageInfo"][
            "endCursor"
        ]
        for given in (
            f"first: 50, {page}",
            f"last: 50, {page}",
            f'first: 50, after: "{cursor}", {page}',
            f'last: 50, before: "{cursor}", {page}',
        ):
            nodes = await _plans(
                stage, f"{{ creators({who}) {{ nodes {{ videos({given}) {{ nodes {{ id }} }} }} }} }}", {}
            )
            _assert_by_index(nodes, f"ix_videos_creator_{name}")


async def test_a_videos_history_is_read_by_its_key(stage: Stage) -> None:
    writer = await stage.database.connect(statement_timeout="60s")
    await writer.execute(
        "insert into video_stats select account_id, creator_id, id, date_trunc('hour', now()), true, 1, 2, 3, 4 from videos"
    )
    await writer.execute("analyze video_stats")
    await writer.close()
    nodes = await _plans(
        stage, "{ videos(first: 5) { nodes { history { at views } } } }", {}, datetime.now(UTC)
    )
    scans = [node for node in nodes if "video_stats" in node.get("Index Name", "")]
    assert scans
    assert all("creator_id" in node["Index Cond"] and "video_id" in node["Index Cond"] for node in scans)


# -- statements


async def test_a_nested_read_is_one_statement_for_one_creator_or_a_hundred(stage: Stage) -> None:
    seen: list[str] = []
    with stage.connection.query_logger(lambda record: seen.append(record.query)):
        for first in (1, 100):
            text = f"{{ creators(first: {first}) {{ nodes {{ grant {{ status }} videos(first: 5) {{ nodes {{ id creator {{ syncs {{ nodes {{ id }} }} }} }} totalCount }} }} }} }}"
            await stage.driver.ask(text)  # asyncpg looks types up once a connection
            seen.clear()
            asked = await stage.driver.ask(text)
            assert len(asked.data["creators"]["nodes"]) == first
            assert len(seen) == 1


async def test_nodes_are_one_statement_a_type_present(stage: Stage) -> None:
    rows = await stage.connection.fetch(
        "(select 'vid_' p, id from videos limit 3) union all (select 'crt_', id from creators limit 3)"
    )
    wanted = [row["p"] + row["id"].hex for row in rows]
    seen: list[str] = []
    with stage.connection.query_logger(lambda record: seen.append(record.query)):
        text = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Creator { videos { totalCount } } ... on Video { title } } }"
        await stage.driver.ask(text, {"ids": wanted})  # asyncpg looks types up once a connection
        seen.clear()
        await stage.driver.ask(text, {"ids": wanted})
        assert len(seen) == 2
        await stage.driver.ask(text, {"ids": wanted[:3]})
        assert len(seen) == 3


# -- prices


async def test_what_full_pages_cost_is_what_was_quoted(stage: Stage) -> None:
    asked = await stage.driver.ask("""{
      videos(first: 100) { nodes { creator { id } } edges { cursor } }
      creators(first: 2, filter: {username: ["owner1", "owner2"]}) {
        edges { cursor a: node { id } b: node { videos(first: 50) { edges { cursor } nodes { a: creator { id } b: creator { id } } } } }
        nodes { videos(last: 30) { edges { a: node { id } b: node { id } } } }
      }
    }""")
    assert asked.delivered.total == sum(line.thousandths for line in asked.quote.lines) == 358_000
    assert asked.quote.max == 358
