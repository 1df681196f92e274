"""What the simulated Google and YouTube promise on the wire."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

import simulators
from simulators import people, youtube_channels, youtube_wire, youtube_world

REDIRECT = "https://api.example/connect/youtube/callback"
READONLY = "https://www.googleapis.com/auth/youtube.readonly"
ANALYTICS = "https://www.googleapis.com/auth/yt-analytics.readonly"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@dataclass
class Walker:
    """Does what an app and a creator's browser do."""

    client: TestClient
    google: Any
    secrets = {"client_id": "web", "client_secret": "web-secret"}  # noqa: RUF012 -- told, never changed

    def asked(self, **query) -> dict[str, str]:
        told = {
            "client_id": "web",
            "response_type": "code",
            "scope": READONLY,
            "redirect_uri": REDIRECT,
            "state": "st&te=1",
            "access_type": "offline",
        } | query
        return {name: value for name, value in told.items() if value is not None}

    async def page(self, **query):
        answer = await self.client.get("/youtube/o/oauth2/v2/auth", params=self.asked(**query))
        return answer, await answer.text()

    async def authorize(self, *, creator="sim.ada", ticked=None, decision="approve", **query):
        form = FormData()
        form.add_field("creator", creator)
        form.add_field("decision", decision)
        for scope in self.asked(**query)["scope"].split() if ticked is None else ticked:
            form.add_field("scope", scope)
        return await self.client.post(
            "/youtube/o/oauth2/v2/auth", params=self.asked(**query), data=form, allow_redirects=False
        )

    async def code(self, **ask) -> str:
        return self.back(await self.authorize(**ask))["code"]

    async def token(self, **form) -> tuple[int, dict]:
        answer = await self.client.post("/youtube/token", data=self.secrets | form)
        return answer.status, await answer.json()

    async def exchange(self, code: str, **form) -> tuple[int, dict]:
        return await self.token(
            grant_type="authorization_code", code=code, **({"redirect_uri": REDIRECT} | form)
        )

    async def refresh(self, refresh_token: str, **form) -> tuple[int, dict]:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **form)

    async def connect(self, **ask) -> dict:
        status, told = await self.exchange(await self.code(**ask))
        assert status == 200, told
        return told

    async def revoke(self, token: str) -> tuple[int, dict]:
        answer = await self.client.post("/youtube/revoke", data={"token": token})
        return answer.status, await answer.json()

    async def get(self, access: str, path: str, headers=(), **params) -> tuple[int, Any]:
        answer = await self.client.get(
            f"/youtube/youtube/v3/{path}",
            params=params,
            headers={"Authorization": f"Bearer {access}", **dict(headers)},
        )
        raw = await answer.read()
        return answer.status, json.loads(raw) if raw else None

    async def channel(self, access: str) -> dict:
        return (await self.get(access, "channels", part="snippet,statistics,contentDetails", mine="true"))[1]

    async def items(self, access: str, creator="sim.ada", **more) -> tuple[int, dict]:
        uploads = youtube_channels.uploads_id(people.BY_USERNAME[creator])
        asked = {"part": "snippet,contentDetails,status", "playlistId": uploads, "maxResults": "50"} | more
        return await self.get(access, "playlistItems", **asked)

    async def every_item(self, access: str, creator: str) -> list[dict]:
        found, more = [], {}
        while True:
            status, page = await self.items(access, creator, **more)
            assert status == 200, page
            found += page["items"]
            if "nextPageToken" not in page:
                return found
            more = {"pageToken": page["nextPageToken"]}

    async def control(self, **orders) -> int:
        return (await self.client.post("/youtube/_control", json=orders)).status

    @staticmethod
    def back(answer) -> dict[str, str]:
        assert answer.status == 302
        location = URL(answer.headers["Location"])
        assert str(location.with_query(None)) == REDIRECT
        return dict(location.query)


def reason(body) -> str:
    return body["error"]["errors"][0]["reason"]


async def started(**options) -> tuple[TestClient, Walker]:
    allowed = simulators.exactly(REDIRECT)
    registered = [
        simulators.App("web", "web-secret", "Fan & <Co>", allowed),
        simulators.App("other", "other-secret", "Other", allowed),
    ]
    application = simulators.create(
        registered,
        youtube=registered,
        **({"control": True, "clock": simulators.Clock(lambda: NOON)} | options),
    )
    client = TestClient(TestServer(application))
    await client.start_server()
    return client, Walker(client, application[simulators.YOUTUBE])


@pytest.fixture
async def youtube() -> AsyncIterator[Walker]:
    client, walker = await started()
    yield walker
    await client.close()


# -- consent


async def test_the_page_names_the_app_the_creators_and_every_scope(youtube):
    answer, text = await youtube.page(scope=f"{READONLY} {ANALYTICS}", login_hint="sim.noor")
    assert answer.status == 200
    assert "Fan &amp; &lt;Co&gt; wants access" in text
    assert text.count("<option") == 120
    assert re.findall(r'name="scope" value="([^"]+)"', text) == [READONLY, ANALYTICS]
    assert re.findall(r'value="([^"]+)" selected', text) == ["sim.noor"]
    assert text.count("no YouTube channel") == 1
    assert "subscribers hidden" in text


async def test_the_page_runs_nothing_and_fetches_nothing(youtube):
    answer, text = await youtube.page()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "form-action" not in policy
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", text)


async def test_approving_carries_state_code_and_what_was_granted_to_the_app(youtube):
    back = youtube.back(await youtube.authorize(scope=f"{READONLY} {ANALYTICS}", ticked=[READONLY]))
    assert back.keys() == {"state", "code", "scope", "authuser", "prompt"}
    assert (back["state"], back["scope"]) == ("st&te=1", READONLY)


async def test_denying_or_ticking_nothing_is_access_denied(youtube):
    for no in ({"decision": "deny"}, {"ticked": []}):
        assert youtube.back(await youtube.authorize(**no)) == {"error": "access_denied", "state": "st&te=1"}


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"redirect_uri": REDIRECT + "/"}, 400, "redirect_uri_mismatch"),
        ({"redirect_uri": None}, 400, "redirect_uri_mismatch"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"scope": f"{READONLY} nonsense"}, 400, "invalid_scope"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, 400, "invalid_request"),
    ],
)
async def test_a_wrong_request_gets_a_page_not_a_redirect(youtube, wrong, status, error):
    answer, text = await youtube.page(**wrong)
    assert (answer.status, "Location" in answer.headers) == (status, False)
    assert error in text


async def test_a_tampered_form_grants_nothing(youtube):
    assert (await youtube.authorize(creator="sim.nobody")).status == 400
    assert (await youtube.authorize(decision="perhaps")).status == 400
    assert (await youtube.authorize(ticked=[ANALYTICS])).status == 400


# -- tokens


async def test_the_exchange_answers_as_google_does(youtube):
    told = await youtube.connect()
    assert list(told) == ["access_token", "expires_in", "refresh_token", "scope", "token_type"]
    assert (told["expires_in"], told["scope"], told["token_type"]) == (3599, READONLY, "Bearer")


async def test_online_access_brings_no_refresh_token(youtube):
    assert "refresh_token" not in await youtube.connect(access_type="online")
    assert "refresh_token" not in await youtube.connect(access_type=None, prompt="consent")


async def test_a_second_consent_brings_a_refresh_token_only_when_asked_again(youtube):
    first = await youtube.connect()
    assert "refresh_token" not in await youtube.connect()
    again = await youtube.connect(prompt="consent")
    assert again["refresh_token"] != first["refresh_token"]
    assert (await youtube.refresh(first["refresh_token"]))[0] == 200
    await youtube.revoke(again["refresh_token"])
    assert "refresh_token" in await youtube.connect()


async def test_a_refresh_answers_without_a_refresh_token_and_the_old_one_stays(youtube):
    first = await youtube.connect()
    for _ in range(2):
        status, told = await youtube.refresh(first["refresh_token"])
        assert (status, list(told)) == (200, ["access_token", "expires_in", "scope", "token_type"])
        assert (await youtube.channel(told["access_token"]))["items"]


async def test_a_code_serves_once_for_its_app_its_redirect_and_ten_minutes(youtube):
    code = await youtube.code()
    stolen = {"client_id": "other", "client_secret": "other-secret"}
    assert (await youtube.exchange(code, **stolen))[1]["error"] == "invalid_grant"
    assert (await youtube.exchange(code))[0] == 200
    assert await youtube.exchange(code) == (
        400,
        {"error": "invalid_grant", "error_description": "Bad Request"},
    )
    moved = await youtube.exchange(await youtube.code(), redirect_uri="https://api.example/x")
    assert moved[1]["error"] == "redirect_uri_mismatch"
    late = await youtube.code()
    youtube.google.clock.advance(601)
    assert (await youtube.exchange(late))[1]["error"] == "invalid_grant"


async def test_pkce_is_the_rfcs(youtube):
    digest = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    assert digest == CHALLENGE
    ask = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    assert (await youtube.exchange(await youtube.code(**ask), code_verifier=VERIFIER))[0] == 200
    for wrong in ("", "x" * 43, VERIFIER + "=", "short"):
        status, told = await youtube.exchange(await youtube.code(**ask), code_verifier=wrong)
        assert (status, told["error"]) == (400, "invalid_grant")


async def test_a_wrong_client_is_401_and_a_wrong_request_400(youtube):
    assert (await youtube.exchange("c", client_id="nobody"))[0] == 401
    status, told = await youtube.exchange("c", client_secret="guess")
    assert (status, told["error"]) == (401, "invalid_client")
    assert (await youtube.token())[1]["error"] == "invalid_request"
    assert (await youtube.token(grant_type="refresh_token"))[1]["error"] == "invalid_request"
    assert (await youtube.token(grant_type="password"))[1]["error"] == "unsupported_grant_type"
    answer = await youtube.client.post("/youtube/token", json=youtube.secrets)
    assert (await answer.json())["error"] == "invalid_request"


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
async def test_a_revoke_by_either_token_kills_everything_of_the_app_and_the_person(youtube, which):
    first, second = await youtube.connect(), await youtube.connect(prompt="consent")
    someone = await youtube.connect(creator="sim.noor")
    assert (await youtube.revoke(first[which]))[0] == 200
    for told in (first, second):
        assert (await youtube.get(told["access_token"], "channels", part="id", mine="true"))[0] == 401
        assert (await youtube.refresh(told["refresh_token"])) == (
            400,
            {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
        )
    assert await youtube.revoke(first[which]) == (
        400,
        {"error": "invalid_token", "error_description": "Token expired or revoked"},
    )
    assert (await youtube.refresh(someone["refresh_token"]))[0] == 200


async def test_tokens_live_an_hour_and_half_a_year_unused(youtube):
    told = await youtube.connect()
    youtube.google.clock.advance(3_595)
    assert (await youtube.channel(told["access_token"]))["items"]
    youtube.google.clock.advance(6)
    assert reason(await youtube.channel(told["access_token"])) == "authError"
    for days, status in ((182, 200), (182, 200), (184, 400)):
        youtube.google.clock.advance(days * 86_400)
        assert (await youtube.refresh(told["refresh_token"]))[0] == status


async def test_an_app_in_testing_keeps_a_grant_for_seven_days_used_or_not(youtube):
    assert await youtube.control(testing=True) == 200
    told = await youtube.connect()
    assert told["refresh_token_expires_in"] == 604_799
    youtube.google.clock.advance(6 * 86_400)
    assert (await youtube.refresh(told["refresh_token"]))[0] == 200
    youtube.google.clock.advance(86_400)
    assert (await youtube.refresh(told["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_the_oldest_of_too_many_refresh_tokens_dies_silently(youtube):
    consent = simulators.youtube_state.state.Consent("web", "sim.ada", (READONLY,))
    for number in range(101):
        youtube.google.state.open_grant(consent, f"a{number}", f"r{number}", now=NOON, until=NOON + 9)
    assert (await youtube.refresh("r0"))[1]["error"] == "invalid_grant"
    assert (await youtube.refresh("r1"))[0] == 200


async def test_a_person_who_removes_the_app_ends_its_tokens(youtube):
    told = await youtube.connect()
    assert await youtube.control(remove="sim.ada") == 200
    assert (await youtube.refresh(told["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_grants_and_units_outlive_a_restart_beside_tiktoks_and_in_no_clear_text(tmp_path):
    path = tmp_path / "state.sqlite"
    client, first = await started(state_path=path)
    told, code = await first.connect(), await first.code(prompt="consent")
    await first.channel(told["access_token"])
    await client.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (told["access_token"], told["refresh_token"], code):
        assert secret.encode() not in stored
    client, second = await started(state_path=path)
    assert (await second.channel(told["access_token"]))["items"]
    assert second.google.state.spend("web", second.google.day(), 0) == 2
    assert (await second.exchange(code))[0] == 200
    tiktok = {"Authorization": f"Bearer {told['access_token']}"}
    assert (await client.get("/tiktok/v2/user/info/?fields=open_id", headers=tiktok)).status == 401
    await client.close()


# -- resources


async def test_a_channels_counts_are_text(youtube):
    told = await youtube.channel((await youtube.connect())["access_token"])
    (channel,) = told["items"]
    assert told["kind"] == "youtube#channelListResponse"
    assert (channel["id"][:2], len(channel["id"])) == ("UC", 24)
    assert channel["contentDetails"]["relatedPlaylists"]["uploads"] == "UU" + channel["id"][2:]
    assert channel["snippet"]["customUrl"] == "@sim.ada"
    assert channel["statistics"] == {
        "viewCount": str(youtube_channels.total_views(people.BY_USERNAME["sim.ada"], NOON)),
        "subscriberCount": "1340000",
        "hiddenSubscriberCount": False,
        "videoCount": str(
            len(await youtube.every_item((await youtube.connect())["access_token"], "sim.ada"))
        ),
    }


async def test_hidden_subscribers_are_a_flag_beside_a_number_that_means_nothing(youtube):
    told = await youtube.channel((await youtube.connect(creator="sim.sparse"))["access_token"])
    assert told["items"][0]["statistics"]["hiddenSubscriberCount"] is True
    assert told["items"][0]["statistics"]["subscriberCount"] == "0"


async def test_an_account_without_a_channel_has_no_items_at_all(youtube):
    told = await youtube.channel(
        (await youtube.connect(creator=youtube_channels.WITHOUT_CHANNEL))["access_token"]
    )
    assert "items" not in told


async def test_a_channel_without_videos_has_no_uploads_list_or_an_empty_one(youtube):
    access = (await youtube.connect())["access_token"]
    status, told = await youtube.items(access, "sim.quiet")
    assert (status, reason(told)) == (404, "playlistNotFound")
    assert (await youtube.items(access, "sim.hugo02"))[1]["items"] == []
    assert reason((await youtube.items(access, youtube_channels.WITHOUT_CHANNEL))[1]) == "playlistNotFound"


async def test_pages_cover_the_list_newest_first_and_tokens_serve_their_list_only(youtube):
    access = (await youtube.connect(creator="sim.burst"))["access_token"]
    found = await youtube.every_item(access, "sim.burst")
    assert [item["snippet"]["position"] for item in found] == list(range(300))
    assert len({item["contentDetails"]["videoId"] for item in found}) == 300
    times = [item["contentDetails"]["videoPublishedAt"][:19] for item in found]
    assert times == sorted(times, reverse=True)
    token = (await youtube.items(access, "sim.burst"))[1]["nextPageToken"]
    for creator, wrong in (
        ("sim.ada", token),
        ("sim.burst", "x"),
        ("sim.burst", "é"),
        ("sim.burst", token + "="),
    ):
        status, told = await youtube.items(access, creator, pageToken=wrong)
        assert (status, reason(told)) == (400, "invalidPageToken")


async def test_private_videos_are_listed_to_their_owner_alone(youtube):
    own = await youtube.every_item(
        (await youtube.connect(creator="sim.strange"))["access_token"], "sim.strange"
    )
    private = [item for item in own if item["status"]["privacyStatus"] == "private"]
    other = (await youtube.connect())["access_token"]
    seen = await youtube.every_item(other, "sim.strange")
    assert private
    assert len(seen) == len(own) - len(private)
    ids = ",".join(item["contentDetails"]["videoId"] for item in private)
    assert (await youtube.get(other, "videos", part="id,snippet", id=ids))[1]["items"] == []


async def test_ids_that_are_gone_are_dropped_without_a_word(youtube):
    access = (await youtube.connect(creator="sim.strange"))["access_token"]
    ids = [item["contentDetails"]["videoId"] for item in await youtube.every_item(access, "sim.strange")][:50]
    lost = {upload_id for upload_id in ids if youtube_channels.find(upload_id, NOON).dropped}
    assert lost
    kept = next(upload_id for upload_id in ids if upload_id not in lost)
    assert await youtube.control(hide_video=kept) == 200
    status, told = await youtube.get(
        access, "videos", part="snippet", id=",".join([*ids[:48], kept, "nonsense"])
    )
    assert status == 200
    assert {video["id"] for video in told["items"]} == set(ids[:48]) - lost - {kept}
    assert await youtube.control(show_video=kept) == 200
    assert (await youtube.get(access, "videos", part="snippet", id=kept))[1]["items"]


async def test_videos_have_text_counts_iso_durations_and_holes(youtube):
    access = (await youtube.connect(creator="sim.sparse"))["access_token"]
    ids = [item["contentDetails"]["videoId"] for item in await youtube.every_item(access, "sim.sparse")]
    told = (
        await youtube.get(
            access,
            "videos",
            part="snippet,statistics,contentDetails,player",
            id=",".join(ids),
            maxHeight="720",
        )
    )[1]["items"]
    assert all(type(count) is str for video in told for count in video["statistics"].values())
    assert {"likeCount" in video["statistics"] for video in told} == {True, False}
    assert all(
        re.fullmatch(r"P(\d+D)?(T(\d+[HMS])+)?", video["contentDetails"]["duration"]) for video in told
    )
    assert {video["player"]["embedWidth"] for video in told} == {"405", "1280"}
    assert any("." in video["snippet"]["publishedAt"] for video in told)
    assert any("shortsAspectRatio" in video["snippet"]["thumbnails"] for video in told)


async def test_live_items_have_no_length_yet(youtube):
    uploads = list(youtube_channels.everything(people.BY_USERNAME["sim.strange"], NOON))
    broadcast = {upload.broadcast: upload for upload in uploads}
    assert broadcast.keys() == {"none", "live"}
    wire = youtube_wire.video(broadcast["live"], ("contentDetails", "snippet", "liveStreamingDetails"), None)
    assert wire["contentDetails"]["duration"] == "P0D"
    assert wire["snippet"]["liveBroadcastContent"] == "live"
    assert "actualStartTime" in wire["liveStreamingDetails"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "P0D"), (59, "PT59S"), (3_600, "PT1H"), (86_400, "P1D"), (93_601, "P1DT2H1S")]
)
def test_durations_are_written_as_youtube_writes_them(seconds, text):
    assert youtube_wire.duration(seconds) == text


def test_ids_can_be_read_back_and_only_those_we_made():
    seen = set()
    for creator in people.CREATORS[:25]:
        for upload in youtube_channels.page(creator, 0, 200, NOON):
            assert re.fullmatch(r"[A-Za-z0-9_-]{11}", upload.id)
            assert youtube_channels.find(upload.id, NOON) == upload
            seen.add(upload.id)
    assert any(upload_id.startswith("-") for upload_id in seen)
    for wrong in ("", "x" * 11, "é" * 11, "=" * 11, "A" * 12):
        assert youtube_channels.find(wrong, NOON) is None


async def test_an_etag_that_is_known_is_answered_with_304_and_costs_a_unit(youtube):
    access = (await youtube.connect())["access_token"]
    params = {"part": "snippet", "mine": "true"}
    told = (await youtube.get(access, "channels", **params))[1]
    for tag in (told["etag"], f'"{told["etag"]}"', f'W/"{told["etag"]}"'):
        assert await youtube.get(access, "channels", {"If-None-Match": tag}, **params) == (304, None)
    assert (await youtube.get(access, "channels", {"If-None-Match": '"other"'}, **params))[0] == 200
    assert youtube.google.state.spend("web", youtube.google.day(), 0) == 5


async def test_counters_that_move_change_the_etag(youtube):
    access = (await youtube.connect())["access_token"]
    before = (await youtube.channel(access))["etag"]
    youtube.google.clock.advance(3_000)
    assert (await youtube.channel(access))["etag"] != before


@pytest.mark.parametrize(
    ("path", "params", "status", "word"),
    [
        ("channels", {"mine": "true"}, 400, "missingRequiredParameter"),
        ("channels", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("channels", {"part": "snippet,nonsense", "mine": "true"}, 400, "unknownPart"),
        ("playlistItems", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("playlistItems", {"part": "snippet", "playlistId": "UUnone"}, 404, "playlistNotFound"),
        (
            "playlistItems",
            {"part": "snippet", "playlistId": "UU", "maxResults": "51"},
            400,
            "invalidParameter",
        ),
        ("videos", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("videos", {"part": "snippet", "id": ",".join(map(str, range(51)))}, 400, "invalidFilters"),
        ("videos", {"part": "snippet", "id": "x", "maxHeight": "7"}, 400, "invalidParameter"),
    ],
)
async def test_wrong_requests_are_refused_with_youtubes_reason_and_cost_a_unit(
    youtube, path, params, status, word
):
    access = (await youtube.connect())["access_token"]
    got, told = await youtube.get(access, path, **params)
    assert (got, reason(told), told["error"]["code"]) == (status, word, status)
    assert youtube.google.state.spend("web", youtube.google.day(), 0) == 1


async def test_no_token_a_wrong_one_and_a_missing_scope_are_told_apart(youtube):
    answer = await youtube.client.get("/youtube/youtube/v3/channels?part=snippet&mine=true")
    assert (answer.status, reason(await answer.json())) == (401, "required")
    status, told = await youtube.get("ya29.x", "channels", part="snippet", mine="true")
    assert (status, reason(told), told["error"]["status"]) == (401, "authError", "UNAUTHENTICATED")
    access = (await youtube.connect(scope=f"{READONLY} {ANALYTICS}", ticked=[ANALYTICS]))["access_token"]
    status, told = await youtube.get(access, "channels", part="snippet", mine="true")
    assert (status, reason(told)) == (403, "insufficientPermissions")
    assert told["error"]["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


async def test_a_projects_units_end_at_ten_thousand_and_come_back_at_midnight_in_california(youtube):
    access = (await youtube.connect())["access_token"]
    assert youtube.google.state.spend("web", youtube.google.day(), 9_998) == 9_998
    for wanted in (200, 200, 403, 403):
        status, told = await youtube.get(access, "channels", part="snippet", mine="true")
        assert status == wanted
    assert (reason(told), told["error"]["errors"][0]["domain"]) == ("quotaExceeded", "youtube.quota")
    youtube.google.clock.advance(datetime(2026, 11, 21, 8, tzinfo=UTC).timestamp() - NOON - 1)
    assert youtube.google.day() == "2026-11-20"
    youtube.google.clock.advance(1)
    assert youtube.google.day() == "2026-11-21"
    access = (await youtube.connect())["access_token"]
    assert (await youtube.get(access, "channels", part="snippet", mine="true"))[0] == 200


async def test_units_are_the_projects_not_the_creators(youtube):
    assert await youtube.control(quota=1) == 200
    one, other = [(await youtube.connect(creator=f"sim.{name}"))["access_token"] for name in ("ada", "noor")]
    assert (await youtube.channel(one))["items"]
    assert reason(await youtube.channel(other)) == "quotaExceeded"


async def test_too_many_requests_are_a_403(youtube):
    await youtube.control(rate_limit=1)
    access = (await youtube.connect())["access_token"]
    assert (await youtube.channel(access))["items"]
    status, told = await youtube.get(access, "channels", part="snippet", mine="true")
    assert (status, reason(told)) == (403, "rateLimitExceeded")
    youtube.google.clock.advance(60)
    assert (await youtube.channel(access))["items"]


async def test_oembed_is_public_and_escapes_titles(youtube):
    uploads = youtube_channels.everything(people.BY_USERNAME["sim.strange"], NOON)
    by_state = {}
    for upload in uploads:
        by_state.setdefault("dropped" if upload.dropped else upload.privacy, []).append(upload)
    shown = next(upload for upload in by_state["public"] if "<script>" in upload.video.title())
    for url in (f"https://www.youtube.com/watch?v={shown.id}&t=1", f"https://youtu.be/{shown.id}?si=x"):
        told = await (await youtube.client.get("/youtube/oembed", params={"url": url})).json()
        assert (told["title"], told["author_url"]) == (
            shown.video.title(),
            "https://www.youtube.com/@sim.strange",
        )
        assert "<script>" not in told["html"]
    for upload, status in ((by_state["private"][0], 401), (by_state["dropped"][0], 404)):
        answer = await youtube.client.get("/youtube/oembed", params={"url": youtube_wire.watch_url(upload)})
        assert answer.status == status
    assert (await youtube.client.get("/youtube/oembed", params={"url": "https://x.example/"})).status == 400


# -- faults


async def raw(youtube, access):
    uploads = youtube_channels.uploads_id(people.BY_USERNAME["sim.burst"])
    answer = await youtube.client.get(
        "/youtube/youtube/v3/playlistItems",
        params={"part": "contentDetails", "playlistId": uploads, "maxResults": "50"},
        headers={"Authorization": f"Bearer {access}"},
    )
    return answer.status, await answer.read()


@pytest.fixture
async def access(youtube):
    return (await youtube.connect(creator="sim.burst"))["access_token"]


def order(youtube, endpoint, kind, **more):
    youtube.google.faults.add(simulators.Fault(f"youtube/{endpoint}", kind, **more))


@pytest.mark.parametrize("endpoint", ["channels", "playlistItems", "videos"])
@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("status_429", 403, "rateLimitExceeded"),
        ("status_500", 500, "backendError"),
        ("bad_token", 401, "authError"),
    ],
)
async def test_a_fault_happens_as_often_as_ordered_over_http(youtube, access, endpoint, kind, status, word):
    orders = {"endpoint": f"youtube/{endpoint}", "kind": kind, "times": 2}
    assert (await youtube.client.post("/_control", json=orders)).status == 200
    for _ in range(2):
        got, told = await youtube.get(access, endpoint)
        assert (got, reason(told)) == (status, word)
    assert (await youtube.get(access, endpoint))[0] == 400


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("status_429", 429, "rate_limit_exceeded"),
        ("status_500", 500, "internal_failure"),
        ("bad_token", 400, "invalid_grant"),
    ],
)
async def test_the_token_endpoint_breaks_in_its_own_flat_shape(youtube, kind, status, error):
    refresh = (await youtube.connect())["refresh_token"]
    order(youtube, "token", kind)
    got, told = await youtube.refresh(refresh)
    assert (got, told["error"]) == (status, error)
    assert (await youtube.refresh(refresh))[0] == 200
    order(youtube, "revoke", "bad_token")
    assert (await youtube.revoke(refresh))[1]["error"] == "invalid_token"


async def test_half_an_answer_is_no_json_a_huge_one_is_and_a_dropped_one_none(youtube, access):
    order(youtube, "playlistItems", "half_json")
    order(youtube, "playlistItems", "huge", size=1_000_000)
    order(youtube, "playlistItems", "slow", delay=0.05)
    order(youtube, "playlistItems", "drop", times=9)
    with pytest.raises(json.JSONDecodeError):
        json.loads((await raw(youtube, access))[1])
    body = (await raw(youtube, access))[1]
    assert len(body) > 1_000_000
    assert json.loads(body)["items"]
    assert (await raw(youtube, access))[0] == 200
    with pytest.raises(aiohttp.ClientConnectionError):
        await raw(youtube, access)


async def test_short_doubled_and_looping_pages(youtube, access):
    for kind in ("short_page", "duplicates", "page_loop", "page_loop"):
        order(youtube, "playlistItems", kind)
    short = (await youtube.items(access, "sim.burst"))[1]
    assert len(short["items"]) == 1
    assert short["nextPageToken"]
    ids = [
        item["contentDetails"]["videoId"] for item in (await youtube.items(access, "sim.burst"))[1]["items"]
    ]
    assert (len(ids), len(set(ids))) == (100, 50)
    token = (await youtube.items(access, "sim.burst"))[1]["nextPageToken"]
    assert (await youtube.items(access, "sim.burst", pageToken=token))[1]["nextPageToken"] == token


@pytest.mark.parametrize(
    "orders",
    [
        [],
        {"unknown": 1},
        {"testing": 1},
        {"quota": -1},
        {"quota": True},
        {"remove": "sim.nobody"},
        {"hide_video": "x"},
    ],
)
async def test_a_wrong_order_is_refused(youtube, orders):
    assert (await youtube.client.post("/youtube/_control", json=orders)).status == 400
    assert youtube.google.knobs == youtube_world.Knobs()


async def test_without_control_there_is_no_switchboard():
    client, youtube = await started(control=False)
    assert await youtube.control(testing=True) == 404
    await client.close()


async def test_without_registered_apps_nobody_gets_in():
    application = simulators.create(
        [simulators.App("web", "web-secret", "Web", simulators.exactly(REDIRECT))]
    )
    async with TestClient(TestServer(application)) as client:
        answer = await client.get("/youtube/o/oauth2/v2/auth", params={"client_id": "web"})
        assert answer.status == 401
