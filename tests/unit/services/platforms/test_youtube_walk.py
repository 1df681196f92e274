"""The YouTube connector's whole walk against the simulated Google: consent, tokens, reading, revoking."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import yarl
from aiohttp import test_utils

import simulators
from services.platforms import base, client, youtube
from simulators import people, youtube_channels

REDIRECT = "https://ours.example/connect/youtube/callback"
ANALYTICS = "https://www.googleapis.com/auth/yt-analytics.readonly"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


@dataclass
class Stage:
    connector: youtube.YouTube
    session: aiohttp.ClientSession
    google: Any
    spent: list[int]

    async def callback(self, creator, ticked=youtube.SCOPES, decision="approve", without=()):
        """What the creator's browser brings back, and the verifier we kept."""
        begun = self.connector.begin("st&te", REDIRECT)
        form = [("creator", creator), ("decision", decision), *(("scope", scope) for scope in ticked)]
        url = yarl.URL(begun.url)
        async with self.session.post(
            url.without_query_params(*without), data=form, allow_redirects=False
        ) as answer:
            back = yarl.URL(answer.headers["Location"], encoded=True)
        assert str(back.with_query(None)) == REDIRECT
        return list(back.query.items()), begun.code_verifier

    async def connect(self, creator, **more):
        query, verifier = await self.callback(creator, **more)
        assert base.singly(query)["state"] == "st&te"
        return await self.connector.complete(self.connector.parse_callback(query), REDIRECT, verifier)

    async def walk(self, tokens):
        cursor, pages = None, []
        while not pages or cursor is not None:
            pages.append(await self.connector.videos(tokens, cursor))
            cursor = pages[-1].cursor
        return pages

    async def ids(self, tokens):
        return [video.external_id for page in await self.walk(tokens) for video in page.videos]

    def fault(self, endpoint, kind, **more):
        self.google.faults.add(simulators.Fault(f"youtube/{endpoint}", kind, **more))

    def visible(self, creator):
        """What a walk must find, as the simulator knows it."""
        uploads = youtube_channels.everything(people.BY_USERNAME[creator], self.google.clock.now())
        return {
            upload.id: upload
            for upload in uploads
            if upload.privacy != "private"
            and not upload.dropped
            and upload.id not in self.google.knobs.unseen
        }


@pytest.fixture
async def stage(session, http: client.Client) -> AsyncIterator[Stage]:
    registered = simulators.App("ci", "cs", "Ours", simulators.exactly(REDIRECT))
    application = simulators.create([registered], youtube=[registered], clock=simulators.Clock(lambda: NOON))
    async with test_utils.TestServer(application, host="127.0.0.1") as server:
        google = application[simulators.YOUTUBE]
        url = str(server.make_url("/youtube"))
        spent: list[int] = []

        async def spend(units: int) -> None:
            spent.append(units)

        connector = youtube.YouTube(
            base.App("ci", "cs", auth_url=url, api_url=url),
            http,
            scopes=(*youtube.SCOPES, ANALYTICS),
            spend=spend,
            now=lambda: datetime.fromtimestamp(google.clock.now(), UTC),
        )
        yield Stage(connector, session, google, spent)


async def test_a_creator_connects_is_read_whole_and_disconnects(stage):
    tokens = await stage.connect("sim.burst")
    assert (tokens.scopes, tokens.external_id) == (youtube.SCOPES, None)
    profile = await stage.connector.profile(tokens)
    assert (profile.username, profile.video_count) == ("sim.burst", 300)
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


@pytest.mark.parametrize(
    "creator",
    ["sim.ada", "sim.strange", "sim.sparse", "sim.viral", "sim.single", "sim.finn02", "sim.prolific"],
)
async def test_every_number_is_the_platforms(stage, creator):
    tokens = await stage.connect(creator)
    profile = await stage.connector.profile(tokens)
    now, person = stage.google.clock.now(), people.BY_USERNAME[creator]
    hidden = creator in youtube_channels.HIDES_SUBSCRIBERS
    assert profile.followers == (None if hidden else youtube_channels.subscribers(person, now))
    assert profile.views == youtube_channels.total_views(person, now)
    want = stage.visible(creator)
    assert profile.video_count == sum(upload.privacy == "public" for upload in want.values())
    pages = await stage.walk(tokens)
    videos = [video for page in pages for video in page.videos]
    assert [video.external_id for video in videos] == list(want)
    assert sum(page.skipped for page in pages) == 0
    for video in videos:
        upload = want[video.external_id]
        assert (video.kind, video.duration or 0, video.views) == (upload.kind, upload.seconds, upload.views())
        assert video.likes == (upload.likes() if upload.has("likes") else None)
        assert video.comments == (upload.comments() if upload.has("comments") else None)
        assert int(video.published_at.timestamp()) == upload.video.create_time


async def test_the_walk_costs_two_units_a_page_and_one_for_the_channel(stage):
    tokens = await stage.connect("sim.burst")
    await stage.walk(tokens)
    assert sum(stage.spent) == 1 + 6 + 6
    assert stage.google.state.spend("ci", stage.google.day(), 0) == 13


async def test_edge_kinds_are_met(stage):
    tokens = await stage.connect("sim.strange")
    videos = [video for page in await stage.walk(tokens) for video in page.videos]
    assert {video.kind for video in videos} == {"VIDEO", "SHORT", "LIVE"}
    assert any(video.kind == "LIVE" and video.duration is None for video in videos)


async def test_lifetimes_are_the_platforms(stage):
    now = datetime.fromtimestamp(stage.google.clock.now(), UTC)
    tokens = await stage.connect("sim.single")
    assert tokens.expires_at == now + timedelta(seconds=3599)
    assert tokens.refresh_expires_at is None


async def test_a_refresh_brings_a_new_access_token_and_the_old_refresh_token_lives_on(stage):
    tokens = await stage.connect("sim.single")
    stage.google.clock.advance(3_700)
    with pytest.raises(base.AuthExpired):
        await stage.connector.profile(tokens)
    fresh = await stage.connector.refresh(tokens)
    assert fresh.refresh_token == tokens.refresh_token
    assert (await stage.connector.profile(fresh)).username == "sim.single"
    assert (await stage.connector.refresh(tokens)).access_token != fresh.access_token


async def test_a_second_consent_brings_a_refresh_token_because_we_ask_for_consent(stage):
    first = await stage.connect("sim.single")
    assert (await stage.connect("sim.single")).refresh_token not in {None, first.refresh_token}
    assert (await stage.connect("sim.single", without=("prompt",))).refresh_token is None


async def test_an_app_in_testing_loses_its_grants_after_seven_days(stage):
    stage.google.knobs.testing = True
    tokens = await stage.connect("sim.single")
    now = datetime.fromtimestamp(stage.google.clock.now(), UTC)
    assert tokens.refresh_expires_at == now + timedelta(seconds=7 * 86_400 - 1)
    stage.google.clock.advance(6 * 86_400)
    await stage.connector.refresh(tokens)
    stage.google.clock.advance(86_400)
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.refresh(tokens)


async def test_a_creator_who_removes_us_ends_the_grant(stage):
    tokens = await stage.connect("sim.single")
    stage.google.state.remove_everywhere("sim.single")
    with pytest.raises(base.AuthExpired):
        await stage.connector.videos(tokens, None)
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.refresh(tokens)


async def test_a_code_serves_once_and_only_with_its_verifier(stage):
    query, verifier = await stage.callback("sim.single")
    code = stage.connector.parse_callback(query)
    await stage.connector.complete(code, REDIRECT, verifier)
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.complete(code, REDIRECT, verifier)
    query, _ = await stage.callback("sim.single")
    with pytest.raises(base.ReconnectRequired):
        await stage.connector.complete(stage.connector.parse_callback(query), REDIRECT, "x" * 64)


async def test_a_wrong_secret_is_our_fault_not_the_creators(stage, http):
    tokens = await stage.connect("sim.single")
    url = stage.connector._app.api_url
    wrong = youtube.YouTube(base.App("ci", "guess", auth_url=url, api_url=url), http)
    with pytest.raises(base.Misconfigured, match="invalid_client"):
        await wrong.refresh(tokens)


async def test_a_person_who_says_no_is_denied(stage):
    query, _ = await stage.callback("sim.single", decision="deny")
    with pytest.raises(base.Denied):
        stage.connector.parse_callback(query)


async def test_a_scope_the_creator_ticked_off_is_missing_not_an_error_of_the_grant(stage):
    tokens = await stage.connect("sim.single", ticked=(ANALYTICS,))
    assert tokens.scopes == (ANALYTICS,)
    with pytest.raises(base.ScopeMissing):
        await stage.connector.profile(tokens)
    pretended = base.Tokens(
        tokens.access_token, tokens.refresh_token, tokens.expires_at, None, youtube.SCOPES, None
    )
    with pytest.raises(base.ScopeMissing):
        await stage.connector.profile(pretended)


async def test_an_account_without_a_channel_has_nothing_to_connect(stage):
    tokens = await stage.connect(youtube_channels.WITHOUT_CHANNEL)
    with pytest.raises(base.NoAccount):
        await stage.connector.profile(tokens)


@pytest.mark.parametrize("creator", ["sim.quiet", "sim.hugo02"])
async def test_a_channel_without_videos_is_read_whole(stage, creator):
    """One has no uploads list, the other an empty one."""
    tokens = await stage.connect(creator)
    assert (await stage.connector.profile(tokens)).video_count == 0
    assert await stage.walk(tokens) == [base.Page((), None)]


async def test_a_video_that_is_gone_is_left_out_without_a_word(stage):
    tokens = await stage.connect("sim.single")
    (only,) = await stage.ids(tokens)
    stage.google.knobs.hidden.add(only)
    assert await stage.walk(tokens) == [base.Page((), None)]


async def test_asked_for_by_id_a_video_is_there_or_gone_whatever_the_list_says(stage):
    tokens = await stage.connect("sim.strange")
    uploads = youtube_channels.everything(people.BY_USERNAME["sim.strange"], stage.google.clock.now())
    ids = [upload.id for upload in uploads][: stage.connector.most_ids]
    stage.google.knobs.deleted.add(ids[4])
    before = sum(stage.spent)
    page = await stage.connector.still_there(tokens, ids)
    there = stage.visible("sim.strange")
    assert [video.external_id for video in page.videos] == [one for one in ids if one in there]
    assert len(page.videos) < len(ids) - 1  # private ones, and those that are only listed
    assert (page.cursor, page.skipped, sum(stage.spent) - before) == (None, 0, 1)
    with pytest.raises(base.ScopeMissing):
        await stage.connector.still_there(replace(tokens, scopes=()), ids)


async def test_a_deletion_between_two_pages_hides_a_living_video_from_the_walk(stage):
    """What `still_there` is for."""
    tokens = await stage.connect("sim.burst")
    first = await stage.connector.videos(tokens, None)
    ids = list(stage.visible("sim.burst"))
    stage.google.knobs.deleted.add(ids[3])
    second = await stage.connector.videos(tokens, first.cursor)
    assert ids[50] not in {video.external_id for page in (first, second) for video in page.videos}
    page = await stage.connector.still_there(tokens, [ids[3], ids[50]])
    assert [video.external_id for video in page.videos] == [ids[50]]


async def test_the_day_ends_when_its_units_are_spent_and_begins_in_california(stage):
    tokens = await stage.connect("sim.burst")
    stage.google.knobs.quota = 4
    cursor = (await stage.connector.videos(tokens, None)).cursor
    with pytest.raises(base.RateLimited) as caught:
        await stage.connector.videos(tokens, cursor)
    assert caught.value.code == "quotaExceeded"
    assert caught.value.retry_at == datetime(2026, 11, 21, 8, tzinfo=UTC)
    stage.google.clock.advance(caught.value.retry_at.timestamp() - stage.google.clock.now() - 1)
    tokens = await stage.connector.refresh(tokens)
    with pytest.raises(base.RateLimited):
        await stage.connector.videos(tokens, cursor)
    stage.google.clock.advance(1)
    assert (await stage.connector.videos(tokens, cursor)).videos


async def test_too_many_requests_are_told_by_a_403(stage):
    tokens = await stage.connect("sim.single")
    stage.google.knobs.rate_limit = 1
    await stage.connector.profile(tokens)
    with pytest.raises(base.RateLimited, match="403") as caught:
        await stage.connector.profile(tokens)
    assert caught.value.retry_at is None


# -- faults


RESOURCES = ("channels", "playlistItems", "videos")


@pytest.mark.parametrize("endpoint", RESOURCES)
@pytest.mark.parametrize("kind", ["status_500", "half_json", "drop"])
async def test_a_stumble_while_reading_is_not_noticed(stage, endpoint, kind):
    tokens = await stage.connect("sim.ada")
    stage.fault(endpoint, kind, times=2)
    assert await stage.ids(tokens) == list(stage.visible("sim.ada"))


@pytest.mark.parametrize("endpoint", RESOURCES)
@pytest.mark.parametrize(
    ("kind", "failure"),
    [("status_429", base.RateLimited), ("huge", base.ProviderBug), ("bad_token", base.AuthExpired)],
)
async def test_other_faults_while_reading_are_told_apart_and_the_page_can_be_had_again(
    stage, endpoint, kind, failure
):
    tokens = await stage.connect("sim.ada")
    stage.fault(endpoint, kind)
    with pytest.raises(failure):
        await stage.connector.videos(tokens, None)
    assert await stage.ids(tokens) == list(stage.visible("sim.ada"))


@pytest.mark.parametrize("endpoint", RESOURCES)
async def test_a_platform_that_stays_away_is_transient(stage, endpoint):
    tokens = await stage.connect("sim.ada")
    stage.fault(endpoint, "status_500", times=3)
    with pytest.raises(base.Transient):
        await stage.connector.videos(tokens, None)


async def test_a_slow_answer_is_waited_for_and_a_too_slow_one_is_transient(stage):
    tokens = await stage.connect("sim.single")
    stage.fault("channels", "slow", delay=0.1)
    assert (await stage.connector.profile(tokens)).username == "sim.single"
    stage.fault("token", "slow", delay=5)
    stage.connector._http._patience = client.Patience(total=0.2)
    with pytest.raises(base.Transient):
        await stage.connector.refresh(tokens)


async def test_short_and_doubled_pages_lose_and_double_nothing(stage):
    tokens = await stage.connect("sim.ada")
    stage.fault("playlistItems", "short_page", times=2)
    stage.fault("playlistItems", "duplicates", times=2)
    assert await stage.ids(tokens) == list(stage.visible("sim.ada"))


@pytest.mark.parametrize("after", [0, 1])
async def test_a_page_loop_is_an_error(stage, after):
    tokens = await stage.connect("sim.prolific")
    cursor = None
    for _ in range(after):
        cursor = (await stage.connector.videos(tokens, cursor)).cursor
    stage.fault("playlistItems", "page_loop", times=10)
    with pytest.raises(base.ProviderBug, match="page_token_loop"):
        for _ in range(10):
            cursor = (await stage.connector.videos(tokens, cursor)).cursor


async def test_a_page_token_from_another_time_restarts_the_walk(stage):
    tokens = await stage.connect("sim.ada")
    cursor = (await stage.connector.videos(tokens, None)).cursor
    page = await stage.connector.videos(tokens, {**cursor, "page": "stale"})
    assert [video.external_id for video in page.videos] == list(stage.visible("sim.ada"))[:50]


@pytest.mark.parametrize("kind", ["status_500", "half_json", "drop"])
async def test_a_stumble_while_refreshing_is_transient_and_the_grant_lives(stage, kind):
    tokens = await stage.connect("sim.single")
    stage.fault("token", kind)
    with pytest.raises(base.Transient):
        await stage.connector.refresh(tokens)
    assert (await stage.connector.refresh(tokens)).refresh_token == tokens.refresh_token


@pytest.mark.parametrize(
    ("kind", "failure"),
    [("status_429", base.RateLimited), ("huge", base.ProviderBug), ("bad_token", base.ReconnectRequired)],
)
async def test_other_faults_while_refreshing_are_told_apart(stage, kind, failure):
    tokens = await stage.connect("sim.single")
    stage.fault("token", kind)
    with pytest.raises(failure):
        await stage.connector.refresh(tokens)


@pytest.mark.parametrize(
    ("kind", "failure", "next_time"),
    [
        ("status_500", base.Transient, True),
        ("status_429", base.RateLimited, True),
        ("drop", base.Transient, False),
        ("half_json", base.Transient, False),
    ],
)
async def test_a_stumble_while_revoking_asked_again_tells_the_truth(stage, kind, failure, next_time):
    """`drop` and `half_json` lose only the answer: the grant is dead when we come back."""
    tokens = await stage.connect("sim.single")
    stage.fault("revoke", kind)
    with pytest.raises(failure):
        await stage.connector.revoke(tokens)
    assert await stage.connector.revoke(tokens) is next_time
