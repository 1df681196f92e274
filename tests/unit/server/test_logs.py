"""No credential leaves through a log, whatever stands around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import logs
from services import key_format

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
KEYS = [key_format.mint("LIVE"), key_format.mint("TEST"), key_format.mint("LIVE", "acme")]


@given(st.sampled_from(KEYS), st.text(), st.text())
def test_no_key_is_read_from_a_line_whatever_stands_around_it(key, before, after):
    body = key.split("_")[2]
    assert body not in logs.scrub(before + key + after)


@pytest.mark.parametrize(
    "before", ["/x/_", "/0", "x", "é", "abcdefghijklmnop", "-", "", "_live_", "sk_test_"]
)
def test_a_key_a_jwt_or_a_platforms_token_is_cut_out_right_behind_a_neighbour(before):
    for secret in (*KEYS, JWT):
        told = logs.scrub(f"GET {before}{secret} HTTP/1.1")
        assert secret[8:40] not in told, told
    if not before.isalpha() or not before.isascii():
        assert "act.secret" not in logs.scrub(f"{before}act.secret!1")


def test_what_is_no_credential_stays():
    for text in ("a contract.that is exact.ly said", "test_live_data", "sk_live_", "risk_test_ok", "eyJ"):
        assert logs.scrub(text) == text
