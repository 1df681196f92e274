"""Rate limits in Redis: the same script for all nodes. Needs the optional package `redis`."""

import uuid
from collections.abc import Sequence
from typing import Any

from services.shared_limits import Told, Wish

NODES_KEY = "creator-graph:nodes"
NODE_SECONDS = 15
TIMEOUT = 0.4

# As `postgres_limits.TAKE`, for one caller. KEYS: the key's bucket, the account's. ARGV: steps, windows, how many, and how full the
# node that asks last saw them: what was let through while Redis was away, or has forgotten, counts.
SCRIPT = """
local t = redis.call('TIME')
local at = t[1] * 1000000 + t[2]
local wanted = tonumber(ARGV[5])
local passed = wanted
local levels = {}
for i = 1, 2 do
  local step, window = tonumber(ARGV[i * 2 - 1]), tonumber(ARGV[i * 2])
  local level = math.max(tonumber(redis.call('GET', KEYS[i]) or 0), tonumber(ARGV[5 + i]), at)
  levels[i] = math.min(level, at + window)
  if step > 0 then passed = math.min(passed, math.floor((at + window - levels[i]) / step)) end
end
passed = math.max(passed, 0)
for i = 1, 2 do
  local step = tonumber(ARGV[i * 2 - 1])
  if step > 0 and passed > 0 then
    local full = levels[i] + passed * step
    redis.call('SET', KEYS[i], string.format('%.0f', full), 'PX', math.ceil((full - at) / 1000) + 1000)
  end
end
return {passed, string.format('%.0f', at), string.format('%.0f', levels[1]), string.format('%.0f', levels[2])}
"""

# By Redis's own clock: by a node's, one that is fast would find all others gone.
COUNT = """
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""


class RedisStore:
    """One EVALSHA a caller and round, all in one pipeline."""

    def __init__(self, url: str) -> None:
        from redis import asyncio as client  # noqa: PLC0415 -- optional: only who sets REDIS_URL needs it
        from redis import backoff, exceptions  # noqa: PLC0415
        from redis.asyncio import retry  # noqa: PLC0415

        # No second attempts: whoever waits is counted here instead.
        self._client: Any = client.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=retry.Retry(backoff.NoBackoff(), 0),
        )
        self._missing: type[Exception] = exceptions.NoScriptError
        self._script: Any = None
        self._node = uuid.uuid4().hex

    async def take(self, wishes: Sequence[Wish]) -> list[Told]:
        try:
            rows = await self._run(wishes)
        except self._missing:  # Redis was started anew
            self._script = None
            rows = await self._run(wishes)
        return [Told(*(int(value) for value in row)) for row in rows]

    async def nodes(self) -> int:
        """Nodes that were here within a quarter of a minute, this one included."""
        return int(await self._client.eval(COUNT, 1, NODES_KEY, self._node, NODE_SECONDS))

    async def close(self) -> None:
        await self._client.aclose()

    async def _run(self, wishes: Sequence[Wish]) -> list[Any]:
        if self._script is None:
            self._script = await self._client.script_load(SCRIPT)
        async with self._client.pipeline(transaction=False) as pipe:
            for wish in wishes:
                caller = wish.caller
                # One hash slot an account: both keys must be on one node of a cluster.
                of = f"creator-graph:{{{caller.account_id.hex}}}:{'live' if caller.livemode else 'test'}"
                pipe.evalsha(
                    self._script,
                    2,
                    f"{of}:{caller.key_id.hex}",
                    of,
                    *wish.key,
                    *wish.account,
                    wish.many,
                    *wish.seen,
                )
            found: list[Any] = await pipe.execute()
        return found
