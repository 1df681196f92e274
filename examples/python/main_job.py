"""The main job in one file: connect a creator, read them now, print everybody, page by page.

pip install aiohttp; CREATOR_GRAPH_KEY=sk_test_… python3 main_job.py TIKTOK
"""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

URL = os.environ.get("CREATOR_GRAPH_URL", "http://127.0.0.1:4000")
DEAREST = "300"  # credits: what may cost more is refused before it runs
ATTEMPTS = 5
# A stream lasts as long as what it tells of; every 15 seconds it says that it stands.
WHILE_IT_STANDS = aiohttp.ClientTimeout(total=None, sock_read=60)

CONNECT = """
mutation Connect($platform: Platform!) { connectCreator(input: {platform: $platform}) { authUrl state } }"""
DECISION = """
subscription Decision($state: String!) {
  connectAttemptUpdated(state: $state) { status creator { id username } error { code message } } }"""
SYNC = """
mutation Sync($id: ID!) { syncCreator(input: {id: $id}) { joined sync { id } } }"""
PROGRESS = """
subscription Progress($id: ID!) { syncProgress(id: $id) { status progress videosSeen error { code message } } }"""
CREATORS = """
query Creators($after: String) {
  creators(first: 20, after: $after) {
    nodes { id username platform stats { followers } videos(first: 100) { ...Page } }
    pageInfo { hasNextPage endCursor } } }
fragment Page on VideoConnection { nodes { title views } pageInfo { hasNextPage endCursor } }"""
VIDEOS = """
query Videos($id: ID!, $after: String) { creator(id: $id) { videos(first: 100, after: $after) { ...Page } } }
fragment Page on VideoConnection { nodes { title views } pageInfo { hasNextPage endCursor } }"""


class Refused(Exception):
    """What the API answered instead of data: a stable code, and what to do about it."""

    def __init__(self, error: dict[str, Any], request_id: str | None) -> None:
        told = error.get("extensions", {})
        self.code, self.retry_after = told.get("code"), told.get("retryAfter")
        super().__init__(f"{self.code}: {error['message']} {told.get('remedy', '')} (request {request_id})")


class Graph:
    """Asks the API, and keeps account of what it cost."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http, self.charged, self.would_cost, self.remaining = http, 0, 0, 0

    async def ask(self, query: str, *, once: str | None = None, **variables: Any) -> Any:
        """The data. Asked again when the API says "later", or not at all: `once` names what must be done only once."""
        headers = {"Idempotency-Key": once} if once else {}
        left = ATTEMPTS
        while True:
            try:
                async with self.http.post(
                    "/graphql", json={"query": query, "variables": variables}, headers=headers
                ) as answer:
                    return self._data(await answer.json(content_type=None), answer)
            except (Refused, aiohttp.ClientConnectionError) as trouble:
                left, wait = left - 1, getattr(trouble, "retry_after", 1)
                if wait is None or not left:
                    raise
                say(f"{trouble}: again in {wait} s")
                await asyncio.sleep(wait)

    async def follow(self, subscription: str, **variables: Any) -> AsyncIterator[Any]:
        """Each event's data, until the API says that no more will come (server-sent events)."""
        body = {"query": subscription, "variables": variables}
        headers = {"Accept": "text/event-stream"}
        async with self.http.post("/graphql", json=body, headers=headers, timeout=WHILE_IT_STANDS) as answer:
            if answer.content_type != "text/event-stream":  # refused before it began
                self._data(await answer.json(content_type=None), answer)
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    yield self._data(json.loads(line.removeprefix(b"data: ")), answer)

    def _data(self, body: dict[str, Any], answer: aiohttp.ClientResponse) -> Any:
        credits = body.get("extensions", {}).get("credits", {})
        self.charged += credits.get("charged", 0)
        self.would_cost += credits.get("wouldCost", 0)
        self.remaining = credits.get("remaining", self.remaining)
        if body.get("errors"):
            raise Refused(body["errors"][0], answer.headers.get("X-Request-Id"))
        return body["data"]


async def connect(graph: Graph, platform: str) -> str:
    """The id of whoever agreed."""
    begun = (await graph.ask(CONNECT, once=str(uuid.uuid4()), platform=platform))["connectCreator"]
    say(f"Open this address, choose a creator and approve:\n{begun['authUrl']}")
    async for event in graph.follow(DECISION, state=begun["state"]):
        attempt = event["connectAttemptUpdated"]
    if attempt["status"] != "CONNECTED":
        raise SystemExit(f"The connect ended as {attempt['status']}: {attempt['error']}")
    say(f"Connected: {attempt['creator']['username']}")
    return str(attempt["creator"]["id"])


async def sync(graph: Graph, creator_id: str) -> None:
    """Read a creator from the platform now. One that is being read already is joined, for nothing."""
    begun = (await graph.ask(SYNC, once=str(uuid.uuid4()), id=creator_id))["syncCreator"]
    async for event in graph.follow(PROGRESS, id=begun["sync"]["id"]):
        progress = event["syncProgress"]
        say(f"{progress['status']}: {progress['progress']:.0%}, {progress['videosSeen']} videos")


async def creators(graph: Graph) -> AsyncIterator[dict[str, Any]]:
    """Everybody who is connected, each with all their videos, whatever number of pages that takes."""
    after = None
    while True:
        page = (await graph.ask(CREATORS, after=after))["creators"]
        for creator in page["nodes"]:
            videos, info = creator["videos"]["nodes"], creator["videos"]["pageInfo"]
            while info["hasNextPage"]:
                more = await graph.ask(VIDEOS, id=creator["id"], after=info["endCursor"])
                videos += more["creator"]["videos"]["nodes"]
                info = more["creator"]["videos"]["pageInfo"]
            yield creator | {"videos": videos}
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


async def main(platform: str) -> None:
    headers = {"X-API-Key": os.environ["CREATOR_GRAPH_KEY"], "X-Credits-Max": DEAREST}
    async with aiohttp.ClientSession(URL, headers=headers) as http:
        graph = Graph(http)
        await sync(graph, await connect(graph, platform))
        async for creator in creators(graph):
            views = sum(video["views"] or 0 for video in creator["videos"])
            followers = creator["stats"]["followers"]  # null where the platform does not tell
            shown = "?" if followers is None else f"{followers:,}"
            print(
                f"{creator['username']} ({creator['platform']}): {shown} followers, "
                f"{len(creator['videos'])} videos, {views:,} views"
            )
        print(
            f"{graph.charged} credits charged (test mode: {graph.would_cost} saved), {graph.remaining:,} left"
        )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:] or ["TIKTOK"]))
    except Refused as refused:
        raise SystemExit(str(refused)) from None
