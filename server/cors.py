"""Pages of other origins: those the settings name, exactly. Never with cookies: there are none."""

from collections.abc import MutableMapping

from aiohttp import web

METHODS = "GET, POST"
TAKES = (
    "Accept, Authorization, Content-Type, Idempotency-Key, X-API-Key, X-Credits-Max, X-Credits-Quote, "
    "X-Credits-Receipt, X-Request-Id, "
    # What Apollo Client says of itself, and of the page, where that is given a name: read by nobody here.
    "Apollo-Require-Preflight, apollographql-client-name, apollographql-client-version, "
    "apollographql-library-name, apollographql-library-version"
)
SHOWS = (
    "Idempotent-Replayed, RateLimit, RateLimit-Policy, Retry-After, Warning, X-Credits-Charged, X-Credits-Limit, "
    "X-Credits-Remaining, X-Credits-Reset, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id"
)
KEPT_SECONDS = "600"


def headers(request: web.Request, origins: frozenset[str]) -> dict[str, str]:
    """What tells a browser that this page may read the answer; nothing for any other."""
    origin = request.headers.get("Origin")
    if origin not in origins:
        return {}
    return {"Access-Control-Allow-Origin": str(origin), "Access-Control-Expose-Headers": SHOWS}


def tell(answer: MutableMapping[str, str], request: web.Request, origins: frozenset[str]) -> None:
    """Whether this page may read the answer; to who keeps it, that another page's may be told otherwise."""
    answer.update(headers(request, origins))
    vary = answer.get("Vary")
    if "Origin" not in (vary or ""):
        answer["Vary"] = f"{vary}, Origin" if vary else "Origin"


def preflight(request: web.Request, origins: frozenset[str]) -> web.Response:
    """The answer to a browser that asks before it sends."""
    allowed = {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": TAKES,
        "Access-Control-Max-Age": KEPT_SECONDS,
    }
    known = headers(request, origins)
    vary = {"Vary": "Origin", "Allow": "GET, POST, OPTIONS"}
    return web.Response(status=204, headers=known | allowed | vary if known else vary)
