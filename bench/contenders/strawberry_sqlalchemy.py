"""Strawberry with SQLAlchemy's ORM and DataLoaders, as its documentation has it; asyncpg underneath."""

from datetime import datetime
from typing import Any
from uuid import UUID

from aiohttp import web
from common import DATABASE, POOL, account_of, place, serve
from sqlalchemy import ARRAY, BigInteger, DateTime, Uuid, cast, func, lateral, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from strawberry.aiohttp.views import GraphQLView
from strawberry.dataloader import DataLoader
from strawberry_types import SCHEMA


class Table(DeclarativeBase):
    type_annotation_map = {int: BigInteger, datetime: DateTime(timezone=True)}  # noqa: RUF012 -- SQLAlchemy's own form


class Creator(Table):
    __tablename__ = "creators"
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    livemode: Mapped[bool]
    platform: Mapped[str]
    username: Mapped[str]
    display_name: Mapped[str | None]
    bio: Mapped[str | None]
    verified: Mapped[bool | None]
    followers: Mapped[int | None]
    following: Mapped[int | None]
    likes: Mapped[int | None]
    views: Mapped[int | None]
    video_count: Mapped[int | None]
    engagement_rate: Mapped[float | None]
    connected_at: Mapped[datetime]
    synced_at: Mapped[datetime | None]


class Video(Table):
    __tablename__ = "videos"
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    creator_id: Mapped[UUID]
    title: Mapped[str | None]
    url: Mapped[str | None]
    views: Mapped[int | None]
    likes: Mapped[int | None]
    comments: Mapped[int | None]
    shares: Mapped[int | None]
    duration: Mapped[int | None]
    published_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]


class Point(Table):
    __tablename__ = "creator_stats"
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    creator_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    followers: Mapped[int | None]
    likes: Mapped[int | None]
    views: Mapped[int | None]


POSITIONS = {
    "CONNECTED_AT": "connected_at",
    "FOLLOWERS": "followers",
    "PUBLISHED_AT": "published_at",
    "VIEWS": "views",
}


def _key(table: Any, field: str) -> Any:
    column = getattr(table, POSITIONS[field])
    return func.coalesce(column, -1) if field in {"FOLLOWERS", "VIEWS"} else column


def _sorted(table: Any, field: str, direction: str) -> tuple[Any, Any]:
    columns = (_key(table, field), table.id)
    return tuple(column.desc() if direction == "DESC" else column.asc() for column in columns)


def _positioned(rows: Any, field: str) -> list[Any]:
    """Each row with what its cursor holds."""
    found = list(rows)
    for row in found:
        value = getattr(row, POSITIONS[field])
        row.position = -1 if value is None else value
    return found


class Reads:
    """One request's session, reads and loaders. A session serves one statement at a time, so each read opens one."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], account: UUID) -> None:
        self.sessions, self.account = sessions, account
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}

    async def creator(self, id: UUID) -> Creator | None:
        async with self.sessions() as session:
            return await session.get(Creator, (self.account, id))

    async def creators(
        self, first: int, after: str | None, followers: int | None, field: str, direction: str
    ) -> list[Creator]:
        query = select(Creator).where(Creator.account_id == self.account, Creator.livemode)
        if followers is not None:
            query = query.where(Creator.followers >= followers)
        if stands := place(after):
            value: Any = int(stands[0]) if field == "FOLLOWERS" else datetime.fromisoformat(stands[0])
            here, there = tuple_(_key(Creator, field), Creator.id), tuple_(value, stands[1])
            query = query.where(here < there if direction == "DESC" else here > there)
        query = query.order_by(*_sorted(Creator, field, direction)).limit(first + 1)
        async with self.sessions() as session:
            return _positioned(await session.scalars(query), field)

    async def count(self, followers: int | None) -> int:
        query = select(func.count()).where(Creator.account_id == self.account, Creator.livemode)
        if followers is not None:
            query = query.where(Creator.followers >= followers)
        async with self.sessions() as session:
            return await session.scalar(query) or 0

    def videos_loader(self, *page: Any) -> DataLoader[Any, Any]:
        async def load(ids: list[UUID]) -> list[list[Video]]:
            return await self._videos(ids, *page)

        return self._loaders.setdefault(("videos", *page), DataLoader(load_fn=load))

    def history_loader(self, *span: Any) -> DataLoader[Any, Any]:
        async def load(ids: list[UUID]) -> list[list[Point]]:
            return await self._history(ids, *span)

        return self._loaders.setdefault(("history", *span), DataLoader(load_fn=load))

    async def _videos(
        self, ids: list[UUID], first: int, views: int | None, field: str, direction: str
    ) -> list[list[Video]]:
        wanted = func.unnest(cast(ids, ARRAY(Uuid))).table_valued("id", name="c").render_derived()
        page = select(Video).where(
            Video.account_id == self.account, Video.creator_id == wanted.c.id, Video.gone_at.is_(None)
        )
        if views is not None:
            page = page.where(Video.views >= views)
        inner = lateral(page.order_by(*_sorted(Video, field, direction)).limit(first + 1))
        found = aliased(Video, inner)
        async with self.sessions() as session:
            rows = await session.scalars(select(found).select_from(wanted).join(inner, true()))
            return _grouped(_positioned(rows, field), ids)

    async def _history(self, ids: list[UUID], start: datetime, end: datetime) -> list[list[Point]]:
        query = (
            select(Point)
            .where(
                Point.account_id == self.account, Point.creator_id.in_(ids), Point.at >= start, Point.at < end
            )
            .order_by(Point.creator_id, Point.at)
        )
        async with self.sessions() as session:
            return _grouped(await session.scalars(query), ids)


def _grouped(rows: Any, ids: list[UUID]) -> list[list[Any]]:
    found: dict[UUID, list[Any]] = {id: [] for id in ids}
    for row in rows:
        found[row.creator_id].append(row)
    return [found[id] for id in ids]


class View(GraphQLView):
    async def get_context(self, request: web.Request, response: Any) -> Any:
        return {"reads": Reads(request.app["sessions"], account_of(request))}


async def app() -> web.Application:
    engine = create_async_engine(
        DATABASE.replace("postgresql:", "postgresql+asyncpg:"),
        pool_size=POOL,
        max_overflow=0,
        connect_args={"server_settings": {"timezone": "UTC"}},
    )
    made = web.Application()
    made["sessions"] = async_sessionmaker(engine, expire_on_commit=False)
    made.router.add_route("*", "/graphql", View(schema=SCHEMA))
    return made


serve(app())
