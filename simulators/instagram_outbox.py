"""Signed requests on their way to an app's deauthorize and data-deletion callbacks (Meta's data-deletion-callback)."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

import aiohttp

LIFE = 3_600


def sign(payload: Mapping[str, object], client_secret: str) -> str:
    """`signature.payload`, both base64url without padding; signed as transmitted, with the app's secret."""
    message = _encoded(json.dumps(payload, separators=(",", ":")).encode())
    digest = hmac.new(client_secret.encode(), message.encode(), hashlib.sha256).digest()
    return f"{_encoded(digest)}.{message}"


def signed_request(app_scoped_id: str, client_secret: str, now: float) -> str:
    """What both callbacks bear."""
    issued = int(now)
    payload = {
        "algorithm": "HMAC-SHA256",
        "expires": issued + LIFE,
        "issued_at": issued,
        "user_id": app_scoped_id,
    }
    return sign(payload, client_secret)


async def send_signed_request(
    url: str, *, app_scoped_id: str, client_secret: str, now: float
) -> tuple[int, str]:
    """Post it as a form; status and body of the answer, (0, "") when none came."""
    form = {"signed_request": signed_request(app_scoped_id, client_secret, now)}
    timeout = aiohttp.ClientTimeout(total=10)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=form, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return 0, ""


class Outbox:
    """Sends in the background; `answers` keeps what the callbacks said, newest last."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.answers: list[tuple[int, str]] = []

    def post(self, url: str | None, app_scoped_id: str, client_secret: str, now: float) -> None:
        if url is None:
            return
        task = asyncio.create_task(self._send(url, app_scoped_id, client_secret, now))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, url: str, app_scoped_id: str, client_secret: str, now: float) -> None:
        sending = send_signed_request(url, app_scoped_id=app_scoped_id, client_secret=client_secret, now=now)
        answer = await sending
        self.answers = [*self.answers[-99:], answer]

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
