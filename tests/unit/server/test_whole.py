"""Answers in one write, to clients of every manner: old ones, impatient ones, slow ones, and those that leave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from server.whole import APART, Whole

BODIES = {"/short": b"{}", "/long": b"x" * (APART + 1), "/huge": b"y" * (32 * 1024 * 1024)}


@pytest.fixture
async def serving() -> AsyncIterator[tuple[RawTestServer, list[str]]]:
    """A server of nothing but such answers, and the paths it was asked for."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        header = "a\r\nSet-Cookie: b" if request.path == "/torn" else "a"
        return Whole(200, {"X-Some": header}, BODIES.get(request.path, b"{}"))

    server = RawTestServer(answer)
    await server.start_server()
    yield server, asked
    await server.close()


@contextlib.asynccontextmanager
async def talking(server: RawTestServer, *requests: str) -> AsyncIterator[asyncio.StreamReader]:
    """Requests sent at once, and where their answers come."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write("".join(f"{request}\r\n\r\n" for request in requests).encode())
    try:
        async with asyncio.timeout(60):
            yield reader
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answered(
    reader: asyncio.StreamReader, *, bodiless: bool = False
) -> tuple[str, dict[str, str], bytes]:
    """One answer: its first line, headers and body, as long as it says."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    length = 0 if bodiless else int(headers["Content-Length"])
    return first, headers, await reader.readexactly(length)


async def test_each_version_of_http_is_told_whether_its_connection_stays(serving):
    server, _ = serving
    for version, sent, told, stays in (
        ("1.1", "", None, True),
        ("1.1", "Connection: close", "close", False),
        ("1.0", "", None, False),
        ("1.0", "Connection: keep-alive", "keep-alive", True),
    ):
        request = f"GET /short HTTP/{version}\r\nHost: x" + (f"\r\n{sent}" if sent else "")
        async with talking(server, request, request if stays else "") as reader:
            for _ in range(2 if stays else 1):
                first, headers, body = await answered(reader)
                assert (first, body) == (f"HTTP/{version} 200 OK", b"{}")
                assert (headers.get("Connection"), headers["Date"][-3:]) == (told, "GMT")
            if not stays:
                assert await reader.read() == b""


async def test_requests_sent_at_once_are_answered_in_order_and_head_has_no_body(serving):
    server, _ = serving
    sent = [
        f"{method} {path} HTTP/1.1\r\nHost: x" for method in ("GET", "HEAD") for path in ("/long", "/short")
    ]
    async with talking(server, *sent) as reader:
        for request in sent:
            method, path = request.split()[:2]
            _, headers, body = await answered(reader, bodiless=method == "HEAD")
            assert headers["Content-Length"] == str(len(BODIES[path]))
            assert body == (BODIES[path] if method == "GET" else b"")


async def test_a_slow_reader_is_waited_for_before_its_next_request_is_read_and_loses_nothing(serving):
    server, asked = serving
    async with talking(
        server, *(f"GET {path} HTTP/1.1\r\nHost: x" for path in ("/huge", "/short"))
    ) as reader:
        while not asked:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert asked == ["/huge"]
        assert (await answered(reader))[2] == BODIES["/huge"]
        assert (await answered(reader))[2] == b"{}"
    assert asked == ["/huge", "/short"]


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(serving, caplog):
    server, asked = serving
    async with talking(server, *("GET /huge HTTP/1.1\r\nHost: x",) * 2):
        while not asked:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(30):
        while server.handler.connections:
            await asyncio.sleep(0.01)
    assert asked == ["/huge"]
    assert caplog.text == ""


async def test_a_header_with_a_line_break_is_never_sent(serving):
    server, _ = serving
    async with talking(server, "GET /torn HTTP/1.1\r\nHost: x") as reader:
        assert await reader.read() == b""
