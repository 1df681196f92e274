"""fetchVideo: what a platform tells anyone, asked only of that platform, charged only when delivered."""

import asyncio
import time
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from services import credits, public_videos
from simulators import instagram_media, people, videos, youtube_channels

FETCH = """mutation($url: URL!) { fetchVideo(input: {url: $url}) { video {
  url platform externalId title authorName authorUrl coverUrl html } } }"""
LINKED = """mutation($url: URL!) { fetchVideo(input: {url: $url}) { video {
  externalId video { id externalId creator { username } } } } }"""
TWENTY = people.BY_USERNAME["sim.twenty"]

GOOD = "/@u/video/7400000000000000001"
# As a browser, or a lenient reader, may take them. Those that are no URL at all are refused by the scalar.
NASTY = [
    "https://evil.example/@u/video/7400000000000000001",
    "https://www.tiktok.com.evil.example" + GOOD,
    "https://evil.example/https://www.tiktok.com" + GOOD,
    "https://evil.example?https://www.tiktok.com" + GOOD,
    "https://evil.example#https://www.tiktok.com" + GOOD,
    "https://www.tiktok.com@evil.example" + GOOD,
    "https://www.tiktok.com:443@evil.example" + GOOD,
    "https://user:pass@www.tiktok.com" + GOOD,
    "https://@www.tiktok.com" + GOOD,
    "https://evil.example\\@www.tiktok.com" + GOOD,
    "https://evil.example\\.www.tiktok.com" + GOOD,
    "https:\\\\evil.example\\@www.tiktok.com" + GOOD,
    "https://evil.example%2F@www.tiktok.com" + GOOD,
    "https://evil.example%5C@www.tiktok.com" + GOOD,
    "https://www.tiktok.com%2eevil.example" + GOOD,
    "https://www.tiktok.com%00.evil.example" + GOOD,
    "https://www.tiktok.com%0d%0aHost:%20evil.example" + GOOD,
    "https://www.tiktok.com%ff" + GOOD,
    "https://www.tiktok.com." + GOOD,
    "https://www.tiktok.com.." + GOOD,
    "https://.www.tiktok.com" + GOOD,
    "https://www..tiktok.com" + GOOD,
    "https://www.tiktok.com:8443" + GOOD,
    "https://www.tiktok.com:80" + GOOD,
    "http://www.tiktok.com:22" + GOOD,
    "https://www.tiktok.com:0443" + GOOD,
    "https://www.tiktok.com:99999" + GOOD,
    "https://wwwwtiktok.com" + GOOD,
    "https://tiktok.co" + GOOD,
    "https://xn--tktok-p4a.com" + GOOD,
    "https://www.tıktok.com" + GOOD,
    "https://www.tіktok.com" + GOOD,
    "https://www.tik-tok.com" + GOOD,
    "https://open.tiktokapis.com" + GOOD,
    "https://localhost" + GOOD,
    "https://127.0.0.1" + GOOD,
    "https://127.1" + GOOD,
    "https://2130706433" + GOOD,
    "https://0x7f000001" + GOOD,
    "https://0177.0.0.1" + GOOD,
    "https://[::1]" + GOOD,
    "https://[::ffff:169.254.169.254]" + GOOD,
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1" + GOOD,
    "http://0.0.0.0" + GOOD,
    "http://metadata.google.internal" + GOOD,
    "http://www.tiktok.com.127.0.0.1.nip.io" + GOOD,
    "https://www.tiktok.com/redirect?url=http://127.0.0.1/",
    "https://www.tiktok.com/oembed?url=http://127.0.0.1/",
    "https://www.tiktok.com/@u/video/7400000000000000001%2F..%2Fadmin",
    "https://www.tiktok.com/@u/video/7400000000000000001/../../../x",
    "https://www.tiktok.com/@u/video/٧٤٠٠",
    "https://www.tiktok.com//@u/video/7400000000000000001",
    "https://www.tiktok.com/@u/video/7400000000000000001;x",
    "https://www.tiktok.com/@u%00/video/7400000000000000001",
    "https://www.youtube.com/redirect?q=http://127.0.0.1/&v=dQw4w9WgXcQ",
    "https://www.youtube.com/watch?v=../../../etc",
    "https://www.youtube.com/watch?v=dQw4w9WgXc%00",
    "https://www.youtube.com/watch?v=aaaaaaaaaaa&v=bbbbbbbbbbb",
    "https://www.youtube.com/watch?V=dQw4w9WgXcQ",
    "https://youtu.be/dQw4w9WgXcQ/../x",
    "https://youtu.be.evil.example/dQw4w9WgXcQ",
    "https://www.instagram.com/p/",
    "https://l.instagram.com/?u=http://127.0.0.1/",
    "https://vm.tiktok.com/ZMabc123/",
    "https:///www.tiktok.com" + GOOD,
    "https:/www.tiktok.com" + GOOD,
    "//www.tiktok.com" + GOOD,
    "www.tiktok.com" + GOOD,
    "ftp://www.tiktok.com" + GOOD,
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_",
    "javascript:alert(1)//https://www.tiktok.com" + GOOD,
    "data:text/html,x",
    "jar:https://www.tiktok.com!/" + GOOD,
    "https://www.tik\ttok.com" + GOOD,
    "https://www.tiktok.com\n.evil.example" + GOOD,
    "https://www.tiktok.com" + GOOD + "?" + "x" * 3_000,
    "https://",
    "",
]


@pytest.fixture
def asked(monkeypatch):
    """Every address that anything of ours sends a request to, the tests' own to /graphql left out."""
    seen: list[str] = []
    request = aiohttp.ClientSession._request

    async def watched(session, method, url, **more):
        if not str(url).endswith("/graphql"):
            seen.append(str(url))
        return await request(session, method, url, **more)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", watched)
    return seen


def tiktok_url(creator=TWENTY, n=3):
    video = videos.Video(creator, n, int(time.time()))
    return f"https://www.tiktok.com/@{creator.username}/video/{video.id}", video


def youtube_upload(wanted="public"):
    for creator in people.CREATORS:
        for upload in youtube_channels.page(creator, 0, 50, time.time()):
            if upload.privacy == wanted and not upload.dropped:
                return upload
    raise AssertionError(wanted)


MANY_CREATORS = """
insert into creators (account_id, livemode, platform, external_id, username)
select $1, false, 'TIKTOK', 'o' || n, 'u' || n from generate_series(1, 2000) n"""
MANY_VIDEOS = """
insert into videos (account_id, livemode, creator_id, external_id, kind, published_at, seen_in)
select account_id, false, id, row_number() over (), 'VIDEO', now(), id from creators, generate_series(1, 10)
where account_id = $1"""


async def explained(service, statement, *values):
    connection = await service.database.connect(plan_cache_mode="force_generic_plan")
    try:
        return str(await connection.fetch("explain " + statement, *values))
    finally:
        await connection.close()


async def fetch(service, url, key="", query=FETCH):
    return await service.ask(query, {"url": url}, key=key)


def test_there_are_enough_nasty_addresses():
    assert len(set(NASTY)) == len(NASTY) >= 40


async def test_a_nasty_address_is_refused_before_anything_is_asked_and_costs_nothing(service, asked):
    for key in (service.test, service.live):
        for url in NASTY:
            answer = await fetch(service, url, key)
            assert answer.code == "BAD_USER_INPUT", (url, answer.body)
            assert answer.credits["charged"] == 0 if "credits" in answer.body.get("extensions", {}) else True
    assert asked == []
    assert await service.value("select count(*) from public_videos") == 0
    assert await service.value("select count(*) from ledger where kind = 'charge'") == 0


async def test_only_the_configured_endpoint_is_asked_with_an_address_of_our_own(service, asked):
    url = tiktok_url()[0]
    noisy = url.replace("https://www.tiktok.com/", "HTTPS://m.TikTok.com/x/../") + "?u=http://127.0.0.1/#f"
    assert (await fetch(service, noisy)).data
    assert asked == [f"{service.url}/simulators/tiktok/oembed"]


async def test_a_public_video_is_told_on_every_platform_in_test_mode_free_of_charge(service):
    url, video = tiktok_url()
    answer = await fetch(service, url + "?is_from_webapp=1")
    told = answer.data["fetchVideo"]["video"]
    assert told.pop("html").startswith('<blockquote class="tiktok-embed"')
    assert told.pop("coverUrl").startswith("https://")
    assert told == {
        "url": url, "platform": "TIKTOK", "externalId": video.id, "title": video.title(),
        "authorName": TWENTY.display_name, "authorUrl": "https://www.tiktok-simulator.example/@sim.twenty",
    }  # fmt: skip
    assert answer.credits["charged"] == 0

    upload = youtube_upload()
    answer = await fetch(service, f"https://youtu.be/{upload.id}?t=1")
    told = answer.data["fetchVideo"]["video"]
    assert (told["platform"], told["externalId"], told["title"]) == (
        "YOUTUBE",
        upload.id,
        upload.video.title(),
    )
    assert told["url"] == f"https://www.youtube.com/watch?v={upload.id}"
    assert "<iframe" in told["html"]

    post = next(instagram_media.before(TWENTY, None, time.time()))
    code = instagram_media.shortcode(post.id)
    answer = await fetch(service, f"https://www.instagram.com/p/{code}/")
    told = answer.data["fetchVideo"]["video"]
    assert (told["platform"], told["externalId"], told["authorName"]) == ("INSTAGRAM", None, None)
    assert told["html"].startswith('<blockquote class="instagram-media"')


@pytest.mark.parametrize("platform", ["TIKTOK", "YOUTUBE", "INSTAGRAM"])
async def test_a_connected_creators_own_video_is_linked_for_that_account_and_mode_alone(service, platform):
    service.work()
    attempt = await service.connect("sim.twenty", platform=platform)
    await service.synced(attempt["sync"]["id"])
    own = (await service.data("{ videos(first: 1) { nodes { id externalId url } } }"))["videos"]["nodes"][0]
    answer = await fetch(service, own["url"], query=LINKED)
    told = answer.data["fetchVideo"]["video"]
    assert told["externalId"] == own["externalId"]
    assert told["video"] == {
        "id": own["id"],
        "externalId": own["externalId"],
        "creator": {"username": "sim.twenty"},
    }
    other = await service.another()
    told = (await fetch(service, own["url"], other.test.secret, LINKED)).data["fetchVideo"]["video"]
    assert told["video"] is None
    stranger = await service.connect("sim.single")
    minted = await service.data(
        "mutation($id: ID!) { createAccessToken(input: {allowedCreators: [$id]}) { token } }",
        {"id": stranger["creator"]["id"]},
    )
    told = await fetch(service, own["url"], minted["createAccessToken"]["token"], LINKED)
    named = None if platform == "INSTAGRAM" else own["externalId"]  # what stands in the address anyway
    assert told.data["fetchVideo"]["video"] == {"externalId": named, "video": None}
    await service.execute("update videos set gone_at = now()")
    assert (await fetch(service, own["url"], query=LINKED)).data["fetchVideo"]["video"]["video"] is None


async def test_live_mode_is_charged_two_when_delivered_kept_or_not_and_nothing_else(service, asked):
    url = tiktok_url()[0]
    for _ in range(2):
        assert (await fetch(service, url, service.live)).credits["charged"] == 2
    assert len(asked) == 1  # the second was kept
    gone = url[:-3] + "999"
    missing = await fetch(service, gone, service.live)
    assert (missing.status, missing.code, missing.credits["charged"]) == (200, "NOT_FOUND", 0)
    service.fault("oembed", "status_500", times=9)
    away = await fetch(service, tiktok_url(n=4)[0], service.live)
    assert (away.code, away.reason, away.credits["charged"]) == ("PLATFORM_ERROR", "AWAY", 0)
    test = await fetch(service, "https://www.tiktok-simulator.example" + urlsplit(url).path, service.live)
    assert test.code == "BAD_USER_INPUT"
    await service.settled()
    assert (await service.ledger())[1] == 4
    async with service.database.read() as connection:
        assert await credits.audit(connection) == []


async def test_a_linked_video_adds_its_own_price(service):
    await service.connected("sim.single", key=service.live)
    own = (await service.data("{ videos { nodes { externalId } } }", key=service.live))["videos"]["nodes"][0]
    url = f"https://www.tiktok.com/@sim.single/video/{own['externalId']}"
    answer = await fetch(
        service,
        url,
        service.live,
        "mutation($url: URL!) { fetchVideo(input: {url: $url}) { video { video { id } } } }",
    )
    assert answer.data["fetchVideo"]["video"]["video"]
    assert answer.credits["charged"] == 3  # 2 + 0.1, rounded up


async def test_who_cannot_pay_is_refused_before_the_platform_is_asked(service, asked):
    await service.data("{ credits { remaining } }", key=service.live)
    await service.settled()
    await service.execute("update credit_balances set used = granted - 2")
    answer = await fetch(service, tiktok_url()[0], service.live)
    assert (answer.status, answer.code) == (402, "CREDITS_EXHAUSTED")
    assert asked == []


async def test_missing_and_private_look_alike_and_are_remembered_for_a_minute(service, asked):
    hidden, video = tiktok_url()
    service.world.knobs.hidden_videos.add(video.id)
    never = "https://www.tiktok.com/@sim.twenty/video/123"
    private = f"https://www.youtube.com/watch?v={youtube_upload('private').id}"
    answers = [await fetch(service, url) for url in (hidden, never, private)]
    assert {str(answer.errors[0]) for answer in answers} == {str(answers[0].errors[0])}
    assert answers[0].code == "NOT_FOUND"
    count = len(asked)
    service.world.knobs.hidden_videos.clear()
    assert (await fetch(service, hidden)).code == "NOT_FOUND"
    assert len(asked) == count
    await service.execute("update public_videos set expires_at = now()")
    assert (await fetch(service, hidden)).data["fetchVideo"]["video"]["externalId"] == video.id


FAULTS = [
    ("status_429", "THROTTLED"), ("status_500", "AWAY"), ("half_json", "AWAY"), ("drop", "AWAY"), ("huge", None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "reason"), FAULTS)
@pytest.mark.parametrize("endpoint", ["oembed", "youtube/oembed"])
async def test_a_platform_that_stumbles_is_told_so_and_not_remembered(service, endpoint, kind, reason):
    url = tiktok_url()[0] if endpoint == "oembed" else f"https://youtu.be/{youtube_upload().id}"
    service.fault(endpoint, kind, times=50)
    answer = await fetch(service, url)
    assert (answer.code, answer.reason) == ("PLATFORM_ERROR", reason), answer.body
    assert await service.value("select count(*) from public_videos") == 0
    service.world.faults.clear()
    assert (await fetch(service, url)).data


async def test_one_stumble_is_not_seen(service):
    service.fault("oembed", "status_500")
    assert (await fetch(service, tiktok_url()[0])).data


async def odd(request):
    """An endpoint gone wrong in the way its path says."""
    kind = request.match_info["kind"]
    if kind == "slow":
        await asyncio.sleep(30)
    if kind == "moved":
        raise web.HTTPFound("/elsewhere/oembed")
    told = {"list": [1], "empty": {"version": "1.0"}, "elsewhere": {"title": "stolen"}}
    if kind in told:
        return web.json_response(told[kind])
    return web.Response(text="<html>hello</html>", content_type="text/html")


@pytest.fixture
async def wrong():
    """The address of endpoints gone wrong, and what was asked of them."""
    hits = []
    app = web.Application()

    async def counted(request):
        hits.append(request.match_info["kind"])
        return await odd(request)

    app.router.add_get("/{kind}/oembed", counted)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", hits
    await runner.cleanup()


@pytest.mark.parametrize(
    ("kind", "reason"), [("moved", None), ("html", None), ("list", None), ("empty", None), ("slow", "AWAY")]
)
async def test_an_endpoint_that_redirects_hangs_or_answers_no_json_is_bounded(
    serving, wrong, monkeypatch, kind, reason
):
    address, hits = wrong
    monkeypatch.setattr("services.platforms.oembed.SECONDS", 0.5 if kind == "slow" else 60)
    service = await serving(tiktok_oembed_url=f"{address}/{kind}/oembed")
    answer = await fetch(service, tiktok_url()[0], service.live)
    assert (answer.code, answer.reason) == ("PLATFORM_ERROR", reason), answer.body
    assert set(hits) == {kind}


async def test_instagram_is_not_offered_in_live_mode_without_a_token(service):
    answer = await fetch(service, "https://www.instagram.com/p/C1a_b-2D3eF/", service.live)
    assert (answer.status, answer.code, answer.reason) == (200, "PLATFORM_ERROR", "NOT_OFFERED")


async def test_what_is_kept_is_bounded_in_time_and_number(service, asked, monkeypatch):
    url = tiktok_url()[0]
    await fetch(service, url)
    await service.execute("update public_videos set expires_at = now()")
    await fetch(service, tiktok_url(n=5)[0])
    assert await service.value("select count(*) from public_videos") == 1
    await fetch(service, url)
    assert len(asked) == 3
    assert await service.value(
        "select bool_and(expires_at between now() + interval '59 minutes' and now() + interval '61 minutes') from public_videos"
    )
    monkeypatch.setattr("services.public_videos.MOST_KEPT", 1)
    await service.execute("analyze public_videos")
    await fetch(service, tiktok_url(n=6)[0])
    assert await service.value("select count(*) from public_videos") == 2


async def test_a_disconnect_erases_what_is_kept_about_the_creators_videos_and_counts_it(service):
    creator_id = await service.connected("sim.twenty")
    await service.idle()
    mine, other = tiktok_url()[0], tiktok_url(people.BY_USERNAME["sim.single"], 0)[0]
    unknown = await service.value("select external_id from videos order by published_at desc limit 1")
    for url in (mine, other, f"https://www.tiktok.com/@sim.twenty/video/{unknown}"):
        assert (await fetch(service, url)).data
    await service.execute("delete from videos where external_id = $1", unknown)  # known by who made it alone
    erased = (await service.disconnect(creator_id)).data["disconnectCreator"]["erased"]
    assert erased["storedAnswers"] == 2
    left = [row["author_url"] for row in await service.tables_of("public_videos")]
    assert left == ["https://www.tiktok-simulator.example/@sim.single"]


async def test_whose_video_it_is_is_found_by_an_index_however_many_there_are(service):
    whose = service.account.id
    await service.execute(MANY_CREATORS, whose)
    await service.execute(MANY_VIDEOS, whose)
    await service.execute("analyze")
    plan = await explained(service, public_videos.OWN, whose, False, "TIKTOK", "77", None)
    assert "ix_videos_public_id" in plan
    assert "Seq Scan" not in plan
