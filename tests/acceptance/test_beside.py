"""A fixed price is settled beside its read: exact all the same, whatever the read then finds."""

import asyncio
from contextlib import asynccontextmanager

import orjson
import pytest
import structlog

from db import session
from graph import beside, in_time
from services import amends, credits

NOBODY = "crt_" + "0" * 32
BY_ID = "query ById($id: ID!) { creator(id: $id) { id username } }"
FOUND, MISSED = {"Query.creator": [1, 1000]}, {"Query.creator": [0, 1000]}
ROWS = "select coordinates, credits, code, duration_us from usage_events where operation = 'ById' order by at, id"


class Asking:
    """One creator asked for by id, often enough that what it delivers is expected."""

    def __init__(self, service, creator_id):
        self.service, self.creator_id = service, creator_id

    async def ask(self, creator_id=None, *, key=""):
        variables = {"id": creator_id or self.creator_id}
        return await self.service.ask(BY_ID, variables, key=key or self.service.live)

    async def rows(self):
        """Usage rows since it is usual, as what they tell: coordinates, credits, code; and whether a time."""
        await self.service.settled()
        async with self.service.database.read() as connection:
            rows = [tuple(row) for row in await connection.fetch(ROWS)]
        return rows[beside.ENOUGH :]

    async def agreed(self):
        """Balance, ledger and usage rows say the same."""
        await self.service.settled()
        async with self.service.database.read() as connection:
            assert await credits.audit(connection) == []
        used = await self.service.value("select coalesce(sum(credits), 0)::bigint from usage_events")
        assert (await self.service.ledger())[1] == used

    @asynccontextmanager
    async def unread(self):
        """Nobody can read creators meanwhile."""
        async with self.service.database.write() as holder:
            await (await session.raw(holder)).execute("lock table creators in access exclusive mode")
            yield

    async def charged(self, number):
        """Until so many are charged."""
        async with asyncio.timeout(30):
            while len(await self.service.tables_of("usage_events")) < number:
                await asyncio.sleep(0.01)


@pytest.fixture
async def asking(service):
    asking = Asking(service, await service.connected("sim.single", key=service.live))
    await service.idle()
    await service.rest()
    for _ in range(beside.ENOUGH):
        assert (await asking.ask()).credits["charged"] == 1
    return asking


def told(rows):
    return [(orjson.loads(coordinates), charged, code) for coordinates, charged, code, _ in rows]


async def test_it_is_charged_and_written_down_while_it_is_read_and_answered_after(asking):
    before, _ = await asking.service.ledger()
    number = len(await asking.service.tables_of("usage_events"))
    async with asking.unread():
        asked = asyncio.create_task(asking.ask())
        await asking.charged(number + 1)
        assert (await asking.service.ledger())[0] == before - 1
        assert not asked.done()
    answer = await asked
    assert answer.data["creator"]["username"] == "sim.single"
    assert (answer.credits["charged"], answer.credits["remaining"]) == (1, before - 1)
    assert told(await asking.rows()) == [(FOUND, 1, "OK")]
    await asking.agreed()


async def test_what_was_not_found_is_told_as_such_by_its_own_rows_and_no_others(asking):
    ids = [asking.creator_id, NOBODY] * 20
    before, _ = await asking.service.ledger()
    answers = await asyncio.gather(*(asking.ask(id) for id in ids))
    for id, answer in zip(ids, answers, strict=True):
        assert (answer.data["creator"] is None) == (id == NOBODY)
        assert answer.credits["charged"] == 1
    rows = told(await asking.rows())
    assert sorted(map(str, rows)) == sorted(map(str, [(FOUND, 1, "OK"), (MISSED, 1, "OK")] * 20))
    assert (await asking.service.ledger())[0] == before - len(ids)
    await asking.agreed()


async def test_what_fails_after_it_was_charged_is_given_back_and_told_as_failed(asking):
    before, _ = await asking.service.ledger()
    await asking.service.execute("alter table creators rename to lost")
    with structlog.testing.capture_logs():
        answers = await asyncio.gather(*(asking.ask() for _ in range(5)))
    await asking.service.execute("alter table lost rename to creators")
    for answer in answers:
        assert (answer.code, answer.credits["charged"]) == ("INTERNAL", 0), answer.body
    assert (await asking.service.ledger())[0] == before
    assert told(await asking.rows()) == [({}, 0, "INTERNAL")] * 5
    kinds = await asking.service.value("select array_agg(distinct note) from ledger where kind = 'refund'")
    assert kinds == ["not delivered: INTERNAL"]
    await asking.agreed()


async def test_what_takes_too_long_is_given_back_to_its_key_too(asking, monkeypatch):
    key = await asking.service.key("LIVE", monthly_credits=100)
    assert (await asking.ask(key=key.secret)).credits["charged"] == 1
    before, _ = await asking.service.ledger()
    async with asking.unread():
        monkeypatch.setattr(in_time, "SECONDS", 0.5)
        answer = await asking.ask(key=key.secret)
        monkeypatch.undo()
    assert (answer.code, answer.status, answer.credits["charged"]) == ("TIMEOUT", 504, 0), answer.body
    assert (await asking.service.ledger())[0] == before == answer.credits["remaining"]
    assert await asking.service.value("select used from key_balances where key_id = $1", key.id) == 1
    assert told(await asking.rows())[-1] == ({}, 0, "TIMEOUT")
    await asking.agreed()


async def test_where_it_cannot_be_given_back_the_outcome_is_said_to_be_unknown(asking, monkeypatch, caplog):
    async def away(*_):
        raise OSError("the database is away")

    monkeypatch.setattr(amends, "amend", away)
    answer = await asking.ask(NOBODY)
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    assert "data" not in answer.body
    assert "was not set right" in caplog.text


async def test_the_last_credit_is_spent_once_however_many_are_read_for_it(asking):
    left, _ = await asking.service.ledger()
    async with asking.service.database.write() as writing:
        await credits.adjust(writing, asking.service.account.id, 3 - left, "nearly nothing")
    answers = await asyncio.gather(*(asking.ask() for _ in range(20)))
    refused = [answer for answer in answers if answer.status != 200]
    assert [answer.code for answer in refused] == ["CREDITS_EXHAUSTED"] * 17
    assert not any("data" in answer.body for answer in refused)
    assert (await asking.service.ledger())[0] == 0
    await asking.agreed()


async def test_a_key_revoked_before_its_charge_gets_no_data(asking):
    key = await asking.service.key("LIVE")
    assert (await asking.ask(key=key.secret)).data
    # Behind the back of this process, which still takes the key for good.
    await asking.service.execute("update api_keys set revoked_at = now() where id = $1", key.id)
    before, _ = await asking.service.ledger()
    answer = await asking.ask(key=key.secret)
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
    assert "data" not in answer.body
    assert (await asking.service.ledger())[0] == before


@pytest.mark.parametrize(
    "text",
    [
        "{ credits { remaining } account { id } }",
        "{ account { id } usage { requests } }",
        "{ account { id } apiKeys { nodes { lastUsedAt } } }",
        '{ account { id } price(query: "{ account { id } }") { affordable } }',
    ],
)
async def test_what_tells_of_charges_is_never_charged_before_it_is_read(service, text):
    for _ in range(beside.ENOUGH + 1):
        answer = await service.ask(text, key=service.live)
        assert answer.credits["charged"] == 1, answer.body
    await service.settled()
    assert await service.value("select count(*) from usage_events where duration_us is null") == 0
