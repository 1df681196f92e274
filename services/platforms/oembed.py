"""What a platform tells anyone about a public video: its oEmbed, one table for all three.

Only the configured endpoint is ever contacted, with an address that `video_links` wrote: no host, port or
path of a caller's gets near a socket, so there is nothing to resolve, pin or redirect. The HTTP client follows
no redirect; an answer is JSON of at most 256 KiB within 10 seconds, repetition included.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from services.platforms import base, client, instagram_wire, values, video_links, youtube_wire

SECONDS = 10.0
MOST_BYTES = 256 * 1024
TITLE_MAX, NAME_MAX, URL_MAX, HTML_MAX = 500, 300, 4_096, 64 * 1024


@dataclass(frozen=True)
class Source:
    """A platform's oEmbed endpoint in one world. `token`: the app's own, where the platform wants one."""

    platform: str
    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Told:
    """A public video; None where the platform does not tell. `html` is the platform's, as it came."""

    title: str | None
    author_name: str | None
    author_url: str | None
    cover_url: str | None
    html: str | None


class Missing(base.Failure):
    """The platform has no such video for everyone: never there, taken away, or private."""


async def ask(http: client.Client, source: Source, link: video_links.Link) -> Told:
    """The platform's answer. Raises Missing, RateLimited, Transient, ProviderBug."""
    refuse = _instagram if source.platform == "INSTAGRAM" else _by_status(MISSING[source.platform])
    try:
        async with asyncio.timeout(SECONDS):
            answer = await http.send(
                "GET",
                source.url,
                endpoint=f"{source.platform.lower()} oembed",
                params={"url": link.url, "format": "json"},
                bearer=source.token,
                repeat=True,
                most_bytes=MOST_BYTES,
                refuse=refuse,
            )
    except TimeoutError:
        raise base.Transient("timeout", f"{source.platform} oembed: no answer in time.") from None
    return _told(answer.body)


def _told(body: Any) -> Told:
    if not isinstance(body, dict) or not (body.get("html") or body.get("title")):
        raise base.ProviderBug("bad_shape", "The answer describes no video.")
    html = values.text(body.get("html"))
    return Told(
        title=values.text(body.get("title"), TITLE_MAX),
        author_name=values.text(body.get("author_name"), NAME_MAX),
        author_url=_url(body.get("author_url")),
        cover_url=_url(body.get("thumbnail_url")),
        html=html if html is not None and len(html) <= HTML_MAX else None,  # cut markup is broken markup
    )


def _url(value: Any) -> str | None:
    found = values.url(value)
    return found if found is not None and len(found) <= URL_MAX else None


# The platforms tell a missing video, a private one and one not to be embedded apart by status at most. TikTok
# knows 400 alone; a 403 of its is a gate before the service, and says nothing about the video.
MISSING: Mapping[str, frozenset[int]] = {
    "TIKTOK": frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}),
    "YOUTUBE": frozenset(
        {
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.GONE,
        }
    ),
}
_INSTAGRAM_MISSING = frozenset({"100/33", "24"})


def _by_status(missing: frozenset[int]) -> Callable[[client.Answer], None]:
    def refuse(answer: client.Answer) -> None:
        status = answer.status
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return
        word, text = f"http_{status}", "The platform refused."
        # Google tells a limit as 403 with a reason; a 403 without one is about the video.
        reason, _ = youtube_wire.verdict(answer) or ("", "")
        limited = youtube_wire.REASONS.get(reason) is base.RateLimited
        if status in missing and not limited:
            raise Missing(word, text)
        if limited or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise base.RateLimited(word, text, retry_at=answer.retry_at(datetime.now(UTC)))
        away = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
            HTTPStatus.FORBIDDEN,
            HTTPStatus.REQUEST_TIMEOUT,
        }
        raise (base.Transient if away else base.ProviderBug)(word, text)

    return refuse


def _instagram(answer: client.Answer) -> None:
    found = instagram_wire.refusal(answer)
    if found is None:
        return
    if found.word in _INSTAGRAM_MISSING or answer.status == HTTPStatus.NOT_FOUND:
        raise Missing(found.word, found.message)
    if found.kind is base.RateLimited:
        raise base.RateLimited(found.word, found.message, retry_at=answer.retry_at(datetime.now(UTC)))
    # A refused token is our app's, never a creator's grant: nobody can mend it by connecting again.
    kind = base.Transient if found.kind is base.Transient else base.ProviderBug
    raise kind(found.word, found.message, log_id=found.trace)
