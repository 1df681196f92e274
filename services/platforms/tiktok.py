"""TikTok (Login Kit for Web, Display API v2), as TikTok documents it in 2026.

The tables say what TikTok calls things; the class walks them. The same code serves live and test mode:
only the `base.App` differs. oauthlib makes the verifier; TikTok bends the rest of OAuth (client_key,
comma scopes, hex PKCE, errors at HTTP 200), and oauthlib refuses the simulator's plain HTTP.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib import parse

from oauthlib import oauth2

from services.platforms import base, client, values

Reader: TypeAlias = Callable[[Any], Any]

SCOPES = ("user.info.basic", "user.info.profile", "user.info.stats", "video.list")

AUTHORIZE = "/v2/auth/authorize/"
TOKEN = "/v2/oauth/token/"  # noqa: S105 -- a path; without the last slash it is another one
REVOKE = "/v2/oauth/revoke/"
USER_INFO = "/v2/user/info/"
VIDEO_LIST = "/v2/video/list/"

PAGE_SIZE = 20
TITLE_LIMIT = 150
VERIFIER_LENGTH = 64
CODE_LIMIT = 2048

# scope -> TikTok's field -> (Profile's field, reader). A field without its scope is an error at TikTok.
PROFILE: Mapping[str, Mapping[str, tuple[str, Reader]]] = {
    "user.info.basic": {
        "open_id": ("external_id", values.text),
        "display_name": ("display_name", values.text),
        "avatar_url": ("avatar_url", values.url),
    },
    "user.info.profile": {
        "username": ("username", values.text),
        "bio_description": ("bio", values.text),
        "profile_deep_link": ("profile_url", values.url),
        "is_verified": ("verified", values.flag),
    },
    "user.info.stats": {
        "follower_count": ("followers", values.count),
        "following_count": ("following", values.count),
        "likes_count": ("likes", values.count),
        "video_count": ("video_count", values.count),
    },
}

# TikTok's field -> (VideoRecord's field, reader). A counter that is missing stays None: it is not 0.
VIDEO: Mapping[str, tuple[str, Reader]] = {
    "id": ("external_id", values.text),
    "create_time": ("published_at", values.moment),  # seconds, where the cursor is milliseconds
    "title": ("title", lambda value: values.text(value, TITLE_LIMIT)),
    "video_description": ("description", values.text),
    "share_url": ("url", values.url),
    "cover_image_url": ("cover_url", values.url),  # dies after 6 hours
    "duration": ("duration", values.count),
    "view_count": ("views", values.count),
    "like_count": ("likes", values.count),
    "comment_count": ("comments", values.count),
    "share_count": ("shares", values.count),
}

# Only invalid_grant is the grant's own death. What is wrong with our app (invalid_client) is wrong for
# every creator at once and must not make them all reconnect.
ERRORS: Mapping[str, type[base.Failure]] = {
    # the token endpoint
    "access_denied": base.Denied,
    "invalid_grant": base.ReconnectRequired,
    "invalid_client": base.ProviderBug,
    "invalid_request": base.ProviderBug,
    "invalid_scope": base.ProviderBug,
    "unauthorized_client": base.ProviderBug,
    "unsupported_grant_type": base.ProviderBug,
    "unsupported_response_type": base.ProviderBug,
    "server_error": base.Transient,
    "temporarily_unavailable": base.Transient,
    # resources
    "access_token_invalid": base.AuthExpired,
    "scope_not_authorized": base.ScopeMissing,
    "scope_permission_missed": base.ScopeMissing,
    "invalid_params": base.ProviderBug,
    "invalid_file_upload": base.ProviderBug,
    "rate_limit_exceeded": base.RateLimited,
    "internal_error": base.Transient,
}

# What the browser may bring back; anything else is a mistake of ours, or somebody's invention.
CALLBACK_ERRORS: Mapping[str, type[base.Failure]] = {
    "access_denied": base.Denied,
    "server_error": base.Transient,
    "temporarily_unavailable": base.Transient,
}

# For codes nobody documented. A 401 from the token endpoint speaks of our app, not of an access token.
STATUSES: Mapping[int, type[base.Failure]] = {
    HTTPStatus.REQUEST_TIMEOUT: base.Transient,
    HTTPStatus.TOO_MANY_REQUESTS: base.RateLimited,
}
RESOURCE_STATUSES = {**STATUSES, HTTPStatus.UNAUTHORIZED: base.AuthExpired}


class TikTok:
    """One TikTok app in one world; implements `base.Connector`."""

    platform = "TIKTOK"

    def __init__(
        self,
        app: base.App,
        http: client.Client,
        *,
        scopes: tuple[str, ...] = SCOPES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.scopes = scopes
        self._app, self._http, self._now = app, http, now

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
        """The code, or what TikTok said instead. `scopes` here is ignored: the token answer is the truth."""
        told = base.singly(query)
        if "error" in told:
            word = values.code(told["error"]) or "unrecognized"
            raise CALLBACK_ERRORS.get(word, base.ProviderBug)(
                word, values.message(told.get("error_description"))
            )
        code = told.get("code", "")
        if not 0 < len(code) <= CODE_LIMIT:
            raise base.ProviderBug("no_code", "The callback brought no usable code.")
        return code

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
        fresh = await self._grant(
            {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}, tokens
        )
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
        except (base.ReconnectRequired, base.AuthExpired) as failure:
            if self._may_live(tokens):
                raise base.AuthExpired(failure.code, failure.message, log_id=failure.log_id) from failure
            return False
        return True

    async def profile(self, tokens: base.Tokens) -> base.Profile:
        """The creator, as far as the granted scopes tell."""
        fields = {name: to for scope in tokens.scopes for name, to in PROFILE.get(scope, {}).items()}
        if not fields:
            raise base.ScopeMissing("scope_not_authorized", "No user.info scope was granted.")
        data = await self._resource("GET", USER_INFO, tokens, fields)
        user = _object(data.get("user"), "data.user")
        told = {ours: read(user.get(name)) for name, (ours, read) in fields.items()}
        told["external_id"] = _same(told.get("external_id"), tokens.external_id)
        told["username"] = told.get("username") or told.get("display_name") or told["external_id"]
        return base.Profile(**told)

    async def videos(self, tokens: base.Tokens, cursor: Mapping[str, Any] | None) -> base.Page:
        """A page of public videos posted before the cursor. A page may be short although more follow."""
        if "video.list" not in tokens.scopes:
            raise base.ScopeMissing("scope_not_authorized", "video.list was not granted.")
        before = None if cursor is None else int(cursor["before"])
        body = {"max_count": PAGE_SIZE} | ({} if before is None else {"cursor": before})
        data = await self._resource("POST", VIDEO_LIST, tokens, VIDEO, body)
        entries = data.get("videos") or []
        if not isinstance(entries, list):
            raise base.ProviderBug("bad_shape", "data.videos is not a list.")
        records = [record for record in map(_video, entries) if record is not None]
        return base.Page(tuple(records), _next(data, before), skipped=len(entries) - len(records))

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
        return _tokens(_object(answer.body, "the token answer"), start, old)

    async def _resource(
        self,
        method: str,
        path: str,
        tokens: base.Tokens,
        fields: Iterable[str],
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """`data` of a resource. Both resources only read, the POST too: safe to repeat."""
        answer = await self._http.send(
            method,
            self._app.api_url + path,
            endpoint=f"tiktok {path}",
            params={"fields": ",".join(fields)},
            json=body,
            bearer=tokens.access_token,
            repeat=True,
            refuse=lambda answer: self._refuse(answer, RESOURCE_STATUSES),
        )
        return _object(answer.body.get("data") if isinstance(answer.body, dict) else None, "data")

    def _refuse(self, answer: client.Answer, statuses: Mapping[int, type[base.Failure]]) -> None:
        """Raise what an answer means: by the body's code, whatever the status; by status where it has none.

        Except 5xx: a platform that stumbles says nothing definitive about a grant.
        """
        code, text, log_id = _verdict(answer)
        if code == "ok":
            return
        kind = ERRORS.get(code) or statuses.get(answer.status, base.ProviderBug)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = base.Transient
        told = f"{text} (HTTP {answer.status})".strip()
        if kind is base.RateLimited:
            raise base.RateLimited(code, told, retry_at=answer.retry_at(self._now()), log_id=log_id)
        raise kind(code, told, log_id=log_id)

    def _may_live(self, tokens: base.Tokens) -> bool:
        """Whether the grant may outlive its access token: that one is past its time, the refresh token not."""
        now = self._now()
        expired = tokens.expires_at is None or tokens.expires_at <= now
        over = tokens.refresh_expires_at is not None and tokens.refresh_expires_at <= now
        return bool(tokens.refresh_token) and expired and not over


def challenge(verifier: str) -> str:
    """PKCE as TikTok has it: the SHA-256 in lowercase hex, under the name S256."""
    return hashlib.sha256(verifier.encode("ascii")).hexdigest()


def _verdict(answer: client.Answer) -> tuple[str, str, str | None]:
    """(code, message, log id) of both shapes, flat from the token endpoint and nested from resources.

    "ok" only with a status that agrees.
    """
    body = answer.body if isinstance(answer.body, dict) else {}
    error = body.get("error")
    flat = {"code": error, "message": body.get("error_description"), "log_id": body.get("log_id")}
    told = error if isinstance(error, dict) else flat
    code = "ok" if error is None else values.code(told.get("code")) or "unrecognized"
    if code == "ok" and answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        code = f"http_{answer.status}"
    return code, values.message(told.get("message")), values.code(told.get("log_id"))


def _tokens(body: Mapping[str, Any], start: datetime, old: base.Tokens | None) -> base.Tokens:
    """The token answer; what a refresh leaves out stays as it was, above all the refresh token."""
    access = values.token(body.get("access_token"))
    if access is None:
        raise base.ProviderBug("no_access_token", "The token answer has no usable access token.")
    refresh = values.token(body.get("refresh_token"))
    refresh_end = values.end(start, body.get("refresh_expires_in"))
    if old is not None and refresh is None:
        refresh, refresh_end = old.refresh_token, refresh_end or old.refresh_expires_at
    return base.Tokens(
        access_token=access,
        refresh_token=refresh,
        expires_at=values.end(start, body.get("expires_in")),
        refresh_expires_at=refresh_end,
        scopes=_scopes(body.get("scope"), old),
        external_id=values.text(body.get("open_id")) or (old.external_id if old else None),
    )


def _scopes(granted: Any, old: base.Tokens | None) -> tuple[str, ...]:
    """What was granted, which may be less than was asked; comma-separated, spaces tolerated."""
    if isinstance(granted, str):
        return tuple(dict.fromkeys(scope for scope in re.split(r"[,\s]+", granted) if scope))
    if old is None:
        raise base.ProviderBug("no_scope", "The token answer does not say what was granted.")
    return old.scopes


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise base.ProviderBug("bad_shape", f"{what} is not an object.")
    return value


def _same(told: str | None, known: str | None) -> str:
    """The creator's open_id. Another creator's data behind this one's token must not be stored."""
    if told is not None and known is not None and told != known:
        raise base.ProviderBug("open_id_changed", "The profile is another creator's.")
    open_id = told or known
    if open_id is None:
        raise base.ProviderBug("no_open_id", "The profile names no open_id.")
    return open_id


def _video(entry: Any) -> base.VideoRecord | None:
    """One video; None when it lacks what a video cannot be without: an id and a time."""
    if not isinstance(entry, dict):
        return None
    told = {ours: read(entry.get(name)) for name, (ours, read) in VIDEO.items()}
    if told["external_id"] is None or told["published_at"] is None:
        return None
    return base.VideoRecord(kind="VIDEO", **told)


def _next(data: Mapping[str, Any], before: int | None) -> dict[str, Any] | None:
    """The next cursor; None only when TikTok says so. One that does not fall would walk in a circle."""
    more = data.get("has_more")
    if more is False:
        return None
    cursor = values.count(data.get("cursor"))
    if more is not True or cursor is None:
        raise base.ProviderBug("bad_shape", "data.has_more or data.cursor is missing.")
    if before is not None and cursor >= before:
        raise base.ProviderBug("cursor_not_falling", "data.cursor did not fall.")
    return {"before": cursor}
