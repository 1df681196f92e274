"""The YouTube connector against Google's wire format on loopback."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib import parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platforms import base, registry, youtube, youtube_wire

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRETS = {
    "client_secret": "GOCSPX-0123456789abcdef0123456789abcdef",
    "access": "ya29.0123456789abcdef0123456789abcdef",
    "refresh": "1//00123456789abcdef0123456789abcdef",
    "code": "4/0A0123456789abcdef0123456789abcdef",
}
TOKENS = base.Tokens(
    access_token=SECRETS["access"],
    refresh_token=SECRETS["refresh"],
    expires_at=NOW + timedelta(hours=1),
    refresh_expires_at=None,
    scopes=youtube.SCOPES,
    external_id="UC1",
)
GRANTED = {
    "access_token": "ya29.new",
    "expires_in": 3599,
    "refresh_token": "1//0new",
    "scope": youtube.READONLY,
    "token_type": "Bearer",
}
REDIRECT = "https://ours.example/connect/youtube/callback"
START = {"uploads": "UU1", "page": None, "says": 3, "restarts": 0}


@pytest.fixture
def spent():
    return []


@pytest.fixture
def connector(platform, http, spent):
    async def spend(units):
        spent.append(units)

    app = base.App(
        "ci-1",
        SECRETS["client_secret"],
        "https://auth.example",
        platform.url,
        token_url=platform.url + "/oauth",
    )
    return youtube.YouTube(app, http, spend=spend, now=lambda: NOW)


def flat(code, text="what happened"):
    return {"error": code, "error_description": text}


def refusal(status, reason=None, detail=None, text="what happened"):
    errors = [{"message": text, "domain": "youtube", "reason": reason}] if reason else []
    error = {"code": status, "message": text, "errors": errors}
    return {"error": error | ({"details": [{"reason": detail}]} if detail else {})}


def channel(**statistics):
    return {
        "items": [
            {
                "id": "UC1",
                "snippet": {"title": "Demo", "description": "about", "customUrl": "@demo", "thumbnails": {}},
                "statistics": {
                    "viewCount": "12345",
                    "subscriberCount": "678",
                    "hiddenSubscriberCount": False,
                    "videoCount": "3",
                    **statistics,
                },
                "contentDetails": {"relatedPlaylists": {"uploads": "UU1"}},
            }
        ]
    }


def item(video_id="v1", privacy="public", **details):
    return {"contentDetails": {"videoId": video_id, **details}, "status": {"privacyStatus": privacy}}


def listing(*items, **more):
    return {"items": list(items), **more}


def video(video_id="v1", snippet=(), **more):
    told = {
        "publishedAt": "2026-01-02T03:04:05Z",
        "title": "t",
        "liveBroadcastContent": "none",
        **dict(snippet),
    }
    return {"id": video_id, "snippet": told, **more}


def test_it_keeps_the_connectors_promise(connector):
    promised: base.Connector = connector
    assert (promised.platform, promised.scopes) == ("YOUTUBE", youtube.SCOPES)


# -- consent


def test_the_authorize_url_asks_for_a_refresh_token_and_proves_the_app(connector):
    begun = connector.begin("st&te", REDIRECT)
    where, query = begun.url.split("?")
    assert where == "https://auth.example/o/oauth2/v2/auth"
    told = parse.parse_qs(query, strict_parsing=True)
    challenge = told.pop("code_challenge")[0]
    assert told == {
        "client_id": ["ci-1"],
        "response_type": ["code"],
        "scope": ["https://www.googleapis.com/auth/youtube.readonly"],
        "redirect_uri": [REDIRECT],
        "state": ["st&te"],
        "access_type": ["offline"],
        "prompt": ["consent"],
        "code_challenge_method": ["S256"],
    }
    assert len(challenge) == 43
    assert 43 <= len(begun.code_verifier) <= 128


def test_pkce_is_the_rfcs_base64url():
    made = youtube.oauth2.WebApplicationClient("x").create_code_challenge(
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "S256"
    )
    assert made == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_several_scopes_are_separated_by_spaces(platform, http):
    app = base.App("ci-1", "hush", "https://auth.example", platform.url)
    connector = youtube.YouTube(app, http, scopes=("one", "two"))
    assert parse.parse_qs(connector.begin("s", REDIRECT).url)["scope"] == ["one two"]


def test_every_consent_has_its_own_verifier(connector):
    assert connector.begin("s", REDIRECT).code_verifier != connector.begin("s", REDIRECT).code_verifier


# -- tokens


async def test_a_code_is_exchanged_at_the_token_host_with_credentials_in_the_form(connector, platform):
    platform.say(GRANTED)
    tokens = await connector.complete("4/c", REDIRECT, "verifier")
    asked = platform.asked[0]
    assert (asked.method, asked.path) == ("POST", "/oauth/token")
    assert "Authorization" not in asked.headers
    assert asked.form == {
        "client_id": "ci-1",
        "client_secret": SECRETS["client_secret"],
        "code": "4/c",
        "grant_type": "authorization_code",
        "redirect_uri": REDIRECT,
        "code_verifier": "verifier",
    }
    assert tokens == base.Tokens(
        access_token="ya29.new",
        refresh_token="1//0new",
        expires_at=NOW + timedelta(seconds=3599),
        refresh_expires_at=None,
        scopes=(youtube.READONLY,),
        external_id=None,
    )


async def test_a_refresh_keeps_the_refresh_token_the_creator_and_the_scopes(connector, platform):
    platform.say({"access_token": "ya29.next", "expires_in": 3599, "token_type": "Bearer"})
    fresh = await connector.refresh(TOKENS)
    assert platform.asked[0].form["grant_type"] == "refresh_token"
    assert platform.asked[0].form["refresh_token"] == SECRETS["refresh"]
    assert fresh == replace(TOKENS, access_token="ya29.next", expires_at=NOW + timedelta(seconds=3599))


@pytest.mark.parametrize("empty", ["", None, 7])
async def test_an_empty_refresh_token_never_takes_the_stored_ones_place(connector, platform, empty):
    platform.say({**GRANTED, "refresh_token": empty})
    assert (await connector.refresh(TOKENS)).refresh_token == SECRETS["refresh"]


async def test_a_time_limited_grant_says_when_it_ends(connector, platform):
    platform.say({**GRANTED, "refresh_token_expires_in": 604_799})
    tokens = await connector.complete("c", REDIRECT, None)
    assert tokens.refresh_expires_at == NOW + timedelta(seconds=604_799)
    assert "code_verifier" not in platform.asked[0].form


async def test_what_was_granted_is_what_the_token_answer_says(connector, platform):
    platform.say({**GRANTED, "scope": "openid  https://www.googleapis.com/auth/yt-analytics.readonly openid"})
    tokens = await connector.complete("c", REDIRECT, "v")
    assert tokens.scopes == ("openid", "https://www.googleapis.com/auth/yt-analytics.readonly")
    for call in (connector.profile(tokens), connector.videos(tokens, None)):
        with pytest.raises(base.ScopeMissing):
            await call
    assert len(platform.asked) == 1


@pytest.mark.parametrize(
    "scope", [f"https://www.googleapis.com/auth/youtube{more}" for more in ("", ".force-ssl")]
)
async def test_a_wider_scope_is_enough(connector, platform, scope):
    platform.say(channel())
    assert (await connector.profile(replace(TOKENS, scopes=(scope,)))).username == "demo"


@pytest.mark.parametrize("missing", ["access_token", "scope"])
async def test_a_token_answer_without_what_it_must_have_is_a_provider_bug(connector, platform, missing):
    platform.say({key: value for key, value in GRANTED.items() if key != missing})
    with pytest.raises(base.ProviderBug):
        await connector.complete("c", REDIRECT, "v")


async def test_a_token_that_would_break_a_header_is_a_provider_bug(connector, platform):
    platform.say({**GRANTED, "access_token": "a\r\nX: y"})
    with pytest.raises(base.ProviderBug):
        await connector.complete("c", REDIRECT, "v")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, flat("invalid_grant"), base.ReconnectRequired),
        (401, flat("invalid_client"), base.Misconfigured),
        (400, flat("invalid_request"), base.ProviderBug),
        (400, flat("redirect_uri_mismatch"), base.Misconfigured),
        (401, flat("unheard_of"), base.ProviderBug),
        (403, flat("org_internal"), base.ProviderBug),
        (429, flat("rate_limit_exceeded"), base.RateLimited),
        (500, flat("internal_failure"), base.Transient),
        (503, flat("invalid_grant"), base.Transient),
        (502, b"<html>", base.Transient),
        (429, b"", base.RateLimited),
        (404, b"<html>", base.ProviderBug),
        (200, b"[]", base.ProviderBug),
    ],
)
async def test_refusals_of_the_token_endpoint_are_told_apart_and_never_repeated(
    connector, platform, status, body, kind
):
    platform.say(body, status=status)
    with pytest.raises(kind) as caught:
        await connector.refresh(TOKENS)
    assert type(caught.value) is kind
    assert len(platform.asked) == 1


async def test_without_a_refresh_token_nothing_is_asked(connector, platform):
    with pytest.raises(base.ReconnectRequired):
        await connector.refresh(replace(TOKENS, refresh_token=None))
    assert platform.asked == []


# -- revoking


async def test_the_refresh_token_is_revoked(connector, platform):
    platform.say({})
    assert await connector.revoke(TOKENS) is True
    assert (platform.asked[0].path, platform.asked[0].form) == (
        "/oauth/revoke",
        {"token": SECRETS["refresh"]},
    )


async def test_an_empty_answer_to_a_revoke_is_an_answer(connector, platform):
    platform.say(b"")
    assert await connector.revoke(replace(TOKENS, refresh_token=None)) is True
    assert platform.asked[0].form == {"token": SECRETS["access"]}


async def test_a_token_that_was_dead_before_is_revoked_too(connector, platform):
    platform.say(flat("invalid_token"), status=400)
    assert await connector.revoke(TOKENS) is False


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, flat("invalid_request"), base.ProviderBug),
        (500, flat("internal_failure"), base.Transient),
        (503, flat("invalid_token"), base.Transient),
        (429, flat("rate_limit_exceeded"), base.RateLimited),
    ],
)
async def test_another_refusal_of_a_revoke_is_no_revoke(connector, platform, status, body, kind):
    platform.say(body, status=status)
    with pytest.raises(kind):
        await connector.revoke(TOKENS)


# -- the channel


async def test_a_profile_is_the_channel_with_its_counts_read_from_text(connector, platform, spent):
    told = channel(viewCount="18446744073709551615")
    told["items"][0]["snippet"]["thumbnails"] = {
        "default": {"url": "https://t.example/88"},
        "high": {"url": "https://t.example/800"},
        "fhd": {"url": "https://t.example/1080"},
    }
    platform.say(told)
    assert await connector.profile(TOKENS) == base.Profile(
        external_id="UC1",
        username="demo",
        display_name="Demo",
        bio="about",
        avatar_url="https://t.example/800",
        profile_url="https://www.youtube.com/channel/UC1",
        followers=678,
        views=None,
        video_count=3,
    )
    assert platform.asked[0].query == {"part": "snippet,statistics,contentDetails", "mine": "true"}
    assert platform.asked[0].headers["Authorization"] == f"Bearer {SECRETS['access']}"
    assert spent == [1]


async def test_hidden_subscribers_are_unknown_not_zero(connector, platform):
    platform.say(channel(hiddenSubscriberCount=True, subscriberCount="0"))
    assert (await connector.profile(TOKENS)).followers is None


@pytest.mark.parametrize("bad", ["-1", "1.5", "", "x", "²", 1.5, True, None, [], "9" * 30])
async def test_what_is_no_count_is_unknown(connector, platform, bad):
    platform.say(channel(viewCount=bad))
    assert (await connector.profile(TOKENS)).views is None


@pytest.mark.parametrize("custom", [None, "", "@"])
async def test_a_channel_without_a_handle_goes_by_its_title(connector, platform, custom):
    told = channel()
    told["items"][0]["snippet"]["customUrl"] = custom
    platform.say(told)
    assert (await connector.profile(TOKENS)).username == "Demo"


@pytest.mark.parametrize("body", [{"items": []}, {"pageInfo": {"totalResults": 0}}])
async def test_an_account_without_a_channel_says_so(connector, platform, body):
    platform.say(body)
    with pytest.raises(base.NoAccount, match="no_channel") as caught:
        await connector.profile(TOKENS)
    explained = registry.explain("YOUTUBE", caught.value)
    assert explained.extra["reason"] == "NO_ACCOUNT"


@pytest.mark.parametrize("body", [{"items": 5}, {"items": [None]}, {"items": [{}]}, [], "x"])
async def test_a_channel_answer_of_another_shape_is_a_provider_bug(connector, platform, body):
    platform.say(body)
    with pytest.raises(base.ProviderBug):
        await connector.profile(TOKENS)


async def test_another_creators_channel_behind_the_token_is_refused(connector, platform):
    platform.say(channel())
    for call in (connector.profile, lambda tokens: connector.videos(tokens, None)):
        with pytest.raises(base.ProviderBug, match="channel_changed"):
            await call(replace(TOKENS, external_id="UC2"))


# -- refusals of resources


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, refusal(401, "authError"), base.AuthExpired),
        (401, refusal(401, "unheardOf"), base.AuthExpired),
        (401, b"", base.AuthExpired),
        (401, refusal(401, "youtubeSignupRequired"), base.NoAccount),
        (403, refusal(403, "insufficientPermissions"), base.ScopeMissing),
        (403, refusal(403, "forbidden", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), base.ScopeMissing),
        (403, refusal(403, "rateLimitExceeded"), base.RateLimited),
        (403, refusal(403, "userRateLimitExceeded"), base.RateLimited),
        (403, refusal(403, None, "RATE_LIMIT_EXCEEDED"), base.RateLimited),
        (429, refusal(429, "unheardOf"), base.RateLimited),
        (403, refusal(403, "accessNotConfigured"), base.Misconfigured),
        (403, refusal(403, "forbidden", "SERVICE_DISABLED"), base.Misconfigured),
        (400, refusal(400, "badRequest", "API_KEY_INVALID"), base.Misconfigured),
        (400, refusal(400, "keyInvalid"), base.Misconfigured),
        (400, refusal(400, "invalidPageToken"), base.ProviderBug),
        (404, refusal(404, "channelNotFound"), base.ProviderBug),
        (403, refusal(403, "authenticatedUserAccountClosed"), base.NoAccount),
        (403, refusal(403, "authenticatedUserAccountSuspended"), base.NoAccount),
        (403, refusal(403, "accountDelegationForbidden"), base.NoAccount),
        (403, refusal(403, "forbidden"), base.NoAccount),
        (403, {"error": "odd"}, base.ProviderBug),
        (403, {"error": {"errors": [None, {"reason": 5}], "details": "x"}}, base.ProviderBug),
    ],
)
async def test_refusals_of_resources_are_told_apart_and_asked_once(connector, platform, status, body, kind):
    platform.say(body, status=status)
    with pytest.raises(kind) as caught:
        await connector.profile(TOKENS)
    assert type(caught.value) is kind
    assert len(platform.asked) == 1


class Watched:
    """A gate that remembers who closed it."""

    def __init__(self):
        self.closed = []

    async def enter(self, endpoint): ...

    async def close(self, endpoint, until):
        self.closed.append(endpoint)


@pytest.mark.parametrize(("reason", "closed"), [("accessNotConfigured", []), ("rateLimitExceeded", [""])])
async def test_a_limit_stops_all_of_ours_and_what_is_wrong_with_our_app_does_not(
    platform, http, reason, closed
):
    app, gate = base.App("ci-1", "s", "https://auth.example", platform.url), Watched()
    platform.say(refusal(403, reason), status=403)
    with pytest.raises(base.RateLimited):
        await youtube.YouTube(app, http, gate=gate, now=lambda: NOW).profile(TOKENS)
    assert gate.closed == closed


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, refusal(500, "backendError")), (503, b"<html>"), (502, refusal(502, "quotaExceeded")), (504, b"")],
)
async def test_a_platform_that_stumbles_is_asked_again_and_every_answer_costs_a_unit(
    connector, platform, spent, status, body
):
    platform.say(body, status=status)
    with pytest.raises(base.Transient):
        await connector.profile(TOKENS)
    assert len(platform.asked) == sum(spent) == 3


@pytest.mark.parametrize(
    "body",
    [
        refusal(403, "quotaExceeded"),
        refusal(403, "dailyLimitExceeded"),
        refusal(403, "quotaExceeded", "RATE_LIMIT_EXCEEDED"),
    ],
)
async def test_a_spent_quota_waits_for_midnight_in_california(connector, platform, body):
    platform.say(body, status=403, headers={"Retry-After": "5"})
    with pytest.raises(base.RateLimited) as caught:
        await connector.profile(TOKENS)
    assert caught.value.retry_at == datetime(2026, 11, 21, 8, tzinfo=UTC)


async def test_too_many_requests_wait_as_long_as_they_are_told(connector, platform):
    platform.say(refusal(403, "rateLimitExceeded"), status=403, headers={"Retry-After": "5"})
    with pytest.raises(base.RateLimited) as caught:
        await connector.profile(TOKENS)
    assert caught.value.retry_at == NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        (datetime(2026, 7, 1, 6, 59, 59, tzinfo=UTC), datetime(2026, 7, 1, 7, tzinfo=UTC)),
        (datetime(2026, 7, 1, 7, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC)),
        (datetime(2026, 3, 8, 9, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),  # 23 hours long
        (datetime(2026, 11, 1, 7, 30, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),  # 25 hours long
        (datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, 8, tzinfo=UTC)),
    ],
)
def test_midnight_in_california_knows_summer_time(now, midnight):
    assert youtube_wire.midnight(now) == midnight


async def test_a_meter_that_says_no_keeps_the_call_from_being_sent(platform, http):
    async def empty(_units):
        raise base.RateLimited("quotaExceeded", "ours", retry_at=NOW)

    app = base.App("ci-1", "hush", "https://auth.example", platform.url)
    with pytest.raises(base.RateLimited, match="ours"):
        await youtube.YouTube(app, http, spend=empty).profile(TOKENS)
    assert platform.asked == []


# -- videos


async def test_a_page_is_the_uploads_list_and_its_videos(connector, platform, spent):
    platform.say(channel())
    platform.say(listing(item("v2"), item("-1"), nextPageToken="t1"))
    platform.say(
        listing(
            video("-1", statistics={}),
            video(
                "v2",
                {"publishedAt": "2026-01-02T03:04:05.678901234Z", "title": "x" * 200, "description": "about"},
                statistics={
                    "viewCount": "1200",
                    "likeCount": "80",
                    "commentCount": "0",
                    "favoriteCount": "0",
                },
                contentDetails={"duration": "PT3M12S"},
            ),
        )
    )
    page = await connector.videos(TOKENS, None)
    assert page.videos == (
        base.VideoRecord(
            external_id="v2",
            kind="VIDEO",
            published_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            title="x" * 150,
            description="about",
            url="https://www.youtube.com/watch?v=v2",
            views=1200,
            likes=80,
            comments=0,
            duration=192,
        ),
        base.VideoRecord(
            external_id="-1",
            kind="VIDEO",
            published_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            title="t",
            url="https://www.youtube.com/watch?v=-1",
        ),
    )
    assert (page.skipped, page.cursor["uploads"], page.cursor["page"]) == (0, "UU1", "t1")
    assert platform.asked[1].query == {
        "part": "snippet,contentDetails,status",
        "playlistId": "UU1",
        "maxResults": "50",
    }
    assert platform.asked[2].query["id"] == "v2,-1"
    assert spent == [1, 1, 1]


async def test_the_next_page_takes_list_and_token_from_the_cursor(connector, platform):
    platform.say(listing())
    assert await connector.videos(TOKENS, {**START, "page": "t1"}) == base.Page((), None)
    assert [(asked.path, asked.query["pageToken"]) for asked in platform.asked] == [
        ("/youtube/v3/playlistItems", "t1")
    ]


async def test_videos_that_were_dropped_are_gone_and_private_ones_not_ours(connector, platform):
    platform.say(listing(item("v1"), item("gone"), item("hid", "private"), item("v1"), item("later"), None))
    platform.say(listing(video("v1"), video("later", status={"privacyStatus": "private"})))
    page = await connector.videos(TOKENS, START)
    assert [one.external_id for one in page.videos] == ["v1"]
    assert page.skipped == 1  # only the entry that could not be read
    assert platform.asked[1].query["id"] == "v1,gone,later"


async def test_a_page_without_readable_entries_asks_for_no_videos(connector, platform):
    platform.say(
        listing(item("hid", "private"), {}, {"contentDetails": {"videoId": "a,b"}}, nextPageToken="t1")
    )
    page = await connector.videos(TOKENS, START)
    assert (page.videos, page.skipped, page.cursor["page"]) == ((), 2, "t1")
    assert len(platform.asked) == 1


@pytest.mark.parametrize(
    "bad",
    [None, "x", {}, {"id": ["v1"]}, {"id": "v1"}, video(snippet={"publishedAt": "2026"}), video("other")],
)
async def test_a_malformed_or_foreign_video_is_skipped_and_counted(connector, platform, bad):
    platform.say(listing(item("v1"), item("v2")))
    platform.say(listing(bad, video("v2")))
    page = await connector.videos(TOKENS, START)
    assert ([one.external_id for one in page.videos], page.skipped) == (["v2"], 1)


async def test_a_video_without_its_own_time_takes_the_lists(connector, platform):
    platform.say(listing(item("v1", videoPublishedAt="2025-05-05T05:05:05+02:00")))
    platform.say(listing(video("v1", {"publishedAt": None})))
    (seen,) = (await connector.videos(TOKENS, START)).videos
    assert seen.published_at == datetime(2025, 5, 5, 3, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("PT3M12S", 192),
        ("PT1.9S", 1),
        ("P1DT2H", 93_600),
        ("P1W", 604_800),
        ("P0D", None),
        ("PT0S", None),
        ("-PT5S", None),
        ("P1Y", None),
        ("192s", None),
        ("", None),
        (192, None),
        (None, None),
        ("P" + "9" * 60 + "D", None),
        ("P" + "1D" * 500, None),
    ],
)
def test_durations_are_read_to_the_second_or_unknown(told, seconds):
    assert youtube_wire.seconds(told) == seconds


@given(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.from_regex(r"P[0-9DTHMS.,-]*")
)
def test_no_reader_ever_raises(value):
    for read in (youtube_wire.seconds, youtube_wire.moment, youtube_wire.number, youtube_wire.cover):
        read(value)


def upright(width, height, seconds, published="2026-01-02T03:04:05Z", **snippet):
    return video(
        "v1",
        {"publishedAt": published, **snippet},
        player={"embedWidth": str(width), "embedHeight": str(height)},
        contentDetails={"duration": f"PT{seconds}S"},
    )


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (upright(405, 720, 180), "SHORT"),
        (upright(720, 720, 20), "SHORT"),
        (upright(405, 720, 181), "VIDEO"),
        (upright(1280, 720, 20), "VIDEO"),
        (upright(405, 720, 61, "2024-10-14T23:59:59Z"), "VIDEO"),
        (upright(405, 720, 60, "2024-10-14T23:59:59Z"), "SHORT"),
        (video("v1", {"thumbnails": {"shortsAspectRatio": {"url": "https://t.example/s"}}}), "SHORT"),
        (video("v1", contentDetails={"duration": "PT20S"}), "VIDEO"),
        (upright(405, 720, 20, liveBroadcastContent="live"), "LIVE"),
        (video("v1", {"liveBroadcastContent": "upcoming"}, contentDetails={"duration": "P0D"}), "LIVE"),
        (video("v1", liveStreamingDetails={"actualEndTime": "2026-01-02T03:04:05Z"}), "LIVE"),
    ],
)
async def test_the_kind_is_what_the_data_tells(connector, platform, entry, kind):
    platform.say(listing(item("v1")))
    platform.say(listing(entry))
    (seen,) = (await connector.videos(TOKENS, START)).videos
    assert seen.kind == kind
    assert seen.url.startswith("https://www.youtube.com/" + ("shorts/" if kind == "SHORT" else "watch?v="))


async def test_the_best_cover_that_is_there_is_taken_and_only_http_addresses(connector, platform):
    thumbnails = {
        "maxres": {"url": "javascript:x"},
        "default": {"url": "https://t.example/d"},
        "standard": {},
    }
    platform.say(listing(item("v1")))
    platform.say(listing(video("v1", {"thumbnails": thumbnails})))
    assert (await connector.videos(TOKENS, START)).videos[0].cover_url == "https://t.example/d"


# -- the walk


@pytest.mark.parametrize("says", ["0", None])
async def test_a_channel_without_videos_has_no_uploads_list(connector, platform, says):
    platform.say(channel(videoCount=says))
    platform.say(refusal(404, "playlistNotFound"), status=404)
    assert await connector.videos(TOKENS, None) == base.Page((), None)


async def test_a_missing_list_of_a_channel_with_videos_is_not_a_clean_walk(connector, platform):
    """Or one wrong 404 would mark every video as gone."""
    platform.say(channel(videoCount="3"))
    platform.say(refusal(404, "playlistNotFound"), status=404)
    assert await connector.videos(TOKENS, None) == base.Page((), None, skipped=3)


async def test_a_list_that_is_lost_on_the_way_is_an_error(connector, platform):
    platform.say(refusal(404, "playlistNotFound"), status=404)
    with pytest.raises(base.ProviderBug) as caught:
        await connector.videos(TOKENS, {**START, "page": "t1", "says": 0})
    assert caught.value.code == "playlistNotFound"


async def test_a_page_token_that_is_not_known_any_more_restarts_the_walk(connector, platform):
    platform.say(refusal(400, "invalidPageToken"), status=400)
    platform.say(channel())
    platform.say(listing(nextPageToken="n1"))
    page = await connector.videos(TOKENS, {**START, "page": "old"})
    assert [asked.query.get("pageToken") for asked in platform.asked] == ["old", None, None]
    assert (page.cursor["page"], page.cursor["restarts"]) == ("n1", 1)


async def test_a_walk_restarts_three_times_and_no_more(connector, platform):
    platform.say(refusal(400, "invalidPageToken"), status=400)
    with pytest.raises(base.ProviderBug, match="invalidPageToken"):
        await connector.videos(TOKENS, {**START, "page": "old", "restarts": 3})
    assert len(platform.asked) == 1


@pytest.mark.parametrize("circle", [1, 2, 3, 7])
async def test_page_tokens_in_a_circle_of_any_length_end_as_an_error(connector, platform, circle):
    cursor, asked = dict(START), 0
    with pytest.raises(base.ProviderBug, match="page_token_loop"):
        for asked in range(200):
            platform.answers.clear()
            platform.say(listing(nextPageToken=f"t{asked if asked < 5 else 5 + (asked - 5) % circle}"))
            cursor = (await connector.videos(TOKENS, cursor)).cursor
    assert asked < 60


async def test_a_long_walk_without_a_circle_is_none(connector, platform):
    cursor = dict(START)
    for number in range(450):
        platform.answers.clear()
        platform.say(listing(nextPageToken=f"t{number}"))
        cursor = (await connector.videos(TOKENS, cursor)).cursor
    assert len(str(cursor)) < 200


@pytest.mark.parametrize("token", ["", 5, "x" * 2000, ["t"]])
async def test_a_page_that_does_not_say_how_to_go_on_is_no_end(connector, platform, token):
    platform.say(listing(nextPageToken=token))
    with pytest.raises(base.ProviderBug):
        await connector.videos(TOKENS, START)


async def test_a_channel_without_an_uploads_list_is_a_provider_bug(connector, platform):
    told = channel()
    told["items"][0]["contentDetails"] = {}
    platform.say(told)
    with pytest.raises(base.ProviderBug, match="no_uploads"):
        await connector.videos(TOKENS, None)


# -- secrets


async def test_no_failure_shows_a_secret_even_when_the_platform_quotes_it(connector, platform):
    quoted = "bad: " + " ".join(SECRETS.values())
    calls = [
        lambda: connector.complete(SECRETS["code"], REDIRECT, "v"),
        lambda: connector.refresh(TOKENS),
        lambda: connector.revoke(TOKENS),
        lambda: connector.profile(TOKENS),
        lambda: connector.videos(TOKENS, None),
        lambda: connector.videos(TOKENS, START),
    ]
    for body in (flat("invalid_request", quoted), refusal(400, "x", text=quoted), flat(quoted), b"<html>"):
        platform.answers.clear()
        platform.say(body, status=400)
        for call in calls:
            with pytest.raises(base.Failure) as caught:
                await call()
            assert not any(secret in repr(caught.value) for secret in SECRETS.values())
