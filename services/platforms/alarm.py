"""What the operator must hear of: our own app is refused, so every creator of the platform waits."""

import time

import structlog

EVERY_SECONDS = 600.0

log = structlog.get_logger(__name__)
_TOLD: dict[tuple[str, str | None, str], float] = {}


def misconfigured(endpoint: str, host: str | None, code: str) -> None:
    """Log it as an error, the same not more often than every ten minutes a process.

    Names the platform, its host (live or test) and its code; nothing of a creator, nothing secret.
    """
    platform, now = endpoint.partition(" ")[0].upper(), time.monotonic()
    told = _TOLD.get((platform, host, code))
    if told is not None and now - told < EVERY_SECONDS:
        return
    _TOLD[platform, host, code] = now
    log.error("platform.misconfigured", platform=platform, host=host, code=code)
