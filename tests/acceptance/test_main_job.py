"""The main job: connect, read, sync, read, disconnect, as a partner's backend and a creator's browser do it."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from yarl import URL

NESTED = """query Nested { creators(first: 20) {
  edges { cursor node { username platform stats { followers likes videoCount }
    videos(first: 10) { edges { cursor node { title views likes comments shares duration publishedAt } }
      pageInfo { hasNextPage endCursor } } } }
  pageInfo { hasNextPage endCursor } totalCount } }"""
ATTEMPT = """query($state: String!) { connectAttempt(state: $state) {
  status platform creator { id username } sync { id status } error { code message } expiresAt } }"""
FOUND = "query($filter: CreatorFilter) { creators(filter: $filter) { nodes { id username } totalCount } }"
START = """mutation($id: ID!, $wait: Int!) { syncCreator(input: {id: $id, waitSeconds: $wait}) {
  joined sync { id status videosSeen } } }"""
COMPLETE = """mutation($state: String!, $code: String!) {
  completeConnect(input: {state: $state, code: $code}) { creator { id username } sync { id status trigger } } }"""
ABOUT_CREATORS = ("creators", "grants", "videos", "syncs", "creator_stats", "video_stats", "pgqueuer")


async def found(service, key="", **filter):
    return [
        node["id"] for node in (await service.data(FOUND, {"filter": filter}, key=key))["creators"]["nodes"]
    ]


async def nothing_stored(service):
    counts = await service.counts()
    return {name: counts[name] for name in ABOUT_CREATORS if counts[name]} == {}


async def test_metriqlabs_five_steps(service):
    service.work()
    begun = await service.begin(reference="influencer-7", returnUrl="https://partner.example/done")
    assert begun["authUrl"].startswith(f"{service.url}/simulators/tiktok/v2/auth/authorize/?")
    assert len(begun["state"]) >= 43
    pending = (await service.data(ATTEMPT, {"state": begun["state"]}))["connectAttempt"]
    assert (pending["status"], pending["creator"], pending["sync"]) == ("PENDING", None, None)

    landed = await service.land(await service.decide(begun["authUrl"], "sim.burst"))
    assert landed.status == 302
    assert landed.location.startswith("https://partner.example/done?")
    assert landed.query.keys() == {"status", "state", "creator"}
    assert (landed.query["status"], landed.query["state"]) == ("connected", begun["state"])
    creator_id = landed.query["creator"]
    attempt = (await service.data(ATTEMPT, {"state": begun["state"]}))["connectAttempt"]
    assert (attempt["status"], attempt["creator"]["id"]) == ("CONNECTED", creator_id)
    assert attempt["error"] is None

    external = (
        await service.data("query($id: ID!) { creator(id: $id) { externalId } }", {"id": creator_id})
    )["creator"]
    assert await found(service, platform=["TIKTOK"]) == [creator_id]
    assert await found(service, externalId=[external["externalId"]]) == [creator_id]
    assert await found(service, reference=["influencer-7"]) == [creator_id]
    assert await found(service, reference=["influencer-8"]) == []
    assert await found(service, platform=["YOUTUBE"]) == []

    first = await service.synced(attempt["sync"]["id"])
    assert (first["status"], first["trigger"], first["progress"], first["error"]) == (
        "SUCCEEDED",
        "CONNECT",
        1,
        None,
    )
    assert first["videosSeen"] == first["videosAdded"] == 300

    started = (await service.data(START, {"id": creator_id, "wait": 10}))["syncCreator"]
    assert (started["joined"], started["sync"]["status"], started["sync"]["videosSeen"]) == (
        False,
        "SUCCEEDED",
        300,
    )
    second = await service.synced(started["sync"]["id"])
    assert (second["trigger"], second["videosAdded"], second["attempts"]) == ("MANUAL", 0, 1)

    read = await service.data(
        """query($id: ID!) { creator(id: $id) { username reference livemode syncedAt stats { followers videoCount }
        grant { status scopes } videos(first: 3) { totalCount nodes { title views creator { id } } }
        syncs { nodes { id trigger } } } }""",
        {"id": creator_id},
    )
    creator = read["creator"]
    assert (creator["username"], creator["reference"], creator["livemode"]) == (
        "sim.burst",
        "influencer-7",
        False,
    )
    assert (creator["videos"]["totalCount"], creator["stats"]["videoCount"]) == (300, 300)
    assert {node["creator"]["id"] for node in creator["videos"]["nodes"]} == {creator_id}
    assert creator["grant"]["status"] == "ACTIVE"
    assert [node["trigger"] for node in creator["syncs"]["nodes"]] == ["MANUAL", "CONNECT"]
    nested = (await service.data(NESTED))["creators"]
    assert nested["totalCount"] == 1
    assert len(nested["edges"][0]["node"]["videos"]["edges"]) == 10
    assert nested["edges"][0]["node"]["videos"]["pageInfo"]["hasNextPage"] is True


async def test_a_disconnect_counts_exactly_signs_for_it_and_leaves_nothing(service):
    creator_id = await service.connected("sim.twenty")
    await service.idle()
    points = await service.value(
        "select (select count(*) from video_stats) + (select count(*) from creator_stats)"
    )
    told = (await service.disconnect(creator_id)).data["disconnectCreator"]
    receipt = told.pop("receipt")
    assert told == {
        "disconnected": True, "disconnectedId": creator_id, "revocation": "REVOKED",
        "erased": {"creators": 1, "videos": 20, "historyPoints": points, "syncs": 1, "tokens": 2, "storedAnswers": 0},
    }  # fmt: skip
    keys = (await service.send("GET", "/.well-known/jwks.json")).body
    by_kid = {key["kid"]: jwt.PyJWK(key) for key in keys["keys"]}
    signer = by_kid[jwt.get_unverified_header(receipt)["kid"]]
    claims = jwt.decode(receipt, signer.key, algorithms=["EdDSA"], options={"require": ["iss", "iat", "sub"]})
    assert (claims["iss"], claims["sub"], claims["erased"]) == (service.url, creator_id, told["erased"])
    assert not {"d", "p"} & set().union(*keys["keys"])

    gone = await service.data(
        "query($id: ID!) { creator(id: $id) { id } node(id: $id) { id } }", {"id": creator_id}
    )
    assert gone == {"creator": None, "node": None}
    again = await service.disconnect(creator_id)
    assert (again.status, again.code) == (200, "NOT_FOUND")


async def test_connecting_again_asks_for_consent_again_and_makes_a_new_creator(service):
    first = await service.connected("sim.single")
    await service.disconnect(first)
    begun = await service.begin()
    async with service.http.get(begun["authUrl"]) as page:
        assert "approve" in await page.text()
    second = await service.connected("sim.single")
    assert second != first
    assert await found(service) == [second]


async def test_a_second_sync_joins_the_one_that_runs(service):
    attempt = await service.connect("sim.single")  # no worker yet: the first sync waits
    creator_id = attempt["creator"]["id"]
    joined = (await service.data(START, {"id": creator_id, "wait": 0}))["syncCreator"]
    assert (joined["joined"], joined["sync"]["id"], joined["sync"]["status"]) == (
        True,
        attempt["sync"]["id"],
        "QUEUED",
    )
    service.work()
    waited = (await service.data(START, {"id": creator_id, "wait": 10}))["syncCreator"]
    assert waited["sync"]["status"] == "SUCCEEDED"
    refused = await service.ask(START, {"id": creator_id, "wait": 11})
    assert refused.code == "BAD_USER_INPUT"
    assert await service.value("select count(*) from syncs") in {1, 2}


async def test_without_a_return_url_our_page_tells_the_opener_on_the_list_only(service):
    begun = await service.begin()
    landed = await service.land(await service.decide(begun["authUrl"], "sim.single"))
    assert landed.status == 200
    assert landed.headers["Content-Type"].startswith("text/html")
    assert "'unsafe-inline'" not in landed.headers["Content-Security-Policy"]
    message = json.loads(re.search(r"const m=(\{.*?\});", landed.text)[1])
    attempt = (await service.data(ATTEMPT, {"state": begun["state"]}))["connectAttempt"]
    assert message == {
        "type": "creator-graph:connect", "status": "connected", "state": begun["state"],
        "creatorId": attempt["creator"]["id"],
    }  # fmt: skip
    assert json.loads(re.search(r"of (\[.*?\])\)", landed.text)[1]) == ["https://partner.example"]
    assert 'postMessage(m,"*")' not in landed.text


async def test_an_app_with_its_own_redirect_completes_the_connect_itself(service):
    begun = await service.begin(redirectUri="https://partner.example/oauth", reference="mine")
    location = await service.decide(begun["authUrl"], "sim.single")
    assert location.startswith("https://partner.example/oauth?")
    code = query_of(location)["code"]
    done = (await service.data(COMPLETE, {"state": begun["state"], "code": code}))["completeConnect"]
    assert (done["creator"]["username"], done["sync"]["trigger"]) == ("sim.single", "CONNECT")
    again = await service.ask(COMPLETE, {"state": begun["state"], "code": code})
    assert (again.status, again.code) == (200, "CONFLICT")
    assert again.errors[0]["path"] == ["completeConnect"]
    assert await service.value("select count(*) from creators") == 1


async def test_denied_consent_is_told_and_nothing_is_stored(service):
    begun = await service.begin(returnUrl="https://partner.example/done")
    landed = await service.land(await service.decide(begun["authUrl"], "sim.single", "deny"))
    assert (landed.status, landed.query) == (302, {"status": "denied", "state": begun["state"]})
    attempt = (await service.data(ATTEMPT, {"state": begun["state"]}))["connectAttempt"]
    assert (attempt["status"], attempt["creator"]) == ("DENIED", None)
    assert await nothing_stored(service)
    shown = await service.begin()
    page = await service.land(await service.decide(shown["authUrl"], "sim.single", "deny"))
    assert (page.status, "You did not allow" in page.text) == (200, True)


async def test_a_replayed_state_connects_nobody_twice(service):
    begun = await service.begin(returnUrl="https://partner.example/done")
    location = await service.decide(begun["authUrl"], "sim.single")
    assert (await service.land(location)).query["status"] == "connected"
    before = await service.counts()
    replayed = await service.land(location)
    assert (replayed.status, "CONFLICT" in replayed.text) == (400, True)
    assert await service.counts() == before
    at_once = await service.begin(returnUrl="https://partner.example/done")
    location = await service.decide(at_once["authUrl"], "sim.twenty")
    landed = await asyncio.gather(*(service.land(location) for _ in range(8)))
    assert sorted(answer.status for answer in landed) == [302] + [400] * 7
    assert await service.value("select count(*) from creators") == 2


async def test_a_state_is_its_accounts_alone(service):
    other = await service.another()
    begun = await service.begin(redirectUri="https://partner.example/oauth")
    code = query_of(await service.decide(begun["authUrl"], "sim.single"))["code"]
    asked = {"state": begun["state"], "code": code}
    unknown = await service.ask(COMPLETE, {"state": "x" * 43, "code": code})
    for key in (other.test.secret, service.live):
        assert (await service.data(ATTEMPT, {"state": begun["state"]}, key=key))["connectAttempt"] is None
        refused = await service.ask(COMPLETE, asked, key=key)
        assert (refused.status, refused.code) == (200, "NOT_FOUND")
        assert refused.errors == unknown.errors
    assert await nothing_stored(service)
    assert (await service.ask(COMPLETE, asked)).data["completeConnect"]["creator"]["username"] == "sim.single"


async def test_an_expired_state_is_told_and_nothing_is_stored(service):
    begun = await service.begin(returnUrl="https://partner.example/done")
    location = await service.decide(begun["authUrl"], "sim.single")
    await service.execute("update oauth_states set expires_at = $1", datetime.now(UTC) - timedelta(seconds=1))
    landed = await service.land(location)
    assert (landed.status, landed.query["status"]) == (302, "expired")
    attempt = (await service.data(ATTEMPT, {"state": begun["state"]}))["connectAttempt"]
    assert attempt["status"] == "EXPIRED"
    assert await nothing_stored(service)


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"returnUrl": "https://partner.example/done/"}, "returnUrl"),
        ({"returnUrl": "https://evil.example/"}, "returnUrl"),
        ({"redirectUri": "https://partner.example/oauth?x=1"}, "redirectUri"),
        ({"reference": "a\x00b"}, "reference"),
    ],
)
async def test_a_wrong_redirect_is_refused_and_nothing_is_stored(service, given, argument):
    before = await service.counts("usage_events", "api_keys")
    answer = await service.ask(
        "mutation($input: ConnectCreatorInput!) { connectCreator(input: $input) { state } }",
        {"input": {"platform": "TIKTOK"} | given},
    )
    assert (answer.status, answer.code) == (200, "BAD_USER_INPUT")
    assert answer.errors[0]["extensions"]["argument"] == argument
    assert await service.counts("usage_events", "api_keys") == before


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        ("oauth/token", "status_500"),
        ("oauth/token", "drop"),
        ("oauth/token", "bad_token"),
        ("oauth/token", "half_json"),
        ("user/info", "status_500"),
        ("user/info", "half_json"),
    ],
)
async def test_a_platform_that_is_down_during_the_callback_leaves_nothing_half_stored(
    service, endpoint, kind
):
    service.fault(endpoint, kind, times=10)
    begun = await service.begin(returnUrl="https://partner.example/done")
    landed = await service.land(await service.decide(begun["authUrl"], "sim.single"))
    assert (landed.status, landed.query["status"], landed.query["code"]) == (302, "failed", "PLATFORM_ERROR")
    attempt = (await service.data(ATTEMPT, {"state": begun["state"]}))["connectAttempt"]
    assert (attempt["status"], attempt["error"]["code"]) == ("FAILED", "PLATFORM_ERROR")
    assert attempt["error"]["message"]
    assert await nothing_stored(service)
    service.world.faults.clear()
    assert (await service.connect("sim.single"))["status"] == "CONNECTED"


async def test_a_callback_with_nonsense_is_a_page_without_an_echo(service):
    for query in (
        "",
        "?state=%3Cscript%3E&code=x",
        "?state=a&state=b",
        "?code=x",
        "?state=%00",
        "?state=%ff",
    ):
        answer = await service.send("GET", f"/connect/tiktok/callback{query}")
        assert answer.status == 400
        assert b"<script>" not in answer.raw.replace(b"<script nonce", b"")
    assert (await service.send("GET", "/connect/nowhere/callback?state=x")).status == 400


def query_of(location):
    return dict(parse_qsl(urlsplit(location).query))


async def test_a_simulated_platform_sends_nobody_where_no_account_wants_them(service):
    await service.update(return_urls=["https://partner.example/oauth"])
    for platform in ("TIKTOK", "INSTAGRAM", "YOUTUBE"):
        asked = URL((await service.begin(platform=platform))["authUrl"])
        listed = asked.update_query(redirect_uri="https://partner.example/oauth")
        for address, status in (
            (asked, 200),
            (listed, 200),
            (asked.update_query(redirect_uri="https://evil.example/"), 400),
            (asked.update_query(redirect_uri="https://partner.example/oauth/"), 400),
            (asked.update_query(redirect_uri="https://partner.example/\0"), 400),
        ):
            async with service.http.get(address, allow_redirects=False) as answer:
                assert answer.status == status, (platform, address)
        async with service.http.post(
            asked.update_query(redirect_uri="https://evil.example/"),
            data={"answer": "deny"},
            allow_redirects=False,
        ) as answer:
            assert answer.status == 400
