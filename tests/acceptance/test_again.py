"""A head that came before is not read again: the answers are those that reading it would give."""

import asyncio
import json
import random

import pytest

from server import again

TEXTS = (
    "{ viewer { mode } }",
    "{ viewer { keyHint } }",
    "{ nonsense }",
    "{ creators(first: 1) { totalCount } }",
)


@pytest.fixture
def answered(monkeypatch):
    """How many requests were answered without reading their heads."""
    found = []
    answer = again.Protocol._answer

    async def counted(self, heard, repeated):
        found.append(repeated)
        await answer(self, heard, repeated)

    monkeypatch.setattr(again.Protocol, "_answer", counted)
    return found


def request(key, text, *, path="/graphql", **headers):
    body = json.dumps({"query": text}).encode()
    named = {"Host": "x", "X-API-Key": key, "Content-Type": "application/json", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    head = "\r\n".join([f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}"])
    return head.encode() + b"\r\n\r\n" + body


class Client:
    """One connection, bytes as they are."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, *parts):
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0.01)  # so that each comes by itself

    async def answer(self):
        """Status and body, without what differs from time to time."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = next(line for line in head.split("\r\n") if line.lower().startswith("content-length"))
        body = json.loads(await self.reader.readexactly(int(length.partition(":")[2])))
        for error in body.get("errors", []):
            error["extensions"].pop("requestId", None)
        return head.split("\r\n")[0], body

    async def ask(self, *parts):
        await self.send(*parts)
        return await self.answer()

    async def ended(self):
        return await self.reader.read() == b""


@pytest.fixture
async def connect(service):
    opened = []
    host, _, port = service.url.removeprefix("http://").partition(":")

    async def connect():
        client = Client(*await asyncio.open_connection(host, int(port)))
        opened.append(client)
        return client

    yield connect
    for client in opened:
        client.writer.close()


async def test_answers_are_those_that_reading_the_head_gives(service, connect, answered):
    """Random requests of three keys, one after the other, some behind each other at once, cut anywhere."""
    chance = random.Random(11)
    asked = [(key, text) for key in (service.test, service.live) for text in TEXTS]
    expected = {one: await (await connect()).ask(request(*one, Connection="close")) for one in asked}
    for _ in range(4):
        client, ours = await connect(), [chance.choice(asked) for _ in range(60)]
        while ours:
            together = [ours.pop() for _ in range(min(len(ours), chance.choice((*[1] * 8, 2, 3))))]
            sent = b"".join(request(*one) for one in together)
            cut = chance.choice((*[len(sent)] * 6, chance.randrange(1, len(sent))))
            await client.send(*filter(None, (sent[:cut], sent[cut:])))
            for one in together:
                status, body = await client.answer()
                wanted = expected[one]
                assert (status, body.get("data"), body.get("errors")) == (
                    wanted[0],
                    wanted[1].get("data"),
                    wanted[1].get("errors"),
                )
    assert len(answered) > 40


async def test_the_third_request_with_a_head_is_answered_without_reading_it(service, connect, answered):
    client = await connect()
    for times in range(4):
        assert (await client.ask(request(service.test, TEXTS[0])))[0] == "HTTP/1.1 200 OK"
        assert len(answered) == max(0, times - 1)


async def test_each_gets_the_answer_to_its_own_body(service, connect, answered):
    client = await connect()
    same = [
        await client.ask(request(service.test, f"{{ {name}: __typename }}")) for name in "abcdef"
    ]  # as long as each other
    assert [list(body["data"]) for _, body in same] == [[name] for name in "abcdef"]
    assert answered


async def test_nobody_is_taken_for_who_sent_the_request_before(service, connect, answered):
    """Behind each other at once, while a head is learned: the second is another's."""
    mode = {service.test: "TEST", service.live: "LIVE"}
    for _ in range(4):
        client = await connect()
        for first, second in ((service.test, service.live), (service.live, service.test)):
            await client.send(request(first, TEXTS[0]) + request(second, TEXTS[0]))
            for key in (first, second):
                assert (await client.answer())[1]["data"]["viewer"]["mode"] == mode[key]


async def test_nobody_is_taken_for_whose_request_was_still_being_answered(service, connect, monkeypatch):
    """The second comes by itself, as long as the first and not known yet, while the first waits for its answer."""
    first, second = request(service.test, TEXTS[0]), request(service.live, TEXTS[0])
    await (await connect()).ask(first)  # heard once: the next time its head is kept
    client, begun, free = await connect(), asyncio.Event(), asyncio.Event()
    identify = service.house.services.callers.identify

    async def slowly(*given):
        begun.set()
        await free.wait()
        return await identify(*given)

    monkeypatch.setattr(service.house.services.callers, "identify", slowly)
    await client.send(first)
    await begun.wait()
    await client.send(second)
    free.set()
    told = [(await client.answer())[1] for _ in range(2)]
    told += [(await (await connect()).ask(second))[1] for _ in range(3)]
    assert [body["data"]["viewer"]["mode"] for body in told] == ["TEST", *["LIVE"] * 4]


async def test_what_changes_how_a_body_is_read_is_always_read(service, connect, answered):
    client = await connect()
    body = json.dumps({"query": TEXTS[0]}).encode()
    lines = f"Host: x\r\nX-API-Key: {service.test}\r\nContent-Type: application/json\r\n"
    chunked = (
        f"POST /graphql HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode()
        + body
        + b"\r\n0\r\n\r\n"
    )
    for sent in (
        chunked,
        request(service.test, TEXTS[0], path="/graphql?x=1"),
        request(service.test, TEXTS[0], Origin="https://page.example"),
    ):
        for _ in range(4):
            assert (await client.ask(sent))[0] == "HTTP/1.1 200 OK"
    assert answered == []


async def test_a_known_head_may_be_the_last_of_its_connection(service, connect, answered):
    client = await connect()
    for _ in range(3):
        await client.ask(request(service.test, TEXTS[0]))
    assert answered
    assert (await client.ask(request(service.test, TEXTS[0], Connection="close")))[0] == "HTTP/1.1 200 OK"
    assert await client.ended()


async def test_a_revoked_key_is_refused_though_its_head_is_known(service, connect, answered):
    made = await service.key()
    client = await connect()
    for _ in range(3):
        assert (await client.ask(request(made.secret, TEXTS[0])))[0] == "HTTP/1.1 200 OK"
    assert answered
    answer = await service.ask(
        "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { status } } }",
        {"input": {"id": f"key_{made.id.hex}"}},
    )
    assert answer.data
    assert (await client.ask(request(made.secret, TEXTS[3])))[0] == "HTTP/1.1 401 Unauthorized"


async def test_a_client_that_leaves_ends_its_read(service, connect, answered, monkeypatch):
    client = await connect()
    for _ in range(3):
        await client.ask(request(service.test, TEXTS[3]))
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(*_):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(service.house.services.cashier, "settle", endless)
    before = len(answered)
    await client.send(request(service.test, TEXTS[3]))
    async with asyncio.timeout(30):
        await begun.wait()
        client.writer.close()
        await ended.wait()
    assert len(answered) == before + 1
