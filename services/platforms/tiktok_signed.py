"""What TikTok posts to our webhook, opened only when its signature is ours (developers.tiktok.com/doc/webhooks-verification).

Pure functions. The signature is over the raw bytes and the second it was made in; what is too old is refused,
so that a copy taken off the wire ages.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.platforms import values

LIMIT = 64 * 1024
TOLERANCE_SECONDS = 300
REMOVED = "authorization.removed"
DEVELOPER_REVOKED = 5
"""The one reason that is our own doing."""
REASONS = {
    1: "USER_DISCONNECTED",
    2: "ACCOUNT_DELETED",
    3: "AGE_CHANGED",
    4: "ACCOUNT_BANNED",
    DEVELOPER_REVOKED: "DEVELOPER_REVOKED",
}

_HEADER = re.compile(r"t=([0-9]{1,12}),s=([0-9a-f]{64})")


class Forged(ValueError):
    """Not signed with our secret, too old, or not what it should be. Says no more to whoever asks."""


@dataclass(frozen=True)
class Event:
    """One event: its kind, whom it is about by open_id, when it happened, and TikTok's number for why."""

    kind: str
    open_id: str
    at: datetime
    reason: int


def read(header: str, raw: bytes, *, client_key: str, secret: str, now: datetime) -> Event:
    """The event. Raises Forged."""
    signed = _HEADER.fullmatch(header.strip())
    if signed is None or len(raw) > LIMIT:
        raise Forged("malformed")
    wanted = hmac.new(secret.encode(), signed[1].encode() + b"." + raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, signed[2]):
        raise Forged("signature")
    if abs(now.timestamp() - int(signed[1])) > TOLERANCE_SECONDS:
        raise Forged("age")
    body = _json(raw)
    if body.get("client_key") != client_key:
        raise Forged("client_key")
    kind, whom, at = body.get("event"), values.text(body.get("user_openid"), 300), body.get("create_time")
    moment = values.moment(at)
    if not isinstance(kind, str) or moment is None:
        raise Forged("payload")
    return Event(kind, whom or "", moment, _reason(body.get("content")))


def _reason(content: Any) -> int:
    """The number inside the JSON inside the JSON; 0, TikTok's word for unknown, where there is none."""
    try:
        told = json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        return 0
    return values.count(told.get("reason")) or 0 if isinstance(told, dict) else 0


def _json(raw: bytes) -> dict[str, Any]:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Forged("malformed") from error
    if not isinstance(told, dict):
        raise Forged("malformed")
    return told
