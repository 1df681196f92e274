"""What platforms push to us, over real HTTP: believed by its signature, once, and never a traceback."""

import asyncio
import json
import time
from datetime import timedelta

import pytest

import simulators
from server import webhooks as server
from services import revocations
from simulators import instagram_control, instagram_media, instagram_outbox, outbox, people, webhooks

TEST_APP = "creator-graph-test"
GRANT = "query($id: ID!) { creator(id: $id) { grant { status reason } } }"
REMOVED = "authorization.removed"


def secret(service):
    return (service.data_dir / "simulator_secret").read_text().strip()


async def send(
    service, username="sim.single", *, key=TEST_APP, reason=1, event=REMOVED, now=None, signed_by=None, **more
):
    """As TikTok would, to the address registered there."""
    return await simulators.send_webhook(
        f"{service.url}/webhooks/tiktok", client_key=key, client_secret=signed_by or secret(service), event=event,
        user_openid=people.identity(key, username), content={"reason": reason}, now=now,
        **{"first_wait": 0.01, "give_up_after": 0} | more,
    )  # fmt: skip


async def call(
    service, which, username="sim.twenty", *, at=None, signed_by=None, client="creator-graph-test"
):
    """As Instagram would, to one of its callbacks."""
    return await simulators.send_signed_request(
        f"{service.url}/webhooks/instagram/{which}",
        app_scoped_id=instagram_media.app_scoped_id(client, people.BY_USERNAME[username]),
        client_secret=signed_by or secret(service), now=at or time.time(),
    )  # fmt: skip


async def status(service, creator_id, key=""):
    creator = (await service.data(GRANT, {"id": creator_id}, key=key))["creator"]
    if creator:
        assert creator["grant"]["reason"] == {"ACTIVE": None}.get(creator["grant"]["status"], "REMOVED")
    return creator and creator["grant"]["status"]


async def until(service, creator_id, wanted):
    async with asyncio.timeout(60):
        while await status(service, creator_id) != wanted:
            await asyncio.sleep(0.05)


async def instagram(service, username="sim.twenty"):
    service.work()
    attempt = await service.connect(username, platform="INSTAGRAM")
    await service.synced(attempt["sync"]["id"])
    return attempt["creator"]["id"]


# -- TikTok


async def test_a_removed_authorization_needs_reauth_in_every_account_and_cancels_open_syncs(service):
    other = await service.another()
    mine = await service.connect("sim.single")
    theirs = await service.connect("sim.single", key=other.test.secret)
    bystander = await service.connect("sim.quiet")
    live = await service.connect("sim.single", key=service.live)
    assert await send(service, reason=4) == [200]
    assert await status(service, mine["creator"]["id"]) == "NEEDS_REAUTH"
    assert await status(service, theirs["creator"]["id"], other.test.secret) == "NEEDS_REAUTH"
    assert await status(service, bystander["creator"]["id"]) == "ACTIVE"
    assert await status(service, live["creator"]["id"], service.live) == "ACTIVE"
    sync = await service.synced(mine["sync"]["id"])
    assert (sync["status"], sync["error"]["code"]) == ("CANCELED", "RECONNECT_REQUIRED")
    event = await service.one("select kind, reason, creators, livemode, done_at from platform_events")
    assert tuple(event)[:4] == ("REMOVED", "ACCOUNT_BANNED", 2, False)
    assert event["done_at"]
    service.work()
    await service.idle()
    assert (await service.synced(mine["sync"]["id"]))["videosSeen"] == 0


async def test_live_modes_webhook_is_signed_by_the_live_app(service):
    attempt = await service.connect("sim.single", key=service.live)
    assert await send(service, key="live-app") == [403]
    assert await send(service, key="live-app", signed_by="live-app-secret") == [200]
    assert await status(service, attempt["creator"]["id"], service.live) == "NEEDS_REAUTH"


async def test_the_simulators_own_disconnect_reaches_us(service):
    attempt = await service.connect("sim.single")
    assert service.world.state.revoke(TEST_APP, "sim.single")
    app = service.world.apps[TEST_APP]
    service.world.outbox.authorization_removed(
        app, "sim.single", outbox.Reason.USER_DISCONNECTED, time.time()
    )
    await until(service, attempt["creator"]["id"], "NEEDS_REAUTH")


async def test_duplicates_change_nothing_also_after_a_reconnect(service):
    attempt = await service.connect("sim.single")
    at = int(time.time())
    assert await send(service, copies=3, now=at) == [200, 200, 200]
    assert await status(service, attempt["creator"]["id"]) == "NEEDS_REAUTH"
    again = await service.connect("sim.single")
    assert again["creator"]["id"] == attempt["creator"]["id"]
    assert await asyncio.gather(*(send(service, now=at) for _ in range(8))) == [[200]] * 8
    assert await status(service, attempt["creator"]["id"]) == "ACTIVE"
    assert await service.value("select count(*) from platform_events") == 1


async def test_a_message_older_than_the_last_consent_ends_nothing(service):
    attempt = await service.connect("sim.single")
    assert await send(service, now=time.time() - 120) == [200]
    assert await status(service, attempt["creator"]["id"]) == "ACTIVE"


async def test_our_own_revocation_coming_back_does_not_end_a_new_consent(service):
    first = await service.connect("sim.single")
    await service.disconnect(first["creator"]["id"])
    at = time.time()
    second = await service.connect("sim.single")
    assert await send(service, reason=5, now=at) == [200]
    assert await status(service, second["creator"]["id"]) == "ACTIVE"


async def test_a_reader_of_a_page_writes_nothing_after_the_removal(service):
    service.work()
    service.fault("video/list", "slow", times=1_000, delay=0.1)
    attempt = await service.connect("sim.prolific")
    async with asyncio.timeout(60):
        while not await service.value("select videos_seen from syncs where status = 'RUNNING'"):
            await asyncio.sleep(0.01)
    assert await send(service, "sim.prolific") == [200]
    seen = await service.value("select count(*) from videos")
    await service.idle()
    assert await service.value("select count(*) from videos") == seen
    assert (await service.synced(attempt["sync"]["id"]))["status"] == "CANCELED"
    assert await status(service, attempt["creator"]["id"]) == "NEEDS_REAUTH"


async def test_events_we_do_not_know_are_accepted_and_ignored(service):
    attempt = await service.connect("sim.single")
    for event in ("video.publish.completed", "something.new", ""):
        assert await send(service, event=event) == [200]
    assert await status(service, attempt["creator"]["id"]) == "ACTIVE"
    assert await service.value("select count(*) from platform_events") == 0


async def test_who_is_not_connected_is_accepted_and_nothing_changes(service):
    assert await send(service, "sim.burst") == [200]


BODY = webhooks.body(TEST_APP, REMOVED, 1_700_000_000, "oid", {"reason": 1})


@pytest.mark.parametrize(
    ("header", "raw"),
    [
        (None, BODY), ("", BODY), ("nonsense", BODY), ("t=1,s=0", BODY), (f"t={2**62},s=" + "0" * 64, BODY),
        ("t=1700000000,s=" + "0" * 64, BODY), ("t=1700000000,s=" + "0" * 64, b""), ("t=1,s=" + "f" * 64, b"\x00\xff"),
    ],
)  # fmt: skip
async def test_what_is_not_tiktoks_is_403_in_our_shape(service, header, raw):
    headers = {} if header is None else {"TikTok-Signature": header}
    answer = await service.send(path="/webhooks/tiktok", data=raw, headers=headers)
    assert (answer.status, answer.code, answer.reason) == (403, "FORBIDDEN", "SIGNATURE")
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Cache-Control"] == "no-store"


async def test_an_old_signature_is_refused_however_right(service):
    raw = BODY
    for age, wanted in ((400, 403), (-400, 403), (200, 200)):
        header = webhooks.signature(secret(service), int(time.time()) - age, raw)
        answer = await service.send(path="/webhooks/tiktok", data=raw, headers={"TikTok-Signature": header})
        assert answer.status == wanted


async def test_bodies_are_bounded_and_other_methods_and_addresses_refused(service):
    for path in ("/webhooks/tiktok", "/webhooks/instagram/deletion", "/webhooks/instagram/deauthorize"):
        answer = await service.send(path=path, data=b"x" * 100_000)
        assert (answer.status, answer.code) == (413, "BODY_TOO_LARGE")
        assert (await service.send("GET", path)).status == 405
    for path in ("/webhooks/youtube", "/webhooks/instagram", "/webhooks/tiktok/x", "/webhooks/"):
        assert (await service.send(path=path, data=b"{}")).status == 404


async def test_messages_a_minute_are_bounded_by_address(service):
    began, passed, refused = time.monotonic(), 0, []
    while not refused:  # room comes back meanwhile, the more the slower the machine
        answers = [service.send(path="/webhooks/tiktok", data=b"{}") for _ in range(server.A_MINUTE // 20)]
        answers = await asyncio.gather(*answers)
        assert {answer.status for answer in answers} <= {403, 429}
        refused = [answer for answer in answers if answer.status == 429]
        passed += len(answers) - len(refused)
    last = refused[0]
    assert server.A_MINUTE <= passed <= server.A_MINUTE * (1 + (time.monotonic() - began) / 60) + 1
    assert (last.code, int(last.headers["Retry-After"])) == ("RATE_LIMITED", 1)


async def test_a_database_that_is_away_makes_the_platform_come_again(service, monkeypatch):
    attempt = await service.connect("sim.single")
    was = type(service.database).write

    def away(_database):
        raise ConnectionRefusedError

    monkeypatch.setattr(type(service.database), "write", away)
    assert await send(service) == [503]
    monkeypatch.setattr(type(service.database), "write", was)
    assert await send(service) == [200]
    assert await status(service, attempt["creator"]["id"]) == "NEEDS_REAUTH"


# -- Instagram


async def test_a_deauthorization_needs_reauth(service):
    creator_id = await instagram(service)
    assert (await call(service, "deauthorize"))[0] == 200
    assert await status(service, creator_id) == "NEEDS_REAUTH"
    assert (await service.connect("sim.twenty", platform="INSTAGRAM"))["creator"]["id"] == creator_id
    assert (await call(service, "deauthorize", at=time.time() - 60))[0] == 200
    assert await status(service, creator_id) == "ACTIVE"


async def test_the_simulated_person_removes_the_app_and_then_asks_for_deletion(service):
    creator_id = await instagram(service)
    gram = service.simulated[simulators.INSTAGRAM]
    instagram_control.disconnect(gram, "sim.twenty")
    await until(service, creator_id, "NEEDS_REAUTH")
    instagram_control.erase(gram, "sim.twenty")
    await until(service, creator_id, None)
    async with asyncio.timeout(60):
        while len(gram.outbox.answers) < 2:
            await asyncio.sleep(0.05)
    code, body = gram.outbox.answers[-1]
    assert (code, json.loads(body).keys()) == (200, {"url", "confirmation_code"})


async def test_a_deletion_erases_like_a_disconnect_in_every_account_and_can_be_followed(service):
    other = await service.another()
    creator_id = await instagram(service)
    theirs = await service.connect("sim.twenty", key=other.test.secret, platform="INSTAGRAM")
    await service.synced(theirs["sync"]["id"], key=other.test.secret)
    bystander = await instagram(service, "sim.single")
    external = await service.value(
        "select external_id from creators where id = $1::text::uuid", creator_id[4:]
    )
    await service.idle()
    await service.rest()

    code, body = await call(service, "deletion", at=int(time.time()))
    told = json.loads(body)
    assert code == 200
    assert told["url"] == f"{service.url}/webhooks/instagram/deletion/{told['confirmation_code']}"
    page = await service.send("GET", told["url"].removeprefix(service.url))
    assert (page.status, b"being deleted" in page.raw) == (200, True)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]

    service.work()
    async with asyncio.timeout(60):
        while b"any more" not in page.raw:
            page = await service.send("GET", told["url"].removeprefix(service.url))
            await asyncio.sleep(0.05)
    await service.idle()
    assert await status(service, creator_id) is None
    assert await status(service, bystander) == "ACTIVE"
    dump = await service.dump()
    for word in (external, creator_id[4:], theirs["creator"]["id"][4:]):
        assert [name for name, text in dump.items() if word in text] == [], word
    counts = await service.counts()
    assert (counts["creators"], counts["tombstones"], counts["revocations"]) == (1, 2, 0)


async def test_a_deletion_sent_again_has_the_same_code_and_erases_no_new_consent(service):
    await instagram(service)
    at = int(time.time())
    first = await call(service, "deletion", at=at)
    await service.idle()
    again = await service.connect("sim.twenty", platform="INSTAGRAM")
    assert again["status"] == "CONNECTED"
    copies = await asyncio.gather(*(call(service, "deletion", at=at) for _ in range(5)))
    assert set(copies) == {first}
    await service.idle()
    assert await status(service, again["creator"]["id"]) == "ACTIVE"


async def test_a_consent_given_while_the_deletion_waits_stands(service):
    creator_id = await instagram(service)
    await service.idle()
    await service.rest()
    await asyncio.sleep(1.1)  # consents and requests are told apart by the second
    code, _ = await call(service, "deletion", at=int(time.time()) - 1)
    assert code == 200
    await service.connect("sim.twenty", platform="INSTAGRAM")
    service.work()
    await service.idle()
    assert await status(service, creator_id) == "ACTIVE"
    assert await service.value("select count(*) from platform_events where done_at is null") == 0


async def test_a_deletion_whose_job_was_lost_is_taken_up_again(service):
    creator_id = await instagram(service)
    await service.idle()
    await service.rest()
    assert (await call(service, "deletion"))[0] == 200
    await service.execute("delete from pgqueuer")
    await service.execute("update platform_events set at = now() - interval '5 minutes'")
    service.work()
    await until(service, creator_id, None)


async def test_a_deletion_of_somebody_unknown_is_done_at_once(service):
    code, body = await call(service, "deletion", "sim.burst")
    assert code == 200
    page = await service.send("GET", json.loads(body)["url"].removeprefix(service.url))
    assert b"Nothing to delete" in page.raw


@pytest.mark.parametrize("code", ["0" * 32, "x", "%00", "..", "0" * 31, "A" * 32, "<script>", "0" * 5_000])
async def test_a_code_that_was_never_given_has_a_page_that_says_so(service, code):
    page = await service.send("GET", f"/webhooks/instagram/deletion/{code}")
    assert page.status in {404, 400}
    assert b"<script>" not in page.raw


@pytest.mark.parametrize("which", ["deauthorize", "deletion"])
async def test_what_is_not_instagrams_is_refused(service, which):
    path = f"/webhooks/instagram/{which}"
    assert (await call(service, which, signed_by="another"))[0] == 403
    assert (await call(service, which, at=time.time() - 2 * 3_600))[0] == 403  # expired
    good = instagram_outbox.signed_request("1", secret(service), time.time())
    none = instagram_outbox.sign({"user_id": "1", "algorithm": "none"}, secret(service))
    for form in ({}, {"signed_request": ""}, {"signed_request": "a.b.c"}, {"signed_request": good + "x"},
                 {"signed_request": none}, [("signed_request", good), ("signed_request", good)]):  # fmt: skip
        answer = await service.send(path=path, data=form)
        assert (answer.status, answer.code) == (403, "FORBIDDEN"), form
    for raw in (b"\xff\xfe", b"&".join([b"a=1"] * 50)):
        answer = await service.send(path=path, data=raw)
        assert answer.status in {400, 403}
    assert await service.value("select count(*) from platform_events") == 0


async def test_a_deletion_revokes_a_grant_that_still_lives(service, monkeypatch):
    monkeypatch.setattr(revocations, "RETRY_FIRST", timedelta(milliseconds=200))
    creator_id = await instagram(service)
    gram = service.simulated[simulators.INSTAGRAM]
    gram.faults.add(simulators.InstagramFault("me/permissions", "status_500"))
    assert (await call(service, "deletion"))[0] == 200
    await until(service, creator_id, None)
    async with asyncio.timeout(60):
        while (await service.counts())["revocations"]:
            await asyncio.sleep(0.05)
    assert not gram.ledger.disconnect(TEST_APP, "sim.twenty")  # nothing is connected there any more


async def test_a_deletion_leaves_alone_what_the_person_granted_anew_in_another_account(service):
    other = await service.another()
    creator_id = await instagram(service)
    await service.idle()
    await service.rest()
    await asyncio.sleep(1.1)  # consents and requests are told apart by the second
    assert (await call(service, "deletion", at=int(time.time()) - 1))[0] == 200
    theirs = await service.connect("sim.twenty", key=other.test.secret, platform="INSTAGRAM")
    service.work()
    await until(service, creator_id, None)
    assert (await service.synced(theirs["sync"]["id"], key=other.test.secret))["status"] == "SUCCEEDED"
