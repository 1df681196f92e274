"""The whole service over loopback HTTP: real database, real house, real worker, and the simulated platforms.

Tests speak to it as partners and browsers do. What they cannot do from outside (break a platform, read the
tables) goes through `Service.world` and `Service.rows`.
"""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import asyncpg
import pytest
import stamina
import yarl

import simulators
from server import app as composition
from server import opening, processes, simulated, worker
from server.settings import Settings
from services import accounts, api_keys, jobs, key_terms
from tests import periodics, ports
from tests.acceptance import patience

RETURN = "https://partner.example/done"
OWN = "https://partner.example/oauth"
PKCE = ("user.info.basic", "user.info.profile", "user.info.stats", "video.list")
ENDED = {"SUCCEEDED", "PARTIAL", "FAILED", "CANCELED"}

CONNECT = (
    "mutation($input: ConnectCreatorInput!) { connectCreator(input: $input) { authUrl state expiresAt } }"
)
ATTEMPT = """query($state: String!) { connectAttempt(state: $state) {
  status platform creator { id username } sync { id status } error { code message } expiresAt } }"""
SYNC = """query($id: ID!) { sync(id: $id) {
  id status trigger progress videosSeen videosAdded videosUpdated attempts error { code } finishedAt } }"""
DISCONNECT = """mutation($id: ID!) { disconnectCreator(input: {id: $id}) {
  disconnected disconnectedId revocation receipt
  erased { creators videos historyPoints syncs tokens storedAnswers } } }"""

# Every root field, asked for little. What it takes comes from `Service.things`.
ROOTS = {
    "Query.node": "query($crt: ID!) { node(id: $crt) { id } }",
    "Query.nodes": "query($crt: ID!, $vid: ID!) { nodes(ids: [$crt, $vid]) { id } }",
    "Query.viewer": "{ viewer { keyName } }",
    "Query.creator": "query($crt: ID!) { creator(id: $crt) { id } }",
    "Query.creatorBy": '{ creatorBy(platform: TIKTOK, username: "sim.single") { id } }',
    "Query.creators": "{ creators { nodes { id } } }",
    "Query.video": "query($vid: ID!) { video(id: $vid) { id } }",
    "Query.videos": "{ videos { nodes { id } } }",
    "Query.sync": "query($syn: ID!) { sync(id: $syn) { id } }",
    "Query.connectAttempt": "query($state: String!) { connectAttempt(state: $state) { status } }",
    "Query.account": "{ account { name } }",
    "Query.plans": "{ plans { name } }",
    "Query.apiKey": "query($key: ID!) { apiKey(id: $key) { id } }",
    "Query.apiKeys": "{ apiKeys { nodes { id } } }",
    "Query.usage": "{ usage { requests } }",
    "Query.credits": "{ credits { remaining } }",
    "Query.rateLimit": "{ rateLimit { limit } }",
    "Query.price": '{ price(query: "{ creators { nodes { id } } }") { max } }',
    "Mutation.connectCreator": "mutation { connectCreator(input: {platform: TIKTOK}) { state } }",
    "Mutation.completeConnect": """mutation($own: String!, $code: String!) {
      completeConnect(input: {state: $own, code: $code}) { creator { id } } }""",
    "Mutation.syncCreator": "mutation($crt: ID!) { syncCreator(input: {id: $crt}) { joined } }",
    "Mutation.disconnectCreator": "mutation($crt: ID!) { disconnectCreator(input: {id: $crt}) { disconnected } }",
    "Mutation.fetchVideo": "mutation($url: URL!) { fetchVideo(input: {url: $url}) { video { title } } }",
    "Mutation.createApiKey": 'mutation($mode: KeyMode!) { createApiKey(input: {name: "k", mode: $mode}) { secret } }',
    "Mutation.updateApiKey": 'mutation($key: ID!) { updateApiKey(input: {id: $key, name: "n"}) { apiKey { id } } }',
    "Mutation.rotateApiKey": "mutation($key: ID!) { rotateApiKey(input: {id: $key, overlapSeconds: 60}) { secret } }",
    "Mutation.revokeApiKey": "mutation($key: ID!) { revokeApiKey(input: {id: $key}) { apiKey { id } } }",
    "Mutation.createAccessToken": "mutation { createAccessToken(input: {}) { token } }",
}

TABLES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1
"""


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Any
    raw: bytes
    body: Any

    @property
    def data(self) -> Any:
        assert "errors" not in self.body, self.body
        return self.body["data"]

    @property
    def errors(self) -> list[dict[str, Any]]:
        return self.body["errors"]

    @property
    def code(self) -> str:
        return self.body["errors"][0]["extensions"]["code"]

    @property
    def reason(self) -> str | None:
        return self.body["errors"][0]["extensions"].get("reason")

    @property
    def credits(self) -> dict[str, Any]:
        return self.body["extensions"]["credits"]


@dataclass
class Landed:
    """Where a creator's browser ended after the platform."""

    status: int
    headers: Any
    text: str

    @property
    def location(self) -> str | None:
        return self.headers.get("Location")

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.location or "").query))


@dataclass
class Service:
    url: str
    address: str
    house: composition.House
    world: simulators.world.World
    http: aiohttp.ClientSession
    account: accounts.NewAccount
    data_dir: Path
    simulated: Any = None  # the simulators' application: `[simulators.INSTAGRAM]`, `[simulators.YOUTUBE]`
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _worker: asyncio.Task[None] | None = None

    @property
    def database(self):
        return self.house.services.database

    @property
    def live(self) -> str:
        return self.account.live.secret

    @property
    def test(self) -> str:
        return self.account.test.secret

    # -- as a partner

    async def send(self, method: str = "POST", path: str = "/graphql", **more: Any) -> Answer:
        url = yarl.URL(self.url + path, encoded=True)
        async with self.http.request(method, url, allow_redirects=False, **more) as answer:
            raw = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            body = await answer.json(content_type=None) if is_json and raw else None
            return Answer(answer.status, answer.headers, raw, body)

    async def ask(
        self, query: str, variables: Any = None, *, key: str | None = "", headers: Any = None, **more: Any
    ) -> Answer:
        """POST an operation with the test key; another by `key`, none by `key=None`."""
        given = {"X-API-Key": key or self.test} if key is not None else {}
        body = {"query": query, **({"variables": variables} if variables is not None else {}), **more}
        return await self.send(json=body, headers=given | (headers or {}))

    async def data(self, query: str, variables: Any = None, **more: Any) -> Any:
        return (await self.ask(query, variables, **more)).data

    # -- as a creator's browser

    async def begin(self, *, key: str = "", **given: Any) -> Any:
        return (await self.data(CONNECT, {"input": {"platform": "TIKTOK"} | given}, key=key))[
            "connectCreator"
        ]

    async def decide(self, auth_url: str, username: str, decision: str = "approve") -> str:
        """Open the consent page, press a button; answers where the platform sends the browser."""
        async with self.http.get(auth_url) as page:
            text = await page.text()
        assert 'name="decision"' in text, text
        scopes = parse_qs(urlsplit(auth_url).query)["scope"][0].replace(" ", ",").split(",")
        form = [("creator", username), ("decision", decision), *(("scope", scope) for scope in scopes)]
        async with self.http.post(auth_url, data=form, allow_redirects=False) as answer:
            return answer.headers["Location"]

    async def land(self, location: str) -> Landed:
        async with self.http.get(yarl.URL(location, encoded=True), allow_redirects=False) as answer:
            return Landed(answer.status, answer.headers, await answer.text())

    async def connect(self, username: str, *, key: str = "", **given: Any) -> Any:
        """The whole walk; answers the connectAttempt."""
        begun = await self.begin(key=key, **given)
        await self.land(await self.decide(begun["authUrl"], username))
        return (await self.data(ATTEMPT, {"state": begun["state"]}, key=key))["connectAttempt"]

    async def synced(self, sync_id: str, *, key: str = "", seconds: float = 60) -> Any:
        """The sync once it has ended."""
        async with asyncio.timeout(seconds):
            while True:
                sync = (await self.data(SYNC, {"id": sync_id}, key=key))["sync"]
                if sync is None or sync["status"] in ENDED:
                    return sync
                await asyncio.sleep(0.05)

    async def connected(self, username: str, *, key: str = "", **given: Any) -> str:
        """Connected and read; answers the creator's id."""
        self.work()
        attempt = await self.connect(username, key=key, **given)
        assert attempt["status"] == "CONNECTED", attempt
        sync = await self.synced(attempt["sync"]["id"], key=key)
        assert sync["status"] == "SUCCEEDED", sync
        return attempt["creator"]["id"]

    async def things(self, key: str) -> dict[str, str]:
        """What the operations in ROOTS ask about: a creator with one video, a key, and an app's own connect."""
        begun = await self.begin(key=key)
        self.work()
        await self.land(await self.decide(begun["authUrl"], "sim.single"))
        attempt = (await self.data(ATTEMPT, {"state": begun["state"]}, key=key))["connectAttempt"]
        assert (await self.synced(attempt["sync"]["id"], key=key))["status"] == "SUCCEEDED"
        videos = await self.data("{ videos { nodes { id externalId } } }", key=key)
        own = await self.begin(key=key, redirectUri=OWN)
        code = dict(parse_qsl(urlsplit(await self.decide(own["authUrl"], "sim.twenty")).query))["code"]
        made = await self.key("LIVE" if key == self.live else "TEST", name="thing")
        return {
            "crt": attempt["creator"]["id"], "syn": attempt["sync"]["id"], "vid": videos["videos"]["nodes"][0]["id"],
            "key": f"key_{made.id.hex}", "state": begun["state"], "own": own["state"], "code": code,
            "mode": "LIVE" if key == self.live else "TEST",
            "url": f"https://www.tiktok.com/@sim.single/video/{videos['videos']['nodes'][0]['externalId']}",
        }  # fmt: skip

    async def disconnect(self, creator_id: str, *, key: str = "") -> Answer:
        return await self.ask(DISCONNECT, {"id": creator_id}, key=key)

    # -- as the operator

    def work(self) -> None:
        """Start the worker, where it does not run yet."""
        if self._worker is None:
            services = self.house.services
            self._worker = asyncio.create_task(
                worker.run(services.database, services.vault, services.platforms, self._stop)
            )

    async def rest(self) -> None:
        """Stop the worker, where it runs."""
        if self._worker is not None:
            self._stop.set()
            async with asyncio.timeout(60):
                await self._worker
            self._worker, self._stop = None, asyncio.Event()

    async def update(self, **changes: Any) -> None:
        async with self.database.write() as session:
            await accounts.update(session, self.account.id, **changes)
        self.house.services.callers.forget_all()

    async def key(self, mode: str = "TEST", **given: Any) -> api_keys.NewKey:
        terms = {"name": "a key", "scopes": key_terms.SCOPES, "created_by": self.account.owner_id} | given
        async with self.database.write() as session:
            return await api_keys.create(session, self.account.id, mode=mode, **terms)

    async def another(self, name: str = "another", **given: Any) -> accounts.NewAccount:
        async with self.database.write() as session:
            return await accounts.create(session, name, **given)

    def fault(self, endpoint: str, kind: str, **more: Any) -> None:
        self.world.faults.add(simulators.Fault(endpoint, kind, **more))

    # -- behind the curtain

    async def one(self, statement: str, *values: Any) -> Any:
        async with self.database.read() as connection:
            return await connection.fetchrow(statement, *values)

    async def value(self, statement: str, *values: Any) -> Any:
        async with self.database.read() as connection:
            return await connection.fetchval(statement, *values)

    async def execute(self, statement: str, *values: Any) -> None:
        connection = await asyncpg.connect(self.address)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    async def settled(self) -> None:
        """Until no read runs, and what the cashier writes at leisure is written."""
        cashier = self.house.services.cashier
        async with asyncio.timeout(60):
            while cashier._under_way or (cashier._work and not cashier._work.done()):
                await asyncio.sleep(0.01)

    async def idle(self) -> None:
        """Until no job waits or runs."""
        async with asyncio.timeout(60):
            while await self.value("select count(*) from pgqueuer"):
                await asyncio.sleep(0.02)

    async def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, the queue's too."""
        connection = await asyncpg.connect(self.address)
        try:
            names = [row[0] for row in await connection.fetch(TABLES)]
            return {
                name: [tuple(row) for row in await connection.fetch(f"select * from {name}")]
                for name in names
            }
        finally:
            await connection.close()

    async def tables_of(self, name: str) -> list[Any]:
        async with self.database.read() as connection:
            return await connection.fetch(f"select * from {name}")

    async def counts(self, *but: str) -> dict[str, int]:
        """How many rows each table has."""
        return {name: len(rows) for name, rows in (await self.tables()).items() if name not in but}

    async def dump(self) -> dict[str, str]:
        """Every table as text: bytes both as the text they may be and as hex."""
        return {
            name: "\n".join(" | ".join(map(_plain, row)) for row in rows)
            for name, rows in (await self.tables()).items()
        }

    async def ledger(self) -> tuple[int, int]:
        """What is left, and the sum of what was charged and not given back."""
        row = await self.one(
            "select b.granted - b.used as left_over, coalesce(-sum(l.amount) filter (where kind in ('charge', 'refund')), 0)::bigint "
            "as charged from credit_balances b join ledger l using (account_id) where account_id = $1 group by 1",
            self.account.id,
        )
        return row["left_over"], row["charged"]


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{value.decode('latin-1')} {value.hex()}"
    return str(value)


@pytest.fixture
def roots() -> dict[str, str]:
    return ROOTS


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """How this run executes planned reads."""
    return "ordinary" if request.config.getoption("--ordinary") else "compiled"


@pytest.fixture(autouse=True, scope="session")
def unhurried() -> Iterator[None]:
    """Platforms are asked again as often as ever, and at once: nobody here recovers by being left alone.

    And where hundreds come at once to a machine that is busy with other tests, none is sent away for it. What is
    due by the clock, which nobody tells a worker of, it finds soon.
    """
    patience.have()
    jobs.DEQUEUE_TIMEOUT = timedelta(seconds=0.25)
    with stamina.set_testing(True, attempts=1_000, cap=True):
        yield


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests gets in; only the run's own, which path executes."""
    for name in [name for name in os.environ if name.startswith("CREATOR_GRAPH_")]:
        if name != "CREATOR_GRAPH_COMPILED":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def left_out(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    return periodics.leave_out(monkeypatch)


@pytest.fixture
async def serving(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts a service of its own settings; all end with the test."""
    made: list[Any] = []
    build = simulated.build
    monkeypatch.setattr(simulated, "build", lambda *given: made.append(build(*given)) or made[-1])
    async with contextlib.AsyncExitStack() as stack:

        async def start(**given: Any) -> Service:
            port = ports.free()
            simulated = f"http://127.0.0.1:{port}/simulators/tiktok"
            live = {
                "tiktok_client_key": "live-app",
                "tiktok_client_secret": "live-app-secret",
                "tiktok_auth_url": simulated,
                "tiktok_api_url": simulated,
                "tiktok_oembed_url": f"{simulated}/oembed",
            }
            settings = Settings(
                **{
                    "database_url": address,
                    "port": port,
                    "data_dir": tmp_path / "data",
                    "drain_seconds": 0,
                    "log_level": "debug",
                }
                | live
                | given
            )
            house = await stack.enter_async_context(
                processes.serving(opening.Opened(settings, address, None))
            )
            http = await stack.enter_async_context(
                aiohttp.ClientSession(
                    cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
                )
            )
            async with house.services.database.write() as session:
                account = await accounts.create(session, "MetriqLab", "pro")
                await accounts.update(
                    session,
                    account.id,
                    return_urls=[RETURN, OWN],
                    requests_per_minute=0,
                    test_requests_per_minute=0,
                )
            world = made[-1][simulators.WORLD]
            world.knobs.rate_limit = 1_000_000
            service = Service(
                settings.public, address, house, world, http, account, tmp_path / "data", made[-1]
            )
            stack.push_async_callback(service.rest)
            return service

        yield start


@pytest.fixture
async def service(serving: Callable[..., Any]) -> Service:
    return await serving()


@pytest.fixture
async def other(service: Service, tmp_path: Path) -> Any:
    """Another process of the same service: its own house on the same database."""
    settings = Settings(
        database_url=service.address, port=ports.free(), data_dir=tmp_path / "data", drain_seconds=0,
        simulator_url=f"{service.url}/simulators",
    )  # fmt: skip
    async with processes.serving(opening.Opened(settings, service.address, None)) as house:
        yield dataclasses.replace(service, url=settings.public, house=house)
