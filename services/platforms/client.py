"""The one HTTP client of every connector: bounded, mute about secrets, repeating only what is safe.

What it raises names the endpoint and the kind of trouble; never a URL, a header or a body. It logs nothing
but that our own app is refused.
"""

import json as jsonlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn
from urllib import parse

import aiohttp
import stamina

from services.platforms import alarm, base

BODY_LIMIT = 4 * 1024 * 1024
CHUNK = 64 * 1024
LONGEST_WAIT = 86_400  # seconds a Retry-After may ask for


@dataclass(frozen=True)
class Patience:
    """How long one attempt may take, and how a repeatable call is tried again; all in seconds."""

    total: float = 10.0
    attempts: int = 3
    wait_initial: float = 0.2
    wait_max: float = 2.0
    wait_jitter: float = 0.3


@dataclass(frozen=True)
class Answer:
    """What came back. `body` is parsed JSON; None when empty, or when a refusal's body was no JSON."""

    status: int
    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def retry_at(self, now: datetime) -> datetime | None:
        """When Retry-After, seconds or a date, lets us come back; None when the platform did not say."""
        told = self.headers.get("Retry-After", "")
        longest = timedelta(seconds=LONGEST_WAIT)
        if told.isascii() and told.isdigit():
            return now + min(timedelta(seconds=int(told[:9])), longest)
        try:
            moment = parsedate_to_datetime(told)
        except ValueError:
            return None
        # By the platform's own clock, where it tells it: ours may be wrong.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return now + min(max(aware - self._date(now), timedelta()), longest)

    def _date(self, now: datetime) -> datetime:
        try:
            moment = parsedate_to_datetime(self.headers.get("Date", ""))
        except ValueError:
            return now
        return moment if moment.tzinfo else now


@dataclass(frozen=True)
class _Call:
    method: str
    url: str
    endpoint: str
    may_be_empty: bool
    most_bytes: int
    unless: str | None
    extra: Mapping[str, Any] = field(repr=False)


class Client:
    """Sends over an injected session, which should keep no cookies (`aiohttp.DummyCookieJar`)."""

    def __init__(self, session: aiohttp.ClientSession, *, patience: Patience | None = None) -> None:
        self._session = session
        self._patience = patience or Patience()

    async def send(
        self,
        method: str,
        url: str,
        *,
        endpoint: str,
        form: Mapping[str, str] | aiohttp.FormData | None = None,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        bearer: str | None = None,
        repeat: bool = False,
        may_be_empty: bool = False,
        most_bytes: int = BODY_LIMIT,
        unless: str | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
        refuse: Callable[[Answer], None] | None = None,
    ) -> Answer:
        """One call; with `repeat` a Transient failure is tried again, unless the platform names a time for it.

        `repeat` is for calls that only read. A rotating token exchange sent twice kills the grant.
        `refuse` raises what an answer means to its platform; being inside the repetition, its Transient
        counts too. `before` is awaited ahead of every attempt: what it raises keeps the call from being sent.
        `endpoint` is the name failures bear, the same for every creator. `unless`: the etag (as If-None-Match takes
        it) of what the caller has; it alone may be answered by a 304, without a body.
        """
        headers = {"Accept": "application/json"}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        if unless is not None:
            headers["If-None-Match"] = unless
        extra = {"data": form, "json": json, "params": params, "headers": headers}
        call = _Call(method, url, endpoint, may_be_empty, most_bytes, unless, extra)
        async for attempt in self._attempts(repeat):
            with attempt:
                if before is not None:
                    await before()
                answer = await self._once(call)
                if refuse is not None:
                    self._judge(answer, refuse, call)
                return answer
        raise AssertionError("stamina raises the last failure")  # pragma: no cover

    @staticmethod
    def _judge(answer: Answer, refuse: Callable[[Answer], None], call: _Call) -> None:
        try:
            refuse(answer)
        except base.Misconfigured as failure:
            alarm.misconfigured(call.endpoint, parse.urlsplit(call.url).hostname, failure.code)
            raise

    def _attempts(self, repeat: bool) -> Any:
        patience = self._patience
        return stamina.retry_context(
            on=_is_worth_repeating,
            attempts=patience.attempts if repeat else 1,
            timeout=None,  # attempts and their own time limit bound it
            wait_initial=patience.wait_initial,
            wait_max=patience.wait_max,
            wait_jitter=patience.wait_jitter,
        )

    async def _once(self, call: _Call) -> Answer:
        try:
            async with self._session.request(
                call.method,
                call.url,
                allow_redirects=False,
                raise_for_status=False,
                timeout=aiohttp.ClientTimeout(total=self._patience.total),
                **call.extra,
            ) as response:
                raw = await _read(response, call)
        except TimeoutError:
            trouble = "timeout"
        except aiohttp.ClientError as error:
            trouble = type(error).__name__
        else:
            body = _parse(raw, response.status, call)
            return Answer(response.status, body, response.headers)
        # Outside the handlers: aiohttp's errors carry the URL, and must not follow as `__context__`.
        raise base.Transient(trouble, f"{call.endpoint}: no whole answer came.")


def _is_worth_repeating(failure: Exception) -> bool:
    return isinstance(failure, base.Transient) and failure.retry_at is None


async def _read(response: aiohttp.ClientResponse, call: _Call) -> bytes:
    """The body, counted after decompression, so that a small answer cannot unfold into a large one."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        body += chunk
        if len(body) > call.most_bytes:
            raise base.ProviderBug(
                "body_too_large", f"{call.endpoint}: the answer is over {call.most_bytes} bytes."
            )
    return bytes(body)


def _parse(raw: bytes, status: int, call: _Call) -> Any:
    """The JSON of a body. What is not JSON is tolerated in refusals: their status speaks."""
    if status == HTTPStatus.NOT_MODIFIED:
        if call.unless is None:
            raise base.Transient("not_modified", f"{call.endpoint}: a 304 to one who has nothing.")
        return None
    refusal = status >= HTTPStatus.BAD_REQUEST
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise base.ProviderBug("redirect", f"{call.endpoint}: a redirect ({status}), which is not followed.")
    if not raw.strip():
        if refusal or call.may_be_empty:
            return None
        raise base.Transient("empty_body", f"{call.endpoint}: an empty answer.")
    try:
        return jsonlib.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        pass
    return None if refusal else _not_json(raw, call.endpoint)


def _not_json(raw: bytes, endpoint: str) -> NoReturn:
    """Broken JSON was cut on its way: try again. Anything else is some other page: no retry helps."""
    if raw.lstrip()[:1] in {b"{", b"["}:
        raise base.Transient("broken_json", f"{endpoint}: the answer's JSON is broken.")
    raise base.ProviderBug("not_json", f"{endpoint}: the answer is not JSON.")


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
