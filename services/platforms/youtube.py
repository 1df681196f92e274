"""YouTube (Google OAuth 2.0, Data API v3), as Google documents it in 2026.

What YouTube calls things is in `youtube_wire`; the class walks those tables. The same code serves live and
test mode: only the `base.App` differs. oauthlib makes the verifier and its challenge; it refuses the
simulator's plain HTTP for the rest.

Pages of an uploads list are asked for with If-None-Match: most stay as they are from sync to sync. A 304 costs the
same unit and saves the bytes. Channels and videos are not: their counters move, and with them every etag.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib import parse

from oauthlib import oauth2

from services.platforms import base, client, gates, kept, values, youtube_wire

READONLY = "https://www.googleapis.com/auth/youtube.readonly"
SCOPES = (READONLY,)
ENOUGH = frozenset(
    {READONLY, *(f"https://www.googleapis.com/auth/youtube{more}" for more in ("", ".force-ssl"))}
)
"""Any of these opens what we read."""

AUTHORIZE = "/o/oauth2/v2/auth"
TOKEN = "/token"  # noqa: S105 -- a path
REVOKE = "/revoke"
CHANNELS = "/youtube/v3/channels"
PLAYLIST_ITEMS = "/youtube/v3/playlistItems"
VIDEOS = "/youtube/v3/videos"

PAGE_SIZE = 50  # also the most ids videos.list takes
UNITS_A_CALL = 1
MOST_RESTARTS = 3
VERIFIER_LENGTH = 64

Spend = Callable[[int], Awaitable[None]]


async def unmetered(_units: int) -> None:
    """The quota's meter where nobody counts."""


class YouTube:
    """One Google app in one world; implements `base.Connector`.

    `spend` is awaited with the units of a call before it is sent, and again for its repetitions: the day's
    quota is the app's, whoever the creator. What it raises (RateLimited) keeps the call from being sent.
    """

    platform = "YOUTUBE"
    refresh_before = None
    shows_newest = None
    most_ids = PAGE_SIZE
    rotates = False

    def __init__(
        self,
        app: base.App,
        http: client.Client,
        *,
        scopes: tuple[str, ...] = SCOPES,
        spend: Spend = unmetered,
        gate: gates.Gate | None = None,
        answers: kept.Kept | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.scopes = scopes
        self._app, self._http, self._spend, self._now = app, http, spend, now
        self._gate, self._kept = gate or gates.Open(), answers or kept.Kept()
        self._token_url = app.token_url or app.api_url

    def begin(self, state: str, redirect_uri: str) -> base.Authorization:
        """Where to send the browser. `prompt=consent`, or a second consent brings no refresh token."""
        maker = oauth2.WebApplicationClient(self._app.client_id)
        verifier = maker.create_code_verifier(VERIFIER_LENGTH)
        query = {
            "client_id": self._app.client_id,
            "response_type": "code",
            "scope": " ".join(self.scopes),
            "redirect_uri": redirect_uri,
            "state": state,
            "access_type": "offline",
            "prompt": "consent",
            "code_challenge": maker.create_code_challenge(verifier, "S256"),
            "code_challenge_method": "S256",
        }
        return base.Authorization(f"{self._app.auth_url}{AUTHORIZE}?{parse.urlencode(query)}", verifier)

    def parse_callback(self, query: Iterable[tuple[str, str]]) -> str:
        return base.code_of(query)

    async def complete(self, code: str, redirect_uri: str, code_verifier: str | None) -> base.Tokens:
        """The tokens for a code, once. Which channel they open, only `profile` tells."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if code_verifier is not None:
            form["code_verifier"] = code_verifier
        return await self._grant(form, None)

    async def refresh(self, tokens: base.Tokens) -> base.Tokens:
        """A new access token; the refresh token stays the same."""
        if not tokens.refresh_token:
            raise base.ReconnectRequired("no_refresh_token", "There is no refresh token.")
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        return await self._grant(form, tokens)

    async def revoke(self, tokens: base.Tokens) -> bool:
        """End the grant through its refresh token, which takes the access tokens with it."""
        try:
            await self._http.send(
                "POST",
                self._token_url + REVOKE,
                endpoint=f"youtube {REVOKE}",
                form={"token": tokens.refresh_token or tokens.access_token},
                may_be_empty=True,
                refuse=self._refuse_token,
            )
        except base.ProviderBug as failure:
            if failure.code != "invalid_token":
                raise
            return False
        return True

    async def profile(self, tokens: base.Tokens) -> base.Profile:
        """The creator's channel. Raises NoAccount where the Google account has none."""
        return youtube_wire.profile(await self._channel(tokens))

    async def videos(self, tokens: base.Tokens, cursor: Mapping[str, Any] | None) -> base.Page:
        """A page of the uploads, newest first, each with its counters.

        Videos that are listed but not there any more are left out: they are gone, not unread. The cursor holds
        the uploads list, YouTube's page token and what tells a walk in a circle from one that goes on.
        """
        place = cursor or await self._start(tokens, 0)
        while True:
            try:
                listing = await self._listing(tokens, place)
            except _BadPageToken as failure:
                if place["restarts"] >= MOST_RESTARTS:
                    raise base.ProviderBug(failure.code, failure.message) from failure
                place = await self._start(tokens, place["restarts"] + 1)
            except _NoPlaylist as failure:
                return _without_uploads(place, failure)
            else:
                return await self._page(tokens, listing, place)

    async def still_there(self, tokens: base.Tokens, ids: Sequence[str]) -> base.Page:
        """The videos with these ids, for one unit: a deletion moves those behind it up, past who turns the page."""
        if not ENOUGH & set(tokens.scopes):
            raise base.ScopeMissing("insufficientPermissions", "Reading the channel was not granted.")
        found, skipped = await self._videos(tokens, dict.fromkeys(ids))
        return base.Page(found, None, skipped=skipped)

    async def _start(self, tokens: base.Tokens, restarts: int) -> dict[str, Any]:
        """The walk's first place: the uploads list, and how many videos the channel says it has."""
        found = await self._channel(tokens)
        uploads = values.text(youtube_wire.inside(found, "contentDetails", "relatedPlaylists", "uploads"))
        if uploads is None:
            raise base.ProviderBug("no_uploads", "The channel names no uploads list.")
        says = youtube_wire.number(youtube_wire.inside(found, "statistics", "videoCount"))
        return {"uploads": uploads, "page": None, "says": says, "restarts": restarts}

    async def _page(
        self, tokens: base.Tokens, listing: Mapping[str, Any], place: Mapping[str, Any]
    ) -> base.Page:
        ids = listing["ids"]
        found, skipped = await self._videos(tokens, ids) if ids else ((), 0)
        return base.Page(found, _next(listing, place), skipped=listing["unreadable"] + skipped)

    async def _videos(
        self, tokens: base.Tokens, ids: Mapping[str, Any]
    ) -> tuple[tuple[base.VideoRecord, ...], int]:
        """The videos with these ids (and when their list says they were published), and how many are unreadable."""
        params = {
            "part": youtube_wire.VIDEO_PARTS,
            "id": ",".join(ids),
            "maxHeight": youtube_wire.PLAYER_HEIGHT,
        }
        records: dict[str, base.VideoRecord] = {}
        skipped = 0
        for entry in youtube_wire.items(await self._get(VIDEOS, tokens, params), "videos"):
            if youtube_wire.is_private(entry):
                continue
            record = youtube_wire.video(entry, ids.get(values.text(youtube_wire.inside(entry, "id")) or ""))
            if record is None or record.external_id not in ids:
                skipped += 1
            else:
                records[record.external_id] = record
        return tuple(records[video_id] for video_id in ids if video_id in records), skipped

    async def _listing(self, tokens: base.Tokens, place: Mapping[str, Any]) -> dict[str, Any]:
        """What a page of the uploads list says (`youtube_wire.listing`), told again or as it was kept.

        A 304 of another tag than ours speaks of something else, and the page is asked for without one.
        """
        params = {
            "part": youtube_wire.ITEM_PARTS,
            "playlistId": place["uploads"],
            "maxResults": str(PAGE_SIZE),
        }
        if place["page"] is not None:
            params["pageToken"] = place["page"]
        key = kept.key(tokens.refresh_token or tokens.access_token, PLAYLIST_ITEMS, params)
        had = self._kept.find(key)
        if had is not None:
            answer = await self._answer(PLAYLIST_ITEMS, tokens, params, unless=kept.as_condition(had.tag))
            if answer.status != HTTPStatus.NOT_MODIFIED:
                return self._keep(key, answer)
            if kept.same(answer.headers.get("ETag", had.tag), had.tag):
                told: dict[str, Any] = self._kept.confirm(key, had)
                return told
        return self._keep(key, await self._answer(PLAYLIST_ITEMS, tokens, params))

    def _keep(self, key: bytes, answer: client.Answer) -> dict[str, Any]:
        listing = youtube_wire.listing(answer.body)
        self._kept.keep(key, kept.tag_of(answer.headers.get("ETag"), answer.body), listing)
        return listing

    async def _channel(self, tokens: base.Tokens) -> dict[str, Any]:
        if not ENOUGH & set(tokens.scopes):
            raise base.ScopeMissing("insufficientPermissions", "Reading the channel was not granted.")
        params = {"part": youtube_wire.CHANNEL_PARTS, "mine": "true"}
        return youtube_wire.channel(await self._get(CHANNELS, tokens, params), tokens.external_id)

    async def _grant(self, form: Mapping[str, str], old: base.Tokens | None) -> base.Tokens:
        start = self._now()  # before the call: a token is never believed to live longer than it does
        answer = await self._http.send(
            "POST",
            self._token_url + TOKEN,
            endpoint=f"youtube {TOKEN}",
            form={"client_id": self._app.client_id, "client_secret": self._app.client_secret, **form},
            refuse=self._refuse_token,
        )
        return youtube_wire.tokens_of(youtube_wire.as_object(answer.body, "the token answer"), start, old)

    async def _get(self, path: str, tokens: base.Tokens, params: Mapping[str, str]) -> Any:
        return (await self._answer(path, tokens, params)).body

    async def _answer(
        self, path: str, tokens: base.Tokens, params: Mapping[str, str], *, unless: str | None = None
    ) -> client.Answer:
        """A resource; with `unless`, maybe a 304. Repetitions after a stumble cost a unit each, too."""
        answered = 0

        def refuse(answer: client.Answer) -> None:
            nonlocal answered
            answered += 1
            self._refuse(answer, paging="pageToken" in params)

        await self._gate.enter(path)
        await self._spend(UNITS_A_CALL)
        try:
            answer = await self._http.send(
                "GET",
                self._app.api_url + path,
                endpoint=f"youtube {path}",
                params=params,
                bearer=tokens.access_token,
                repeat=True,
                unless=unless,
                refuse=refuse,
            )
        except base.Misconfigured:
            raise  # no limit: once it is mended nobody waits behind a gate
        except base.RateLimited as failure:
            if failure.code not in youtube_wire.OF_THE_CREATOR:
                await self._gate.close(gates.EVERYTHING, failure.retry_at or self._now() + gates.UNNAMED)
            raise
        finally:
            if answered > 1:
                with contextlib.suppress(base.RateLimited):  # they are spent; the next call hears of it
                    await self._spend((answered - 1) * UNITS_A_CALL)
        return answer

    def _refuse_token(self, answer: client.Answer) -> None:
        """Raise what the token endpoint's refusal means. A platform that stumbles says nothing definitive."""
        told = youtube_wire.token_verdict(answer)
        if told is not None:
            statuses = {**youtube_wire.STATUSES, HTTPStatus.UNAUTHORIZED: base.ProviderBug}
            kind = youtube_wire.TOKEN_ERRORS.get(told[0]) or statuses.get(answer.status, base.ProviderBug)
            self._raise(kind, *told, answer)

    def _refuse(self, answer: client.Answer, *, paging: bool) -> None:
        """Raise what a resource's refusal means: by its reason, else by its status."""
        told = None if answer.status == HTTPStatus.NOT_MODIFIED else youtube_wire.verdict(answer)
        if told is None:
            return
        if answer.status == HTTPStatus.NOT_FOUND and told[0] == "playlistNotFound":
            raise _NoPlaylist(*told)
        if answer.status == HTTPStatus.BAD_REQUEST and told[0] == "invalidPageToken" and paging:
            raise _BadPageToken(*told)
        kind = youtube_wire.REASONS.get(told[0]) or youtube_wire.STATUSES.get(answer.status, base.ProviderBug)
        self._raise(kind, *told, answer)

    def _raise(self, kind: type[base.Failure], code: str, text: str, answer: client.Answer) -> None:
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = base.Transient
        told = f"{text} (HTTP {answer.status})".strip()
        now = self._now()
        spent = kind is base.RateLimited and code in youtube_wire.SPENT
        raise kind(code, told, retry_at=youtube_wire.midnight(now) if spent else answer.retry_at(now))


class _NoPlaylist(base.ProviderBug):
    """The uploads list is not there."""


class _BadPageToken(base.ProviderBug):
    """YouTube does not know its page token any more: the walk begins again."""


def _without_uploads(place: Mapping[str, Any], failure: _NoPlaylist) -> base.Page:
    """A channel without videos may have no uploads list. Where it says it has some, they were not seen."""
    if place["page"] is not None:
        raise base.ProviderBug(failure.code, failure.message) from failure
    return base.Page((), None, skipped=place["says"] or 0)


def _next(listing: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any] | None:
    """The next place, None at the end. Raises when the tokens go round in a circle.

    Brent's way: one token is remembered, and replaced by the current one after 1, 2, 4, 8… steps. A circle
    of any length comes back to it.
    """
    token = listing["next"]
    if token is None:
        return None
    if not isinstance(token, str) or not 0 < len(token) <= youtube_wire.PAGE_TOKEN_LIMIT:
        raise base.ProviderBug("bad_shape", "nextPageToken is no usable text.")
    mark, steps, power = place.get("mark"), place.get("steps", 0) + 1, place.get("power", 1)
    if token in {place["page"], mark}:
        raise base.ProviderBug("page_token_loop", "nextPageToken was there before.")
    if steps == power:
        mark, steps, power = token, 0, power * 2
    return {**place, "page": token, "mark": mark, "steps": steps, "power": power}
