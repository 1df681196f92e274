"""signed_request: what Meta posts to the deauthorize and data-deletion callbacks."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from services.platforms import instagram_signed
from simulators import instagram_outbox

VECTOR = (
    "ASNiVjGNzDywCQ2D3iI-41bnG3t7NqsXVBGspv_mc-k"
    ".eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImV4cGlyZXMiOjE3MDAwMDM2MDAsImlzc3VlZF9hdCI6MTcwMDAwMDAwMCwidXNlcl9pZCI6IjE3ODkifQ"
)
ISSUED = datetime.fromtimestamp(1_700_000_000, UTC)


def signed(payload, secret="test_secret", *, padded=False):
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    message = base64.urlsafe_b64encode(raw).decode()
    message = message if padded else message.rstrip("=")
    digest = hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") + "." + message


def test_the_vector_is_opened_and_names_the_app_scoped_id():
    told = instagram_signed.read(VECTOR, "test_secret", now=ISSUED)
    assert told == instagram_signed.Signed("1789", ISSUED)


def test_what_the_simulator_signs_is_opened():
    request = instagram_outbox.signed_request("26001", "s3cret", 1_700_000_000)
    assert instagram_signed.read(request, "s3cret").app_scoped_id == "26001"


def test_a_number_names_the_same_creator_as_its_digits():
    payload = {"algorithm": "hmac-sha256", "user_id": 1789}
    assert instagram_signed.read(signed(payload), "test_secret") == instagram_signed.Signed("1789", None)


def test_the_signature_is_over_the_part_as_transmitted():
    """A copied recipe pads before hashing: such a signature is another one."""
    payload = {"algorithm": "HMAC-SHA256", "user_id": "1"}
    good = signed(payload)
    assert instagram_signed.read(good, "test_secret").app_scoped_id == "1"
    signature, message = good.split(".")
    wrong = signed(payload, padded=True).split(".")[0]
    assert message.rstrip("=") == message
    if wrong != signature:
        with pytest.raises(instagram_signed.Forged):
            instagram_signed.read(f"{wrong}.{message}", "test_secret")


@pytest.mark.parametrize(
    "request_",
    [
        "",
        ".",
        "a.b",
        VECTOR.replace(".", ""),
        VECTOR + ".x",
        "!" + VECTOR[1:],
        "B" + VECTOR[1:],
        VECTOR[:-1] + "R",
        "é" + VECTOR,
        "A" * 9_000 + "." + "B",
        signed({"algorithm": "HMAC-SHA256"}),
        signed({"algorithm": "none", "user_id": "1"}),
        signed({"user_id": "1"}),
        signed({"algorithm": "HMAC-SHA256", "user_id": ""}),
        signed({"algorithm": "HMAC-SHA256", "user_id": True}),
        signed(b"[1]"),
        signed(b"\xff"),
        signed(b"{"),
    ],
)
def test_whatever_is_not_signed_and_whole_is_forged(request_):
    with pytest.raises(instagram_signed.Forged):
        instagram_signed.read(request_, "test_secret")


def test_another_apps_secret_opens_nothing():
    with pytest.raises(instagram_signed.Forged):
        instagram_signed.read(VECTOR, "other_secret")


def test_an_old_request_is_refused_where_a_time_is_given():
    assert instagram_signed.read(VECTOR, "test_secret").app_scoped_id == "1789"
    with pytest.raises(instagram_signed.Forged):
        instagram_signed.read(VECTOR, "test_secret", now=datetime.fromtimestamp(1_700_003_600, UTC))


def test_a_deletion_is_answered_with_a_page_and_a_code():
    assert instagram_signed.deletion_answer("https://ours.example/d/1", "c1") == {
        "url": "https://ours.example/d/1",
        "confirmation_code": "c1",
    }
