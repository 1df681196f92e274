"""What Meta posts to our callbacks: `signed_request`, opened only when its signature is ours.

Pure functions. The deauthorize and the data-deletion callback bear the same field; its `user_id` is the
app-scoped id, never the account's.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.platforms import instagram_wire, values

LIMIT = 8_192
ALGORITHM = "HMAC-SHA256"


class Forged(ValueError):
    """Not signed with our secret, or not what it should be. Says no more: whoever asks may be guessing."""


@dataclass(frozen=True)
class Signed:
    """What a callback is about: whom, by app-scoped id, and when it was written."""

    app_scoped_id: str
    issued_at: datetime | None


def read(signed_request: str, secret: str, now: datetime | None = None) -> Signed:
    """The message. Raises Forged. The signature is over the second part as transmitted, unpadded."""
    if not signed_request.isascii() or len(signed_request) > LIMIT or signed_request.count(".") != 1:
        raise Forged("malformed")
    signature, message = signed_request.split(".")
    wanted = hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(_decoded(signature), wanted):
        raise Forged("signature")
    told = _json(_decoded(message))
    whom = instagram_wire.identifier(told.get("user_id"))
    if str(told.get("algorithm")).upper() != ALGORITHM or whom is None:
        raise Forged("payload")
    end = values.moment(told.get("expires"))
    if now is not None and end is not None and end <= now:
        raise Forged("expired")
    return Signed(whom, values.moment(told.get("issued_at")))


def deletion_answer(status_url: str, confirmation_code: str) -> dict[str, str]:
    """What the data-deletion callback answers: where the person can see how it stands, and under which code."""
    return {"url": status_url, "confirmation_code": confirmation_code}


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise Forged("malformed") from error


def _json(raw: bytes) -> dict[str, Any]:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Forged("malformed") from error
    if not isinstance(told, dict):
        raise Forged("malformed")
    return told
