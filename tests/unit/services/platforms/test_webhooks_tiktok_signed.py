"""TikTok's webhook is believed by its signature over the raw bytes, for five minutes."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from services.platforms import tiktok_signed
from simulators import webhooks

SECRET = "test_secret"
AT = datetime.fromtimestamp(1_700_000_000, UTC)
RAW = (
    b'{"client_key":"ck_test","event":"authorization.removed","create_time":1700000000,'
    b'"user_openid":"oid_1","content":"{\\"reason\\": 1}"}'
)
HEADER = "t=1700000000,s=21df59eeb427efc81306f61321d16c656d19e26f6121ab95582c1175a66d01c4"


def read(header=HEADER, raw=RAW, now=AT, key="ck_test", secret=SECRET):
    return tiktok_signed.read(header, raw, client_key=key, secret=secret, now=now)


def signed(body, at=1_700_000_000):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {"header": webhooks.signature(SECRET, at, raw), "raw": raw}


def test_the_documented_vector_opens():
    event = read()
    assert (event.kind, event.open_id, event.at, event.reason) == ("authorization.removed", "oid_1", AT, 1)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_message_within_five_minutes_is_believed(seconds):
    assert read(now=AT + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "wrong",
    [
        {"now": AT + timedelta(seconds=301)},
        {"now": AT - timedelta(seconds=301)},
        {"secret": "another"},
        {"key": "another"},
        {"raw": RAW + b" "},
        {"raw": RAW.replace(b"oid_1", b"oid_2")},
        {"header": HEADER.replace("t=1700000000", "t=1700000001")},
        {"header": HEADER[:-1]},
        {"header": HEADER.upper()},
        {"header": HEADER + "," + HEADER},
        {"header": ""},
        {"header": "t=,s="},
        {"header": "t=99999999999999999999,s=" + "0" * 64},
        {"header": "t=1700000000,s=" + "é" * 64},
        signed(b""),
        signed(b"[]"),
        signed(b"null"),
        signed(b"{" * 60_000),
        signed(b"\xff\xfe"),
        signed({"client_key": "ck_test"}),
        signed({"client_key": "ck_test", "event": 7, "create_time": 1, "user_openid": "o"}),
        signed({"client_key": "ck_test", "event": "x", "create_time": "soon", "user_openid": "o"}),
        signed({"client_key": "ck_test", "event": "x", "create_time": 10**30, "user_openid": "o"}),
        signed(b" " * (tiktok_signed.LIMIT + 1)),
    ],
    ids=lambda wrong: repr(wrong)[:60],
)
def test_anything_else_is_forged(wrong):
    with pytest.raises(tiktok_signed.Forged):
        read(**wrong)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"reason": 4}', 4), ("{}", 0), ("", 0), ("nonsense", 0), ("[]", 0), ('{"reason": "5"}', 0),
        ({"reason": 2}, 2), (None, 0), (7, 0), ('{"reason": -1}', 0),
    ],
)  # fmt: skip
def test_a_reason_that_cannot_be_read_is_unknown(content, reason):
    body = {"client_key": "ck_test", "event": "authorization.removed", "create_time": 1_700_000_000,
            "user_openid": "o", "content": content}  # fmt: skip
    assert read(**signed(body)).reason == reason
