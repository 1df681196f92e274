"""Cursors: PostgreSQL makes the bytes that `pagination.decode` reads, and no other text passes."""

import base64
import importlib.util
import struct
import sys
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.session import Database
from graph import pagination
from services import errors


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


world, data, oracle = (_load(name) for name in ("world", "data", "oracle"))
ENGINE = world.make_engine()
CREATOR_ORDERS = ("CONNECTED_AT", "SYNCED_AT", "FOLLOWERS", "LIKES", "USERNAME")
VIDEO_ORDERS = ("PUBLISHED_AT", "VIEWS", "LIKES", "COMMENTS", "SHARES", "ENGAGEMENT_RATE")
ACCOUNT = UUID(int=7)
SEED = pagination.seed(ACCOUNT, True, "Query.creators LIKES")
PACKED = {"instant": ">q", "int": ">q", "float": ">d"}


class Stage:
    def __init__(self, connection: Any, maker: Any, accounts: list[Any]) -> None:
        self.connection, self.maker, self.accounts = connection, maker, accounts

    def driver(self, account: int = 0, *, livemode: bool = True) -> Any:
        return world.Driver(ENGINE, self.connection, world.Caller(self.accounts[account], livemode))


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    maker = data.Maker(11)
    accounts = [maker.account(f"account{n}", creators=8) for n in range(2)]
    mine = [row for row in maker.rows["creators"] if row["account_id"] == accounts[0] and row["livemode"]]
    for n, row in enumerate(mine[:4]):
        row["username"] = ("𝕏" * 600, "ж" * 1_300, "é" * 33, "\u202eabc")[n]
    mine[5]["synced_at"] = mine[5]["followers"] = None
    writer = await database.connect()
    await data.write(writer, maker.rows)
    await writer.close()
    async with database.read() as connection:
        yield Stage(connection, maker, accounts)


async def _refused(driver: Any, text: str, cursor: str) -> errors.BadUserInput:
    with pytest.raises(errors.BadUserInput) as caught:
        await driver.ask(text, {"c": cursor})
    return caught.value


@pytest.mark.parametrize("order", CREATOR_ORDERS)
async def test_cursors_of_creators_are_the_bytes_the_contract_says(stage: Stage, order: str) -> None:
    text = f"{{ creators(first: 100, orderBy: {{field: {order}}}) {{ edges {{ cursor node {{ id }} }} }} }}"
    edges = (await stage.driver().ask(text)).data["creators"]["edges"]
    rows = {f"crt_{row['id'].hex}": row for row in stage.maker.rows["creators"]}
    kind = {"USERNAME": "text", "CONNECTED_AT": "instant", "SYNCED_AT": "instant"}.get(order, "int")
    assert len(edges) == 8
    for edge in edges:
        row = rows[edge["node"]["id"]]
        assert edge["cursor"] == oracle.cursor(stage.accounts[0], True, "Query.creators", order, row)
        seed = pagination.seed(stage.accounts[0], True, f"Query.creators {order}")
        place = pagination.decode(edge["cursor"], kind, seed, "after")
        value = oracle.order_value(order, row)
        assert place == pagination.Position(value.decode() if kind == "text" else value, row["id"])


@pytest.mark.parametrize("order", CREATOR_ORDERS)
async def test_every_cursor_leads_on_to_the_next_entry_also_where_the_value_is_null(
    stage: Stage, order: str
) -> None:
    ordered = f"orderBy: {{field: {order}, direction: ASC}}"
    text = f"query ($c: String) {{ creators(first: 1, after: $c, {ordered}) {{ edges {{ cursor node {{ id }} }} }} }}"
    whole = f"{{ creators(first: 100, {ordered}) {{ nodes {{ id }} }} }}"
    expected = [node["id"] for node in (await stage.driver().ask(whole)).data["creators"]["nodes"]]
    cursor, found = None, []
    while edges := (await stage.driver().ask(text, {"c": cursor})).data["creators"]["edges"]:
        found.append(edges[0]["node"]["id"])
        cursor = edges[0]["cursor"]
    assert found == expected


@pytest.mark.parametrize("order", VIDEO_ORDERS)
async def test_cursors_of_videos_are_the_bytes_the_contract_says(stage: Stage, order: str) -> None:
    body = f"(first: 100, orderBy: {{field: {order}}}) {{ edges {{ cursor node {{ id }} }} }}"
    asked = await stage.driver().ask(f"{{ videos{body} creators {{ nodes {{ videos{body} }} }} }}")
    rows = {f"vid_{row['id'].hex}": dict(row) for row in stage.maker.rows["videos"]}
    for row in rows.values():
        counts = [row[name] for name in ("likes", "comments", "shares")]
        row["engagement_rate"] = (
            float(sum(counts)) / float(row["views"]) if row["views"] and None not in counts else None
        )
    nested = [edge for node in asked.data["creators"]["nodes"] for edge in node["videos"]["edges"]]
    places = (("Query.videos", asked.data["videos"]["edges"]), ("Creator.videos", nested))
    for coordinate, edges in places:
        assert edges
        for edge in edges:
            row = rows[edge["node"]["id"]]
            assert edge["cursor"] == oracle.cursor(stage.accounts[0], True, coordinate, order, row)


async def test_a_cursor_of_another_list_order_account_or_mode_is_refused(stage: Stage) -> None:
    mine = "{ creators(first: 1) { nodes { videos(first: 1) { edges { cursor } } } edges { cursor } } videos(first: 1) { edges { cursor } } }"
    answer = (await stage.driver().ask(mine)).data
    creators = answer["creators"]["edges"][0]["cursor"]
    videos = answer["videos"]["edges"][0]["cursor"]
    use = "query ($c: String) { creators(after: $c) { nodes { id } } }"
    assert (await stage.driver().ask(use, {"c": creators})).data
    refused = [
        await _refused(stage.driver(), use, videos),
        await _refused(
            stage.driver(), "query ($c: String) { videos(before: $c) { nodes { id } } }", creators
        ),
        await _refused(
            stage.driver(),
            "query ($c: String) { creators { nodes { videos(after: $c) { nodes { id } } } } }",
            videos,
        ),
        await _refused(
            stage.driver(), use.replace("after: $c", "after: $c, orderBy: {field: SYNCED_AT}"), creators
        ),
        await _refused(stage.driver(1), use, creators),
        await _refused(stage.driver(livemode=False), use, creators),
    ]
    assert {error.code for error in refused} == {"BAD_USER_INPUT"}
    assert [error.extra["argument"] for error in refused[:2]] == ["after", "before"]


@pytest.mark.parametrize(
    "text", ["", "=", "AAAA", "é", "\x00", "null", "A" * 5_000, "AAAA====", " " * 36, "\ud800", "-_" * 18]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    for kind in ("instant", "int", "float", "text"):
        with pytest.raises(errors.BadUserInput):
            pagination.decode(text, kind, SEED, "after")


def _encoded(body: bytes) -> str:
    return base64.b64encode(body + (zlib.crc32(body) ^ SEED).to_bytes(4, "big")[1:]).decode()


MOMENTS = st.integers(-63_082_281_600_000_000, 252_455_615_999_999_999) | st.just(-(2**63))
PLACES = st.one_of(
    st.tuples(st.just("instant"), MOMENTS),
    st.tuples(st.just("int"), st.integers(-1, 2**63 - 1)),
    st.tuples(st.just("float"), st.floats(allow_nan=False)),
    st.tuples(
        st.just("text"),
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=400),
    ),
)


@settings(max_examples=200)
@given(place=PLACES, id=st.uuids())
def test_what_was_encoded_is_read_back(place: tuple[Any, Any], id: UUID) -> None:
    kind, value = place
    body = value.encode() if kind == "text" else struct.pack(PACKED[kind], value)
    assert pagination.decode(_encoded(body + id.bytes), kind, SEED, "after") == pagination.Position(value, id)


@settings(max_examples=60)
@given(place=PLACES, id=st.uuids(), data=st.data())
def test_a_cursor_with_one_bit_changed_anywhere_is_refused(
    place: tuple[Any, Any], id: UUID, data: st.DataObject
) -> None:
    kind, value = place
    body = value.encode() if kind == "text" else struct.pack(PACKED[kind], value)
    cursor = _encoded(body + id.bytes)
    bit = 1 << data.draw(st.integers(0, 6))
    for n in range(len(cursor)):
        changed = cursor[:n] + chr(ord(cursor[n]) ^ bit) + cursor[n + 1 :]
        for broken in (changed, cursor[:n], cursor[n + 1 :], cursor + "=" * (n % 4 + 1)):
            with pytest.raises(errors.BadUserInput):
                pagination.decode(broken, kind, SEED, "after")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("instant", struct.pack(">q", 2**62)),
        ("instant", struct.pack(">q", -(2**62))),
        ("text", b"\x00"),
        ("text", b"\xff"),
    ],
)
def test_a_cursor_forged_with_the_right_check_holds_only_what_a_row_can_hold(kind: Any, body: bytes) -> None:
    with pytest.raises(errors.BadUserInput):
        pagination.decode(_encoded(body + ACCOUNT.bytes), kind, SEED, "after")


async def test_the_first_and_last_instants_of_the_calendar_are_places(stage: Stage) -> None:
    seed = pagination.seed(stage.accounts[0], True, "Query.creators CONNECTED_AT")
    for moment in (datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        micros = (moment - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        body = struct.pack(">q", micros) + ACCOUNT.bytes
        cursor = base64.b64encode(body + (zlib.crc32(body) ^ seed).to_bytes(4, "big")[1:]).decode()
        text = "query ($c: String) { creators(after: $c, first: 100) { nodes { id } } }"
        found = (await stage.driver().ask(text, {"c": cursor})).data["creators"]["nodes"]
        assert len(found) == (0 if moment.year == 1 else 8)
