"""What an idle socket takes: python -m bench.idle_sockets URL KEY PID [N]. Prints one JSON line.

N sockets are opened, acknowledged, and left alone; the process's memory before and after tells the rest.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import aiohttp


def rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def opened(
    http: aiohttp.ClientSession, url: str, key: str, subscribe: bool
) -> aiohttp.ClientWebSocketResponse:
    ws = await http.ws_connect(url, protocols=["graphql-transport-ws"], headers={"X-API-Key": key})
    await ws.send_json({"type": "connection_init"})
    assert (await ws.receive_json())["type"] == "connection_ack"
    if subscribe:
        query = "subscription { creatorUpdated { id } }"
        await ws.send_json({"type": "subscribe", "id": "1", "payload": {"query": query}})
    return ws


async def main(url: str, key: str, pid: int, number: int) -> None:
    result: dict[str, float] = {"sockets": number}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        warm = [await opened(http, url, key, True) for _ in range(20)]
        before, started = rss(pid), time.perf_counter()
        for subscribe in (False, True):
            held = []
            for _ in range(number // 50):
                held += await asyncio.gather(*(opened(http, url, key, subscribe) for _ in range(50)))
            await asyncio.sleep(2)
            name = "following" if subscribe else "idle"
            result[f"{name}_bytes_a_socket"] = round((rss(pid) - before) / number)
            result[f"{name}_opened_in_seconds"] = round(time.perf_counter() - started, 1)
            spent = cpu(pid)
            await asyncio.sleep(10)
            result[f"{name}_cpu_percent"] = round((cpu(pid) - spent) * 10, 1)
            for ws in held:
                await ws.close()
            await asyncio.sleep(2)
            started = time.perf_counter()
        for ws in warm:
            await ws.close()
    print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 2_000)
    )
