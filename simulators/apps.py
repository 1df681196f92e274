"""The developer's side: registered apps and how long what they get lives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Redirects = Callable[[str], Awaitable[bool]]
"""Whether a redirect URI is registered."""


def exactly(*uris: str) -> Redirects:
    """These, and no other."""

    async def allowed(uri: str) -> bool:
        return uri in uris

    return allowed


@dataclass(frozen=True, slots=True)
class App:
    """One app registered at the simulated platform.

    `redirect_allowed` is the exact match against the registered redirect URIs, made by the caller.
    `pkce_required` makes it a desktop app (TikTok's login-kit-desktop); `webhook_url` receives its events, if given.
    """

    client_key: str
    client_secret: str
    name: str
    redirect_allowed: Redirects
    pkce_required: bool = False
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds that an access token, a refresh token and an authorization code live."""

    access: int
    refresh: int
    code: int = 600


# TikTok's oauth-user-access-token-management: what the documents of November 2026 say, and what the older page says.
PROFILES = {
    "tiktok-2026-11": Lifetimes(access=7_200, refresh=15_552_000),
    "tiktok-legacy": Lifetimes(access=86_400, refresh=31_536_000),
}
