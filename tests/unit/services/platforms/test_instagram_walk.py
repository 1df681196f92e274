"""The Instagram connector's whole walk against the simulated Instagram: consent, tokens, reading, revoking."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import yarl
from aiohttp import test_utils

import simulators
from services.platforms import base, client, instagram, instagram_wire
from simulators import instagram_control, instagram_media, people

REDIRECT = "https://ours.example/connect/instagram/callback"
DAY = 86_400
TIMES = {"drop": 2}
"""aiohttp repeats a call by itself whose kept connection closed under it; a method that changes nothing twice."""


@dataclass
class Stage:
    connector: instagram.Instagram
    session: aiohttp.ClientSession
    world: Any
    app: base.App

    def now(self):
        return datetime.fromtimestamp(self.world.clock.now(), UTC)

    async def callback(self, creator, scopes=instagram.SCOPES, decision="approve"):
        """What the creator's browser brings back; the fragment stays with it, unless it is sent along."""
        begun = self.connector.begin("st&te", REDIRECT)
        form = [("creator", creator), ("decision", decision), *(("scope", scope) for scope in scopes)]
        url = yarl.URL(begun.url, encoded=True)
        async with self.session.post(url, data=form, allow_redirects=False) as answer:
            back = yarl.URL(answer.headers["Location"], encoded=True)
        assert str(back.with_query(None).with_fragment(None)) == REDIRECT
        assert back.fragment == "_"
        return list(back.query.items())

    async def connect(self, creator, scopes=instagram.SCOPES):
        query = await self.callback(creator, scopes)
        assert base.singly(query)["state"] == "st&te"
        return await self.connector.complete(self.connector.parse_callback(query), REDIRECT, None)

    async def walk(self, tokens):
        """Every page, as a sync reads them: told to come back later, it does."""
        cursor, pages = None, []
        while not pages or cursor is not None:
            try:
                page = await self.connector.videos(tokens, cursor)
            except base.RateLimited as later:
                self.world.clock.advance((later.retry_at - self.now()).total_seconds() + 1)
                continue
            pages.append(page)
            cursor = page.cursor
        return pages

    async def read(self, tokens):
        return [video for page in await self.walk(tokens) for video in page.videos]

    def fault(self, endpoint, kind, **more):
        self.world.faults.add(simulators.InstagramFault(endpoint, kind, **more))


@pytest.fixture
async def stage(session, http: client.Client) -> AsyncIterator[Stage]:
    registered = simulators.InstagramApp("ig", "cs", "Ours", simulators.exactly(REDIRECT))
    application = simulators.create([], instagram=[registered])
    async with test_utils.TestServer(application, host="127.0.0.1") as server:
        world = application[simulators.INSTAGRAM]
        url = str(server.make_url("/instagram"))
        app = base.App("ig", "cs", auth_url=url, api_url=url)
        connector = instagram.Instagram(app, http, now=lambda: datetime.fromtimestamp(world.clock.now(), UTC))
        yield Stage(connector, session, world, app)


@pytest.mark.parametrize("shape", ["data", "flat", "list"])
@pytest.mark.parametrize("me_shape", ["data", "flat"])
@pytest.mark.parametrize("numeric", [False, True])
async def test_a_creator_connects_is_read_whole_and_disconnects(stage, shape, me_shape, numeric):
    stage.world.knobs.exchange_shape, stage.world.knobs.me_shape = shape, me_shape
    stage.world.knobs.numeric_ids = numeric
    tokens = await stage.connect("sim.twenty")
    assert tokens.scopes == instagram.SCOPES
    profile = await stage.connector.profile(tokens)
    ada = people.BY_USERNAME["sim.twenty"]
    assert profile.external_id == instagram_media.account_id(ada)
    assert profile.app_scoped_id == tokens.app_scoped_id == instagram_media.app_scoped_id("ig", ada)
    assert profile.app_scoped_id != profile.external_id
    assert profile.account_type in {"BUSINESS", "CREATOR"}
    tokens = replace(tokens, external_id=profile.external_id)
    videos = await stage.read(tokens)
    assert len({video.external_id for video in videos}) == len(videos) == profile.video_count
    assert await stage.connector.revoke(tokens) is True
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.profile(tokens)
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.videos(tokens, None)
    assert await stage.connector.revoke(tokens) is False


@pytest.mark.parametrize(
    "creator", ["sim.quiet", "sim.single", "sim.strange", "sim.sparse", "sim.viral", "sim.burst", "sim.daily"]
)
async def test_every_number_is_the_platforms_own(stage, creator):
    tokens = await stage.connect(creator)
    profile = await stage.connector.profile(tokens)
    pages = await stage.walk(tokens)
    now, person = stage.world.clock.now(), people.BY_USERNAME[creator]
    assert abs(profile.followers - instagram_media.followers(person, now)) <= profile.followers // 1000 + 1
    videos = [video for page in pages for video in page.videos]
    there = {one.id: one for one in instagram_media.before(person, None, now)}
    assert {video.external_id for video in videos} == set(there)
    assert profile.video_count == len(there) == len(videos)
    assert sum(page.skipped for page in pages) == 0
    for video in videos:
        one = there[video.external_id]
        none = one.predates_business() or one.has_no_insights()
        told = (video.views, video.shares, video.likes, video.comments)
        wanted = (
            None if none else one.views(),
            None if none else one.shares(),
            None if one.hides_likes() else one.likes(),
            one.comments(),
        )
        for ours, theirs in zip(told, wanted, strict=True):
            assert (ours is None) == (theirs is None)
            assert ours is None or abs(ours - theirs) <= theirs // 10_000 + 3
        assert (video.kind, video.partial) == (one.kind, False)
        assert video.published_at.timestamp() == one.posted
        "".join(filter(None, (video.title, video.description))).encode()
    if creator == "sim.sparse":
        assert any(video.likes is None for video in videos)
        assert any(video.views is None for video in videos)


async def test_without_insights_the_rest_works_and_none_are_asked(stage):
    tokens = await stage.connect("sim.twenty", scopes=(instagram_wire.BASIC,))
    assert tokens.scopes == (instagram_wire.BASIC,)
    stage.fault("insights", "drop", times=99)
    videos = await stage.read(tokens)
    assert len(videos) == 20
    assert {video.views for video in videos} == {None}
    assert any(video.likes for video in videos)
    assert stage.world.faults.waiting()[0]["times"] == 99


async def test_a_token_lives_sixty_days_renews_itself_and_dies_for_good(stage):
    tokens = await stage.connect("sim.single")
    life = timedelta(seconds=stage.world.knobs.long)
    assert abs(tokens.expires_at - stage.now() - life) < timedelta(seconds=5)
    with pytest.raises(base.RateLimited) as caught:
        await stage.connector.refresh(tokens)
    assert abs(caught.value.retry_at - stage.now() - timedelta(days=1)) < timedelta(seconds=5)
    stage.world.clock.advance(DAY + 1)
    fresh = await stage.connector.refresh(tokens)
    assert fresh.access_token != tokens.access_token
    assert fresh.expires_at - tokens.expires_at > timedelta(hours=23)
    for one in (tokens, fresh):
        assert (await stage.connector.profile(one)).username == "sim.single"
    stage.world.clock.advance(61 * DAY)
    for call in (stage.connector.refresh, stage.connector.profile):
        with pytest.raises(base.ReconnectRequired):
            await call(fresh)


async def test_too_young_by_the_platforms_clock_means_later(stage):
    tokens = await stage.connect("sim.single")
    with pytest.raises(base.RateLimited):
        await stage.connector.refresh(replace(tokens, issued_at=stage.now() - timedelta(days=2)))


async def test_a_code_serves_once_within_its_hour_and_for_its_redirect(stage):
    code = stage.connector.parse_callback(await stage.callback("sim.single"))
    await stage.connector.complete(code, REDIRECT, None)
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.complete(code, REDIRECT, None)
    code = stage.connector.parse_callback(await stage.callback("sim.single"))
    with pytest.raises(base.Misconfigured):
        await stage.connector.complete(code, REDIRECT + "/", None)
    code = stage.connector.parse_callback(await stage.callback("sim.single"))
    stage.world.clock.advance(3_601)
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.complete(code, REDIRECT, None)


async def test_wrong_credentials_are_our_bug(stage, http):
    wrong = instagram.Instagram(replace(stage.app, client_secret="other"), http)
    code = stage.connector.parse_callback(await stage.callback("sim.single"))
    with pytest.raises(base.Misconfigured):
        await wrong.complete(code, REDIRECT, None)


async def test_a_person_who_says_no_is_denied(stage):
    query = await stage.callback("sim.single", decision="deny")
    with pytest.raises(base.Denied):
        stage.connector.parse_callback(query)


async def test_a_creator_who_removes_the_app_is_seen_at_the_next_call(stage):
    tokens = await stage.connect("sim.burst")
    first = await stage.connector.videos(tokens, None)
    instagram_control.disconnect(stage.world, "sim.burst")
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.videos(tokens, first.cursor)


# -- faults


@pytest.mark.parametrize("kind", ["status_500", "half_json", "drop"])
async def test_a_stumble_while_reading_is_not_noticed(stage, kind):
    tokens = await stage.connect("sim.twenty")
    for endpoint in ("me", "me/media", "insights"):
        stage.fault(endpoint, kind, times=2)
    assert (await stage.connector.profile(tokens)).username == "sim.twenty"
    videos = await stage.read(tokens)
    assert len(videos) == 20
    assert not any(video.partial for video in videos)
    assert stage.world.faults.waiting() == []


@pytest.mark.parametrize("kind", ["status_500", "half_json", "drop"])
async def test_a_stumble_while_lengthening_is_not_noticed(stage, kind):
    stage.fault("access_token", kind, times=2)
    assert (await stage.connect("sim.single")).expires_at is not None


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("status_429", base.RateLimited),
        ("huge", base.ProviderBug),
        ("bad_token", base.ReconnectRequired),
        ("missing_data", base.ProviderBug),
    ],
)
async def test_other_faults_while_reading_are_told_apart(stage, kind, failure):
    tokens = await stage.connect("sim.twenty")
    stage.fault("me/media", kind)
    with pytest.raises(failure) as caught:
        await stage.connector.videos(tokens, None)
    if kind == "status_429":
        assert caught.value.retry_at is not None
    assert len(await stage.read(tokens)) == 20


@pytest.mark.parametrize("endpoint", ["me", "me/media"])
async def test_a_slow_answer_is_waited_for_but_not_for_ever(stage, http, session, endpoint):
    tokens = await stage.connect("sim.single")
    hasty = client.Client(session, patience=client.Patience(total=0.3, attempts=1))
    connector = instagram.Instagram(stage.app, hasty, now=stage.now)
    stage.fault(endpoint, "slow", delay=0.05)
    stage.fault(endpoint, "slow", delay=0.6)

    async def call():
        await (connector.profile(tokens) if endpoint == "me" else connector.videos(tokens, None))

    await call()
    with pytest.raises(base.Transient):
        await call()


async def test_the_limit_met_by_insights_costs_time_and_no_counter(stage):
    tokens = await stage.connect("sim.burst")
    stage.fault("insights", "status_429", times=30)
    pages = await stage.walk(tokens)
    videos = [video for page in pages for video in page.videos]
    assert len({video.external_id for video in videos}) == len(videos) == 300
    assert sum(page.skipped for page in pages) == sum(video.partial for video in videos) == 0


@pytest.mark.parametrize("kind", ["status_500", "half_json", "huge", "drop", "missing_data"])
async def test_insights_that_fail_leave_gaps_that_say_so_and_the_walk_is_whole(stage, kind):
    tokens = await stage.connect("sim.burst")
    stage.fault("insights", kind, times=60)
    pages = await stage.walk(tokens)
    videos = [video for page in pages for video in page.videos]
    stumbled = kind in {"status_500", "half_json", "drop"}
    assert sum(page.skipped for page in pages) == stumbled * sum(video.partial for video in videos)
    assert len({video.external_id for video in videos}) == 300
    assert any(video.partial for video in videos)
    assert any(video.views is not None for video in videos)


async def test_insights_that_tell_of_a_dead_grant_end_the_walk(stage):
    tokens = await stage.connect("sim.twenty")
    stage.fault("insights", "bad_token")
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.videos(tokens, None)


async def test_metrics_a_media_type_lacks_cost_only_themselves(stage):
    stage.world.knobs.unsupported = {("VIDEO", "shares"), ("IMAGE", "views")}
    videos = await stage.read(await stage.connect("sim.viral"))
    kinds = {video.kind for video in videos}
    assert kinds == {"REEL", "VIDEO", "IMAGE", "CAROUSEL"}
    for video in videos:
        lacks_shares = video.kind in {"REEL", "VIDEO"}
        assert (video.shares is None, video.views is None) == (lacks_shares, video.kind == "IMAGE")
        assert not video.partial


async def test_a_page_loop_is_an_error(stage):
    tokens = await stage.connect("sim.burst")
    cursor = (await stage.connector.videos(tokens, None)).cursor
    stage.fault("me/media", "page_loop", times=9)
    with pytest.raises(base.ProviderBug, match="page_loop"):
        await stage.connector.videos(tokens, cursor)


async def test_a_next_that_leads_elsewhere_is_refused(stage):
    tokens = await stage.connect("sim.burst")
    stage.fault("me/media", "foreign_next")
    with pytest.raises(base.ProviderBug, match="foreign_next"):
        await stage.connector.videos(tokens, None)


async def test_short_and_doubled_pages_still_cover_everything(stage):
    tokens = await stage.connect("sim.burst", scopes=(instagram_wire.BASIC,))
    stage.fault("me/media", "short_page", times=5)
    stage.fault("me/media", "duplicates", times=5)
    pages = await stage.walk(tokens)
    assert [len(page.videos) for page in pages[:5]] == [1] * 5
    assert len({video.external_id for page in pages for video in page.videos}) == 300


async def test_a_hidden_medium_is_gone_from_the_walk(stage):
    tokens = await stage.connect("sim.twenty")
    gone = (await stage.read(tokens))[3].external_id
    stage.world.knobs.hidden.add(gone)
    assert gone not in {video.external_id for video in await stage.read(tokens)}
    assert (await stage.connector.profile(tokens)).video_count == 19


async def test_asked_for_by_id_a_medium_is_there_or_gone_whatever_the_list_says(stage):
    tokens, other = await stage.connect("sim.twenty"), await stage.connect("sim.single")
    ids = [video.external_id for video in await stage.read(tokens)][:10]
    stage.world.knobs.hidden.add(ids[2])
    (foreign,) = await stage.read(other)
    page = await stage.connector.still_there(tokens, [*ids, foreign.external_id])
    assert [video.external_id for video in page.videos] == [one for one in ids if one != ids[2]]
    assert (page.cursor, page.skipped) == (None, 0)
    assert all(video.partial for video in page.videos)  # what insights told stays
    plain = replace(tokens, scopes=(instagram_wire.BASIC,))
    assert not any(video.partial for video in (await stage.connector.still_there(plain, ids)).videos)
    stage.fault("medium", "missing_data")
    page = await stage.connector.still_there(tokens, ids[:1])
    assert (page.videos, page.skipped) == ((), 1)
    for kind, failure in (("status_429", base.RateLimited), ("bad_token", base.ReconnectRequired)):
        stage.fault("medium", kind)
        with pytest.raises(failure):
            await stage.connector.still_there(tokens, ids)


async def test_at_the_limit_nobody_goes_on_asking_by_ids(stage):
    tokens = await stage.connect("sim.twenty")
    ids = [video.external_id for video in await stage.read(tokens)]
    stage.world.meter._calls.clear()
    stage.world.knobs.account_calls = 5
    with pytest.raises(base.RateLimited, match="near_limit"):
        await stage.connector.still_there(tokens, ids)
    assert {sum(calls.values()) for calls in stage.world.meter._calls.values()} == {5}  # none is refused


async def test_a_cursor_whose_medium_was_deleted_begins_the_walk_again_once(stage):
    tokens = await stage.connect("sim.burst", scopes=(instagram_wire.BASIC,))
    cursor, left = None, people.BY_USERNAME["sim.burst"].videos
    for _ in range(instagram.MOST_RESTARTS + 1):
        page = await stage.connector.videos(tokens, cursor)
        cursor = page.cursor
        stage.world.knobs.hidden.add(page.videos[-1].external_id)
        left -= 1
    with pytest.raises(base.ProviderBug, match="cursor"):
        await stage.connector.videos(tokens, cursor)
    assert len({video.external_id for video in await stage.read(tokens)}) == left


async def test_the_platforms_limit_is_met_once_and_waited_out(stage):
    stage.world.knobs.account_calls = 60
    tokens = await stage.connect("sim.burst", scopes=(instagram_wire.BASIC,))
    for _ in range(57):
        await stage.connector.profile(tokens)
    page = await stage.connector.videos(tokens, None)
    assert page.slow_down is not None
    before = dict(stage.world.meter._calls)
    with pytest.raises(base.RateLimited) as caught:
        await stage.connector.videos(tokens, page.cursor)
    assert dict(stage.world.meter._calls) == before
    stage.world.clock.advance((caught.value.retry_at - stage.now()).total_seconds() + 61)
    assert (await stage.connector.videos(tokens, page.cursor)).videos


@pytest.mark.parametrize("kind", ["status_500", "half_json", "drop"])
async def test_a_stumble_while_refreshing_is_transient_and_never_a_dead_grant(stage, kind):
    tokens = await stage.connect("sim.single")
    stage.world.clock.advance(2 * DAY)
    stage.fault("refresh_access_token", kind, times=TIMES.get(kind, 1))
    with pytest.raises(base.Transient):
        await stage.connector.refresh(tokens)
    assert (await stage.connector.refresh(tokens)).access_token != tokens.access_token


@pytest.mark.parametrize(("kind", "next_time"), [("status_500", True), ("drop", False)])
async def test_a_stumble_while_revoking_is_transient_and_asked_again_tells_the_truth(stage, kind, next_time):
    """`drop` loses only the answer: the grant is dead when we come back."""
    tokens = await stage.connect("sim.single")
    stage.fault("me/permissions", kind, times=TIMES.get(kind, 1))
    with pytest.raises(base.Transient):
        await stage.connector.revoke(tokens)
    assert await stage.connector.revoke(tokens) is next_time


async def test_nothing_is_logged_of_tokens_and_secrets(stage, caplog):
    caplog.set_level(logging.DEBUG, logger="stamina")
    caplog.set_level(logging.DEBUG, logger="services")
    tokens = await stage.connect("sim.twenty")
    stage.fault("access_token", "drop")
    stage.fault("me/media", "status_500")
    await stage.connect("sim.twenty")
    await stage.read(tokens)
    assert tokens.access_token not in caplog.text
    assert "client_secret" not in caplog.text
