"""Faults happen where and as often as they were ordered, and then no more."""

import json
import time

import aiohttp
import pytest

import simulators


async def raw(tiktok, access):
    answer = await tiktok.client.post(
        "/tiktok/v2/video/list/?fields=id", headers={"Authorization": f"Bearer {access}"}, json={}
    )
    return answer.status, await answer.read()


@pytest.fixture
async def access(tiktok):
    return (await tiktok.connect(creator="sim.burst"))["access_token"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("status_429", 429, "rate_limit_exceeded"),
        ("status_500", 500, "internal_error"),
        ("bad_token", 401, "access_token_invalid"),
    ],
)
async def test_a_fault_happens_as_often_as_ordered(tiktok, access, kind, status, code):
    assert (await tiktok.control(endpoint="video/list", kind=kind, times=2))[0] == 200
    assert (await tiktok.user(access))[0] == 200
    for _ in range(2):
        got, answer = await tiktok.videos(access)
        assert (got, answer["error"]["code"]) == (status, code)
    assert (await tiktok.videos(access))[0] == 200


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("status_429", 429, "rate_limit_exceeded"),
        ("status_500", 500, "server_error"),
        ("bad_token", 200, "invalid_grant"),
    ],
)
async def test_the_token_endpoint_breaks_in_its_own_flat_shape(tiktok, kind, status, error):
    tokens = await tiktok.connect()
    await tiktok.control(endpoint="oauth/token", kind=kind)
    got, answer = await tiktok.refresh(tokens["refresh_token"])
    assert (got, answer["error"]) == (status, error)
    assert "access_token" in (await tiktok.refresh(tokens["refresh_token"]))[1]


async def test_a_slow_answer_is_right_but_late(tiktok, access):
    await tiktok.control(fault={"endpoint": "video/list", "kind": "slow", "delay": 0.2})
    started = time.monotonic()
    assert (await raw(tiktok, access))[0] == 200
    assert time.monotonic() - started >= 0.2


async def test_a_dripping_answer_is_right_and_always_on_its_way(tiktok, access):
    await tiktok.control(fault={"endpoint": "video/list", "kind": "drip", "delay": 0.3})
    started = time.monotonic()
    status, body = await raw(tiktok, access)
    assert time.monotonic() - started >= 0.3
    assert (status, json.loads(body)["error"]["code"]) == (200, "ok")


async def test_a_refusal_says_when_to_come_back_where_it_is_ordered(tiktok, access):
    for kind, told in (("status_429", "7"), ("status_500", "Fri, 20 Nov 2026 00:00:30 GMT")):
        await tiktok.control(endpoint="video/list", kind=kind, retry_after=told)
        answer = await tiktok.client.post(
            "/tiktok/v2/video/list/?fields=id", headers={"Authorization": f"Bearer {access}"}, json={}
        )
        assert answer.headers["Retry-After"] == told


async def test_half_an_answer_is_no_json_and_a_huge_one_is(tiktok, access):
    tiktok.world.faults.add(simulators.Fault("video/list", "half_json"))
    tiktok.world.faults.add(simulators.Fault("video/list", "huge", size=1_000_000))
    status, body = await raw(tiktok, access)
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    status, body = await raw(tiktok, access)
    assert len(body) > 1_000_000
    assert json.loads(body)["data"]["videos"]


async def test_a_dropped_connection_has_no_answer(tiktok, access):
    await tiktok.control(endpoint="video/list", kind="drop", times=9)
    with pytest.raises(aiohttp.ClientConnectionError):
        await raw(tiktok, access)
    assert (await tiktok.control(clear=True))[1]["faults"] == []
    assert (await raw(tiktok, access))[0] == 200


async def test_a_looping_page_says_more_and_goes_nowhere(tiktok, access):
    _, first = await tiktok.videos(access)
    cursor = first["data"]["cursor"]
    await tiktok.control(endpoint="video/list", kind="page_loop")
    _, looped = await tiktok.videos(access, cursor=cursor)
    assert (looped["data"]["cursor"], looped["data"]["has_more"]) == (cursor, True)


async def test_short_and_doubled_pages_still_cover_everything(tiktok, access):
    await tiktok.control(endpoint="video/list", kind="short_page", times=5)
    await tiktok.control(endpoint="video/list", kind="duplicates", times=5)
    pages = await tiktok.every_page(access)
    assert [len(page["videos"]) for page in pages[:5]] == [1] * 5
    ids = [video["id"] for page in pages for video in page["videos"]]
    assert len(set(ids)) == 300 < len(ids)


async def test_a_hidden_video_is_gone_until_shown(tiktok, access):
    _, first = await tiktok.videos(access, max_count=1)
    gone = first["data"]["videos"][0]["id"]
    assert (await tiktok.control(hide_video=gone))[0] == 200
    ids = {video["id"] for page in await tiktok.every_page(access) for video in page["videos"]}
    assert len(ids) == 299
    assert gone not in ids
    assert (await tiktok.query(access, [gone]))[1]["data"]["videos"] == []
    assert (await tiktok.user(access, "video_count"))[1]["data"]["user"]["video_count"] == 299
    await tiktok.control(show_video=gone)
    assert (await tiktok.user(access, "video_count"))[1]["data"]["user"]["video_count"] == 300


async def test_clock_lifetimes_status_and_limit_turn_over_http(tiktok):
    status, answer = await tiktok.control(
        advance=100, lifetimes={"access": 60}, token_error_status=400, rate_limit=1
    )
    assert status == 200
    assert answer["now"] - time.time() > 99
    tokens = await tiktok.connect()
    assert tokens["expires_in"] == 60
    assert (await tiktok.user(tokens["access_token"]))[0] == 200
    assert (await tiktok.user(tokens["access_token"]))[0] == 429
    assert (await tiktok.refresh("rft.unknown"))[0] == 400
    await tiktok.control(profile="tiktok-legacy")
    assert (await tiktok.connect())["expires_in"] == 86400


@pytest.mark.parametrize(
    "orders",
    [
        {},
        [],
        {"unknown": 1},
        {"endpoint": "video/list", "kind": "nonsense"},
        {"endpoint": "nowhere", "kind": "slow"},
        {"endpoint": "video/list"},
        {"fault": "slow"},
        {"advance": -1},
        {"advance": "1"},
        {"profile": "none"},
        {"lifetimes": {"weeks": 1}},
        {"token_error_status": 500},
        {"disconnect": "sim.nobody"},
        {"disconnect": "sim.ada", "reason": 9},
        {"hide_video": "1"},
    ],
)
async def test_a_wrong_order_is_refused_and_changes_nothing(tiktok, orders):
    answer = await tiktok.client.post("/_control", json=orders)
    assert answer.status == 400
    assert tiktok.world.faults.waiting() == []


async def test_without_control_there_is_no_switchboard(start):
    tiktok = await start(control=False)
    assert (await tiktok.client.post("/_control", json={"advance": 1})).status == 404
