"""Strawberry as its documentation has it: its aiohttp view, its DataLoader, asyncpg's pool."""

from typing import Any
from uuid import UUID

import asyncpg
import reads
from aiohttp import web
from common import account_of, open_pool, serve
from strawberry.aiohttp.views import GraphQLView
from strawberry.dataloader import DataLoader
from strawberry_types import SCHEMA


class Row:
    """A record whose columns are attributes."""

    __slots__ = ("_record",)

    def __init__(self, record: asyncpg.Record) -> None:
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return self._record[name]


class Reads:
    """One request's reads and loaders."""

    def __init__(self, pool: asyncpg.Pool, account: UUID) -> None:
        self.pool, self.account = pool, account
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}

    async def creator(self, id: UUID) -> Row | None:
        record = await reads.creator(self.pool, self.account, id)
        return Row(record) if record else None

    async def creators(self, *page: Any) -> list[Row]:
        return [Row(record) for record in await reads.creators(self.pool, self.account, *page)]

    async def count(self, followers: int | None) -> int:
        return await reads.count(self.pool, self.account, followers)

    def videos_loader(self, *page: Any) -> DataLoader[Any, Any]:
        return self._loader(reads.videos, page)

    def history_loader(self, *span: Any) -> DataLoader[Any, Any]:
        return self._loader(reads.history, span)

    def _loader(self, read: Any, arguments: tuple[Any, ...]) -> DataLoader[Any, Any]:
        async def load(ids: list[UUID]) -> list[list[Row]]:
            found = await read(self.pool, self.account, ids, *arguments)
            return [[Row(record) for record in records] for records in found]

        return self._loaders.setdefault((read, *arguments), DataLoader(load_fn=load))


class View(GraphQLView):
    async def get_context(self, request: web.Request, response: Any) -> Any:
        return {"reads": Reads(request.app["pool"], account_of(request))}


async def app() -> web.Application:
    made = web.Application()
    made["pool"] = await open_pool()
    made.router.add_route("*", "/graphql", View(schema=SCHEMA))
    return made


serve(app())
