"""Instagram (Instagram API with Instagram Login: professional accounts), as Meta documents it in 2026.

What Instagram calls things is in `instagram_wire`; the class walks those tables. A code buys an hour's token,
that one sixty days', and there is no refresh token: the long one is exchanged for its successor while it
lives. The same code serves live and test mode: only the `base.App` differs.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib import parse

import aiohttp

from services.platforms import base, client, gates, instagram_insights, instagram_wire, values

SCOPES = (instagram_wire.BASIC, instagram_wire.INSIGHTS)
VERSION = "v25.0"

AUTHORIZE = "/oauth/authorize"
EXCHANGE = "/oauth/access_token"
LENGTHEN = "/access_token"
REFRESH = "/refresh_access_token"
PERMISSIONS = "/me/permissions"
ME = "/me"
MEDIA = "/me/media"

PAGE_SIZE = 50  # of at most 100: with insights a page costs a call an item
MOST_PAGES = 2_000  # of what is shown, some pages being short
MOST_RESTARTS = 1  # it reads every insight again
LIFE = timedelta(days=60)
YOUNGEST = timedelta(hours=24)
DOUBT = timedelta(days=1)  # what a guess at a token's age may be wrong by


class Instagram:
    """One Instagram app in one world; implements `base.Connector`."""

    platform = "INSTAGRAM"
    refresh_before = timedelta(days=30)
    """How long before its end a token should be refreshed: once it is over, nothing brings it back."""
    rotates = False
    shows_newest = 10_000
    most_ids = 20  # a call each

    def __init__(
        self,
        app: base.App,
        http: client.Client,
        *,
        scopes: tuple[str, ...] = SCOPES,
        page_size: int = PAGE_SIZE,
        gate: gates.Gate | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.scopes = scopes
        self._app, self._http, self._now, self._page_size = app, http, now, page_size
        self._gate = gate or gates.Open()
        self._token_url = app.token_url or app.api_url

    def begin(self, state: str, redirect_uri: str) -> base.Authorization:
        """Where to send the browser. Instagram has no PKCE: the state alone protects, and the secret."""
        query = {
            "client_id": self._app.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": ",".join(self.scopes),
            "state": state,
            "enable_fb_login": "0",
        }
        return base.Authorization(f"{self._app.auth_url}{AUTHORIZE}?{parse.urlencode(query)}", None)

    def parse_callback(self, query: Iterable[tuple[str, str]]) -> str:
        return base.code_of(query, tail="#_")  # Instagram appends it to its redirect

    async def complete(self, code: str, redirect_uri: str, code_verifier: str | None) -> base.Tokens:
        """The long-lived token for a code, once.

        `external_id` stays None: what the exchange calls user_id is only our app's name for the creator.
        """
        short = await self._exchange(code, redirect_uri)
        token = instagram_wire.access_token(short)
        query = {"grant_type": "ig_exchange_token", "client_secret": self._app.client_secret}
        start, body = await self._long(LENGTHEN, {**query, "access_token": token}, repeat=True)
        granted = base.Tokens(
            access_token=token,
            refresh_token=None,
            expires_at=None,
            refresh_expires_at=None,
            scopes=instagram_wire.permissions(short.get("permissions")),
            external_id=None,
            app_scoped_id=instagram_wire.identifier(short.get("user_id")),
        )
        return _lengthened(granted, start, body)

    async def refresh(self, tokens: base.Tokens) -> base.Tokens:
        """The token's successor. Too young is RateLimited, until it may; past its time is ReconnectRequired.

        How Instagram words "too young" is not documented: an unclear refusal of a living token is taken for it.
        """
        now = self._now()
        if tokens.expires_at is not None and tokens.expires_at <= now:
            raise base.ReconnectRequired("expired", "The token is past its time.")
        ripe = _ripe(tokens)
        if ripe is not None and now < ripe:
            raise base.RateLimited("too_young", "The token may not be refreshed yet.", retry_at=ripe)
        query = {"grant_type": "ig_refresh_token", "access_token": tokens.access_token}
        try:
            start, body = await self._long(REFRESH, query, repeat=False)
        except base.ProviderBug as failure:
            if failure.code.partition("/")[0] != instagram_insights.INVALID:
                raise
            later = now + YOUNGEST
            raise base.RateLimited(
                failure.code, failure.message, retry_at=later, log_id=failure.log_id
            ) from failure
        return _lengthened(tokens, start, body)

    async def revoke(self, tokens: base.Tokens) -> bool:
        """Take our app off the creator's account. A token that is dead cannot any more, nor need it."""
        try:
            answer = await self._send("DELETE", PERMISSIONS, tokens, repeat=False)
        except base.ReconnectRequired:
            return False
        if not (isinstance(answer.body, dict) and answer.body.get("success") is True):
            raise base.ProviderBug("not_revoked", "The platform does not confirm the revocation.")
        return True

    async def profile(self, tokens: base.Tokens) -> base.Profile:
        """The creator, by `user_id`; `app_scoped_id` is the name that Instagram's callbacks use."""
        self._need(instagram_wire.BASIC, tokens)
        fields = ",".join(instagram_wire.PROFILE)
        answer = await self._send("GET", f"/{VERSION}{ME}", tokens, {"fields": fields})
        return instagram_wire.profile(answer.body, tokens.external_id)

    async def videos(self, tokens: base.Tokens, cursor: Mapping[str, Any] | None) -> base.Page:
        """A page of media after the cursor, with views and shares where insights were granted.

        Where the limit ends a page's reading, the page holds what was read, and its cursor stays with the rest.
        A cursor marks a medium, and dies with it: the walk begins again.
        """
        self._need(instagram_wire.BASIC, tokens)
        place = dict(cursor or {})
        self._wait_for(place.get("not_before"))
        try:
            body, usage = await self._listed(tokens, place.get("after"))
        except base.ProviderBug as failure:
            restarts = int(place.get("restarts", 0)) + 1
            if failure.code != instagram_insights.INVALID or "after" not in place or restarts > MOST_RESTARTS:
                raise
            place = {"restarts": restarts}
            body, usage = await self._listed(tokens, None)
        media = tuple(one for one in map(instagram_wire.medium, body["data"]) if one is not None)
        following = _step(place, instagram_wire.after(body, self._app.api_url))
        page = base.Page(media, following, len(body["data"]) - len(media), usage.slow_down(self._now()))
        if instagram_wire.INSIGHTS in tokens.scopes:
            if usage.percent >= instagram_wire.STOP_AT:
                raise _near_limit(usage.retry_at(self._now()))
            page = await self._with_insights(page, tokens, place)
        if page.cursor is None or page.slow_down is None:
            return page
        return replace(page, cursor={**page.cursor, "not_before": page.slow_down.isoformat()})

    async def still_there(self, tokens: base.Tokens, ids: Sequence[str]) -> base.Page:
        """The media with these ids, a call each; what only insights tell stays as it was."""
        self._need(instagram_wire.BASIC, tokens)
        found: list[base.VideoRecord] = []
        skipped, usage = 0, instagram_wire.Usage()
        for media_id in ids:
            if usage.percent >= instagram_wire.STOP_AT:
                raise _near_limit(usage.retry_at(self._now()))
            try:
                body, usage = await self._medium(tokens, media_id)
            except base.ProviderBug as failure:
                if failure.code != instagram_insights.GONE:
                    raise
                continue
            record = instagram_wire.medium(body)
            if record is None or record.external_id != media_id:
                skipped += 1
            else:
                found.append(replace(record, partial=instagram_wire.INSIGHTS in tokens.scopes))
        return base.Page(tuple(found), None, skipped, usage.slow_down(self._now()))

    async def _medium(self, tokens: base.Tokens, media_id: str) -> tuple[Any, instagram_wire.Usage]:
        path = f"/{VERSION}/{parse.quote(media_id, safe='')}"
        query = {"fields": ",".join(instagram_wire.MEDIA_FIELDS)}
        answer = await self._send("GET", path, tokens, query, name="medium")
        return answer.body, instagram_wire.usage(answer.headers)

    async def _listed(
        self, tokens: base.Tokens, after: str | None
    ) -> tuple[dict[str, Any], instagram_wire.Usage]:
        query = {"fields": ",".join(instagram_wire.MEDIA_FIELDS), "limit": str(self._page_size)}
        answer = await self._send(
            "GET", f"/{VERSION}{MEDIA}", tokens, query if after is None else {**query, "after": after}
        )
        body = answer.body if isinstance(answer.body, dict) else {}
        if not isinstance(body.get("data"), list):
            raise base.ProviderBug("bad_shape", "data is not a list.")
        return body, instagram_wire.usage(answer.headers)

    async def _with_insights(
        self, page: base.Page, tokens: base.Tokens, place: Mapping[str, Any]
    ) -> base.Page:
        """What was read of the page before (`told`) is not read again. Raises RateLimited when nothing was."""
        insights, told = self._insights(tokens, place), place.get("told", [])
        media = await insights.read([medium for medium in page.videos if medium.external_id not in told])
        following, skipped = page.cursor, page.skipped + insights.gaps
        if insights.left:
            if not media:
                raise _near_limit(insights.slow_down)
            told = [*told, *(medium.external_id for medium in media)]
            following, skipped = {**place, "told": told}, insights.gaps
        if following is not None:
            following = {**following, **insights.learnt}
        slow_down = insights.slow_down or page.slow_down
        return base.Page(media, following, skipped, slow_down, insights.withheld)

    def _insights(self, tokens: base.Tokens, place: Mapping[str, Any]) -> instagram_insights.Insights:
        async def ask(medium: str, names: Sequence[str]) -> Mapping[str, int | None]:
            path = f"/{VERSION}/{parse.quote(medium, safe='')}/insights"
            answer = await self._send("GET", path, tokens, {"metric": ",".join(names)}, name="insights")
            if instagram_wire.usage(answer.headers).percent >= instagram_wire.STOP_AT:
                reading.limit_reached(instagram_wire.usage(answer.headers).retry_at(self._now()))
            return instagram_wire.metrics(answer.body)

        reading = instagram_insights.Insights(ask, place)
        return reading

    async def _exchange(self, code: str, redirect_uri: str) -> dict[str, Any]:
        """The short-lived token's answer, asked for as multipart as in Instagram's documents; never repeated."""
        form = {
            "client_id": self._app.client_id,
            "client_secret": self._app.client_secret,
            "grant_type": "authorization_code",
            "redirect_uri": redirect_uri,
            "code": code,
        }
        answer = await self._http.send(
            "POST",
            self._token_url + EXCHANGE,
            endpoint=f"instagram {EXCHANGE}",
            form=aiohttp.FormData(form, default_to_multipart=True),
            refuse=lambda answer: self._refuse(answer, exchange=True),
        )
        return instagram_wire.only(answer.body, "the token answer")

    async def _long(
        self, path: str, query: Mapping[str, str], *, repeat: bool
    ) -> tuple[datetime, dict[str, Any]]:
        """A long-lived token, and when it was asked for. Here alone Instagram wants secrets in the query."""
        start = self._now()
        answer = await self._http.send(
            "GET",
            self._app.api_url + path,
            endpoint=f"instagram {path}",
            params=query,
            repeat=repeat,
            refuse=self._refuse,
        )
        return start, instagram_wire.only(answer.body, "the token answer")

    async def _send(
        self,
        method: str,
        path: str,
        tokens: base.Tokens,
        query: Mapping[str, str] | None = None,
        *,
        name: str = "",
        repeat: bool = True,
    ) -> client.Answer:
        try:
            answer = await self._http.send(
                method,
                self._app.api_url + path,
                endpoint=f"instagram {name or path}",
                params=query,
                bearer=tokens.access_token,
                repeat=repeat,
                before=functools.partial(self._gate.enter, name or path),
                refuse=self._refuse,
            )
        except base.RateLimited as failure:
            if failure.code.partition("/")[0] in instagram_wire.OF_THE_APP:
                await self._gate.close(gates.EVERYTHING, failure.retry_at or self._now() + gates.UNNAMED)
            raise
        app = instagram_wire.app_usage(answer.headers)
        if app.percent >= instagram_wire.STOP_AT:
            await self._gate.close(gates.EVERYTHING, app.retry_at(self._now()))
        return answer

    def _refuse(self, answer: client.Answer, *, exchange: bool = False) -> None:
        """Raise what an answer means: by the body's code, whatever the status."""
        refusal = instagram_wire.refusal(answer, exchange=exchange)
        if refusal is not None:
            self._raise(refusal, answer)

    def _raise(self, refusal: instagram_wire.Refusal, answer: client.Answer) -> NoReturn:
        told = f"{refusal.message} (HTTP {answer.status})".strip()
        now = self._now()
        retry_at = answer.retry_at(now)
        if refusal.kind is base.RateLimited:
            retry_at = retry_at or instagram_wire.usage(answer.headers).retry_at(now)
        if refusal.blocked:
            retry_at = now + instagram_wire.BLOCKED_WAIT
        raise refusal.kind(refusal.word, told, retry_at=retry_at, log_id=refusal.trace)

    def _wait_for(self, not_before: str | None) -> None:
        """A page whose predecessor reached the limit waits: calls while throttled prolong it."""
        moment = datetime.fromisoformat(not_before) if not_before else None
        if moment is not None and self._now() < moment:
            raise _near_limit(moment)

    @staticmethod
    def _need(scope: str, tokens: base.Tokens) -> None:
        if scope not in tokens.scopes:
            raise base.ScopeMissing("scope_not_granted", f"{scope} was not granted.")


def _near_limit(retry_at: datetime | None) -> base.RateLimited:
    return base.RateLimited("near_limit", "The limit is nearly used up.", retry_at=retry_at)


def _ripe(tokens: base.Tokens) -> datetime | None:
    """From when on the token may be refreshed; guessed from its end, with doubt, where its birth is unknown."""
    if tokens.issued_at is not None:
        return tokens.issued_at + YOUNGEST
    return None if tokens.expires_at is None else tokens.expires_at - LIFE + YOUNGEST + DOUBT


def _lengthened(tokens: base.Tokens, start: datetime, body: Mapping[str, Any]) -> base.Tokens:
    return replace(
        tokens,
        access_token=instagram_wire.access_token(body),
        expires_at=values.end(start, body.get("expires_in")) or start + LIFE,
        issued_at=start,
    )


def _step(place: Mapping[str, Any], after: str | None) -> dict[str, Any] | None:
    """The cursor of the next page. It remembers one earlier place, moved ever further ahead: a walk in a
    circle, however wide, comes by it.
    """
    if after is None:
        return None
    page = int(place.get("page", 0)) + 1
    if after in {place.get("after"), place.get("mark")}:
        raise base.ProviderBug("page_loop", "The pages go in a circle.")
    if page > MOST_PAGES:
        raise base.ProviderBug("page_loop", "The pages do not end.")
    mark = after if page & (page - 1) == 0 else place.get("mark")
    kept = {name: place[name] for name in ("predates", "sound", "restarts") if place.get(name)}
    return {"after": after, "page": page, "mark": mark, **kept}
