"""The TikTok connector's whole walk against the simulated TikTok: consent, tokens, reading, revoking."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import yarl
from aiohttp import test_utils

import simulators
from services.platforms import base, client, tiktok

REDIRECT = "https://ours.example/connect/tiktok/callback"


@dataclass
class Stage:
    connector: tiktok.TikTok
    session: aiohttp.ClientSession
    world: Any

    async def callback(self, creator, scopes=tiktok.SCOPES, decision="approve"):
        """What the creator's browser brings back, and the verifier we kept."""
        begun = self.connector.begin("st&te", REDIRECT)
        form = [("creator", creator), ("decision", decision), *(("scope", scope) for scope in scopes)]
        url = yarl.URL(begun.url, encoded=True)
        async with self.session.post(url, data=form, allow_redirects=False) as answer:
            back = yarl.URL(answer.headers["Location"], encoded=True)
        assert str(back.with_query(None)) == REDIRECT
        return list(back.query.items()), begun.code_verifier

    async def connect(self, creator, scopes=tiktok.SCOPES):
        query, verifier = await self.callback(creator, scopes)
        assert base.singly(query)["state"] == "st&te"
        return await self.connector.complete(self.connector.parse_callback(query), REDIRECT, verifier)

    async def walk(self, tokens):
        cursor, pages = None, []
        while not pages or cursor is not None:
            pages.append(await self.connector.videos(tokens, cursor))
            cursor = pages[-1].cursor
        return pages

    def fault(self, endpoint, kind, **more):
        self.world.faults.add(simulators.Fault(endpoint, kind, **more))


@pytest.fixture(params=[200, 400])
async def stage(request, session, http: client.Client) -> AsyncIterator[Stage]:
    registered = simulators.App("ck", "cs", "Ours", simulators.exactly(REDIRECT), pkce_required=True)
    application = simulators.create([registered], token_error_status=request.param)
    async with test_utils.TestServer(application, host="127.0.0.1") as server:
        world = application[simulators.WORLD]
        url = str(server.make_url("/tiktok"))
        app = base.App("ck", "cs", auth_url=url, api_url=url)
        connector = tiktok.TikTok(app, http, now=lambda: datetime.fromtimestamp(world.clock.now(), UTC))
        yield Stage(connector, session, world)


async def test_a_creator_connects_is_read_whole_and_disconnects(stage):
    tokens = await stage.connect("sim.burst")
    assert tokens.scopes == tiktok.SCOPES
    profile = await stage.connector.profile(tokens)
    assert (profile.username, profile.external_id) == ("sim.burst", tokens.external_id)
    pages = await stage.walk(tokens)
    ids = [video.external_id for page in pages for video in page.videos]
    assert len(ids) == len(set(ids)) == profile.video_count
    assert sum(page.skipped for page in pages) == 0
    assert await stage.connector.revoke(tokens) is True
    with pytest.raises(base.AuthExpired):
        await stage.connector.profile(tokens)
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.refresh(tokens)
    assert await stage.connector.revoke(tokens) is False


async def test_lifetimes_are_the_platforms(stage):
    now = datetime.fromtimestamp(stage.world.clock.now(), UTC)
    tokens = await stage.connect("sim.single")
    assert abs(tokens.expires_at - now - timedelta(hours=2)) < timedelta(seconds=5)
    assert abs(tokens.refresh_expires_at - now - timedelta(days=180)) < timedelta(seconds=5)


async def test_a_refresh_rotates_and_the_old_token_is_dead(stage):
    tokens = await stage.connect("sim.single")
    fresh = await stage.connector.refresh(tokens)
    assert fresh.refresh_token != tokens.refresh_token
    assert (await stage.connector.profile(fresh)).username == "sim.single"
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.refresh(tokens)


async def test_an_expired_access_token_is_refreshed_before_it_is_revoked(stage):
    tokens = await stage.connect("sim.single")
    stage.world.clock.advance(7_300)
    with pytest.raises(base.AuthExpired):
        await stage.connector.profile(tokens)
    with pytest.raises(base.AuthExpired):
        await stage.connector.revoke(tokens)
    assert await stage.connector.revoke(await stage.connector.refresh(tokens)) is True


async def test_a_code_serves_once_and_only_with_its_verifier(stage):
    query, verifier = await stage.callback("sim.single")
    code = stage.connector.parse_callback(query)
    await stage.connector.complete(code, REDIRECT, verifier)
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.complete(code, REDIRECT, verifier)
    query, _ = await stage.callback("sim.single")
    with pytest.raises(base.Failure):
        await stage.connector.complete(stage.connector.parse_callback(query), REDIRECT, "x" * 64)


async def test_a_person_who_says_no_is_denied(stage):
    query, _ = await stage.callback("sim.single", decision="deny")
    with pytest.raises(base.Denied):
        stage.connector.parse_callback(query)


async def test_scopes_the_creator_toggled_off_leave_gaps_not_errors(stage):
    tokens = await stage.connect("sim.single", scopes=("user.info.stats",))
    assert tokens.scopes == ("user.info.basic", "user.info.stats")
    profile = await stage.connector.profile(tokens)
    assert (profile.username, profile.bio, profile.verified) == ("Sim Single", None, None)
    assert profile.video_count == 1
    with pytest.raises(base.ScopeMissing):
        await stage.connector.videos(tokens, None)


BASIC, PROFILE, STATS, VIDEOS = tiktok.SCOPES


@pytest.mark.parametrize("left", [(BASIC, PROFILE, VIDEOS), (BASIC, STATS, VIDEOS), (BASIC, VIDEOS)])
async def test_a_permission_taken_back_costs_no_more_than_its_own_fields(stage, left):
    tokens = await stage.connect("sim.single")
    whole = await stage.connector.profile(tokens)
    stage.world.state.narrow("ck", "sim.single", left)
    profile = await stage.connector.profile(tokens)
    assert (whole.scopes, profile.scopes) == (None, left)
    assert (profile.followers is None, profile.bio is None) == (STATS not in left, PROFILE not in left)
    assert (profile.external_id, profile.display_name) == (whole.external_id, whole.display_name)
    assert (await stage.connector.videos(tokens, None)).videos
    stage.world.state.narrow("ck", "sim.single", (VIDEOS,))
    with pytest.raises(base.ScopeMissing):
        await stage.connector.profile(tokens)


@pytest.mark.parametrize("creator", ["sim.quiet", "sim.twenty", "sim.strange", "sim.sparse", "sim.viral"])
async def test_creators_that_programs_break_on_are_read_whole(stage, creator):
    tokens = await stage.connect(creator)
    profile = await stage.connector.profile(tokens)
    videos = [video for page in await stage.walk(tokens) for video in page.videos]
    assert len({video.external_id for video in videos}) == len(videos) == profile.video_count
    for video in videos:
        "".join(filter(None, (video.title, video.description))).encode()
    if creator == "sim.sparse":
        assert any(video.views is None for video in videos)


@pytest.mark.parametrize("kind", ["status_500", "half_json", "drop"])
async def test_a_stumble_while_reading_is_not_noticed(stage, kind):
    tokens = await stage.connect("sim.twenty")
    stage.fault("user/info", kind, times=2)
    stage.fault("video/list", kind, times=2)
    assert (await stage.connector.profile(tokens)).username == "sim.twenty"
    assert (await stage.connector.videos(tokens, None)).videos


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("status_429", base.RateLimited),
        ("huge", base.ProviderBug),
        ("bad_token", base.AuthExpired),
    ],
)
async def test_other_faults_while_reading_are_told_apart(stage, kind, failure):
    tokens = await stage.connect("sim.twenty")
    stage.fault("video/list", kind)
    with pytest.raises(failure):
        await stage.connector.videos(tokens, None)


async def test_a_page_loop_is_an_error(stage):
    tokens = await stage.connect("sim.prolific")
    cursor = (await stage.connector.videos(tokens, None)).cursor
    stage.fault("video/list", "page_loop")
    with pytest.raises(base.ProviderBug, match="cursor_not_falling"):
        await stage.connector.videos(tokens, cursor)


@pytest.mark.parametrize("kind", ["status_500", "half_json", "drop"])
async def test_a_stumble_while_refreshing_is_transient_and_never_a_dead_grant(stage, kind):
    tokens = await stage.connect("sim.single")
    stage.fault("oauth/token", kind)
    with pytest.raises(base.Transient):
        await stage.connector.refresh(tokens)


@pytest.mark.parametrize(("kind", "next_time"), [("status_500", True), ("drop", False)])
async def test_a_stumble_while_revoking_is_transient_and_asked_again_tells_the_truth(stage, kind, next_time):
    """`drop` loses only the answer: the grant is dead when we come back."""
    tokens = await stage.connect("sim.single")
    stage.fault("oauth/revoke", kind)
    with pytest.raises(base.Transient):
        await stage.connector.revoke(tokens)
    assert await stage.connector.revoke(tokens) is next_time


# -- what a walk did not meet


async def test_asked_for_by_id_a_video_is_there_or_gone_whatever_the_list_says(stage):
    tokens = await stage.connect("sim.burst")
    other = (await stage.connector.videos(await stage.connect("sim.viral"), None)).videos[0].external_id
    pages = await stage.walk(tokens)
    videos = [video for page in pages for video in page.videos][:19]
    stage.world.knobs.hidden_videos.add(videos[2].external_id)
    page = await stage.connector.still_there(tokens, [*(video.external_id for video in videos), other])
    left = {video.external_id for video in videos[:2] + videos[3:]}
    assert {video.external_id for video in page.videos} == left
    assert (page.cursor, page.skipped) == (None, 0)
    with pytest.raises(base.ScopeMissing):
        await stage.connector.still_there(replace(tokens, scopes=()), [other])


async def test_a_deletion_between_two_pages_hides_no_other_video(stage):
    """The cursor is a time, not a place."""
    tokens = await stage.connect("sim.viral")
    whole = [video.external_id for page in await stage.walk(tokens) for video in page.videos]
    first = await stage.connector.videos(tokens, None)
    stage.world.knobs.hidden_videos.update((whole[0], first.videos[-1].external_id))
    cursor, seen = first.cursor, list(first.videos)
    while cursor is not None:
        page = await stage.connector.videos(tokens, cursor)
        cursor = page.cursor
        seen += page.videos
    assert [video.external_id for video in seen] == whole
