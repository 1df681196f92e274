"""What is remembered of requests' headers: never one client's for another's, and never much."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from server import heard
from services import addresses, countries

SETTINGS = SimpleNamespace(
    networks=(addresses.network("10.0.0.0/8"),), country_header="X-Country", public_host="x"
)


@pytest.fixture
def parts() -> Any:
    return SimpleNamespace(settings=SETTINGS, countries=countries.Countries(), heard={})


def asked(**headers: str) -> Any:
    """A request through a proxy whose word counts."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("POST", "/graphql", headers=named).clone(remote="10.0.0.1")


def test_clients_behind_one_proxy_are_told_apart(parts):
    for _ in range(2):  # the second time from what is kept
        for last in range(1, 5):
            ip, country, key = f"203.0.113.{last}", f"D{chr(64 + last)}", f"key-{last}"
            request = asked(X_Forwarded_For=ip, X_Country=country, X_API_Key=key)
            told = heard.hear_again(request, parts)
            assert (told.ip, told.visit.country, told.credential.secret) == (ip, country, key)
    assert len(parts.heard) == 4


def test_peers_that_send_the_same_headers_are_told_apart(parts):
    """One of them may be in an allow-list that the other is not in."""
    for _ in range(2):
        for ip in ("203.0.113.1", "203.0.113.2"):
            request = asked(X_API_Key="shared").clone(remote=ip)
            assert heard.hear_again(request, parts).ip == ip


def test_few_sets_of_headers_are_kept_and_no_long_ones(parts, monkeypatch):
    monkeypatch.setattr(heard, "MOST_KEPT", 8)
    kept = parts.heard
    for n in range(3 * heard.MOST_KEPT):
        request = asked(X_Request_Id=f"r{n}")
        assert heard.hear_again(request, parts).said["X-Request-Id"] == f"r{n}"
        assert heard.hear_again(request, parts) is kept[request.remote, request.raw_headers]
        assert len(kept) <= heard.MOST_KEPT
    before = dict(kept)
    long = asked(X_Request_Id="long", X_Any="x" * heard.LONGEST_KEPT)
    assert heard.hear_again(long, parts).said["X-Request-Id"] == "long"
    assert kept == before
