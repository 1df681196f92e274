"""Keys where they should not be: in a page, or in use after they were replaced. Told to their owner, and refused if asked to."""

import asyncio
import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services import api_keys

VIEWER = "{ viewer { keyName } }"
PAGE = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
MINT = "mutation { createAccessToken(input: {}) { token } }"


async def noted(service, key_id):
    """What was noted of a key, once it is written."""
    await service.house.services.notes.close()
    return [row["kind"] for row in await service.tables_of("anomalies") if row["key_id"] == key_id]


async def test_a_key_sent_by_a_page_is_answered_with_a_warning_and_told_to_its_owner(service):
    for headers in (
        PAGE,
        {"Origin": "https://shop.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = await service.ask(VIEWER, key=service.live, headers=headers)
        assert answer.data["viewer"]["keyName"] == "First live key"
        assert answer.headers["Warning"].startswith("299 - ")
        assert "access token" in answer.headers["Warning"]
    assert await noted(service, service.account.live.id) == ["KEY_IN_BROWSER"]  # once a day, however often
    both = await service.send(path=f"/graphql?api_key={service.test}", json={"query": VIEWER}, headers=PAGE)
    assert both.status == 200
    assert both.headers["Warning"].count("299 - ") == 2


async def test_servers_and_our_own_page_are_not_warned(service):
    own = {"Origin": service.url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    for headers in (
        {},
        own,
        {"Origin": service.url},
        {"Sec-Fetch-Mode": "cors", "User-Agent": "node"},
        {"Sec-Fetch-Site": "none"},
    ):
        answer = await service.ask(VIEWER, headers=headers)
        assert answer.status == 200
        assert "Warning" not in answer.headers, headers
    assert await noted(service, service.account.test.id) == []


async def test_tokens_are_made_for_pages(service):
    token = (await service.data(MINT))["createAccessToken"]["token"]
    answer = await service.ask(VIEWER, key=None, headers={**PAGE, "Authorization": f"Bearer {token}"})
    assert answer.status == 200
    assert "Warning" not in answer.headers
    assert await noted(service, service.account.test.id) == []


async def test_where_the_settings_say_so_a_key_in_a_page_is_refused_before_anything_runs(serving):
    service = await serving(refuse_keys_in_browsers=True)
    await service.update(requests_per_minute=100)
    token = (await service.data(MINT))["createAccessToken"]["token"]
    refused = await service.ask("{ credits { remaining } }", key=service.live, headers=PAGE)
    assert (refused.status, refused.code, refused.reason) == (403, "FORBIDDEN", "BROWSER")
    assert "createAccessToken" in refused.errors[0]["extensions"]["remedy"]
    assert "data" not in refused.body
    assert refused.headers["X-RateLimit-Limit"]
    assert service.live not in refused.raw.decode()
    await service.settled()
    row = await service.one(
        "select code, credits from usage_events where key_id = $1", service.account.live.id
    )
    assert tuple(row) == ("FORBIDDEN", 0)
    assert await noted(service, service.account.live.id) == ["KEY_IN_BROWSER"]
    for headers in ({}, {"Origin": service.url}):
        assert (await service.ask(VIEWER, headers=headers)).status == 200
    page = await service.ask(VIEWER, key=None, headers={**PAGE, "Authorization": f"Bearer {token}"})
    assert page.status == 200
    wrong = await service.ask(VIEWER, key="nonsense", headers=PAGE)
    assert (wrong.status, wrong.reason) == (401, "MALFORMED")


async def test_use_of_a_retiring_key_is_recorded_and_told_and_of_a_revoked_one_too(service):
    old, revoked = await service.key(name="old"), await service.key(name="revoked")
    async with service.database.write() as session:
        await api_keys.rotate(session, service.account.id, old.id, overlap_seconds=600)
        await api_keys.revoke(session, service.account.id, revoked.id)
    assert (await service.ask(VIEWER, key=old.secret)).status == 200
    for _ in range(3):
        assert (await service.ask(VIEWER, key=revoked.secret)).reason == "REVOKED"
    assert await noted(service, old.id) == ["RETIRED_KEY_USED"]
    assert await noted(service, revoked.id) == ["RETIRED_KEY_USED"]
    used = await service.data(
        "query($id: ID!) { apiKey(id: $id) { status lastUsedAt lastUsedIp } }", {"id": f"key_{old.id.hex}"}
    )
    assert used["apiKey"]["status"] == "RETIRING"
    assert used["apiKey"]["lastUsedIp"] == "127.0.0.1"
    assert datetime.fromisoformat(used["apiKey"]["lastUsedAt"]) <= datetime.now(UTC)


async def test_no_answer_of_any_address_is_stored_or_tells_where_it_came_from(service):
    token = (await service.data(MINT))["createAccessToken"]["token"]
    answers = [
        await service.ask(VIEWER), await service.ask(VIEWER, key=None), await service.ask("{"), await service.ask(VIEWER, key="nonsense"),
        await service.ask(VIEWER, key=None, headers={"Authorization": f"Bearer {token}"}), await service.send("PUT"), await service.send("GET"),
        await service.send("GET", "/nowhere"), await service.send("GET", "/healthz"), await service.send("GET", "/readyz"), await service.send("GET", "/"),
        await service.send("GET", "/connect/tiktok/callback?state=x&code=y"), await service.send("POST", "/graphql", data=b"x" * 300_000),
        await service.send("GET", "/graphiql"),
    ]  # fmt: skip
    for n, answer in enumerate(answers):
        assert answer.headers["Cache-Control"] == "no-store", n
        assert answer.headers["Referrer-Policy"] == "no-referrer", n
        assert answer.headers["X-Content-Type-Options"] == "nosniff", n
    reader, writer = await asyncio.open_connection("127.0.0.1", service.house.settings.port)
    writer.write(b"GET / HTTP/1.1\r\nX-API-Key: " + service.test.encode() * 400 + b"\r\n\r\n")
    raw = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    assert "no-store" in raw
    assert "no-referrer" in raw
    assert service.test[:20] not in raw


# -- countries


async def used_from(service, key_id):
    await service.settled()
    row = await service.one(
        "select country, ip from usage_events where key_id = $1 order by at desc limit 1", key_id
    )
    return row["country"], str(row["ip"])


async def test_the_country_is_a_trusted_proxys_word(serving):
    service = await serving(trusted_proxies=("127.0.0.0/8",), country_header="CF-IPCountry")
    for told, country in (
        ("DE", "DE"),
        ("de", "DE"),
        ("XX", None),
        ("T1", None),
        ("nonsense", None),
        ("", None),
    ):
        key = await service.key(name=f"from {told}")
        headers = {"CF-IPCountry": told, "X-Forwarded-For": "203.0.113.9"}
        assert (await service.ask(VIEWER, key=key.secret, headers=headers)).status == 200
        assert await used_from(service, key.id) == (country, "203.0.113.9")
        seen = await service.data(
            "query($id: ID!) { apiKey(id: $id) { lastUsedCountry lastUsedIp } }", {"id": f"key_{key.id.hex}"}
        )
        assert seen["apiKey"] == {"lastUsedCountry": country, "lastUsedIp": "203.0.113.9"}


async def test_nobody_elses_word_about_the_country_counts(serving):
    service = await serving(country_header="CF-IPCountry")
    await service.ask(
        VIEWER, key=service.live, headers={"CF-IPCountry": "DE", "X-Forwarded-For": "203.0.113.9"}
    )
    assert await used_from(service, service.account.live.id) == (None, "127.0.0.1")


async def test_without_a_header_a_configured_file_tells_the_country(serving, tmp_path):
    pytest.importorskip("maxminddb", reason="maxminddb is not installed.")
    spec = importlib.util.spec_from_file_location(
        "mmdb", Path(__file__).parents[1] / "unit" / "services" / "mmdb.py"
    )
    mmdb = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mmdb)
    path = tmp_path / "countries.mmdb"
    path.write_bytes(
        mmdb.database(
            {
                "203.0.113.0/24": {"country": {"iso_code": "NL"}},
                "2001:db8::/32": {"country": {"iso_code": "JP"}},
            }
        )
    )
    service = await serving(
        trusted_proxies=("127.0.0.0/8",), country_header="CF-IPCountry", geoip_database=path
    )
    for headers, country in (
        ({"X-Forwarded-For": "203.0.113.9"}, "NL"), ({"X-Forwarded-For": "2001:db8::7"}, "JP"), ({"X-Forwarded-For": "::ffff:203.0.113.9"}, "NL"),
        ({"X-Forwarded-For": "8.8.8.8"}, None), ({"X-Forwarded-For": "203.0.113.9", "CF-IPCountry": "FR"}, "FR"), ({}, None),
    ):  # fmt: skip
        key = await service.key(name="k")
        await service.ask(VIEWER, key=key.secret, headers=headers)
        assert (await used_from(service, key.id))[0] == country, headers
