"""Sockets that cannot be, or break: told in our shape before the upgrade, by a close code after it."""

import json

import pytest

from server import credentials, sockets
from services import access_tokens
from tests.acceptance.test_subscriptions import MINT, ready, socket

HANDSHAKE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": sockets.PROTOCOL,
}  # fmt: skip


async def test_what_is_no_handshake_is_a_bad_request_in_our_shape(service):
    for wrong in ({"Connection": "close"}, {"Sec-WebSocket-Key": "x"}, {"Sec-WebSocket-Key": "AAAA"}):
        answer = await service.send("GET", headers=HANDSHAKE | wrong)
        assert (answer.status, answer.code) == (400, "BAD_REQUEST"), wrong
    for name in ("Connection", "Sec-WebSocket-Key"):
        headers = {header: value for header, value in HANDSHAKE.items() if header != name}
        answer = await service.send("GET", headers=headers)
        assert (answer.status, answer.code) == (400, "BAD_REQUEST"), name


async def test_another_version_is_told_which_one_is_spoken(service):
    answer = await service.send("GET", headers=HANDSHAKE | {"Sec-WebSocket-Version": "12"})
    assert (answer.status, answer.code) == (426, "BAD_REQUEST")
    assert answer.headers["Sec-WebSocket-Version"] == "13"


@pytest.mark.parametrize("away", [ConnectionRefusedError, TimeoutError])
async def test_a_token_that_cannot_be_judged_while_the_database_is_away_is_told_to_try_again(
    service, monkeypatch, away
):
    token = (await service.data(MINT, {"input": {}}))["createAccessToken"]["token"]

    async def refuse(*_):
        raise away

    monkeypatch.setattr(access_tokens.AccessTokens, "authenticate", refuse)
    async with socket(service, key=None) as client:
        assert (await client.init(Authorization=f"Bearer {token}"))["code"] == 1013


async def test_what_breaks_in_a_socket_closes_it_and_is_told_to_nobody(service, monkeypatch):
    async def broken(*_):
        raise ValueError("secret")

    monkeypatch.setattr(sockets.Socket, "_subscribe", broken)
    async with ready(service) as client:
        await client.subscribe("{ viewer { mode } }")
        closed = await client.hear()
    assert closed["code"] == 1011
    assert "secret" not in json.dumps(closed)


async def test_a_key_in_the_address_of_a_socket_is_warned_of(service):
    for path, key, warned in ((f"/graphql?api_key={service.test}", None, True), ("/graphql", "", False)):
        async with socket(service, key=key, path=path) as client:
            assert (client.ws._response.headers.get("Warning") == credentials.WARNING) is warned
