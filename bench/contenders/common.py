"""What the Python contenders share: settings, cursors of value and id, and aiohttp on uvloop."""

import base64
import os
from datetime import datetime
from uuid import UUID

import asyncpg
import uvloop
from aiohttp import web

DATABASE = os.environ["BENCH_DATABASE"]
POOL = int(os.environ["BENCH_POOL"])
PORT = int(os.environ["BENCH_PORT"])


async def open_pool() -> asyncpg.Pool:
    """A pool as everybody makes it."""
    return await asyncpg.create_pool(
        DATABASE, min_size=POOL, max_size=POOL, server_settings={"timezone": "UTC"}
    )


def account_of(request: web.Request) -> UUID:
    return UUID(request.headers["X-Account"])


def crt(id: UUID) -> str:
    return f"crt_{id.hex}"


def vid(id: UUID) -> str:
    return f"vid_{id.hex}"


def uuid_of(text: str) -> UUID:
    return UUID(text.partition("_")[2])


def cursor(value: datetime | int, id: UUID) -> str:
    told = value.isoformat() if isinstance(value, datetime) else str(value)
    return base64.b64encode(f"{told}|{id.hex}".encode()).decode()


def place(after: str | None) -> tuple[str, UUID] | None:
    """The value, as text, and the id that a cursor tells."""
    if after is None:
        return None
    value, _, id = base64.b64decode(after).decode().partition("|")
    return value, UUID(id)


def serve(app: web.Application) -> None:
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=PORT, access_log=None, print=None)
