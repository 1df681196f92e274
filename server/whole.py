"""An answer that is whole before it leaves: head and body in one write.

aiohttp's own Response can grow, stream and compress on its way; what that costs is a fifth of a small read.
"""

import asyncio
import functools
import time
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import HttpVersion10, web

APART = 64 * 1024  # bodies longer than this are not copied behind their head


class Whole(web.StreamResponse):
    """Status, headers and body, all known. Header values are ours: none may hold a line break.

    `standing`: the lines of headers that stand on every answer alike.
    """

    def __init__(self, status: int, headers: dict[str, str], body: bytes, standing: str = "") -> None:
        self._status = status
        self._standing = standing
        self._headers = headers  # type: ignore[assignment]  # a plain one: no name stands in it twice
        self.body = body

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write it. Raises ConnectionResetError where the client is gone."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("The client is gone.")
        self._payload_writer = request.writer
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        old = request.version <= HttpVersion10
        request.writer.output_size += self.put_on(
            transport, old=old, keep_alive=bool(self._keep_alive), bare=request.method == "HEAD"
        )

    def put_on(
        self, transport: asyncio.WriteTransport, *, old: bool, keep_alive: bool, bare: bool = False
    ) -> int:
        """Head and body, `bare`: without it; answers how many bytes. `old`: in HTTP/1.0."""
        head, body = self._head(old=old, keep_alive=keep_alive), b"" if bare else self.body
        if len(body) > APART:
            transport.write(head)
            transport.write(body)
        else:
            transport.write(head + body)
        return len(head) + len(body)

    async def write_eof(self, data: bytes = b"") -> None:
        """Wait while the client is slow to read."""
        assert self._payload_writer is not None
        assert not data, "it was whole"
        await self._payload_writer.drain()
        self._eof_sent = True

    def _head(self, *, old: bool, keep_alive: bool) -> bytes:
        parts = [f"HTTP/1.{0 if old else 1} {_STATUS[self._status]}"]
        parts += [f"{name}: {value}" for name, value in self._headers.items()]
        parts += (f"Content-Length: {len(self.body)}", _date(int(time.time())))
        if old == keep_alive:
            parts.append(f"Connection: {'keep-alive' if old else 'close'}")
        head = "\r\n".join(parts)
        if head.count("\n") >= len(parts):
            raise ValueError("a header value holds a line break")
        return f"{head}\r\n{self._standing}\r\n".encode()


_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}"
