"""What a partner does, done for show: connect simulated creators through the real flow, sync them, ask.

Everything goes over HTTP to the running service, as a partner's backend and a creator's browser would.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from services import errors
from simulators import people

CONNECT = "mutation($platform: Platform!) { connectCreator(input: {platform: $platform}) { authUrl state } }"
ATTEMPT = """query($state: String!) { connectAttempt(state: $state) {
  status error { code message } creator { id username } sync { id status progress videosSeen error { code message } } } }"""
SYNC = (
    "query($id: ID!) { sync(id: $id) { id status progress videosSeen videosAdded error { code message } } }"
)
NESTED = """query NestedRead {
  creators(first: 3) {
    edges { cursor node {
      username platform
      stats { followers likes videoCount }
      videos(first: 2) {
        edges { cursor node { title views likes comments shares duration publishedAt } }
        pageInfo { hasNextPage endCursor }
      }
    } }
    pageInfo { hasNextPage endCursor }
    totalCount
  }
}"""
ENDED = {"SUCCEEDED", "PARTIAL", "FAILED", "CANCELED"}
POLL_SECONDS = 0.2


class DemoFailed(errors.Conflict):
    """The service answered something else than a demo needs; the text says what."""


@dataclass(frozen=True)
class Step:
    """How far one creator is."""

    username: str
    status: str
    progress: float = 0.0
    videos: int = 0
    creator_id: str | None = None


@dataclass(frozen=True)
class Partner:
    """A partner's backend: a key, and the service's address."""

    http: aiohttp.ClientSession
    url: str
    secret: str = field(repr=False)

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer's data; told to come later, it does. Raises DemoFailed with the errors' text."""
        while True:
            body = await self._answer(query, variables)
            error = (body.get("errors") or [None])[0]
            if error is None:
                data: dict[str, Any] = body["data"]
                return data
            if error["extensions"]["code"] != errors.RateLimited.code:
                raise DemoFailed(error["message"])
            await asyncio.sleep(error["extensions"]["retryAfter"])

    async def _answer(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            async with self.http.post(
                f"{self.url}/graphql",
                json={"query": query, "variables": variables},
                headers={"X-API-Key": self.secret},
            ) as answer:
                body: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoFailed(
                f"Nothing answers at {self.url}: start the service first (creator-graph serve)."
            ) from error
        return body


def names(count: int) -> list[str]:
    """The simulated creators a demo connects, friendly ones first."""
    known = [creator.username for creator in people.CREATORS]
    if not 1 <= count <= len(known):
        raise DemoFailed(f"There are {len(known)} simulated creators: ask for 1 to {len(known)}.")
    return known[:count]


async def connect_and_sync(partner: Partner, platform: str, username: str) -> AsyncIterator[Step]:
    """One creator, from the authorize page to the end of the first sync."""
    yield Step(username, "connecting")
    begun = (await partner.ask(CONNECT, platform=platform))["connectCreator"]
    await _consent(partner.http, begun["authUrl"], username)
    attempt = (await partner.ask(ATTEMPT, state=begun["state"]))["connectAttempt"]
    if attempt["status"] != "CONNECTED":
        reason = (attempt["error"] or {}).get("message", "")
        raise DemoFailed(f"{username}: the connect ended as {attempt['status']}. {reason}")
    creator_id, sync = attempt["creator"]["id"], attempt["sync"]
    while sync["status"] not in ENDED:
        yield Step(username, "syncing", sync["progress"], sync["videosSeen"], creator_id)
        await asyncio.sleep(POLL_SECONDS)
        sync = (await partner.ask(SYNC, id=sync["id"]))["sync"]
    if sync["status"] not in {"SUCCEEDED", "PARTIAL"}:
        raise DemoFailed(
            f"{username}: the sync ended as {sync['status']}. {(sync['error'] or {}).get('message', '')}"
        )
    yield Step(username, sync["status"].lower(), 1.0, sync["videosSeen"], creator_id)


async def _consent(http: aiohttp.ClientSession, auth_url: str, username: str) -> None:
    """What the creator's browser does: open the page, log in, approve, follow the redirect to our callback."""
    async with http.get(auth_url) as page:
        text = await page.text()
    if page.status != 200 or 'name="decision"' not in text:  # noqa: PLR2004 -- HTTP
        raise DemoFailed(
            "The consent page is not a simulator's: only simulated creators can be connected by a demo."
        )
    scopes = parse_qs(urlsplit(auth_url).query).get("scope", [""])[0].split(",")
    form = [("creator", username), ("decision", "approve"), *(("scope", scope) for scope in scopes)]
    async with http.post(auth_url, data=form) as landed:
        await landed.read()


def curl(url: str, secret: str) -> str:
    """The nested read as one pastes it into a shell."""
    body = json.dumps({"query": " ".join(NESTED.split())})
    return f"curl -sS {url}/graphql -H 'X-API-Key: {secret}' -H 'Content-Type: application/json' -d '{body}'"
