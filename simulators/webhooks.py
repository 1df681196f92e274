"""The webhook sender: signed, retried until answered 200, at least once (developers.tiktok.com/doc/webhooks-overview)."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

import aiohttp

RETRY_FOR = 72 * 3600
_OK = 200


def body(
    client_key: str, event: str, create_time: int, user_openid: str, content: Mapping[str, object]
) -> bytes:
    """The raw body: content is JSON inside a JSON string."""
    message = {
        "client_key": client_key,
        "event": event,
        "create_time": create_time,
        "user_openid": user_openid,
        "content": json.dumps(content),
    }
    return json.dumps(message, separators=(",", ":")).encode()


def signature(client_secret: str, timestamp: int, raw: bytes) -> str:
    """The TikTok-Signature header of these bytes."""
    signed = str(timestamp).encode() + b"." + raw
    digest = hmac.new(client_secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},s={digest}"


async def send_webhook(
    url: str,
    *,
    client_key: str,
    client_secret: str,
    event: str,
    user_openid: str,
    content: Mapping[str, object],
    now: float | None = None,
    copies: int = 1,
    first_wait: float = 1.0,
    give_up_after: float = RETRY_FOR,
) -> list[int]:
    """Deliver an event, `copies` times over, and answer with every status seen (0: no answer).

    Each delivery is retried with doubling waits from `first_wait` until a 200 or `give_up_after` seconds of
    waiting. Every attempt bears the same bytes and a fresh signature. `now` is the simulated instant.
    """
    offset = 0.0 if now is None else now - time.time()
    raw = body(client_key, event, int(time.time() + offset), user_openid, content)
    seen: list[int] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        for _ in range(copies):
            waited, wait = 0.0, first_wait
            while True:
                header = signature(client_secret, int(time.time() + offset), raw)
                seen.append(await _attempt(session, url, raw, header))
                if seen[-1] == _OK or waited + wait > give_up_after:
                    break
                await asyncio.sleep(wait)
                waited, wait = waited + wait, wait * 2
    return seen


async def _attempt(session: aiohttp.ClientSession, url: str, raw: bytes, header: str) -> int:
    headers = {"Content-Type": "application/json", "TikTok-Signature": header}
    try:
        async with session.post(url, data=raw, headers=headers, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0
