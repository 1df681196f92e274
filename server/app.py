"""The composition root: builds everything once, and puts it together as one aiohttp application."""

import asyncio
import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import aiohttp
import structlog
from aiohttp import web

import resolvers
from db import migrate
from db.backends import Way
from db.session import Database, open_database
from graph import persisted
from graph.context import Services
from server import callback, connections, connectors, pages, simulated, view, webhooks, worker
from server.parts import PARTS, Parts
from server.settings import ROOT, Settings
from services import (
    access_tokens,
    anomalies,
    api_keys,
    budgets,
    callers,
    countries,
    events,
    grants,
    postgres_limits,
    rate_limits,
    redis_limits,
    shared_limits,
    signing,
    sockets,
    trusted,
    vault,
)
from services.cashier import Cashier

log = structlog.get_logger()
HINT_SECONDS = 60.0


@dataclass(frozen=True)
class House:
    """Everything that lives as long as the process; `close` ends it in order."""

    settings: Settings
    services: Services
    http: aiohttp.ClientSession
    countries: countries.Countries

    async def close(self) -> None:
        await grants.finish_refreshes()
        await self.services.cashier.close()
        await self.services.limits.close()
        await self.services.notes.close()
        await self.http.close()
        await self.services.database.close()
        self.countries.close()


async def build_house(
    settings: Settings, database: Database, *, works: bool = False, members: int = 1
) -> House:
    """Services over an open database. Raises what the settings get wrong.

    `works`: for a worker, which leaves a part of every platform's limit to the API. `members`: how many share the port.
    """
    sealed = vault.Vault.from_settings(settings.vault_keys())
    async with database.write() as session:
        await signing.ensure_key(session, sealed)
    places = countries.Countries(settings.geoip_database)
    http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    meters = budgets.Budgets(database, connectors.API_SHARE, connectors.API_PATIENCE)
    if works:
        meters = budgets.Budgets(database, connectors.WORKER_SHARE, scheduled=connectors.SCHEDULED_SHARE)
    keys = callers.Callers(database, prefix=settings.key_prefix)
    services = Services(
        database=database,
        callers=keys,
        tokens=access_tokens.AccessTokens(database, keys, issuer=settings.public),
        cashier=Cashier(database),
        notes=anomalies.Notes(database),
        limits=build_limits(settings, database, members),
        vault=sealed,
        platforms=connectors.build(settings, http, meters),
        events=events.Events(
            database, (*events.CHANNELS, api_keys.CHANNEL, signing.CHANNEL, trusted.CHANNEL)
        ),
        public_url=settings.public,
        key_prefix=settings.key_prefix,
        refuse_keys_in_browsers=settings.refuse_keys_in_browsers,
    )
    return House(settings, services, http, places)


def build_limits(settings: Settings, database: Database, members: int = 1) -> rate_limits.Limits:
    """In memory for one process; shared by several where it is set."""
    if settings.redis_url:
        store = redis_limits.RedisStore(settings.redis_url)
        elsewhere = functools.partial(postgres_limits.listeners, database)
        return shared_limits.SharedLimits(store, at_least=members, elsewhere=elsewhere)
    if settings.rate_limits == "postgres":
        return shared_limits.SharedLimits(postgres_limits.PostgresStore(database), at_least=members)
    return rate_limits.RateLimits()


async def healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 when the database answers and has the tables of this code, else 503 with the reason."""
    database = request.app[PARTS].services.database
    try:
        current = await migrate.is_current(database)
    except Exception as error:  # noqa: BLE001 -- whatever it is, we are not ready
        log.warning("not ready", reason=type(error).__name__)
        return web.json_response({"status": "database away"}, status=503, headers={"Retry-After": "1"})
    if not current:
        return web.json_response({"status": "not migrated"}, status=503, headers={"Retry-After": "1"})
    return web.json_response({"status": "ready"})


async def jwks(request: web.Request) -> web.Response:
    async with request.app[PARTS].services.database.read() as connection:
        keys = await signing.public_keys(connection)
    return web.json_response(keys, headers={"Cache-Control": "public, max-age=300"})


async def home(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/graphiql")


def create_app(house: House) -> web.Application:
    """The HTTP application over a house; closing the house is the caller's."""
    app = web.Application(middlewares=[view.identified], client_max_size=0)
    engine = resolvers.engine(compiles=house.settings.compiled)
    database = house.services.database
    app[PARTS] = Parts(
        settings=house.settings,
        services=house.services,
        engine=engine,
        countries=house.countries,
        persisted=persisted.Persisted(database, engine.documents),
        sockets=sockets.Sockets(database),
        connections=connections.Connections(),
    )
    app.add_routes(
        [
            web.route("*", "/graphql", view.graphql),
            web.get("/connect/{platform:[a-z]+}/callback", callback.callback),
            *webhooks.Webhooks(house.settings).routes(),
            web.get("/.well-known/jwks.json", jwks),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
        ]
    )
    if house.settings.graphiql:
        app.add_routes([web.get("/", home), *pages.routes(ROOT / "web" / "dist")])
    if house.settings.simulator_url is None:
        app.add_subapp("/simulators", simulated.build(house.settings, house.services))
    app.cleanup_ctx.append(_listening)
    app.on_shutdown.append(_leaving)
    return app


async def _leaving(app: web.Application) -> None:
    """Whoever stays connected would keep the process from ending."""
    await app[PARTS].connections.leave()


async def _listening(app: web.Application) -> AsyncIterator[None]:
    """Hints from other processes while the app runs."""
    parts = app[PARTS]
    services = parts.services
    async with (
        services.events.running(),
        services.limits.running(),  # after the events: who listens is counted
        parts.sockets.running(),
        parts.connections.running(),
    ):
        tasks = [
            asyncio.create_task(_forget_keys(parts), name="key hints"),
            asyncio.create_task(_forget_balances(services), name="balance hints"),
            asyncio.create_task(_forget_signing_keys(services), name="signing hints"),
            asyncio.create_task(_forget_documents(parts), name="document hints"),
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forget_keys(parts: Parts) -> None:
    """Ask anew about the keys of accounts that changed, and end what they opened; all when hints may be lost."""
    services = parts.services
    with services.events.subscribe(api_keys.CHANNEL) as hints:
        while True:
            heard = await hints.wait(HINT_SECONDS)
            for account_id in heard or ():
                services.callers.forget(UUID(account_id))
                services.cashier.purses.forget(UUID(account_id))
                await parts.connections.recheck(UUID(account_id))
            if heard is not None and not heard:
                services.callers.forget_all()
                await parts.connections.recheck()


async def _forget_balances(services: Services) -> None:
    """Look again at balances that an operator changed."""
    with services.events.subscribe(events.CREDITS) as hints:
        while True:
            heard = await hints.wait(HINT_SECONDS)
            for account_id in heard or ():
                services.cashier.purses.forget(UUID(account_id))
            if heard is not None and not heard:
                services.cashier.purses.forget_all()


async def _forget_signing_keys(services: Services) -> None:
    with services.events.subscribe(signing.CHANNEL) as hints:
        while True:
            if await hints.wait(HINT_SECONDS) is not None:
                services.tokens.forget()


async def _forget_documents(parts: Parts) -> None:
    """Look again at the documents of accounts that trust one no more."""
    with parts.services.events.subscribe(trusted.CHANNEL) as hints:
        while True:
            heard = await hints.wait(HINT_SECONDS)
            for account_id in heard or ():
                parts.persisted.forget(UUID(account_id))
            if heard is not None and not heard:
                parts.persisted.forget()


async def open_house(
    settings: Settings, address: str, *, works: Way | None = None, members: int = 1
) -> House:
    """`works`: for a worker, how far it gives way. `members`: how many share the port."""
    database = await (worker.connected(address, works) if works else open_database(address))
    try:
        return await build_house(settings, database, works=works is not None, members=members)
    except BaseException:
        await database.close()
        raise
