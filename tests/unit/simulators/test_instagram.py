"""What the simulated Instagram promises: its wire format, its limits and its ways to go wrong."""

import base64
import json
import time
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer

import simulators
from simulators import instagram_media, instagram_outbox, instagram_usage, instagram_wire, people

REDIRECT = "https://api.example/connect/instagram/callback"
BASIC, INSIGHTS = "instagram_business_basic", "instagram_business_manage_insights"
DAY = 86_400


class Walker:
    """Does what an app and a creator's browser do."""

    def __init__(self, client, world):
        self.client, self.world = client, world

    async def page(self, method="get", data=None, **query):
        asked = {
            "client_id": "ig",
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": f"{BASIC},{INSIGHTS}",
            "state": "st&te",
        } | query
        asked = {name: value for name, value in asked.items() if value is not None}
        return await self.client.request(
            method, "/instagram/oauth/authorize", params=asked, data=data, allow_redirects=False
        )

    async def authorize(self, creator="sim.ada", ticked=(BASIC, INSIGHTS), decision="approve", **query):
        form = FormData([("creator", creator), ("decision", decision), *(("scope", one) for one in ticked)])
        return await self.page("post", form, **query)

    async def code(self, **ask):
        answer = await self.authorize(**ask)
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    async def exchange(self, code, *, multipart=True, **form):
        fields = {
            "client_id": "ig",
            "client_secret": "ig-secret",
            "grant_type": "authorization_code",
            "redirect_uri": REDIRECT,
            "code": code,
        } | form
        data = FormData(fields, default_to_multipart=multipart)
        answer = await self.client.post("/instagram/oauth/access_token", data=data)
        return answer.status, await answer.json()

    async def get(self, path, access=None, **query):
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        answer = await self.client.get(f"/instagram{path}", params=query, headers=headers)
        return answer.status, await answer.json()

    async def short(self, **ask):
        _, told = await self.exchange(await self.code(**ask))
        return (told["data"][0] if "data" in told else told)["access_token"]

    async def connect(self, **ask):
        query = {"grant_type": "ig_exchange_token", "client_secret": "ig-secret"}
        status, told = await self.get("/access_token", **query, access_token=await self.short(**ask))
        assert status == 200, told
        return told["access_token"]

    async def refresh(self, access):
        return await self.get("/refresh_access_token", grant_type="ig_refresh_token", access_token=access)

    async def control(self, **orders):
        answer = await self.client.post("/instagram/_control", json=orders)
        return answer.status, await answer.json()


@pytest.fixture
async def start():
    running = []

    async def run(*, state_path=None, control=True, **urls):
        allowed = simulators.exactly(REDIRECT)
        apps = [
            simulators.InstagramApp("ig", "ig-secret", "Fan & <Co>", allowed, **urls),
            simulators.InstagramApp("other", "other-secret", "Other", allowed),
        ]
        application = simulators.create(
            [simulators.App("ig", "ig-secret", "Same id at TikTok", allowed)],
            instagram=apps,
            state_path=state_path,
            control=control,
        )
        client = TestClient(TestServer(application))
        await client.start_server()
        running.append(client)
        return Walker(client, application[simulators.INSTAGRAM])

    yield run
    for client in running:
        await client.close()


@pytest.fixture
async def gram(start):
    return await start()


def code_of(told):
    return told["error"]["code"], told["error"].get("error_subcode", 0)


# -- consent


async def test_the_page_names_the_app_the_creators_and_every_scope(gram):
    answer = await gram.page(login_hint="@sim.noor")
    text = await answer.text()
    assert answer.status == 200
    assert "Fan &amp; &lt;Co&gt; wants to access your Instagram account" in text
    assert text.count("<option") == 120
    assert 'value="sim.noor" selected' in text
    assert f'value="{BASIC}" checked disabled' in text
    assert f'value="{INSIGHTS}" checked>' in text
    assert "form-action" not in answer.headers["Content-Security-Policy"]
    assert "<script" not in text


async def test_approving_carries_code_and_state_and_instagrams_tail(gram):
    location = (await gram.authorize()).headers["Location"]
    assert location.startswith(REDIRECT + "?code=")
    assert location.endswith("#_")
    assert parse_qs(urlsplit(location).query)["state"] == ["st&te"]


async def test_denying_carries_the_reason(gram):
    query = parse_qs(urlsplit((await gram.authorize(decision="deny")).headers["Location"]).query)
    assert (query["error"], query["error_reason"]) == (["access_denied"], ["user_denied"])
    assert query["state"] == ["st&te"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "nobody"},
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": None},
        {"response_type": "token"},
        {"scope": INSIGHTS},
        {"scope": f"{BASIC},business_basic"},
        {"scope": None},
    ],
)
async def test_a_wrong_request_gets_a_page_and_no_redirect(gram, wrong):
    for answer in (await gram.page(**wrong), await gram.authorize(**wrong)):
        assert answer.status == 400
        assert "Location" not in answer.headers


async def test_a_tampered_form_grants_nothing(gram):
    assert (await gram.authorize(creator="sim.nobody")).status == 400
    assert (await gram.authorize(decision="perhaps")).status == 400
    assert (await gram.authorize(scope=BASIC)).status == 400


# -- tokens


@pytest.mark.parametrize("multipart", [True, False])
async def test_the_exchange_takes_both_forms(gram, multipart):
    status, told = await gram.exchange(await gram.code(), multipart=multipart)
    assert (status, told["data"][0]["permissions"]) == (200, f"{BASIC},{INSIGHTS}")


async def test_both_shapes_of_exchange_and_profile_are_knobs(gram):
    ada = people.BY_USERNAME["sim.ada"]
    await gram.control(knobs={"exchange_shape": "flat", "me_shape": "data", "numeric_ids": True})
    _, told = await gram.exchange(await gram.code())
    assert told["user_id"] == int(instagram_media.app_scoped_id("ig", ada))
    _, me = await gram.get("/me", await gram.connect(), fields="user_id")
    assert me["data"][0]["user_id"] == int(instagram_media.account_id(ada))
    await gram.control(knobs={"exchange_shape": "list"})
    assert (await gram.exchange(await gram.code()))[1]["permissions"] == [BASIC, INSIGHTS]


async def test_the_same_creator_has_another_id_for_every_app_and_one_account(gram):
    ada = people.BY_USERNAME["sim.ada"]
    ids = {
        instagram_media.app_scoped_id("ig", ada),
        instagram_media.app_scoped_id("other", ada),
        instagram_media.account_id(ada),
    }
    assert len(ids) == 3
    for make in (instagram_media.account_id, lambda one: instagram_media.app_scoped_id("ig", one)):
        assert len({make(creator) for creator in people.CREATORS}) == 120


@pytest.mark.parametrize(
    "form",
    [
        {"client_id": "nobody"},
        {"client_secret": "wrong"},
        {"client_secret": "ü"},
        {"grant_type": "password"},
        {"redirect_uri": REDIRECT + "/"},
        {"code": "AQwrong"},
        {"client_id": "other", "client_secret": "other-secret"},
    ],
)
async def test_a_wrong_exchange_is_refused_in_the_flat_shape(gram, form):
    status, told = await gram.exchange(**({"code": await gram.code()} | form))
    assert (status, told["error_type"], told["code"]) == (400, "OAuthException", 400)
    assert told["error_message"]


async def test_a_code_buys_once_and_for_an_hour(gram):
    code = await gram.code()
    assert (await gram.exchange(code))[0] == 200
    assert (await gram.exchange(code))[0] == 400
    code = await gram.code()
    await gram.control(advance=3_601)
    assert (await gram.exchange(code))[0] == 400


async def test_a_short_token_lives_an_hour_and_is_lengthened_against_the_secret(gram):
    short = await gram.short()
    assert (await gram.get("/me", short))[0] == 200
    query = {"grant_type": "ig_exchange_token", "access_token": short}
    for secret in ("", "wrong", "ü"):
        assert (await gram.get("/access_token", **query, client_secret=secret))[0] == 400
    status, told = await gram.get("/access_token", **query, client_secret="ig-secret")
    assert (status, told["token_type"], told["expires_in"]) == (200, "bearer", 5_180_000)
    await gram.control(advance=3_601)
    assert code_of((await gram.get("/me", short))[1]) == (190, 463)
    assert (await gram.get("/me", told["access_token"]))[0] == 200


async def test_a_refresh_needs_a_day_of_age_and_a_living_token(gram):
    access = await gram.connect()
    assert code_of((await gram.refresh(access))[1]) == (100, 0)
    await gram.control(advance=DAY + 1)
    status, told = await gram.refresh(access)
    assert (status, told["expires_in"]) == (200, 5_180_000)
    assert (await gram.get("/me", access))[0] == 200
    await gram.control(advance=60 * DAY)
    for dead in (access, told["access_token"]):
        assert code_of((await gram.refresh(dead))[1]) == (190, 463)


async def test_whether_a_refreshed_token_lives_on_is_a_knob(gram):
    access = await gram.connect()
    await gram.control(advance=DAY + 1, knobs={"lives_on": False})
    assert (await gram.refresh(access))[0] == 200
    assert code_of((await gram.get("/me", access))[1]) == (190, 0)


async def test_tokens_survive_a_restart_and_are_stored_hashed(start, tmp_path):
    path = tmp_path / "state.sqlite"
    first = await start(state_path=path)
    access = await first.connect()
    await first.client.close()
    again = await start(state_path=path)
    assert (await again.get("/me", access))[0] == 200
    raw = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert access.encode() not in raw


async def test_a_token_opens_nothing_at_tiktok_and_none_of_tiktoks_here(gram):
    access = await gram.connect()
    answer = await gram.client.get(
        "/tiktok/v2/user/info/?fields=open_id", headers={"Authorization": f"Bearer {access}"}
    )
    assert answer.status == 401


async def test_revoking_ends_every_token_of_this_app_only(gram):
    access, short = await gram.connect(), await gram.short()
    answer = await gram.client.delete(
        "/instagram/v25.0/me/permissions", headers={"Authorization": f"Bearer {access}"}
    )
    assert await answer.json() == {"success": True}
    for dead in (access, short):
        assert code_of((await gram.get("/me", dead))[1]) == (190, 0)


# -- resources


@pytest.mark.parametrize("prefix", ["", "/v20.0", "/v25.0"])
async def test_every_version_answers_and_the_token_may_be_in_header_or_query(gram, prefix):
    access = await gram.connect()
    fields = (
        "id,user_id,username,name,account_type,profile_picture_url,followers_count,follows_count,media_count"
    )
    status, told = await gram.get(f"{prefix}/me", access, fields=fields)
    assert (status, set(told)) == (200, set(fields.split(",")))
    assert told == (await gram.get(f"{prefix}/me", fields=fields, access_token=access))[1]
    ada = people.BY_USERNAME["sim.ada"]
    assert told["media_count"] == instagram_media.count(ada, time.time())


async def test_unknown_fields_cursors_and_limits_are_refused(gram):
    access = await gram.connect()
    for path, query in (
        ("/me", {"fields": "email"}),
        ("/me/media", {"fields": "view_count"}),
        ("/me/media", {"limit": "101"}),
        ("/me/media", {"limit": "0"}),
        ("/me/media", {"limit": "x"}),
        ("/me/media", {"after": "QVFIxx"}),
        ("/me/media", {"after": "é"}),
    ):
        status, told = await gram.get(path, access, **query)
        assert (status, code_of(told)) == (400, (100, 0))
        assert told["error"]["fbtrace_id"]


async def test_next_links_bear_the_token_and_lead_through_everything(gram):
    access = await gram.connect(creator="sim.burst")
    url, ids = "/me/media", []
    query = {"fields": "id,timestamp", "limit": "100"}
    while True:
        _, told = await gram.get(url, access, **query)
        ids += [one["id"] for one in told["data"]]
        following = told["paging"].get("next")
        if following is None:
            break
        parts = urlsplit(following)
        assert parts.netloc == f"{gram.client.host}:{gram.client.port}"
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert query["access_token"] == access
        assert query["after"] == told["paging"]["cursors"]["after"]
    assert len(ids) == len(set(ids)) == 300
    assert told["data"][0]["timestamp"].endswith("+0000")


async def test_the_last_page_has_its_after_on_some_accounts_only(gram):
    seen = set()
    for name in ("sim.twenty", "sim.single"):
        _, told = await gram.get("/me/media", await gram.connect(creator=name), fields="id")
        assert "next" not in told["paging"]
        seen.add("after" in told["paging"]["cursors"])
    assert seen == {True, False}
    assert "paging" not in (await gram.get("/me/media", await gram.connect(creator="sim.quiet")))[1]


async def test_another_accounts_media_and_insights_are_not_there(gram):
    access = await gram.connect()
    other = people.BY_USERNAME["sim.viral"]
    for path in (
        f"/{instagram_media.account_id(other)}/media",
        f"/{instagram_media.Media(other, 3, 0).id}/insights",
        "/1/insights",
        f"/{17_900_000_000_000_000 + 999_999_999}/insights",
    ):
        assert code_of((await gram.get(path, access, metric="views"))[1]) == (100, 33)
    own = instagram_media.account_id(people.BY_USERNAME["sim.ada"])
    assert (await gram.get(f"/v25.0/{own}/media", access))[0] == 200


async def test_hidden_likes_and_missing_addresses_are_left_out(gram):
    access = await gram.connect(creator="sim.sparse")
    _, told = await gram.get("/me/media", access, fields="like_count,media_url,comments_count", limit="100")
    assert {"like_count" in one for one in told["data"]} == {True, False}
    assert all("comments_count" in one for one in told["data"])
    assert None not in [value for one in told["data"] for value in one.values()]


async def test_insights_are_there_empty_or_refused_and_in_two_shapes(gram):
    person = people.BY_USERNAME["sim.sparse"]
    access = await gram.connect(creator="sim.sparse")
    shapes, kinds = set(), set()
    for one in instagram_media.before(person, None, time.time()):
        status, told = await gram.get(f"/{one.id}/insights", access, metric="views,shares")
        if status == 400:
            assert code_of(told) == (100, 2108006)
            kinds.add("old")
        elif not told["data"]:
            kinds.add("empty")
        else:
            kinds.add("told")
            shapes |= {"total_value" if "total_value" in row else "values" for row in told["data"]}
            assert [row["name"] for row in told["data"]] == ["views", "shares"]
    assert (kinds, shapes) == ({"old", "empty", "told"}, {"total_value", "values"})


async def test_one_unknown_or_unsupported_metric_fails_the_whole_call(gram):
    access = await gram.connect()
    reel = next(
        one
        for one in instagram_media.before(people.BY_USERNAME["sim.ada"], None, time.time())
        if one.kind == "REEL" and not one.has_no_insights()
    )
    assert code_of((await gram.get(f"/{reel.id}/insights", access, metric="views,plays"))[1]) == (100, 0)
    await gram.control(knobs={"unsupported": [["VIDEO", "shares"]]})
    assert code_of((await gram.get(f"/{reel.id}/insights", access, metric="views,shares"))[1]) == (100, 0)
    assert (await gram.get(f"/{reel.id}/insights", access, metric="views"))[0] == 200


async def test_insights_need_their_scope(gram):
    access = await gram.connect(ticked=(BASIC,))
    media = instagram_media.Media(people.BY_USERNAME["sim.ada"], 60, int(time.time()))
    assert code_of((await gram.get(f"/{media.id}/insights", access, metric="views"))[1]) == (10, 0)


async def test_embeds_are_for_apps(gram):
    media = instagram_media.Media(people.BY_USERNAME["sim.ada"], 5, int(time.time()))
    url = instagram_wire.permalink(media)
    status, told = await gram.get("/v25.0/instagram_oembed", url=url, access_token="ig|ig-secret")
    assert (status, told["provider_name"]) == (200, "Instagram")
    assert url in told["html"]
    assert code_of((await gram.get("/instagram_oembed", url=url))[1]) == (190, 0)
    for wrong in ("https://x.example/p/AAAAAAAAAAA/", "", url[:-3]):
        answer = await gram.get("/instagram_oembed", "ig|ig-secret", url=wrong)
        assert code_of(answer[1]) == (100, 33)


async def test_the_crowd_grows_and_never_changes_its_ids(gram):
    person = people.BY_USERNAME["sim.daily"]
    now = time.time()
    before = [one.id for one in instagram_media.before(person, None, now)]
    after = [one.id for one in instagram_media.before(person, None, now + 3 * DAY)]
    assert after[3:] == before
    for one in instagram_media.before(person, None, now):
        assert instagram_media.find(one.id, now) == one
        assert instagram_media.by_shortcode(instagram_media.shortcode(one.id), now) == one


# -- limits and faults


async def test_usage_headers_rise_with_load_and_the_limit_refuses(gram):
    await gram.control(knobs={"account_calls": 20, "app_calls": 1_000})
    access = await gram.connect()
    account = instagram_media.account_id(people.BY_USERNAME["sim.ada"])
    shares = []
    for _ in range(25):
        answer = await gram.client.get("/instagram/me", headers={"Authorization": f"Bearer {access}"})
        row = json.loads(answer.headers["X-Business-Use-Case-Usage"])[account][0]
        shares.append((answer.status, row["call_count"], row["estimated_time_to_regain_access"] > 0))
        told = await answer.json()
    assert shares == sorted(shares, key=lambda one: one[1])
    assert (shares[0][0], shares[-1][0], shares[-1][2]) == (200, 400, True)
    assert code_of(told) == (80002, 0)
    await gram.control(advance=DAY + 61)
    assert (await gram.get("/me", access))[0] == 200


async def test_the_apps_own_limit_is_an_hours(gram):
    await gram.control(knobs={"app_calls": 3})
    access = await gram.connect()
    statuses = [(await gram.get("/me", access))[0] for _ in range(4)]
    assert statuses[-1] == 403
    await gram.control(advance=3_661)
    assert (await gram.get("/me", access))[0] == 200


def test_a_quiet_account_is_told_nothing_of_limits():
    assert instagram_usage.headers(1, 1, "178", 0) == {}


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("status_429", 403, (4, 0)), ("status_500", 500, (2, 0)), ("bad_token", 400, (190, 458))],
)
async def test_a_fault_happens_as_often_as_ordered(gram, kind, status, code):
    access = await gram.connect()
    await gram.control(fault={"endpoint": "me", "kind": kind, "times": 2})
    for _ in range(2):
        got, told = await gram.get("/me", access)
        assert (got, code_of(told)) == (status, code)
    assert (await gram.get("/me", access))[0] == 200


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("status_429", 429, "OAuthRateLimitException"),
        ("status_500", 500, "OAuthException"),
        ("bad_token", 400, "OAuthException"),
    ],
)
async def test_the_exchange_breaks_in_its_own_shape(gram, kind, status, word):
    code = await gram.code()
    await gram.control(fault={"endpoint": "oauth/access_token", "kind": kind})
    got, told = await gram.exchange(code)
    assert (got, told["error_type"]) == (status, word)
    assert (await gram.exchange(code))[0] == 200


async def test_bodies_break_in_every_way(gram):
    access = await gram.connect()
    headers = {"Authorization": f"Bearer {access}"}
    for kind in ("half_json", "huge", "missing_data", "drop"):
        gram.world.faults.add(simulators.InstagramFault("me/media", kind, times=5, size=1_000_000))
        try:
            answer = await gram.client.get("/instagram/me/media", headers=headers)
            body = await answer.read()
        except aiohttp.ClientConnectionError:
            assert kind == "drop"
        else:
            assert (len(body) > 1_000_000) == (kind == "huge")
            assert (body == b"{}") == (kind == "missing_data")
        await gram.control(clear=True)
    assert (await gram.get("/me/media", access))[0] == 200


@pytest.mark.parametrize(
    "orders",
    [
        {},
        {"unknown": 1},
        {"fault": {"endpoint": "me", "kind": "nonsense"}},
        {"fault": {"endpoint": "video/list", "kind": "slow"}},
        {"fault": {"endpoint": "me", "kind": "slow", "times": 0}},
        {"advance": -1},
        {"advance": "1"},
        {"knobs": {"none": 1}},
        {"knobs": {"long": "1"}},
        {"disconnect": "sim.nobody"},
        {"hide": "1"},
    ],
)
async def test_a_wrong_order_is_refused_and_changes_nothing(gram, orders):
    assert (await gram.control(**orders))[0] == 400
    assert gram.world.faults.waiting() == []


async def test_without_control_there_is_no_switchboard(start):
    gram = await start(control=False)
    assert (await gram.client.post("/instagram/_control", json={"advance": 1})).status == 404


# -- signed requests


@pytest.fixture
async def heard():
    """An app's callbacks: what was posted to them."""
    posted = []

    async def callback(request):
        posted.append((request.path, (await request.post())["signed_request"]))
        return web.json_response({"url": "https://ours.example/d", "confirmation_code": "c1"})

    app = web.Application()
    app.router.add_post("/{which}", callback)
    async with TestServer(app, host="127.0.0.1") as server:
        yield posted, str(server.make_url("")).rstrip("/")


async def settled(gram):
    for task in list(gram.world.outbox._tasks):
        await task


async def test_removing_the_app_posts_a_signed_request_with_the_app_scoped_id(start, heard):
    posted, url = heard
    gram = await start(deauthorize_url=f"{url}/deauthorize", deletion_url=f"{url}/delete")
    access = await gram.connect()
    await gram.control(disconnect="sim.ada")
    await gram.control(erase="sim.ada")
    await settled(gram)
    assert code_of((await gram.get("/me", access))[1]) == (190, 0)
    assert [path for path, _ in posted] == ["/deauthorize", "/delete"]
    whom = instagram_media.app_scoped_id("ig", people.BY_USERNAME["sim.ada"])
    for _, request in posted:
        assert request == instagram_outbox.signed_request(whom, "ig-secret", _issued(request))
        assert "=" not in request
    assert [status for status, _ in gram.world.outbox.answers] == [200, 200]
    assert json.loads(gram.world.outbox.answers[1][1])["confirmation_code"] == "c1"


def _issued(request):
    message = request.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(message + "=="))["issued_at"]


async def test_who_never_connected_sends_no_deauthorization(start, heard):
    posted, url = heard
    gram = await start(deauthorize_url=f"{url}/deauthorize")
    await gram.control(disconnect="sim.ada")
    await settled(gram)
    assert posted == []


async def test_a_callback_that_does_not_answer_breaks_nothing():
    told = await simulators.send_signed_request(
        "http://127.0.0.1:1/x", app_scoped_id="26", client_secret="s", now=1_700_000_000
    )
    assert told == (0, "")


def test_the_signature_is_metas():
    """A vector made by hand of Meta's recipe: HMAC-SHA256 over the payload as it is transmitted."""
    payload = {
        "algorithm": "HMAC-SHA256",
        "expires": 1_700_003_600,
        "issued_at": 1_700_000_000,
        "user_id": "1789",
    }
    assert instagram_outbox.sign(payload, "test_secret").startswith(
        "ASNiVjGNzDywCQ2D3iI-41bnG3t7NqsXVBGspv_mc-k."
    )
