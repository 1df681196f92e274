"""Whose word counts about where a request comes from."""

import socket

import pytest
from aiohttp import web

from server import app as composition
from server.settings import Settings

VIEWER = "{ viewer { keyName } }"
FAR = "203.0.113.9"


def forwarding(address):
    return ({"X-Forwarded-For": address}, {"Forwarded": f'for="{address}"'}, {"X-Real-IP": address}, {"True-Client-IP": address},
            {"CF-Connecting-IP": address}, {"X-Client-IP": address}, {"X-Forwarded-For": address, "Forwarded": f"for={address}"})  # fmt: skip


async def from_where(service, key, headers):
    answer = await service.ask(VIEWER, key=key.secret, headers=headers)
    await service.settled()
    seen = await service.value(
        "select host(ip) from usage_events where key_id = $1 order by at desc limit 1", key.id
    )
    return answer.status, seen


async def test_nobody_moves_their_address_by_writing_a_header(service):
    far = await service.key(name="far", allowed_ips=[f"{FAR}/32"])
    anywhere = await service.key(name="anywhere")
    for headers in forwarding(FAR):
        refused = await service.ask(VIEWER, key=far.secret, headers=headers)
        assert (refused.status, refused.reason) == (403, "IP"), headers
        assert await from_where(service, anywhere, headers) == (200, "127.0.0.1"), headers


async def test_a_client_behind_a_trusted_proxy_cannot_lie_either(serving):
    service = await serving(trusted_proxies=("127.0.0.1", "10.0.0.0/8"))
    far = await service.key(name="far", allowed_ips=[f"{FAR}/32"])
    for headers, status in (
        ({"X-Forwarded-For": FAR}, 200),
        ({"X-Forwarded-For": f"{FAR}, 10.1.2.3"}, 200),
        ({"X-Forwarded-For": f"{FAR}, 198.51.100.7"}, 403),  # what the client wrote stands left of what the proxy saw
        ({"X-Forwarded-For": f"{FAR}, 198.51.100.7, 10.1.2.3"}, 403),
        ({"X-Forwarded-For": f"{FAR}, unknown"}, 403),
        ({"X-Forwarded-For": f"{FAR}:4711"}, 200),
        ({"X-Forwarded-For": f"::ffff:{FAR}"}, 200),
        ({"X-Forwarded-For": f"[::ffff:{FAR}]:4711"}, 200),
        ({"X-Forwarded-For": "::ffff:198.51.100.7"}, 403),
        ({"Forwarded": f"for={FAR}"}, 200),
        ({"Forwarded": f'for="[::ffff:{FAR}]:80";proto=https'}, 200),
        ({"Forwarded": f"for={FAR}, for=198.51.100.7"}, 403),
        ({"X-Forwarded-For": "198.51.100.7", "Forwarded": f"for={FAR}"}, 403),  # the proxy wrote one of them: which?
        ({"X-Real-IP": FAR}, 403),
        ({}, 403),
    ):  # fmt: skip
        answer = await service.ask(VIEWER, key=far.secret, headers=headers)
        assert (answer.status, answer.body.get("errors", [{}])[0].get("extensions", {}).get("reason")) == (
            status, None if status == 200 else "IP",
        ), headers  # fmt: skip


async def test_a_peer_on_a_socket_of_both_families_is_known_by_its_ipv4_address(service):
    mine = await service.key(name="mine", allowed_ips=["127.0.0.0/8"])
    six = await service.key(name="six", allowed_ips=["::1"])
    listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    port = listening.getsockname()[1]
    runner = web.AppRunner(composition.create_app(service.house), access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    try:
        for host, key, status in (
            ("127.0.0.1", mine, 200),  # the peer reads ::ffff:127.0.0.1
            ("127.0.0.1", six, 403),
            ("[::1]", six, 200),
            ("[::1]", mine, 403),
        ):
            url, headers = f"http://{host}:{port}/graphql", {"X-API-Key": key.secret}
            async with service.http.post(url, json={"query": VIEWER}, headers=headers) as answer:
                assert answer.status == status, (host, key.name)
    finally:
        await runner.cleanup()


async def test_a_proxy_that_is_trusted_in_the_mapped_form_is_trusted(serving):
    service = await serving(trusted_proxies=("::ffff:127.0.0.0/104",))
    far = await service.key(name="far", allowed_ips=[f"{FAR}/32"])
    assert (await service.ask(VIEWER, key=far.secret, headers={"X-Forwarded-For": FAR})).status == 200


@pytest.mark.parametrize(
    "proxies", [("0.0.0.0/0",), ("::/0",), ("10.0.0.0/8", "nonsense"), ("10.0.0.0/99",), ("*",)]
)
def test_a_proxy_that_is_everybody_or_nobody_is_refused_at_the_start(proxies):
    with pytest.raises(ValueError, match=r"covers every address|is not an IPv4 or IPv6 address"):
        Settings(trusted_proxies=proxies)
