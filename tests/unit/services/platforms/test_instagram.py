"""The Instagram connector against Instagram's wire format on loopback."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib import parse

import pytest

from services.platforms import base, instagram, instagram_wire

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRETS = {
    "client_secret": "cs-0123456789abcdef0123456789abcdef",
    "access": "IGAA0123456789abcdef0123456789abcdef",
    "short": "IGSH0123456789abcdef0123456789abcdef",
    "code": "AQ0123456789abcdef0123456789abcdef",
}
TOKENS = base.Tokens(
    access_token=SECRETS["access"],
    refresh_token=None,
    expires_at=NOW + timedelta(days=30),
    refresh_expires_at=None,
    scopes=instagram.SCOPES,
    external_id="17841400000000001",
    app_scoped_id="26000000000000001",
)
PLAIN = replace(TOKENS, scopes=(instagram_wire.BASIC,))
SHORT = {
    "access_token": SECRETS["short"],
    "user_id": "26000000000000001",
    "permissions": ",".join(instagram.SCOPES),
}
LONG = {"access_token": "IGAAnew", "token_type": "bearer", "expires_in": 5_180_000}
USER = {
    "id": "26000000000000001",
    "user_id": "17841400000000001",
    "username": "demo.creator",
    "name": "Demo",
    "account_type": "MEDIA_CREATOR",
    "profile_picture_url": "https://cdn.example/a.jpg",
    "biography": "Hello.",
    "followers_count": 1543,
    "follows_count": 210,
    "media_count": 87,
}
REDIRECT = "https://ours.example/connect/instagram/callback"


@pytest.fixture
def connector(platform, http):
    app = base.App("ig-1", SECRETS["client_secret"], "https://www.example", platform.url, platform.url)
    return instagram.Instagram(app, http, now=lambda: NOW)


def graph(code, subcode=None, text="what happened", **more):
    told = {"message": text, "type": "OAuthException", "code": code, "fbtrace_id": "TRACE1", **more}
    return {"error": told | ({"error_subcode": subcode} if subcode else {})}


def flat(text, kind="OAuthException"):
    return {"error_type": kind, "code": 400, "error_message": text}


def medium(number=1, **fields):
    return {
        "id": f"1790{number}",
        "timestamp": "2026-01-31T09:08:07+0000",
        "media_type": "VIDEO",
        "media_product_type": "REELS",
        **fields,
    }


def page(platform, *media, after=None, host=None, cursors=True):
    body = {"data": list(media)}
    if after is not None:
        address = f"{host or platform.url}/v25.0/me/media?access_token=secret&after={after}"
        body["paging"] = {"next": address} | ({"cursors": {"before": "b", "after": after}} if cursors else {})
    return body


def rows(**metrics):
    return {"data": [{"name": name, "values": [{"value": value}]} for name, value in metrics.items()]}


def paths(platform):
    return [asked.path for asked in platform.asked]


def test_it_keeps_the_connectors_promise(connector):
    promised: base.Connector = connector
    assert (promised.platform, promised.scopes) == ("INSTAGRAM", instagram.SCOPES)


# -- consent


def test_the_authorize_url_is_instagrams_dialect_without_pkce(connector):
    begun = connector.begin("st&te", REDIRECT)
    where, query = begun.url.split("?")
    assert (where, begun.code_verifier) == ("https://www.example/oauth/authorize", None)
    assert parse.parse_qs(query, strict_parsing=True) == {
        "client_id": ["ig-1"],
        "redirect_uri": [REDIRECT],
        "response_type": ["code"],
        "scope": ["instagram_business_basic,instagram_business_manage_insights"],
        "state": ["st&te"],
        "enable_fb_login": ["0"],
    }


# -- tokens


@pytest.mark.parametrize("wrap", [lambda short: short, lambda short: {"data": [short]}])
@pytest.mark.parametrize("user_id", ["26000000000000001", 26000000000000001])
@pytest.mark.parametrize("granted", [",".join(instagram.SCOPES), list(instagram.SCOPES)])
async def test_a_code_becomes_a_long_lived_token_whatever_the_exchanges_shape(
    connector, platform, wrap, user_id, granted
):
    platform.say(wrap({**SHORT, "user_id": user_id, "permissions": granted}))
    platform.say(LONG)
    tokens = await connector.complete("AQ", REDIRECT, None)
    exchange, lengthen = platform.asked
    assert (exchange.method, exchange.path) == ("POST", "/oauth/access_token")
    assert exchange.headers["Content-Type"].startswith("multipart/form-data")
    assert exchange.query == {}
    assert (lengthen.method, lengthen.path) == ("GET", "/access_token")
    assert lengthen.query == {
        "grant_type": "ig_exchange_token",
        "client_secret": SECRETS["client_secret"],
        "access_token": SECRETS["short"],
    }
    assert tokens == base.Tokens(
        access_token="IGAAnew",
        refresh_token=None,
        expires_at=NOW + timedelta(seconds=5_180_000),
        refresh_expires_at=None,
        scopes=instagram.SCOPES,
        external_id=None,
        app_scoped_id="26000000000000001",
        issued_at=NOW,
    )


async def test_where_nothing_is_told_only_the_scope_no_login_is_without_counts_as_granted(
    connector, platform
):
    platform.say({"access_token": "x", "user_id": 1})
    platform.say(LONG)
    assert (await connector.complete("AQ", REDIRECT, None)).scopes == (instagram_wire.BASIC,)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Matching code was not found or was already used", base.ReconnectRequired),
        ("Invalid platform app", base.Misconfigured),
        ("Error validating client secret.", base.Misconfigured),
        ("Please make sure your redirect_uri is identical", base.Misconfigured),
    ],
)
async def test_a_spent_code_is_told_from_a_mistake_of_ours(connector, platform, text, kind):
    platform.say(flat(text), status=400)
    with pytest.raises(base.Failure) as caught:
        await connector.complete("AQ", REDIRECT, None)
    assert (type(caught.value), len(platform.asked)) == (kind, 1)


@pytest.mark.parametrize("body", [b"<html>", b"", flat("Invalid authorization code"), {}])
async def test_a_stumbling_exchange_is_transient_and_sent_once(connector, platform, body):
    platform.say(body, status=503)
    with pytest.raises(base.Transient):
        await connector.complete("AQ", REDIRECT, None)
    assert len(platform.asked) == 1


async def test_lengthening_is_repeated_after_a_stumble(connector, platform):
    platform.say(SHORT)
    platform.say(graph(2), status=500)
    platform.say(LONG)
    assert (await connector.complete("AQ", REDIRECT, None)).access_token == "IGAAnew"


async def test_a_token_that_would_break_a_header_is_a_provider_bug(connector, platform):
    platform.say({**SHORT, "access_token": "a\r\nX: y"})
    with pytest.raises(base.ProviderBug):
        await connector.complete("AQ", REDIRECT, None)


async def test_a_refresh_is_the_tokens_own_and_keeps_everything_else(connector, platform):
    platform.say(LONG)
    fresh = await connector.refresh(TOKENS)
    (asked,) = platform.asked
    assert (asked.method, asked.path) == ("GET", "/refresh_access_token")
    assert asked.query == {"grant_type": "ig_refresh_token", "access_token": SECRETS["access"]}
    assert fresh == replace(
        TOKENS, access_token="IGAAnew", expires_at=NOW + timedelta(seconds=5_180_000), issued_at=NOW
    )


@pytest.mark.parametrize(
    "young",
    [
        replace(TOKENS, issued_at=NOW - timedelta(hours=23), expires_at=NOW + timedelta(days=59)),
        replace(TOKENS, expires_at=NOW + timedelta(seconds=5_180_000)),
        replace(TOKENS, expires_at=NOW + timedelta(days=59)),
    ],
)
async def test_a_token_younger_than_a_day_is_not_sent_and_not_dead(connector, platform, young):
    with pytest.raises(base.RateLimited) as caught:
        await connector.refresh(young)
    assert caught.value.retry_at > NOW
    assert not platform.asked


async def test_a_token_of_a_day_is_refreshed(connector, platform):
    platform.say(LONG)
    day_old = replace(TOKENS, issued_at=NOW - timedelta(hours=24), expires_at=NOW + timedelta(days=59))
    assert (await connector.refresh(day_old)).access_token == "IGAAnew"


async def test_an_unclear_refusal_of_a_refresh_means_later_not_reconnect(connector, platform):
    platform.say(graph(100), status=400)
    with pytest.raises(base.RateLimited) as caught:
        await connector.refresh(TOKENS)
    assert caught.value.retry_at == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (graph(190, 463), 400, base.ReconnectRequired),
        (graph(10), 400, base.ScopeMissing),
        (graph(190, is_transient=True), 400, base.Transient),
        (graph(1), 400, base.Transient),
        (b"<html>", 502, base.Transient),
        (graph(7777), 400, base.ProviderBug),
    ],
)
async def test_other_refusals_of_a_refresh_are_judged_by_code_and_sent_once(
    connector, platform, body, status, kind
):
    platform.say(body, status=status)
    with pytest.raises(base.Failure) as caught:
        await connector.refresh(TOKENS)
    assert (type(caught.value), len(platform.asked)) == (kind, 1)


async def test_a_token_past_its_time_is_beyond_refreshing_and_not_sent(connector, platform):
    with pytest.raises(base.ReconnectRequired):
        await connector.refresh(replace(TOKENS, expires_at=NOW))
    assert not platform.asked


# -- revoke


async def test_revoke_deletes_the_permissions_with_the_token_in_the_header(connector, platform):
    platform.say({"success": True})
    assert await connector.revoke(TOKENS) is True
    (asked,) = platform.asked
    assert (asked.method, asked.path, asked.query) == ("DELETE", "/me/permissions", {})
    assert asked.headers["Authorization"] == f"Bearer {SECRETS['access']}"


async def test_the_exchanges_error_shape_kills_no_grant_elsewhere(connector, platform):
    platform.say(flat("Invalid authorization code"), status=400)
    for call in (connector.revoke(TOKENS), connector.profile(TOKENS), connector.refresh(TOKENS)):
        with pytest.raises(base.ProviderBug):
            await call


async def test_revoke_with_a_dead_token_was_already_done(connector, platform):
    platform.say(graph(190, 458), status=400)
    assert await connector.revoke(TOKENS) is False


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"success": False}, 200, base.ProviderBug),
        ([], 200, base.ProviderBug),
        (graph(2), 500, base.Transient),
        (graph(4), 403, base.RateLimited),
        (graph(200), 403, base.ScopeMissing),
    ],
)
async def test_revoke_that_is_not_confirmed_is_a_failure_and_sent_once(
    connector, platform, body, status, kind
):
    platform.say(body, status=status)
    with pytest.raises(kind):
        await connector.revoke(TOKENS)
    assert len(platform.asked) == 1


# -- errors


CODES = [
    (graph(190), 400, base.ReconnectRequired, "190", 1),
    *(
        (graph(190, sub), 400, base.ReconnectRequired, f"190/{sub}", 1)
        for sub in (458, 459, 460, 463, 464, 467)
    ),
    (graph(190), 500, base.ReconnectRequired, "190", 1),
    (graph(190), 200, base.ReconnectRequired, "190", 1),
    (graph(102), 400, base.ReconnectRequired, "102", 1),
    *((graph(code), 400, base.RateLimited, str(code), 1) for code in (4, 17, 32, 341, 368, 613, 80002)),
    *((graph(code), 403, base.ScopeMissing, str(code), 1) for code in (3, 10, 200, 299)),
    (graph(1), 400, base.Transient, "1", 3),
    (graph(2), 500, base.Transient, "2", 3),
    (graph(100, is_transient=True), 400, base.Transient, "100", 3),
    (graph(100, 33), 400, base.ProviderBug, "100/33", 1),
    (graph(7777), 400, base.ProviderBug, "7777", 1),
    (graph(7777), 503, base.Transient, "7777", 3),
    (graph("odd"), 400, base.ProviderBug, "unrecognized", 1),
    ({"error": "invalid_request"}, 400, base.ProviderBug, "invalid_request", 1),
    (b"<html>", 502, base.Transient, "http_502", 3),
    (b"", 429, base.RateLimited, "http_429", 1),
    (b"", 401, base.ProviderBug, "http_401", 1),
]


@pytest.mark.parametrize("case", CODES)
async def test_errors_are_judged_by_code_whatever_the_status(connector, platform, case):
    body, status, kind, code, sent = case
    platform.say(body, status=status)
    for call in (connector.profile(PLAIN), connector.videos(PLAIN, None)):
        platform.asked.clear()
        with pytest.raises(base.Failure) as caught:
            await call
        assert (type(caught.value), caught.value.code, len(platform.asked)) == (kind, code, sent)
        if b"TRACE1" in repr(body).encode():
            assert caught.value.log_id == "TRACE1"


BUC = {"17841400000000001": [{"type": "instagram", "call_count": 100, "estimated_time_to_regain_access": 19}]}


@pytest.mark.parametrize(
    ("code", "headers", "wait"),
    [
        (80002, {"X-Business-Use-Case-Usage": BUC}, timedelta(minutes=19)),
        (4, {"X-App-Usage": {"call_count": 100}}, instagram_wire.STOP_WAIT),
        (17, {"Retry-After": 77}, timedelta(seconds=77)),
        (17, {}, instagram_wire.STOP_WAIT),
        (17, {"X-App-Usage": [], "X-Business-Use-Case-Usage": {"a": [5, {"call_count": "x"}], "b": 1}},
         instagram_wire.STOP_WAIT),
        (80002, {"X-Business-Use-Case-Usage": {"a": [{"estimated_time_to_regain_access": 10**15}]}},
         instagram_wire.LONGEST_WAIT),
        (368, {}, instagram_wire.BLOCKED_WAIT),
    ],
)  # fmt: skip
async def test_a_throttled_call_says_when_to_come_back(connector, platform, code, headers, wait):
    sent = {name: value if isinstance(value, str) else json.dumps(value) for name, value in headers.items()}
    platform.say(graph(code), status=400, headers=sent)
    with pytest.raises(base.RateLimited) as caught:
        await connector.profile(TOKENS)
    assert caught.value.retry_at == NOW + wait


# -- profile


@pytest.mark.parametrize("wrap", [lambda user: user, lambda user: {"data": [user]}])
async def test_the_profile_is_keyed_by_the_account_and_keeps_the_app_scoped_id(connector, platform, wrap):
    platform.say(wrap(USER))
    assert await connector.profile(replace(TOKENS, external_id=None)) == base.Profile(
        external_id="17841400000000001",
        app_scoped_id="26000000000000001",
        username="demo.creator",
        display_name="Demo",
        bio="Hello.",
        avatar_url="https://cdn.example/a.jpg",
        profile_url="https://www.instagram.com/demo.creator/",
        account_type="CREATOR",
        followers=1543,
        following=210,
        video_count=87,
    )
    (asked,) = platform.asked
    assert (asked.path, asked.headers["Authorization"]) == ("/v25.0/me", f"Bearer {SECRETS['access']}")
    assert set(asked.query) == {"fields"}
    assert "user_id" in asked.query["fields"].split(",")


@pytest.mark.parametrize(
    ("told", "ours"),
    [
        ("BUSINESS", "BUSINESS"), ("Business", "BUSINESS"), ("Media_Creator", "CREATOR"), ("CREATOR", "CREATOR"),
        ("PERSONAL", "PERSONAL"), ("new_kind", None), (None, None), (7, None),
    ],
)  # fmt: skip
async def test_account_types_are_read_in_any_case(connector, platform, told, ours):
    platform.say({**USER, "account_type": told})
    assert (await connector.profile(TOKENS)).account_type == ours


async def test_ids_may_be_numbers_and_the_rest_may_be_missing(connector, platform):
    platform.say({"id": 26000000000000001, "user_id": 17841400000000001})
    assert await connector.profile(TOKENS) == base.Profile(
        external_id="17841400000000001", username="17841400000000001", app_scoped_id="26000000000000001"
    )


@pytest.mark.parametrize("body", [{"id": "26"}, {"data": []}, [], {**USER, "user_id": "178"}])
async def test_a_profile_that_is_nobodys_or_anothers_is_refused(connector, platform, body):
    platform.say(body)
    with pytest.raises(base.ProviderBug):
        await connector.profile(TOKENS)


async def test_without_the_basic_scope_nothing_is_asked(connector, platform):
    none = replace(TOKENS, scopes=(instagram_wire.INSIGHTS,))
    for call in (connector.profile(none), connector.videos(none, None)):
        with pytest.raises(base.ScopeMissing):
            await call
    assert not platform.asked


# -- media


async def test_a_medium_is_read_field_by_field(connector, platform):
    platform.say(
        page(
            platform,
            medium(
                caption="A title\nand more",
                permalink="https://www.instagram.com/reel/x/",
                media_url="https://cdn.example/x.mp4",
                thumbnail_url="https://cdn.example/x.jpg",
                like_count=5,
                comments_count=6,
            ),
        )
    )
    seen = await connector.videos(PLAIN, None)
    assert seen == base.Page(
        (
            base.VideoRecord(
                external_id="17901",
                kind="REEL",
                published_at=datetime(2026, 1, 31, 9, 8, 7, tzinfo=UTC),
                title="A title",
                description="A title\nand more",
                url="https://www.instagram.com/reel/x/",
                cover_url="https://cdn.example/x.jpg",
                media_url="https://cdn.example/x.mp4",
                likes=5,
                comments=6,
            ),
        ),
        None,
    )
    assert platform.asked[0].query["limit"] == "50"
    assert "access_token" not in platform.asked[0].query


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        (("IMAGE", "FEED"), "IMAGE"),
        (("VIDEO", "FEED"), "VIDEO"),
        (("VIDEO", "REELS"), "REEL"),
        (("CAROUSEL_ALBUM", "FEED"), "CAROUSEL"),
    ],
)
async def test_kinds_are_told_by_both_types(connector, platform, types, kind):
    platform.say(page(platform, medium(media_type=types[0], media_product_type=types[1])))
    assert (await connector.videos(PLAIN, None)).videos[0].kind == kind


async def test_a_picture_is_its_own_cover(connector, platform):
    platform.say(page(platform, medium(media_type="IMAGE", media_url="https://cdn.example/x.jpg")))
    (seen,) = (await connector.videos(PLAIN, None)).videos
    assert seen.cover_url == seen.media_url == "https://cdn.example/x.jpg"


async def test_what_is_hidden_or_odd_is_unknown_never_zero(connector, platform):
    platform.say(page(platform, medium(comments_count="5", media_url="javascript:x", caption="")))
    (seen,) = (await connector.videos(PLAIN, None)).videos
    assert (seen.likes, seen.comments, seen.views, seen.media_url, seen.title) == (None,) * 5
    assert not seen.partial


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "x",
        {},
        medium(id=""),
        medium(timestamp="2026-01-31T09:08:07"),
        medium(timestamp="then"),
        medium(timestamp=5),
        medium(timestamp="0001-01-01T00:00:00+2359"),
        medium(media_type="HOLOGRAM"),
    ],
)
async def test_a_malformed_medium_is_skipped_and_counted(connector, platform, bad):
    platform.say(page(platform, bad, medium(2)))
    seen = await connector.videos(PLAIN, None)
    assert ([one.external_id for one in seen.videos], seen.skipped) == (["17902"], 1)


async def walk(connector, tokens=PLAIN):
    cursor, pages = None, []
    while not pages or cursor is not None:
        pages.append(await connector.videos(tokens, cursor))
        cursor = pages[-1].cursor
    return pages


async def test_pages_are_walked_by_after_until_there_is_no_next(connector, platform):
    platform.say(page(platform, medium(1), after="A1"))
    platform.say(page(platform, after="A2", cursors=False))
    last = page(platform, medium(3))
    platform.say(last | {"paging": {"cursors": {"before": "b", "after": "A3"}}})
    pages = await walk(connector)
    assert [one.external_id for page in pages for one in page.videos] == ["17901", "17903"]
    assert [asked.query.get("after") for asked in platform.asked] == [None, "A1", "A2"]
    assert all("access_token" not in asked.query for asked in platform.asked)


@pytest.mark.parametrize(
    "host",
    [
        "https://evil.example",
        "http://127.0.0.1.evil.example",
        "//evil.example",
        "http://[",
        "http://127.0.0.1:1",
    ],
)
async def test_a_next_that_leads_elsewhere_is_refused(connector, platform, host):
    platform.say(page(platform, medium(), after="A1", host=host))
    with pytest.raises(base.ProviderBug, match="foreign_next"):
        await connector.videos(PLAIN, None)


@pytest.mark.parametrize("circle", [["A"], ["A", "B"], ["A", "B", "C", "D", "E", "F", "G"]])
async def test_pages_in_a_circle_are_an_error_not_an_end(connector, platform, circle):
    for after in circle * 5:
        platform.say(page(platform, medium(), after=after))
    with pytest.raises(base.ProviderBug, match="page_loop"):
        await walk(connector)
    assert len(platform.asked) <= 3 * len(circle) + 2


async def test_pages_without_end_are_an_error(connector, platform):
    platform.say(page(platform, medium(), after="new"))
    with pytest.raises(base.ProviderBug, match="page_loop"):
        await connector.videos(PLAIN, {"after": "old", "page": instagram.MOST_PAGES, "mark": "older"})


@pytest.mark.parametrize("body", [{}, {"data": {}}, [], {"data": [], "paging": {"next": "NEXT"}}])
async def test_a_page_that_is_none_is_no_end(connector, platform, body):
    if isinstance(body, dict) and "paging" in body:
        body = {"data": [], "paging": {"next": f"{platform.url}/v25.0/me/media"}}
    platform.say(body)
    with pytest.raises(base.ProviderBug):
        await connector.videos(PLAIN, None)


# -- limits


def used(percent, minutes=0):
    row = {"type": "instagram", "call_count": percent, "estimated_time_to_regain_access": minutes}
    return {"X-Business-Use-Case-Usage": json.dumps({"178": [row]})}


async def test_near_the_limit_the_next_page_should_wait_a_little(connector, platform):
    platform.say(page(platform, medium(), after="A"), headers=used(85))
    platform.say(rows(views=5, shares=6))
    seen = await connector.videos(TOKENS, None)
    assert seen.slow_down == NOW + instagram_wire.SLOW_WAIT
    assert [(one.views, one.shares, one.partial) for one in seen.videos] == [(5, 6, False)]


async def test_at_the_limit_the_next_page_is_not_asked_for_until_it_may_be(connector, platform, http):
    platform.say(page(platform, medium(), after="A"), headers=used(100, minutes=9))
    seen = await connector.videos(PLAIN, None)
    assert len(seen.videos) == 1
    with pytest.raises(base.RateLimited) as caught:
        await connector.videos(TOKENS, seen.cursor)
    assert caught.value.retry_at == seen.slow_down == NOW + timedelta(minutes=9)
    assert len(platform.asked) == 1
    platform.say(page(platform, medium(2)))
    platform.answers.pop(0)
    later = instagram.Instagram(connector._app, http, now=lambda: NOW + timedelta(minutes=9))
    await later.videos(PLAIN, seen.cursor)
    assert len(platform.asked) == 2


# -- insights


async def test_views_and_shares_come_by_insights_in_both_shapes(connector, platform):
    platform.say(page(platform, medium(1), medium(2)))
    platform.say(rows(views=4321, shares=7))
    platform.say(
        {"data": [{"name": "views", "total_value": {"value": 9, "breakdowns": []}}, {"name": "reach"}, 5]}
    )
    seen = (await connector.videos(TOKENS, None)).videos
    assert {(one.views, one.shares, one.partial) for one in seen} == {(9, None, False), (4321, 7, False)}
    asked = platform.asked[1]
    assert asked.path in {"/v25.0/17901/insights", "/v25.0/17902/insights"}
    assert asked.query == {"metric": "views,shares"}
    assert asked.headers["Authorization"] == f"Bearer {SECRETS['access']}"


async def test_without_the_scope_no_insights_are_asked(connector, platform):
    platform.say(page(platform, medium()))
    (seen,) = (await connector.videos(PLAIN, None)).videos
    assert (seen.views, seen.partial, paths(platform)) == (None, False, ["/v25.0/me/media"])


@pytest.mark.parametrize(
    ("body", "status", "partial"),
    [
        ({"data": []}, 200, False),
        (rows(views="5"), 200, False),
        (graph(100, 2108006), 400, False),
        (graph(10, text="(#10) Not enough viewers for the media to show insights"), 400, False),
        (graph(10), 400, False),
        (graph(100, 33), 400, True),
        (graph(2), 500, True),
        (graph(7777), 400, True),
        ({}, 200, True),
        (b"<html>", 200, True),
        (b"[1,", 200, True),
    ],
)
async def test_one_failing_insight_costs_its_item_those_counters_and_never_the_page(
    connector, platform, body, status, partial
):
    platform.say(page(platform, medium(like_count=3)))
    platform.say(body, status=status)
    (seen,) = (await connector.videos(TOKENS, None)).videos
    assert (seen.likes, seen.views, seen.shares, seen.partial) == (3, None, None, partial)


async def test_a_dead_grant_while_reading_insights_is_told(connector, platform):
    platform.say(page(platform, medium()))
    platform.say(graph(190, 460), status=400)
    with pytest.raises(base.ReconnectRequired):
        await connector.videos(TOKENS, None)


async def test_an_unsupported_metric_costs_only_itself(connector, platform):
    platform.say(page(platform, medium()))
    platform.say(graph(100, text="(#100) metric not supported"), status=400)
    platform.say(rows(views=5))
    platform.say(graph(100, text="(#100) metric not supported"), status=400)
    (seen,) = (await connector.videos(TOKENS, None)).videos
    assert (seen.views, seen.shares, seen.partial) == (5, None, False)
    assert [asked.query.get("metric") for asked in platform.asked[1:]] == ["views,shares", "views", "shares"]


@pytest.mark.parametrize(
    "limit",
    [
        lambda platform: platform.say(page(platform, medium(), after="A"), headers=used(100, minutes=3)),
        lambda platform: (
            platform.say(page(platform, *(medium(n) for n in range(50)), after="A")),
            platform.say(graph(80002), status=400, headers=used(100, minutes=3)),
        ),
    ],
)
async def test_at_the_limit_a_page_without_any_insights_is_none(connector, platform, limit):
    limit(platform)
    with pytest.raises(base.RateLimited) as caught:
        await connector.videos(TOKENS, None)
    assert caught.value.retry_at == NOW + timedelta(minutes=3)
    assert len(platform.asked) <= 6


async def test_a_page_that_the_limit_interrupts_is_read_to_its_end_later_and_each_medium_once(
    connector, platform, http
):
    whole = page(platform, *(medium(n) for n in range(50)), after="B")
    platform.say(whole)
    for _ in range(9):
        platform.say(rows(views=5, shares=6))
    platform.say(rows(views=5, shares=6), headers=used(100, minutes=3))
    first = await connector.videos(TOKENS, {"after": "A", "page": 1, "mark": "A"})
    assert 10 <= len(first.videos) <= 13  # so many were under way
    assert first.slow_down == NOW + timedelta(minutes=3)
    platform.answers.clear()
    platform.say(whole)
    platform.say(rows(views=5, shares=6))
    later = instagram.Instagram(connector._app, http, now=lambda: NOW + timedelta(minutes=3))
    rest = await later.videos(TOKENS, first.cursor)
    assert platform.asked[-1].path.endswith("/insights")
    listed = [asked.query["after"] for asked in platform.asked if asked.path == "/v25.0/me/media"]
    assert listed == ["A", "A"]
    read = [*first.videos, *rest.videos]
    assert len({one.external_id for one in read}) == len(read) == 50
    assert {(one.views, one.shares, one.partial) for one in read} == {(5, 6, False)}
    sound = rest.cursor["sound"]  # one that was told: the next page asks it whether the platform is up
    assert rest.cursor == {"after": "B", "page": 2, "mark": "B", "sound": sound}
    assert sound in {one.external_id for one in rest.videos}
    assert (first.skipped, rest.skipped) == (0, 0)


async def test_a_scope_taken_away_ends_the_insights_of_the_page(connector, platform):
    platform.say(page(platform, *(medium(n) for n in range(50))))
    platform.say(graph(10), status=400)
    seen = await connector.videos(TOKENS, None)
    assert (len(seen.videos), any(one.partial for one in seen.videos)) == (50, False)
    assert len(platform.asked) <= 6


async def test_insights_that_keep_stumbling_are_given_up_for_the_page(connector, platform):
    platform.say(page(platform, *(medium(n) for n in range(50))))
    platform.say(graph(2), status=500)
    seen = await connector.videos(TOKENS, None)
    assert all(one.partial for one in seen.videos)
    assert seen.skipped == 50  # so the sync does not end as if it had read everything
    assert len(platform.asked) < 30


async def test_media_older_than_the_professional_account_are_not_asked_about_again(connector, platform):
    old = [medium(n, timestamp=f"2020-01-{31 - n:02d}T00:00:00+0000") for n in range(30)]
    platform.say(page(platform, *old, after="A"))
    platform.say(graph(100, 2108006), status=400)
    first = await connector.videos(TOKENS, None)
    assert len(platform.asked) <= 6
    platform.answers[:] = []
    platform.asked.clear()
    platform.say(page(platform, medium(99, timestamp="2019-05-05T00:00:00+0000")))
    (seen,) = (await connector.videos(TOKENS, first.cursor)).videos
    assert (seen.views, seen.partial, paths(platform)) == (None, False, ["/v25.0/me/media"])


# -- secrets


async def test_no_failure_shows_a_secret_even_when_the_platform_quotes_it(connector, platform):
    quoted = "bad: " + " ".join(SECRETS.values())
    calls = [
        lambda: connector.complete(SECRETS["code"], REDIRECT, None),
        lambda: connector.refresh(TOKENS),
        lambda: connector.revoke(TOKENS),
        lambda: connector.profile(TOKENS),
        lambda: connector.videos(TOKENS, None),
    ]
    for body in (
        flat(quoted),
        flat("no", quoted),
        graph(7777, text=quoted),
        graph(4, text=quoted),
        b"<html>",
    ):
        platform.answers.clear()
        platform.say(body, status=400)
        for call in calls:
            with pytest.raises(base.Failure) as caught:
                await call()
            assert not any(secret in repr(caught.value) for secret in SECRETS.values())
            assert "://" not in str(caught.value)


async def test_a_lost_connection_while_lengthening_shows_no_secret(session, http):
    app = base.App("ig-1", SECRETS["client_secret"], "http://127.0.0.1:1", "http://127.0.0.1:1")
    lost = instagram.Instagram(app, http, now=lambda: NOW)
    with pytest.raises(base.Transient) as caught:
        await lost.refresh(TOKENS)
    error = caught.value
    while error is not None:
        assert not any(secret in repr(error) for secret in SECRETS.values())
        error = error.__cause__ or error.__context__
