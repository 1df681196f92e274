"""Webhooks are signed, retried until answered, and may come twice."""

import asyncio
import hashlib
import hmac
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from simulators import webhooks
from tests import ports


@pytest.fixture
async def callback():
    """An app's callback: what it received, and the statuses it will answer before it answers 200."""
    received, statuses = [], []

    async def receive(request):
        received.append((request.headers["TikTok-Signature"], await request.read()))
        return web.Response(status=statuses.pop(0) if statuses else 200)

    application = web.Application()
    application.router.add_post("/", receive)
    server = TestServer(application)
    await server.start_server()
    yield str(server.make_url("/")), received, statuses
    await server.close()


EVENT = {
    "client_key": "ck_test",
    "client_secret": "test_secret",
    "event": "authorization.removed",
    "user_openid": "oid_1",
    "content": {"reason": 1},
}


def test_the_signature_is_the_known_vector():
    raw = webhooks.body("ck_test", "authorization.removed", 1700000000, "oid_1", {"reason": 1})
    assert raw == (
        b'{"client_key":"ck_test","event":"authorization.removed","create_time":1700000000,'
        b'"user_openid":"oid_1","content":"{\\"reason\\": 1}"}'
    )
    assert webhooks.signature("test_secret", 1700000000, raw) == (
        "t=1700000000,s=21df59eeb427efc81306f61321d16c656d19e26f6121ab95582c1175a66d01c4"
    )


async def test_a_receiver_can_verify_the_raw_bytes(callback):
    url, received, _ = callback
    assert await webhooks.send_webhook(url, **EVENT, now=1_900_000_000) == [200]
    header, raw = received[0]
    time, signed = (part[2:] for part in header.split(","))
    assert int(time) - 1_900_000_000 in (0, 1)
    expected = hmac.new(b"test_secret", time.encode() + b"." + raw, hashlib.sha256).hexdigest()
    assert signed == expected
    assert json.loads(json.loads(raw)["content"]) == {"reason": 1}


async def test_an_unanswered_event_is_retried_with_the_same_bytes(callback):
    url, received, statuses = callback
    statuses += [500, 302, 204]
    assert await webhooks.send_webhook(url, **EVENT, first_wait=0.01) == [500, 302, 204, 200]
    assert len({raw for _, raw in received}) == 1


async def test_retries_end(callback):
    url, _, statuses = callback
    statuses += [500] * 50
    seen = await webhooks.send_webhook(url, **EVENT, first_wait=0.01, give_up_after=0.05)
    assert seen == [500, 500, 500]


async def test_nobody_listening_counts_as_no_answer():
    url = f"http://127.0.0.1:{ports.free()}/"
    assert await webhooks.send_webhook(url, **EVENT, give_up_after=0) == [0]


async def test_an_event_may_come_twice(callback):
    url, received, _ = callback
    assert await webhooks.send_webhook(url, **EVENT, copies=2) == [200, 200]
    assert received[0][1] == received[1][1]


async def test_a_revoke_and_a_disconnect_tell_the_app(start, callback):
    url, received, _ = callback
    tiktok = await start(webhook_url=url)
    ada, noor = await tiktok.connect(creator="sim.ada"), await tiktok.connect(creator="sim.noor")
    await tiktok.revoke(ada["access_token"])
    assert (await tiktok.control(disconnect="sim.noor", reason=4))[0] == 200
    assert (await tiktok.user(noor["access_token"]))[0] == 401
    async with asyncio.timeout(30):
        while len(received) < 2:
            await asyncio.sleep(0.01)
    told = {json.loads(raw)["user_openid"]: json.loads(json.loads(raw)["content"]) for _, raw in received}
    assert told == {ada["open_id"]: {"reason": 5}, noor["open_id"]: {"reason": 4}}
