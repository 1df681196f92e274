"""The one HTTP client: bounded, mute about secrets, repeating only what is safe."""

import asyncio
import gzip
import traceback
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from aiohttp import test_utils, web

from services.platforms import alarm, base, client
from tests import ports

SECRET = "s3cret-that-nobody-may-read"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def capture(monkeypatch):
    written = structlog.testing.LogCapture()
    monkeypatch.setattr(alarm, "log", structlog.wrap_logger(None, processors=[written]))
    return written


def told(failure: BaseException) -> str:
    """All an error report could show of it: its chain, suppressed links included."""
    links, link = [], failure
    while link is not None:
        links += [repr(link), str(link), str(link.__cause__), repr(link.__context__)]
        link = link.__cause__ or link.__context__
    return "".join(links) + "".join(traceback.format_exception(failure))


async def get(http, platform, **more):
    return await http.send("GET", platform.url + "/thing", endpoint="thing", **more)


async def test_an_answer_is_status_parsed_body_and_headers(http, platform):
    platform.say({"a": [1, None]}, headers={"X-Limit": "7"})
    answer = await get(http, platform, params={"fields": "a,b"}, bearer="tok")
    assert (answer.status, answer.body, answer.headers["X-Limit"]) == (200, {"a": [1, None]}, "7")
    assert platform.asked[0].query == {"fields": "a,b"}
    assert platform.asked[0].headers["Authorization"] == "Bearer tok"


async def test_refusals_are_returned_for_the_connector_to_judge_even_without_json(http, platform):
    platform.say(b"<html>bad gateway</html>", status=502)
    answer = await get(http, platform)
    assert (answer.status, answer.body) == (502, None)


@pytest.mark.parametrize(
    "raw", [b'{"data": [1, 2', b'{"a": NaN}', b'{"a": "\xff"}', b"[" * 100_000, b"", b"  "]
)
async def test_a_broken_or_empty_body_is_transient(http, platform, raw):
    platform.say(raw)
    with pytest.raises(base.Transient):
        await get(http, platform)


@pytest.mark.parametrize("raw", [b"<html>hello</html>", b"ok"])
async def test_another_kind_of_page_is_a_provider_bug(http, platform, raw):
    platform.say(raw)
    with pytest.raises(base.ProviderBug, match="not_json"):
        await get(http, platform)


async def test_an_empty_body_passes_where_it_is_expected(http, platform):
    platform.say(b"")
    assert (await get(http, platform, may_be_empty=True)).body is None


async def test_redirects_are_not_followed(http, platform):
    platform.say({}, status=302, headers={"Location": "/elsewhere?token=" + SECRET})
    with pytest.raises(base.ProviderBug, match="redirect") as caught:
        await get(http, platform)
    assert [asked.path for asked in platform.asked] == ["/thing"]
    assert SECRET not in told(caught.value)


@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_over_four_mebibytes_is_given_up_even_when_it_was_small_on_the_wire(
    http, platform, packed
):
    raw = b'"' + b"a" * client.BODY_LIMIT + b'"'
    if packed:
        platform.say(gzip.compress(raw), headers={"Content-Encoding": "gzip"})
    else:
        platform.say(raw)
    with pytest.raises(base.ProviderBug, match="body_too_large"):
        await get(http, platform, repeat=True)
    assert len(platform.asked) == 1


async def test_a_slow_platform_is_transient_within_the_time_limit(session):
    async def drip(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(0.5)
        return response

    app = web.Application()
    app.router.add_get("/", drip)
    async with test_utils.TestServer(app, host="127.0.0.1") as server:
        http = client.Client(session, patience=client.Patience(total=0.1))
        with pytest.raises(base.Transient, match="timeout"):
            await http.send("GET", str(server.make_url("/")), endpoint="slow")


async def test_reading_calls_are_repeated_after_transient_failures(http, platform):
    platform.say(b'{"cut', status=200)
    platform.say({"ok": True})
    assert (await get(http, platform, repeat=True)).body == {"ok": True}
    assert len(platform.asked) == 2


async def test_repetition_ends_after_three_attempts(http, platform):
    platform.say(b"")
    with pytest.raises(base.Transient):
        await get(http, platform, repeat=True)
    assert len(platform.asked) == 3


async def test_other_calls_are_sent_once(http, platform):
    platform.say(b"")
    with pytest.raises(base.Transient):
        await http.send("POST", platform.url + "/token", endpoint="token", form={"code": "x"})
    assert len(platform.asked) == 1


async def test_only_transient_refusals_are_repeated(http, platform):
    def refuse(answer):
        raise base.RateLimited("slow_down", "")

    platform.say({})
    with pytest.raises(base.RateLimited):
        await get(http, platform, repeat=True, refuse=refuse)
    assert len(platform.asked) == 1


@pytest.mark.parametrize("raw", [None, b'{"cut', b"<html>"])
async def test_no_failure_shows_a_url_a_token_or_a_form(http, platform, raw, caplog):
    platform.say(raw if raw is not None else {})
    url = platform.url if raw is not None else f"http://127.0.0.1:{ports.free()}"
    with caplog.at_level("DEBUG"), pytest.raises(base.Failure) as caught:
        await http.send(
            "POST",
            url + "/x",
            endpoint="x",
            params={"access_token": SECRET},
            form={"client_secret": SECRET},
            bearer=SECRET,
            repeat=True,
        )
    assert SECRET not in told(caught.value)
    assert caught.value.__context__ is None
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp.access")]
    assert not any(SECRET in line for line in ours)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("999999999999999999999", 86_400),
        ("Fri, 20 Nov 2026 00:00:30 GMT", 30),
        ("Friday, 20-Nov-26 00:00:30 GMT", 30),
        ("Fri Nov 20 00:00:30 2026", 30),
        ("Thu, 19 Nov 2026 23:00:00 GMT", 0),
        ("Fri, 20 Nov 2099 00:00:30 GMT", 86_400),
        ("Fri, 99 Nov 2026 00:00:30 GMT", None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("²", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_and_bounded(header, seconds):
    at = client.Answer(429, None, {"Retry-After": header}).retry_at(NOW)
    assert at == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_a_date_in_retry_after_counts_from_the_platforms_own_clock():
    headers = {"Retry-After": "Fri, 20 Nov 2026 05:00:30 GMT", "Date": "Fri, 20 Nov 2026 05:00:00 GMT"}
    assert client.Answer(503, None, headers).retry_at(NOW) == NOW + timedelta(seconds=30)


async def test_a_stumble_that_names_a_time_is_not_repeated_before_it(http, platform):
    def refuse(answer):
        raise base.Transient("away", "away", retry_at=answer.retry_at(NOW))

    platform.say({}, status=503, headers={"Retry-After": "7"})
    with pytest.raises(base.Transient) as caught:
        await get(http, platform, repeat=True, refuse=refuse)
    assert (len(platform.asked), caught.value.retry_at) == (1, NOW + timedelta(seconds=7))


def test_an_answers_repr_hides_what_it_carries():
    assert SECRET not in repr(client.Answer(200, {"access_token": SECRET}, {"Set-Cookie": SECRET}))


async def test_what_is_wrong_with_our_app_is_told_once_and_nothing_secret_with_it(
    http, platform, monkeypatch, capture
):
    told = {}
    monkeypatch.setattr(alarm, "_TOLD", told)

    def refuse(answer):
        raise base.Misconfigured("invalid_client", SECRET)

    platform.say({"error": "invalid_client"}, status=401)
    for _ in range(5):
        with pytest.raises(base.Misconfigured) as caught:
            await http.send(
                "POST", f"{platform.url}/token?secret={SECRET}", endpoint="tiktok /token", refuse=refuse
            )
        assert caught.value.retry_at > datetime.now(UTC) + timedelta(minutes=50)
    (line,) = capture.entries
    host = {"platform": "TIKTOK", "host": "127.0.0.1", "code": "invalid_client"}
    assert line == {"event": "platform.misconfigured", "log_level": "error", **host}
    told.update(dict.fromkeys(told, -alarm.EVERY_SECONDS))
    with pytest.raises(base.Misconfigured):
        await http.send("POST", platform.url, endpoint="tiktok /token", refuse=refuse)
    assert len(capture.entries) == 2
