"""The TikTok connector against TikTok's wire format on loopback."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib import parse

import pytest

from services.platforms import base, client, tiktok

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRETS = {
    "client_secret": "cs-0123456789abcdef0123456789abcdef",
    "access": "act.0123456789abcdef0123456789abcdef",
    "refresh": "rft.0123456789abcdef0123456789abcdef",
    "code": "code*0123456789abcdef!0123456789abcdef",
}
TOKENS = base.Tokens(
    access_token=SECRETS["access"],
    refresh_token=SECRETS["refresh"],
    expires_at=NOW + timedelta(hours=1),
    refresh_expires_at=NOW + timedelta(days=100),
    scopes=tiktok.SCOPES,
    external_id="oid-1",
)
GRANTED = {
    "open_id": "oid-1",
    "scope": "user.info.basic,video.list",
    "access_token": "act.new",
    "expires_in": 7200,
    "refresh_token": "rft.new",
    "refresh_expires_in": 15_552_000,
    "token_type": "Bearer",
}
OK = {"code": "ok", "message": "", "log_id": "LOG1"}
REDIRECT = "https://ours.example/connect/tiktok/callback"


@pytest.fixture
def connector(platform, http):
    app = base.App("ck-1", SECRETS["client_secret"], "https://auth.example", platform.url)
    return tiktok.TikTok(app, http, now=lambda: NOW)


def flat(code, text="what happened"):
    return {"error": code, "error_description": text, "log_id": "LOG1"}


def nested(code, text="what happened"):
    return {"data": {}, "error": {"code": code, "message": text, "log_id": "LOG1"}}


def user(**fields):
    return {"data": {"user": {"open_id": "oid-1", **fields}}, "error": OK}


def page(*videos, cursor=0, has_more=False):
    return {"data": {"videos": list(videos), "cursor": cursor, "has_more": has_more}, "error": OK}


def video(**fields):
    return {"id": "74", "create_time": 1_699_990_000, **fields}


def test_it_keeps_the_connectors_promise(connector):
    promised: base.Connector = connector
    assert (promised.platform, promised.scopes) == ("TIKTOK", tiktok.SCOPES)


# -- consent


def test_pkce_is_the_hex_of_the_sha256():
    assert (
        tiktok.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        == "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
    )


def test_the_authorize_url_is_tiktoks_dialect_and_the_redirect_exact(connector):
    begun = connector.begin("st&te", REDIRECT)
    where, query = begun.url.split("?")
    assert where == "https://auth.example/v2/auth/authorize/"
    assert parse.parse_qs(query, strict_parsing=True) == {
        "client_key": ["ck-1"],
        "response_type": ["code"],
        "scope": [",".join(tiktok.SCOPES)],
        "redirect_uri": [REDIRECT],
        "state": ["st&te"],
        "code_challenge": [tiktok.challenge(begun.code_verifier)],
        "code_challenge_method": ["S256"],
    }
    assert 43 <= len(begun.code_verifier) <= 128


def test_every_consent_has_its_own_verifier(connector):
    assert connector.begin("s", REDIRECT).code_verifier != connector.begin("s", REDIRECT).code_verifier


# -- tokens


async def test_a_code_is_exchanged_by_form_with_credentials_in_the_body(connector, platform):
    platform.say(GRANTED)
    tokens = await connector.complete("a*b!", REDIRECT, "verifier")
    asked = platform.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v2/oauth/token/")
    assert "Authorization" not in asked.headers
    assert asked.form == {
        "client_key": "ck-1",
        "client_secret": SECRETS["client_secret"],
        "code": "a*b!",
        "grant_type": "authorization_code",
        "redirect_uri": REDIRECT,
        "code_verifier": "verifier",
    }
    assert tokens == base.Tokens(
        access_token="act.new",
        refresh_token="rft.new",
        expires_at=NOW + timedelta(hours=2),
        refresh_expires_at=NOW + timedelta(days=180),
        scopes=("user.info.basic", "video.list"),
        external_id="oid-1",
    )


async def test_lifetimes_come_from_the_answer(connector, platform):
    platform.say({**GRANTED, "expires_in": 86_400, "refresh_expires_in": 31_536_000})
    tokens = await connector.complete("c", REDIRECT, "v")
    assert (tokens.expires_at, tokens.refresh_expires_at) == (
        NOW + timedelta(days=1),
        NOW + timedelta(days=365),
    )


async def test_granted_scopes_are_split_at_commas_and_an_empty_list_takes_none_away(connector, platform):
    platform.say({**GRANTED, "scope": "video.list, user.info.basic,,video.list"})
    assert (await connector.complete("c", REDIRECT, "v")).scopes == ("video.list", "user.info.basic")
    platform.answers.clear()
    platform.say({**GRANTED, "scope": ""})
    assert (await connector.refresh(TOKENS)).scopes == TOKENS.scopes


@pytest.mark.parametrize("missing", ["access_token", "open_id", "scope"])
async def test_a_token_answer_without_what_it_must_have_is_a_provider_bug(connector, platform, missing):
    platform.say({key: value for key, value in GRANTED.items() if key != missing})
    with pytest.raises(base.ProviderBug):
        await connector.complete("c", REDIRECT, "v")


async def test_a_token_that_would_break_a_header_is_a_provider_bug(connector, platform):
    platform.say({**GRANTED, "access_token": "act\r\nX: y"})
    with pytest.raises(base.ProviderBug):
        await connector.complete("c", REDIRECT, "v")


TOKEN_ERRORS = {
    "access_denied": base.Denied,
    "invalid_grant": base.ReconnectRequired,
    "invalid_client": base.Misconfigured,
    "invalid_request": base.ProviderBug,
    "invalid_scope": base.ProviderBug,
    "unauthorized_client": base.Misconfigured,
    "unsupported_grant_type": base.ProviderBug,
    "unsupported_response_type": base.ProviderBug,
    "server_error": base.Transient,
    "temporarily_unavailable": base.Transient,
    "never_heard_of": base.ProviderBug,
}


@pytest.mark.parametrize("status", [200, 400, 401])
@pytest.mark.parametrize(("code", "kind"), TOKEN_ERRORS.items())
async def test_token_errors_are_judged_by_body_and_sent_once(connector, platform, code, kind, status):
    platform.say(flat(code), status=status)
    for call in (connector.complete("c", REDIRECT, "v"), connector.refresh(TOKENS)):
        with pytest.raises(base.Failure) as caught:
            await call
        assert (type(caught.value), caught.value.code, caught.value.log_id) == (kind, code, "LOG1")
    assert len(platform.asked) == 2


@pytest.mark.parametrize("body", [b"<html>", b"", flat("invalid_grant"), {}])
async def test_a_stumbling_platform_never_kills_a_grant(connector, platform, body):
    platform.say(body, status=503)
    with pytest.raises(base.Transient):
        await connector.refresh(TOKENS)
    assert len(platform.asked) == 1


async def test_a_refresh_sends_the_refresh_token_and_takes_the_rotated_one(connector, platform):
    platform.say(GRANTED)
    fresh = await connector.refresh(TOKENS)
    assert platform.asked[0].form == {
        "client_key": "ck-1",
        "client_secret": SECRETS["client_secret"],
        "grant_type": "refresh_token",
        "refresh_token": SECRETS["refresh"],
    }
    assert (fresh.access_token, fresh.refresh_token) == ("act.new", "rft.new")


@pytest.mark.parametrize("empty", ["", None, 7])
async def test_an_empty_refresh_token_never_replaces_the_stored_one(connector, platform, empty):
    sparse = {"access_token": "act.new", "expires_in": 7200, "refresh_token": empty}
    platform.say(sparse)
    fresh = await connector.refresh(TOKENS)
    assert fresh == replace(TOKENS, access_token="act.new", expires_at=NOW + timedelta(hours=2))


async def test_a_refresh_that_answers_for_another_creator_is_refused(connector, platform):
    platform.say({**GRANTED, "open_id": "oid-2"})
    with pytest.raises(base.ProviderBug, match="open_id_changed"):
        await connector.refresh(TOKENS)


async def test_without_a_refresh_token_nothing_is_asked(connector, platform):
    with pytest.raises(base.ReconnectRequired):
        await connector.refresh(replace(TOKENS, refresh_token=None))
    assert not platform.asked


# -- revoke


@pytest.mark.parametrize("body", [b"", {}, {"data": {}, "error": OK}])
async def test_revoke_sends_the_access_token_and_is_true_when_done(connector, platform, body):
    platform.say(body)
    assert await connector.revoke(TOKENS) is True
    assert platform.asked[0].path == "/v2/oauth/revoke/"
    assert platform.asked[0].form == {
        "client_key": "ck-1",
        "client_secret": SECRETS["client_secret"],
        "token": SECRETS["access"],
    }


@pytest.mark.parametrize("body", [flat("invalid_grant"), nested("access_token_invalid")])
async def test_revoke_of_a_token_refused_before_its_time_was_already_done(connector, platform, body):
    platform.say(body, status=401)
    assert await connector.revoke(TOKENS) is False


async def test_revoke_believes_invalid_request_only_of_a_token_that_opens_nothing(connector, platform):
    platform.say(flat("invalid_request"), status=400)
    platform.say(nested("access_token_invalid"), status=401)
    assert await connector.revoke(TOKENS) is False
    for alive in (user(), nested("scope_not_authorized")):
        platform.answers.clear()
        platform.say(flat("invalid_request"), status=400)
        platform.say(alive)
        with pytest.raises(base.ProviderBug, match="invalid_request"):
            await connector.revoke(TOKENS)


async def test_revoke_with_an_access_token_past_its_time_asks_for_a_refresh_first(connector, platform):
    platform.say(flat("invalid_grant"))
    old = replace(TOKENS, expires_at=NOW - timedelta(seconds=1))
    with pytest.raises(base.AuthExpired):
        await connector.revoke(old)
    assert await connector.revoke(replace(old, refresh_token=None)) is False
    assert await connector.revoke(replace(old, refresh_expires_at=NOW)) is False


async def test_revoke_is_transient_when_the_platform_is_away_and_not_repeated(connector, platform):
    platform.say(b"", status=500)
    with pytest.raises(base.Transient):
        await connector.revoke(TOKENS)
    assert len(platform.asked) == 1


async def test_revoke_with_wrong_credentials_is_our_bug_not_a_dead_grant(connector, platform):
    platform.say(flat("invalid_client"))
    with pytest.raises(base.Misconfigured):
        await connector.revoke(TOKENS)


# -- resources


RESOURCE_ERRORS = [
    ("access_token_invalid", 401, base.AuthExpired, 1),
    ("scope_not_authorized", 401, base.ScopeMissing, 1),
    ("invalid_params", 400, base.ProviderBug, 1),
    ("invalid_file_upload", 400, base.ProviderBug, 1),
    ("rate_limit_exceeded", 429, base.RateLimited, 1),
    ("internal_error", 500, base.Transient, 3),
    ("internal_error", 200, base.Transient, 3),
    ("access_token_invalid", 200, base.AuthExpired, 1),
    ("new_word", 401, base.AuthExpired, 1),
    ("new_word", 403, base.ProviderBug, 1),
    ("new_word", 429, base.RateLimited, 1),
    ("new_word", 502, base.Transient, 3),
    ("new_word", 200, base.ProviderBug, 1),
    ("ok", 500, base.Transient, 3),
]


@pytest.mark.parametrize("case", RESOURCE_ERRORS)
async def test_resource_errors_are_judged_by_code_then_status(connector, platform, case):
    code, status, kind, sent = case
    platform.say(nested(code), status=status)
    for call in (connector.profile(TOKENS), connector.videos(TOKENS, None)):
        platform.asked.clear()
        with pytest.raises(base.Failure) as caught:
            await call
        assert (type(caught.value), caught.value.log_id, len(platform.asked)) == (kind, "LOG1", sent)


async def test_whoever_takes_every_permission_back_is_asked_for_less_and_less_and_then_refused(
    connector, platform
):
    platform.say(nested("scope_permission_missed"), status=400)
    with pytest.raises(base.ScopeMissing, match="scope_permission_missed"):
        await connector.profile(TOKENS)
    assert len(platform.asked) == 4
    platform.asked.clear()
    with pytest.raises(base.ScopeMissing):
        await connector.videos(TOKENS, None)
    assert len(platform.asked) == 1


async def test_a_rate_limit_says_when_to_come_back_where_the_platform_does(connector, platform):
    platform.say(nested("rate_limit_exceeded"), status=429, headers={"Retry-After": "7"})
    with pytest.raises(base.RateLimited) as caught:
        await connector.profile(TOKENS)
    assert caught.value.retry_at == NOW + timedelta(seconds=7)


@pytest.mark.parametrize("body", [[], "x", {"data": []}, {"error": OK}, {"data": {"user": []}, "error": OK}])
async def test_an_answer_of_another_shape_is_a_provider_bug(connector, platform, body):
    platform.say(body)
    with pytest.raises(base.ProviderBug):
        await connector.profile(TOKENS)


async def test_the_profile_is_read_whole_when_every_scope_was_granted(connector, platform):
    platform.say(
        user(
            display_name="Demo\x00",
            avatar_url="https://cdn.example/a.jpg",
            username="demo",
            bio_description="hi \ud800there",
            profile_deep_link="javascript:alert(1)",
            is_verified=False,
            follower_count=10,
            following_count=0,
            likes_count=-1,
        )
    )
    assert await connector.profile(TOKENS) == base.Profile(
        external_id="oid-1",
        username="demo",
        display_name="Demo",
        bio="hi there",
        avatar_url="https://cdn.example/a.jpg",
        profile_url=None,
        verified=False,
        followers=10,
        following=0,
        likes=None,
        video_count=None,
    )
    asked = platform.asked[0]
    assert (asked.method, asked.path) == ("GET", "/v2/user/info/")
    assert asked.headers["Authorization"] == f"Bearer {SECRETS['access']}"


@pytest.mark.parametrize(
    ("scopes", "fields"),
    [
        (("user.info.basic",), "open_id,display_name,avatar_url"),
        (
            ("user.info.stats", "video.list"),
            "follower_count,following_count,likes_count,video_count",
        ),
    ],
)
async def test_only_fields_of_granted_scopes_are_asked_for(connector, platform, scopes, fields):
    platform.say(user())
    await connector.profile(replace(TOKENS, scopes=scopes))
    assert platform.asked[0].query == {"fields": fields}


@pytest.mark.parametrize(("told", "name"), [({"display_name": "Demo"}, "Demo"), ({}, "oid-1")])
async def test_the_username_falls_back_to_display_name_then_open_id(connector, platform, told, name):
    platform.say(user(**told))
    assert (await connector.profile(replace(TOKENS, scopes=("user.info.basic",)))).username == name


async def test_a_profile_of_another_creator_is_refused(connector, platform):
    platform.say(user(open_id="oid-2"))
    with pytest.raises(base.ProviderBug, match="open_id_changed"):
        await connector.profile(TOKENS)


async def test_calls_whose_scope_was_not_granted_are_not_made(connector, platform):
    for call in (connector.profile, lambda tokens: connector.videos(tokens, None)):
        with pytest.raises(base.ScopeMissing):
            await call(replace(TOKENS, scopes=()))
    assert not platform.asked


async def test_a_video_is_read_whole(connector, platform):
    platform.say(
        page(
            video(
                title="t" * 200,
                video_description="about \x00it",
                share_url="https://t.example/v/74",
                cover_image_url="ftp://t.example/c",
                duration=31,
                view_count=1200,
                like_count=80,
                comment_count=0,
                share_count=2,
                is_aigc=True,
            )
        )
    )
    assert (await connector.videos(TOKENS, None)).videos == (
        base.VideoRecord(
            external_id="74",
            kind="VIDEO",
            published_at=datetime(2023, 11, 14, 19, 26, 40, tzinfo=UTC),
            title="t" * 150,
            description="about it",
            url="https://t.example/v/74",
            cover_url=None,
            views=1200,
            likes=80,
            comments=0,
            shares=2,
            duration=31,
        ),
    )


async def test_missing_and_impossible_counters_are_none(connector, platform):
    platform.say(page(video(view_count=None, like_count=-3, comment_count="5", duration=1.5)))
    (seen,) = (await connector.videos(TOKENS, None)).videos
    assert (seen.views, seen.likes, seen.comments, seen.shares, seen.duration) == (None,) * 5


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "x",
        {},
        {"id": "1"},
        {"id": "", "create_time": 5},
        video(create_time=10**12),
        video(create_time="5"),
    ],
)
async def test_a_malformed_video_is_skipped_and_counted(connector, platform, bad):
    platform.say(page(bad, video()))
    seen = await connector.videos(TOKENS, None)
    assert ([one.external_id for one in seen.videos], seen.skipped) == (["74"], 1)


async def test_pages_are_walked_by_milliseconds_until_has_more_is_false(connector, platform):
    platform.say(page(video(), cursor=1_700_000_000_000, has_more=True))
    platform.say(page(cursor=1_600_000_000_000, has_more=True))
    platform.say(page(video(id="75"), cursor=1_600_000_000_000))
    cursor, seen = None, []
    while True:
        got = await connector.videos(TOKENS, cursor)
        seen += [one.external_id for one in got.videos]
        cursor = got.cursor
        if cursor is None:
            break
    assert seen == ["74", "75"]
    assert [asked.json for asked in platform.asked] == [
        {"max_count": 20},
        {"max_count": 20, "cursor": 1_700_000_000_000},
        {"max_count": 20, "cursor": 1_600_000_000_000},
    ]
    assert "id,create_time,title" in platform.asked[0].query["fields"]


@pytest.mark.parametrize("cursor", [1000, 1001])
async def test_a_cursor_that_does_not_fall_ends_the_walk_as_an_error_not_as_complete(
    connector, platform, cursor
):
    platform.say(page(video(), cursor=cursor, has_more=True))
    with pytest.raises(base.ProviderBug, match="cursor_not_falling"):
        await connector.videos(TOKENS, {"before": 1000})


@pytest.mark.parametrize(
    "data", [{"videos": []}, {"has_more": True}, {"has_more": True, "cursor": "5"}, {"videos": 5}]
)
async def test_a_page_that_does_not_say_how_to_go_on_is_no_end(connector, platform, data):
    platform.say({"data": data, "error": OK})
    with pytest.raises(base.ProviderBug):
        await connector.videos(TOKENS, None)


async def test_a_page_without_videos_may_leave_them_out(connector, platform):
    platform.say({"data": {"has_more": False}, "error": OK})
    assert await connector.videos(TOKENS, None) == base.Page((), None)


async def test_reading_is_repeated_after_a_stumble(connector, platform):
    platform.say(nested("internal_error"), status=500)
    platform.say(page(video()))
    assert len((await connector.videos(TOKENS, None)).videos) == 1


# -- secrets


async def test_no_failure_shows_a_secret_even_when_the_platform_quotes_it(connector, platform):
    quoted = "bad: " + " ".join(SECRETS.values())
    calls = [
        lambda: connector.complete(SECRETS["code"], REDIRECT, "v"),
        lambda: connector.refresh(TOKENS),
        lambda: connector.revoke(replace(TOKENS, expires_at=NOW)),
        lambda: connector.profile(TOKENS),
        lambda: connector.videos(TOKENS, None),
    ]
    for body in (flat("invalid_request", quoted), nested("invalid_params", quoted), flat(quoted), b"<html>"):
        platform.answers.clear()
        platform.say(body, status=400)
        for call in calls:
            with pytest.raises(base.Failure) as caught:
                await call()
            assert not any(secret in repr(caught.value) for secret in SECRETS.values())


def test_tokens_hide_their_secrets_in_repr():
    assert not any(secret in repr(TOKENS) for secret in SECRETS.values())


def test_the_app_hides_its_secret_in_repr():
    assert "hush" not in repr(base.App("ck", "hush", "https://a.example", "https://b.example"))


def test_the_default_patience_is_ten_seconds_and_three_attempts():
    assert (client.Patience().total, client.Patience().attempts) == (10.0, 3)
