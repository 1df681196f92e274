"""What a sync does: read the creator, then the videos page by page, in slices that survive their worker.

A slice is a job: some pages or seconds, each page and the cursor behind it in one transaction, no transaction
open while the platform is asked. Whoever takes a slice raises the sync's fence; older takers write nothing.
What a whole walk did not meet is asked for by its id before it is gone: `unseen`.
"""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.away import is_away
from db.session import Database, raw
from services import budgets, errors, events, grants, jobs, lookback, sync_store, sync_values, unseen, waits
from services.platforms import base, registry
from services.vault import Vault

PAGES_A_SLICE = 10
SECONDS_A_SLICE = 20.0
MOST_FAILURES = 8
MOST_PAGES, MOST_PAGES_UNCOUNTED = 2_000, 20_000
"""A platform whose pages never end ends here, or after as many pages as it says that there are videos."""

WITHHELD = "Some counters of {} videos fail at the platform, which tells the others': they stay as last read."
REREAD_SECONDS = 2.0
DATABASE_WAIT = 5.0

ENDED = frozenset({"SUCCEEDED", "PARTIAL", "FAILED", "CANCELED"})
AWAITED = frozenset({"MANUAL", "CONNECT"})
"""Triggers behind which somebody waits: their jobs go first."""

# Of the tokens that were asked with: a reconnect may have granted more meanwhile.
NARROW = """
update grants set scopes = $5 where account_id = $1 and livemode = $2 and creator_id = $3 and version = $4
"""

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Requested:
    """The open sync of a creator; `joined` when it was there before."""

    sync_id: UUID
    joined: bool


async def request(
    session: AsyncSession, account_id: UUID, livemode: bool, creator_id: UUID, trigger: str
) -> Requested:
    """Open a sync, its first job in the same transaction; or join the one that is open.

    Where somebody waits (AWAITED), the joined one goes first from now on and reads every video, as an own one would.
    Raises NotFound when there is no such creator (any more).
    """
    connection = await raw(session)
    whose = (account_id, livemode, creator_id)
    if await connection.fetchval(sync_store.KNOWN, *whose) is None:
        raise errors.NotFound("creator")
    awaited = trigger in AWAITED
    for _ in range(3):
        sync_id = await connection.fetchval(sync_store.OPEN, *whose, trigger, awaited)
        if sync_id is not None:
            priority = jobs.priority(awaited)
            await jobs.enqueue(
                session, jobs.SYNC_SLICE, *job(account_id, livemode, sync_id, 0), priority=priority
            )
            return Requested(sync_id, joined=False)
        joined = await connection.fetchrow(sync_store.JOIN_AWAITED if awaited else sync_store.JOIN, *whose)
        if joined is not None:
            if awaited:
                await jobs.hasten(connection, job(account_id, livemode, *joined)[1])
            return Requested(joined["id"], joined=True)
    raise errors.Conflict("A sync of this creator is just ending.", remedy="Try again.")


async def wait_until_ended(
    database: Database,
    listener: events.Events,
    *,
    account_id: UUID,
    livemode: bool,
    sync_id: UUID,
    seconds: float,
) -> bool:
    """Whether the sync ended within the time; gone counts as ended."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    with listener.subscribe(events.SYNC, str(sync_id)) as hints:
        while True:
            async with database.read() as connection:
                status = await connection.fetchval(sync_store.STATUS, account_id, livemode, sync_id)
            left = end - loop.time()
            if status is None or status in ENDED or left <= 0:
                return status is None or status in ENDED
            await hints.wait(min(left, REREAD_SECONDS))


def job(account_id: UUID, livemode: bool, sync_id: UUID, number: int) -> tuple[Mapping[str, Any], str]:
    """Payload and key of a slice's job: ids only, nothing of the person."""
    payload = {
        "account_id": str(account_id),
        "livemode": livemode,
        "sync_id": str(sync_id),
        "slice": number,
    }
    return payload, f"{sync_id}:{number}"


async def run_slice(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    payload: Mapping[str, Any],
    *,
    stop: asyncio.Event | None = None,
) -> timedelta | None:
    """Read one slice. None: done, or not ours any more; else how long to wait before it is tried again."""
    try:
        return await _run(database, vault, platforms, payload, stop or asyncio.Event())
    except Exception as error:
        if not is_away(error):
            raise
        log.warning("sync.database_away", sync=payload["sync_id"], kind=type(error).__name__)
        return timedelta(seconds=DATABASE_WAIT * (0.5 + random.random()))  # noqa: S311 -- spreads, hides nothing


async def _run(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    payload: Mapping[str, Any],
    stop: asyncio.Event,
) -> timedelta | None:
    whose = UUID(payload["account_id"]), payload["livemode"], UUID(payload["sync_id"])
    async with database.write() as session:
        connection = await raw(session)
        run = await sync_store.take(connection, vault, *whose, payload["slice"])
        if run is None:
            early: timedelta | None = await connection.fetchval(sync_store.EARLY, *whose, payload["slice"])
            return early
    slice_ = _Slice(database, vault, platforms, run, stop)
    try:
        with budgets.spending(awaited=run.awaited):
            return await slice_.read()
    except sync_store.Superseded:
        log.info("sync.superseded", sync=str(run.id), slice=run.slice, fence=run.fence)
        return None


@dataclass
class _Slice:
    """One taker's walk over some pages."""

    database: Database
    vault: Vault
    platforms: registry.Platforms
    run: sync_store.Run
    stop: asyncio.Event
    held: grants.Held | None = field(default=None, init=False, repr=False)
    stored: int = field(init=False)

    def __post_init__(self) -> None:
        self.stored = self.run.pages

    async def read(self) -> timedelta | None:
        if self.run.failures > MOST_FAILURES:
            await self._end("INTERNAL", f"The reading stopped {MOST_FAILURES} times without progress.")
            return None
        try:
            connector = self.platforms.connector(self.run.platform, self.run.livemode)
            if not self.run.begun:
                await self._profile(await self._ask(connector.profile))
            await self._pages(connector)
        except errors.PlatformError as refusal:
            await self._end(str(refusal.extra.get("reason", refusal.code)), refusal.message)
        except base.Failure as failure:
            return await self._failed(failure)
        return None

    async def _pages(self, connector: base.Connector) -> None:
        loop = asyncio.get_running_loop()
        end, most = loop.time() + SECONDS_A_SLICE, self.run.pages + PAGES_A_SLICE
        cursor, asked, skipped, pages = self.run.cursor, self.run.asked, self.run.skipped, self.run.pages
        withheld = self.run.withheld
        while True:
            page, asked = await self._page(connector, cursor, asked)
            cursor, pages = page.cursor, pages + 1
            storable = tuple(video for video in page.videos if sync_values.is_storable(video))
            skipped += page.skipped + len(page.videos) - len(storable)
            withheld += page.withheld
            pause = waits.until(page.slow_down)
            over = pages >= most or loop.time() >= end or self.stop.is_set() or bool(pause)
            saved = {
                "next": cursor, "skipped": skipped, "withheld": withheld, "pages": pages, "asked": asked,
            }  # fmt: skip
            if await self._store(storable, saved, over=over, pause=pause) or over:
                return

    async def _page(
        self, connector: base.Connector, cursor: Mapping[str, Any] | None, asked: str | None
    ) -> tuple[base.Page, str | None]:
        """The walk's next page, or behind its end what it did not meet; and up to which id that was asked for."""
        if asked is None:
            page = await self._ask(functools.partial(_videos, connector, cursor))
            return page, None if page.cursor is not None else unseen.BEGINNING
        async with self.database.read() as connection:
            ids = await unseen.ahead(
                connection,
                self.run.walk,
                behind=asked,
                most=connector.most_ids,
                shows_newest=connector.shows_newest,
            )
        if not ids:
            return base.Page((), None), asked
        return await self._ask(functools.partial(_still_there, connector, ids)), ids[-1]

    async def _store(
        self,
        videos: tuple[base.VideoRecord, ...],
        saved: Mapping[str, Any],
        *,
        over: bool,
        pause: timedelta | None,
    ) -> bool:
        """A page, and in its transaction what follows: the end, the next slice's job, or nothing.

        True: the walk is over, far enough back or at the last video, and nothing that it did not meet is unasked.
        """
        run = self.run
        async with self.database.write() as session:
            connection = await raw(session)
            standing = await sync_store.hold(connection, run, self.stored)
            behind = saved["next"] is not None and lookback.is_behind(videos, standing.back_to)
            walked = behind or saved["next"] is None
            await sync_store.write_page(connection, run, videos, {**saved, "next": None} if behind else saved)
            asking = walked and not behind and await self._is_unasked(connection, saved)
            walked = walked and not asking
            if walked:
                await self._finish_walk(connection, saved, standing.back_to if behind else None)
            elif not asking and saved["pages"] >= _most_pages(standing.video_count):
                error = ("ENDLESS", "The platform's pages do not end.")
                await sync_store.finish(connection, run, "PARTIAL", walked=False, error=error)
                walked = True
            elif over:
                slice_ = await connection.fetchval(sync_store.NEXT_SLICE, *run.key)
                following = job(run.account_id, run.livemode, run.id, slice_)
                first = jobs.priority(standing.awaited)
                await jobs.enqueue(session, jobs.SYNC_SLICE, *following, priority=first, delay=pause)
        self.stored = saved["pages"]
        return walked

    async def _is_unasked(self, connection: Any, saved: Mapping[str, Any]) -> bool:
        """Whether something stands to be marked as gone of which the platform was not asked yet."""
        if saved["skipped"]:
            return False
        shows = self.platforms.connector(self.run.platform, self.run.livemode).shows_newest
        return bool(
            await unseen.ahead(connection, self.run.walk, behind=saved["asked"], most=1, shows_newest=shows)
        )

    async def _finish_walk(self, connection: Any, saved: Mapping[str, Any], back_to: datetime | None) -> None:
        """`back_to`: where the walk stopped by itself; None: at the last video."""
        finish = functools.partial(sync_store.finish, connection, self.run, walked=True, back_to=back_to)
        if saved["skipped"]:
            error = ("SKIPPED", f"{saved['skipped']} items could not be read; nothing was marked as gone.")
            await finish("PARTIAL", error=error)
            return
        shows = self.platforms.connector(self.run.platform, self.run.livemode).shows_newest
        told = ("WITHHELD", WITHHELD.format(saved["withheld"])) if saved["withheld"] else None
        await finish("SUCCEEDED", error=told, shows_newest=shows)

    async def _profile(self, profile: base.Profile) -> None:
        run = self.run
        back_to = lookback.back_to(run.trigger, run.read_deep_at, run.read_whole_at, datetime.now(UTC))
        async with self.database.write() as session:
            connection = await raw(session)
            standing = await sync_store.hold(connection, self.run, self.stored)
            if profile.scopes is not None and self.held is not None:
                await connection.execute(NARROW, *run.creator, self.held.version, list(profile.scopes))
            await sync_store.write_profile(connection, run, profile, None if standing.awaited else back_to)

    async def _ask(self, call: Callable[[base.Tokens], Awaitable[T]]) -> T:
        """A platform call with living tokens; refused ones are refreshed once, then the grant is dead."""
        held = await self._tokens()
        try:
            return await call(held.tokens)
        except base.AuthExpired:
            pass
        self.held = held = await grants.renewed(
            self.database, self.vault, self.platforms, held.whose, held.version
        )
        try:
            return await call(held.tokens)
        except base.AuthExpired as failure:
            raise base.ReconnectRequired(failure.code, failure.message) from failure

    async def _tokens(self) -> grants.Held:
        now = datetime.now(UTC)
        connector = self.platforms.connector(self.run.platform, self.run.livemode)
        if self.held is None or self.held.is_stale(now, connector.refresh_before):
            whose = grants.Whose(*self.run.creator)
            self.held = await grants.tokens_for(self.database, self.vault, self.platforms, whose, now=now)
        return self.held

    async def _failed(self, failure: base.Failure) -> timedelta | None:
        """What a failure means: wait and come again, or the end of this sync."""
        log.info(
            "sync.failed", sync=str(self.run.id), kind=type(failure).__name__, code=failure.code,
            log_id=failure.log_id,
        )  # fmt: skip
        failure = await self._judged(failure)
        told = registry.explain(self.run.platform, failure)
        code = str(told.extra.get("reason", told.code))
        again = None if self._is_stuck(failure) else waits.until_again(failure, self.run)
        if again is not None:
            await self._put_off(code, told.message, again, throttled=isinstance(failure, base.RateLimited))
            return again
        await self._end(code, told.message)
        return None

    async def _judged(self, failure: base.Failure) -> base.Failure:
        """A definitive refusal of tokens that nobody has judged yet. One of a wave is only trouble, and one of tokens

        that were replaced meanwhile (the creator connected again) says nothing about the new ones.
        """
        judged = isinstance(failure, grants.Dead) or self.held is None
        if judged or not isinstance(failure, base.ReconnectRequired):
            return failure
        assert self.held is not None
        try:
            buried = await grants.judge(self.database, self.held)
        except base.Transient as wave:
            return wave
        if not buried and await grants.has_moved_on(self.database, self.vault, self.held):
            return base.Transient("grant_moved", "There are newer tokens than those that were refused.")
        return failure

    def _is_stuck(self, failure: base.Failure) -> bool:
        return isinstance(failure, base.Transient) and self.run.failures >= MOST_FAILURES

    async def _put_off(self, code: str, message: str, again: timedelta, *, throttled: bool) -> None:
        async with self.database.write() as session:
            connection = await raw(session)
            await sync_store.hold(connection, self.run, self.stored)
            await connection.execute(sync_store.PUT_OFF, *self.run.key, code, message, again, throttled)

    async def _end(self, code: str, message: str) -> None:
        """End early: PARTIAL when something was read, else FAILED. Nothing is marked as gone."""
        async with self.database.write() as session:
            connection = await raw(session)
            await sync_store.hold(connection, self.run, self.stored)
            seen = await connection.fetchval(sync_store.SEEN, *self.run.key)
            some = code == "SCOPE_MISSING" or (seen and code != "RECONNECT_REQUIRED")
            status = "PARTIAL" if some else "FAILED"
            await sync_store.finish(connection, self.run, status, walked=False, error=(code, message))


def _most_pages(video_count: int | None) -> int:
    """Pages may be short, but one a video is enough. That they go in no circle, the connectors see to."""
    return MOST_PAGES_UNCOUNTED if video_count is None else max(MOST_PAGES, video_count)


def _videos(
    connector: base.Connector, cursor: Mapping[str, Any] | None, tokens: base.Tokens
) -> Awaitable[base.Page]:
    return connector.videos(tokens, cursor)


def _still_there(connector: base.Connector, ids: Sequence[str], tokens: base.Tokens) -> Awaitable[base.Page]:
    return connector.still_there(tokens, ids)
