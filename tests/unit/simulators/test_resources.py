"""What the Display API promises: scopes, paging, limits, shapes."""

from urllib.parse import parse_qs, urlsplit

import pytest

import simulators

PROFILE = "bio_description,profile_deep_link,username,is_verified"
STATS = "follower_count,following_count,likes_count,video_count"
BASIC = "open_id,union_id,avatar_url,avatar_url_100,avatar_large_url,display_name"
VIDEO = (
    "id,create_time,cover_image_url,share_url,video_description,duration,height,width,title,embed_html,embed_link,"
    "like_count,comment_count,share_count,view_count,is_aigc"
)


async def test_only_the_asked_fields_come_back_beside_an_ok_error(tiktok):
    access = (await tiktok.connect())["access_token"]
    _, answer = await tiktok.user(access, "display_name,follower_count")
    assert answer["data"]["user"].keys() == {"display_name", "follower_count"}
    assert answer["error"].keys() == {"code", "message", "log_id"}
    assert answer["error"]["code"] == "ok"
    assert answer["error"]["message"] == ""
    assert len((await tiktok.user(access, f"{BASIC},{PROFILE},{STATS}"))[1]["data"]["user"]) == 14


async def test_a_field_without_its_scope_is_an_error_never_an_omission(tiktok):
    access = (await tiktok.connect(ticked=["user.info.basic"]))["access_token"]
    for fields in (PROFILE, STATS, "follower_count"):
        status, answer = await tiktok.user(access, fields)
        assert (status, answer["error"]["code"], answer["data"]) == (401, "scope_not_authorized", {})
    for fields in (f"{BASIC},{STATS}", "open_id,username"):
        status, answer = await tiktok.user(access, fields)
        assert (status, answer["error"]["code"]) == (400, "scope_permission_missed")


async def test_videos_need_their_scope(tiktok):
    access = (await tiktok.connect(ticked=["user.info.basic"]))["access_token"]
    for status, answer in (await tiktok.videos(access), await tiktok.query(access, ["1"])):
        assert (status, answer["error"]["code"]) == (401, "scope_not_authorized")


async def test_no_token_and_a_made_up_token_are_invalid(tiktok):
    for access in ("", "act.made-up", "x" * 500):
        status, answer = await tiktok.videos(access)
        assert (status, answer["error"]["code"]) == (401, "access_token_invalid")


async def test_wrong_parameters_are_invalid_params(tiktok):
    access = (await tiktok.connect())["access_token"]
    for fields in ("", "id,secret", "open_id,"):
        assert (await tiktok.user(access, fields))[1]["error"]["code"] == "invalid_params"
    for body in (
        {"max_count": 21},
        {"max_count": 0},
        {"max_count": "5"},
        {"max_count": True},
        {"cursor": -1},
    ):
        status, answer = await tiktok.videos(access, **body)
        assert (status, answer["error"]["code"]) == (400, "invalid_params")
    for ids in ([], ["1"] * 21, [1]):
        assert (await tiktok.query(access, ids))[0] == 400


@pytest.mark.parametrize("raw", [b"{", b"[]", b"null", b"\xff", b"[" * 30_000, b"1" * 5_000])
async def test_a_body_that_is_no_json_object_is_invalid_params(tiktok, raw):
    headers = {"Authorization": f"Bearer {(await tiktok.connect())['access_token']}"}
    for content_type in ("application/json", "text/plain"):
        answer = await tiktok.client.post(
            "/tiktok/v2/video/list/?fields=id", data=raw, headers=headers | {"Content-Type": content_type}
        )
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "invalid_params")


async def test_walking_five_thousand_videos_sees_each_exactly_once(tiktok):
    access = (await tiktok.connect(creator="sim.prolific"))["access_token"]
    pages = await tiktok.every_page(access)
    videos = [video for page in pages for video in page["videos"]]
    assert len(videos) == len({video["id"] for video in videos}) == 5000
    times = [video["create_time"] for video in videos]
    assert times == sorted(times, reverse=True)
    assert max(times.count(time) for time in set(times[:200])) == 25


async def test_pages_are_sometimes_shorter_than_asked_although_more_remain(tiktok):
    access = (await tiktok.connect(creator="sim.prolific"))["access_token"]
    sizes = [len(page["videos"]) for page in await tiktok.every_page(access) if page["has_more"]]
    assert set(sizes) == {14, 20}


@pytest.mark.parametrize("creator", ["sim.quiet", "sim.single", "sim.twenty", "sim.burst", "sim.sparse"])
@pytest.mark.parametrize("max_count", [1, 7, 20])
async def test_every_page_size_walks_the_number_the_profile_states(tiktok, creator, max_count):
    access = (await tiktok.connect(creator=creator))["access_token"]
    pages = await tiktok.every_page(access, max_count=max_count)
    ids = [video["id"] for page in pages for video in page["videos"]]
    _, answer = await tiktok.user(access, "video_count")
    assert len(ids) == len(set(ids)) == answer["data"]["user"]["video_count"]


async def test_ten_videos_come_unasked(tiktok):
    access = (await tiktok.connect(creator="sim.burst"))["access_token"]
    _, answer = await tiktok.videos(access)
    assert len(answer["data"]["videos"]) in (7, 10)
    assert answer["data"]["has_more"] is True


async def test_the_cursor_is_in_milliseconds_and_any_moment_will_do(tiktok):
    access = (await tiktok.connect(creator="sim.ada"))["access_token"]
    videos = [video for page in await tiktok.every_page(access) for video in page["videos"]]
    moment = videos[30]["create_time"] + 1
    _, answer = await tiktok.videos(access, cursor=moment * 1000, max_count=1)
    assert answer["data"]["videos"][0]["id"] == next(v["id"] for v in videos if v["create_time"] < moment)


async def test_every_video_field_has_its_type(tiktok):
    access = (await tiktok.connect(creator="sim.viral"))["access_token"]
    for page in await tiktok.every_page(access, VIDEO):
        for video in page["videos"]:
            assert ",".join(video) == VIDEO
            assert len(video["title"]) <= 150
            assert len(video["video_description"]) <= 150
            assert all(0 <= video[name] < 2**31 for name in ("like_count", "comment_count", "share_count"))
            assert isinstance(video["is_aigc"], bool)
    assert any(video["view_count"] > 2**31 for video in page["videos"])


async def test_sparse_videos_have_null_and_missing_counters(tiktok):
    access = (await tiktok.connect(creator="sim.sparse"))["access_token"]
    pages = await tiktok.every_page(access, "id,view_count")
    values = [video.get("view_count", "missing") for page in pages for video in page["videos"]]
    assert "missing" in values
    assert None in values
    assert any(isinstance(value, int) for value in values)


async def test_strange_titles_arrive_whole(tiktok):
    access = (await tiktok.connect(creator="sim.strange"))["access_token"]
    titles = {video["title"] for page in await tiktok.every_page(access, "title") for video in page["videos"]}
    assert {"", "null", "C:\\new\\table \\u0041 \\", "שלום עולם — סרטון ראשון", "🧪" * 150} <= titles


async def test_a_query_finds_only_the_creators_own_videos(tiktok):
    ada = (await tiktok.connect(creator="sim.ada"))["access_token"]
    noor = (await tiktok.connect(creator="sim.noor"))["access_token"]
    own = [v["id"] for v in (await tiktok.videos(ada, max_count=3))[1]["data"]["videos"]]
    others = [v["id"] for v in (await tiktok.videos(noor, max_count=3))[1]["data"]["videos"]]
    _, answer = await tiktok.query(ada, [*own, *others, "1", "x", "٣", "9" * 40, own[0]])
    assert [video["id"] for video in answer["data"]["videos"]] == own


async def test_a_cover_says_that_it_dies_in_six_hours_and_a_query_renews_it(tiktok):
    access = (await tiktok.connect())["access_token"]
    first = (await tiktok.videos(access, "id,cover_image_url", max_count=1))[1]["data"]["videos"][0]
    tiktok.world.clock.advance(3600)
    again = (await tiktok.query(access, [first["id"]], "cover_image_url"))[1]["data"]["videos"][0]
    ends = [int(parse_qs(urlsplit(v["cover_image_url"]).query)["x-expires"][0]) for v in (first, again)]
    assert 3600 <= ends[1] - ends[0] <= 3605
    assert abs(ends[1] - tiktok.world.clock.now() - 6 * 3600) < 5


async def test_the_601st_request_of_a_minute_is_refused_and_the_window_slides(start):
    real = [1_800_000_000.0]
    clock = simulators.Clock(lambda: real[0])
    tiktok = await start(clock=clock)
    access = (await tiktok.connect())["access_token"]
    for count in range(600):
        real[0] += 0.05
        status, _ = await tiktok.user(access)
        assert status == 200, count
    status, answer = await tiktok.user(access)
    assert (status, answer["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (await tiktok.videos(access))[0] == 200
    real[0] += 30.06
    assert (await tiktok.user(access))[0] == 200
    assert (await tiktok.user(access))[0] == 429


async def test_the_open_id_is_the_apps_own_and_the_union_id_is_shared(tiktok):
    web = (await tiktok.connect())["access_token"]
    tiktok.client_key, tiktok.client_secret = "desktop", "desktop-secret"
    verifier = "v" * 43
    code = await tiktok.code(code_challenge=tiktok.challenge(verifier), code_challenge_method="S256")
    desktop = (await tiktok.exchange(code, code_verifier=verifier))[1]["access_token"]
    users = [(await tiktok.user(access, "open_id,union_id"))[1]["data"]["user"] for access in (web, desktop)]
    assert users[0]["open_id"] != users[1]["open_id"]
    assert users[0]["union_id"] == users[1]["union_id"]


async def test_oembed_is_public_and_escapes_titles(tiktok):
    access = (await tiktok.connect(creator="sim.strange"))["access_token"]
    pages = await tiktok.every_page(access, "share_url,title")
    video = next(v for page in pages for v in page["videos"] if "<script>" in v["title"])
    answer = await (await tiktok.client.get("/tiktok/oembed", params={"url": video["share_url"]})).json()
    assert answer["title"] == video["title"]
    assert answer["width"] == answer["height"] == "100%"
    assert answer["author_url"].endswith("/@sim.strange")
    assert "<script>" not in answer["html"]
    assert (await tiktok.client.get("/tiktok/oembed", params={"url": "https://x.example/"})).status == 400
