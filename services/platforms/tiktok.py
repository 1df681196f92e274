"""TikTok (Login Kit for Web, Display API v2), as TikTok documents it in 2026.

What TikTok calls things is in `tiktok_wire`; the class walks those tables. The same code serves live and
test mode: only the `base.App` differs. oauthlib makes the verifier; TikTok bends the rest of OAuth
(client_key, comma scopes, hex PKCE, errors at HTTP 200), and oauthlib refuses the simulator's plain HTTP.
"""

import functools
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib import parse

from oauthlib import oauth2

from services.platforms import base, client, gates, tiktok_wire

SCOPES = ("user.info.basic", "user.info.profile", "user.info.stats", "video.list")

AUTHORIZE = "/v2/auth/authorize/"
TOKEN = "/v2/oauth/token/"  # noqa: S105 -- a path; without the last slash it is another one
REVOKE = "/v2/oauth/revoke/"
USER_INFO = "/v2/user/info/"
VIDEO_LIST = "/v2/video/list/"
VIDEO_QUERY = "/v2/video/query/"

PAGE_SIZE = 20  # also the most ids video/query takes
VERIFIER_LENGTH = 64

# What revoking a dead token may answer: TikTok documents no code for it. invalid_request may as well mean
# that our request is wrong, so it counts only when the token opens nothing any more.
TOKEN_REFUSED = frozenset({"invalid_grant", "access_token_invalid", "invalid_request"})

# For codes nobody documented. A 401 from the token endpoint speaks of our app, not of an access token.
STATUSES: Mapping[int, type[base.Failure]] = {
    HTTPStatus.REQUEST_TIMEOUT: base.Transient,
    HTTPStatus.TOO_MANY_REQUESTS: base.RateLimited,
}
RESOURCE_STATUSES = {**STATUSES, HTTPStatus.UNAUTHORIZED: base.AuthExpired}


Spend = Callable[[str], Awaitable[None]]


async def unmetered(_endpoint: str) -> None:
    """The limit's meter where nobody counts."""


class TikTok:
    """One TikTok app in one world; implements `base.Connector`.

    `spend` is awaited with a resource's path before every call of it, repetitions too: TikTok limits each
    by the app. What it raises (RateLimited) keeps the call from being sent.
    """

    platform = "TIKTOK"
    refresh_before = None
    shows_newest = None
    most_ids = PAGE_SIZE
    rotates = True

    def __init__(
        self,
        app: base.App,
        http: client.Client,
        *,
        scopes: tuple[str, ...] = SCOPES,
        spend: Spend = unmetered,
        gate: gates.Gate | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.scopes = scopes
        self._app, self._http, self._spend, self._now = app, http, spend, now
        self._gate = gate or gates.Open()

    def begin(self, state: str, redirect_uri: str) -> base.Authorization:
        """Where to send the browser. The redirect is sent as given: TikTok matches it exactly."""
        verifier = oauth2.WebApplicationClient(self._app.client_id).create_code_verifier(VERIFIER_LENGTH)
        query = {
            "client_key": self._app.client_id,
            "response_type": "code",
            "scope": ",".join(self.scopes),
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        return base.Authorization(f"{self._app.auth_url}{AUTHORIZE}?{parse.urlencode(query)}", verifier)

    def parse_callback(self, query: Iterable[tuple[str, str]]) -> str:
        return base.code_of(query)

    async def complete(self, code: str, redirect_uri: str, code_verifier: str | None) -> base.Tokens:
        """The tokens for a code, once."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if code_verifier is not None:
            form["code_verifier"] = code_verifier
        tokens = await self._grant(form, None)
        if tokens.external_id is None:
            raise base.ProviderBug("no_open_id", "The token answer names no open_id.")
        return tokens

    async def refresh(self, tokens: base.Tokens) -> base.Tokens:
        """New tokens of the same creator; the old refresh token is dead once they are out.

        Never repeated here: after a timeout nobody knows whether TikTok rotated; the caller decides.
        """
        if not tokens.refresh_token:
            raise base.ReconnectRequired("no_refresh_token", "There is no refresh token.")
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        fresh = await self._grant(form, tokens)
        if tokens.external_id is not None and fresh.external_id != tokens.external_id:
            raise base.ProviderBug("open_id_changed", "A refresh answered with another creator's tokens.")
        return fresh

    async def revoke(self, tokens: base.Tokens) -> bool:
        """End the grant through its access token.

        "Invalid" about a token that is past its time, by our clock, does not say that the grant is dead:
        AuthExpired while a refresh token may still live, for the caller to refresh and come again.
        """
        form = {**self._credentials(), "token": tokens.access_token}
        try:
            await self._http.send(
                "POST",
                self._app.api_url + REVOKE,
                endpoint=f"tiktok {REVOKE}",
                form=form,
                may_be_empty=True,
                refuse=lambda answer: self._refuse(answer, STATUSES),
            )
        except base.Failure as failure:
            if failure.code not in TOKEN_REFUSED or isinstance(failure, base.Transient):
                raise
            if self._may_live(tokens):
                raise base.AuthExpired(failure.code, failure.message, log_id=failure.log_id) from failure
            if failure.code == "invalid_request" and await self._opens(tokens):
                raise
            return False
        return True

    async def profile(self, tokens: base.Tokens) -> base.Profile:
        """The creator, as far as the granted scopes tell; `scopes` where TikTok says that they are fewer now."""
        refusal = base.ScopeMissing("scope_not_authorized", "No user.info scope was granted.")
        for scopes in tiktok_wire.narrower(tokens.scopes):
            try:
                found = await self._profile(tokens, scopes)
            except base.ScopeMissing as failure:
                if failure.code != tiktok_wire.FEWER_FIELDS:
                    raise
                refusal = failure
            else:
                return found if scopes == tokens.scopes else replace(found, scopes=scopes)
        raise refusal

    async def _profile(self, tokens: base.Tokens, scopes: tuple[str, ...]) -> base.Profile:
        tables = [tiktok_wire.PROFILE.get(scope, {}) for scope in scopes]
        fields = {name: told for table in tables for name, told in table.items()}
        data = await self._resource("GET", USER_INFO, tokens, fields)
        user = tiktok_wire.as_object(data.get("user"), "data.user")
        told = {ours: read(user.get(name)) for name, (ours, read) in fields.items()}
        told["external_id"] = tiktok_wire.same_creator(told.get("external_id"), tokens.external_id)
        told["username"] = told.get("username") or told.get("display_name") or told["external_id"]
        return base.Profile(**told)

    async def videos(self, tokens: base.Tokens, cursor: Mapping[str, Any] | None) -> base.Page:
        """A page of public videos posted before the cursor. A page may be short although more follow."""
        _need_the_list(tokens)
        before = None if cursor is None else int(cursor["before"])
        body = {"max_count": PAGE_SIZE} | ({} if before is None else {"cursor": before})
        data = await self._resource("POST", VIDEO_LIST, tokens, tiktok_wire.VIDEO, body)
        records, skipped = tiktok_wire.videos(data)
        return base.Page(records, tiktok_wire.next_cursor(data, before), skipped=skipped)

    async def still_there(self, tokens: base.Tokens, ids: Sequence[str]) -> base.Page:
        """The creator's own public videos among these ids."""
        _need_the_list(tokens)
        body = {"filters": {"video_ids": list(ids)}}
        data = await self._resource("POST", VIDEO_QUERY, tokens, tiktok_wire.VIDEO, body)
        records, skipped = tiktok_wire.videos(data)
        asked = tuple(record for record in records if record.external_id in ids)
        return base.Page(asked, None, skipped=skipped + len(records) - len(asked))

    def _credentials(self) -> dict[str, str]:
        return {"client_key": self._app.client_id, "client_secret": self._app.client_secret}

    async def _grant(self, form: Mapping[str, str], old: base.Tokens | None) -> base.Tokens:
        start = self._now()  # before the call: a token is never believed to live longer than it does
        answer = await self._http.send(
            "POST",
            self._app.api_url + TOKEN,
            endpoint=f"tiktok {TOKEN}",
            form={**self._credentials(), **form},
            refuse=lambda answer: self._refuse(answer, STATUSES),
        )
        return tiktok_wire.tokens_of(tiktok_wire.as_object(answer.body, "the token answer"), start, old)

    async def _resource(
        self,
        method: str,
        path: str,
        tokens: base.Tokens,
        fields: Iterable[str],
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """`data` of a resource. They only read, the POSTs too: safe to repeat."""
        try:
            answer = await self._http.send(
                method,
                self._app.api_url + path,
                endpoint=f"tiktok {path}",
                params={"fields": ",".join(fields)},
                json=body,
                bearer=tokens.access_token,
                repeat=True,
                before=functools.partial(self._claim, path),
                refuse=lambda answer: self._refuse(answer, RESOURCE_STATUSES),
            )
        except (base.BudgetSpent, base.Misconfigured):
            raise  # what is wrong with our app is no limit
        except base.RateLimited as failure:  # each resource has a limit of its own, which is the app's
            await self._gate.close(path, failure.retry_at or self._now() + gates.UNNAMED)
            raise
        return tiktok_wire.as_object(tiktok_wire.as_object(answer.body, "the answer").get("data"), "data")

    async def _claim(self, path: str) -> None:
        await self._gate.enter(path)
        await self._spend(path)

    def _refuse(self, answer: client.Answer, statuses: Mapping[int, type[base.Failure]]) -> None:
        """Raise what an answer means: by the body's code, whatever the status; by status where it has none.

        Except 5xx: a platform that stumbles says nothing definitive about a grant.
        """
        code, text, log_id = tiktok_wire.verdict(answer)
        if code == "ok":
            return
        kind = tiktok_wire.ERRORS.get(code) or statuses.get(answer.status, base.ProviderBug)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = base.Transient
        told = f"{text} (HTTP {answer.status})".strip()
        raise kind(code, told, retry_at=answer.retry_at(self._now()), log_id=log_id)

    async def _opens(self, tokens: base.Tokens) -> bool:
        """Whether the access token still lives; asking for a field it has no scope for tells as much."""
        try:
            await self._resource("GET", USER_INFO, tokens, ("open_id",))
        except base.AuthExpired:
            return False
        except base.ScopeMissing:
            return True
        return True

    def _may_live(self, tokens: base.Tokens) -> bool:
        """Whether the grant may outlive its access token: that one is past its time, the refresh token not."""
        now = self._now()
        expired = tokens.expires_at is None or tokens.expires_at <= now
        over = tokens.refresh_expires_at is not None and tokens.refresh_expires_at <= now
        return bool(tokens.refresh_token) and expired and not over


def _need_the_list(tokens: base.Tokens) -> None:
    if "video.list" not in tokens.scopes:
        raise base.ScopeMissing("scope_not_authorized", "video.list was not granted.")


def challenge(verifier: str) -> str:
    """PKCE as TikTok has it: the SHA-256 in lowercase hex, under the name S256."""
    return hashlib.sha256(verifier.encode("ascii")).hexdigest()
