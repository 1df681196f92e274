"""Pages of an uploads list are asked for by their etags: bytes are saved, and every video is the same."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import yarl
from aiohttp import test_utils, web

import simulators
from services.platforms import base, client, kept, youtube

REDIRECT = "https://ours.example/connect/youtube/callback"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
QUICK = client.Patience(total=10.0, wait_initial=0, wait_max=0, wait_jitter=0)
LISTS = "/youtube/youtube/v3/playlistItems"


@dataclass
class Wire:
    """What came over it from the uploads lists: how many answers of each status, and bytes of their bodies."""

    statuses: Counter[int]
    size: int = 0

    def clear(self):
        self.statuses.clear()
        self.size = 0


@dataclass
class Stage:
    connector: youtube.YouTube
    session: aiohttp.ClientSession
    google: Any
    wire: Wire

    async def connect(self, creator):
        begun = self.connector.begin("state", REDIRECT)
        form = [("creator", creator), ("decision", "approve"), *(("scope", one) for one in youtube.SCOPES)]
        async with self.session.post(yarl.URL(begun.url), data=form, allow_redirects=False) as answer:
            query = list(yarl.URL(answer.headers["Location"], encoded=True).query.items())
        return await self.connector.complete(
            self.connector.parse_callback(query), REDIRECT, begun.code_verifier
        )

    async def walk(self, tokens):
        """Every page's videos; and what it took."""
        self.wire.clear()
        cursor, pages = None, []
        while not pages or cursor is not None:
            pages.append(await self.connector.videos(tokens, cursor))
            cursor = pages[-1].cursor
        assert sum(page.skipped for page in pages) == 0
        return [video for page in pages for video in page.videos]

    def fault(self, kind, **more):
        self.google.faults.add(simulators.Fault("youtube/playlistItems", kind, **more))


def watched(wire):
    """Counts what a server sends."""

    @web.middleware
    async def watch(request, handler):
        response = await handler(request)
        if request.path == LISTS:
            wire.statuses[response.status] += 1
            wire.size += len(response.body or b"")
        return response

    return watch


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    registered = simulators.App("ci", "cs", "Ours", simulators.exactly(REDIRECT))
    application = simulators.create([registered], youtube=[registered], clock=simulators.Clock(lambda: NOON))
    wire = Wire(Counter())
    application.middlewares.append(watched(wire))
    async with (
        test_utils.TestServer(application, host="127.0.0.1") as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        url = str(server.make_url("/youtube"))
        app = base.App("ci", "cs", auth_url=url, api_url=url)
        connector = youtube.YouTube(app, client.Client(session, patience=QUICK))
        yield Stage(connector, session, application[simulators.YOUTUBE], wire)


async def test_a_list_that_stayed_as_it_was_comes_without_a_body_and_shows_the_same_videos(stage):
    tokens = await stage.connect("sim.burst")
    first = await stage.walk(tokens)
    assert (stage.wire.statuses, len(first)) == ({200: 6}, 300)
    assert stage.wire.size > 100_000
    units = stage.google.state.spend("ci", stage.google.day(), 0)
    assert await stage.walk(tokens) == first
    assert (stage.wire.statuses, stage.wire.size) == ({304: 6}, 0)
    assert stage.google.state.spend("ci", stage.google.day(), 0) == units * 2  # it saves no unit


async def test_a_list_that_changed_is_read_anew(stage):
    tokens = await stage.connect("sim.burst")
    first = await stage.walk(tokens)
    stage.google.knobs.deleted.add(first[120].external_id)
    assert await stage.walk(tokens) == first[:120] + first[121:]
    assert stage.wire.statuses == {200: 6}  # each page tells how many there are
    stage.google.knobs.deleted.clear()
    assert await stage.walk(tokens) == first


async def test_nobody_is_answered_from_what_another_grant_was_told(stage):
    one, other = await stage.connect("sim.burst"), await stage.connect("sim.prolific")
    again = await stage.connect("sim.burst")
    mine, theirs = await stage.walk(one), await stage.walk(other)
    assert {video.external_id for video in mine} & {video.external_id for video in theirs} == set()
    assert await stage.walk(again) == mine
    assert stage.wire.statuses == {200: 6}  # the same person, another consent: told for itself
    renewed = await stage.connector.refresh(one)
    assert await stage.walk(renewed) == mine
    assert stage.wire.statuses == {304: 6}
    # A list that another grant's pages were kept of is the platform's to refuse, with a tag or without.
    cursor = (await stage.connector.videos(one, None)).cursor
    stage.google.state.remove_everywhere("sim.burst")
    with pytest.raises(base.AuthExpired):
        await stage.connector.videos(one, cursor)


@pytest.mark.parametrize("kind", ["not_modified", "wrong_etag"])
@pytest.mark.parametrize("walked", [False, True])
async def test_a_false_304_and_a_false_etag_lose_no_video(stage, kind, walked):
    tokens = await stage.connect("sim.burst")
    first = await stage.walk(tokens)
    if not walked:
        stage.connector._kept = kept.Kept()
    stage.google.knobs.deleted.add(first[60].external_id)
    left = first[:60] + first[61:]
    stage.fault(kind, times=2)
    assert await stage.walk(tokens) == left
    assert stage.google.faults.waiting() == []
    assert await stage.walk(tokens) == left


async def test_a_304_to_everybody_is_a_stumble_and_no_empty_list(stage):
    tokens = await stage.connect("sim.burst")
    stage.fault("not_modified", times=9)
    with pytest.raises(base.Transient, match="not_modified"):
        await stage.connector.videos(tokens, None)


@pytest.mark.parametrize("written", ['"{}"', "{}", 'W/"{}"'])
async def test_quoted_and_bare_etags_are_the_same(stage, platform, http, written):
    """As the header bears them, and as the body alone does."""
    app = base.App("ci", "cs", auth_url="https://auth.example", api_url=platform.url)
    tag, body = written.format("t1"), {"items": [], "etag": written.format("t1")}
    tokens = replace(await stage.connect("sim.single"), external_id=None)
    place = {"uploads": "UU1", "page": None, "says": 0, "restarts": 0}
    for headers in ({"Content-Type": "application/json", "ETag": tag}, {"Content-Type": "application/json"}):
        connector = youtube.YouTube(app, http)
        platform.answers.clear()
        platform.say(body, headers=headers)
        await connector.videos(tokens, place)
        platform.answers.clear()
        platform.say(b"", status=304, headers={"ETag": '"t1"'})
        assert await connector.videos(tokens, place) == base.Page((), None)
        assert platform.asked[-1].headers["If-None-Match"] == (tag if tag.endswith('"') else '"t1"')


@pytest.mark.parametrize("tag", [None, 5, "", "a\r\nX: y", "x" * 300, "\u00e9"])
def test_what_is_no_etag_is_not_sent(tag):
    assert kept.tag_of(None, {"etag": tag}) is None


def test_what_is_kept_is_bounded_and_what_was_confirmed_longest_ago_goes_first():
    place = kept.Kept(most_bytes=3 * (kept.AN_ENTRY + 4))
    for name in (b"a", b"b", b"c"):
        place.keep(name, "t", [1])
    assert place.confirm(b"a", place.find(b"a")) == [1]
    place.keep(b"d", "t", [2])
    assert there(place, b"a", b"b", b"c", b"d") == [True, False, True, True]
    place.keep(b"d", "t", "x" * 5_000)  # larger than all of it
    assert there(place, b"a", b"c", b"d") == [True, True, False]
    for name in (b"a", b"c"):
        place.keep(name, None, [2])  # told anew, and nothing to ask by
    assert (there(place, b"a", b"c"), place._size) == ([False, False], 0)


def test_what_was_not_confirmed_for_days_is_forgotten():
    now = [0.0]
    place = kept.Kept(clock=lambda: now[0])
    for name in (b"a", b"b"):
        place.keep(name, "t", [1])
    now[0] = kept.MOST_SECONDS
    assert place.confirm(b"a", place.find(b"a")) == [1]
    now[0] += 1
    assert there(place, b"a", b"b") == [True, False]
    now[0] += kept.MOST_SECONDS
    assert (there(place, b"a"), place._size) == ([False], 0)


def there(place, *names):
    return [place.find(name) is not None for name in names]


async def test_many_at_once_keep_what_is_theirs(stage):
    tokens = [await stage.connect(name) for name in ("sim.burst", "sim.viral", "sim.daily")]
    alone = [await stage.walk(one) for one in tokens]
    assert await asyncio.gather(*(stage.walk(one) for one in tokens * 2)) == alone * 2
