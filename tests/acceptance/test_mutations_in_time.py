"""What several mutations did in one operation is told, and charged, whatever takes too long or fails behind them."""

import asyncio

import pytest

from graph import fields, in_time
from services import credits, errors, sync

MAKE = 'createApiKey(input: {name: "k", mode: LIVE}) { secret }'
WAIT = "syncCreator(input: {id: $id, waitSeconds: 10}) { joined sync { status } }"
START = f"mutation($id: ID!) {{ a: {WAIT} }}"


async def charged(service, query, variables=None, **more):
    """The answer, which tells what the ledger lost."""
    before, _ = await service.ledger()
    answer = await service.ask(query, variables, key=service.live, **more)
    after, _ = await service.ledger()
    assert answer.credits["charged"] == int(answer.headers["X-Credits-Charged"]) == before - after
    async with service.database.read() as connection:
        assert await credits.audit(connection) == []
    return before - after, answer


@pytest.fixture
async def idle(service):
    """A creator whose next sync waits: no worker runs."""
    creator = await service.connected("sim.single", key=service.live)
    await service.rest()
    return {"id": creator}


async def test_waits_of_one_operation_leave_time_to_the_rest(service, idle, monkeypatch):
    monkeypatch.setattr(in_time, "SECONDS", 6)
    query = f"mutation($id: ID!) {{ k: {MAKE} a: {WAIT} b: {WAIT} l: {MAKE} }}"
    price, answer = await charged(service, query, idle)
    assert price == 1 + 10 + 0 + 1
    assert (answer.data["a"]["joined"], answer.data["b"]["joined"]) == (False, True)
    assert answer.data["a"]["sync"]["status"] == "QUEUED"
    assert answer.data["k"]["secret"] != answer.data["l"]["secret"]


async def test_a_field_that_takes_too_long_fails_at_its_place_and_what_was_charged_before_is_told(
    service, monkeypatch
):
    monkeypatch.setattr(in_time, "SECONDS", 3)
    charge, turns = credits.charge, iter(range(9))

    async def slow(session, usage):
        if next(turns):
            await asyncio.Event().wait()
        return await charge(session, usage)

    monkeypatch.setattr(credits, "charge", slow)
    price, answer = await charged(service, f"mutation {{ a: {MAKE} b: {MAKE} c: {MAKE} }}")
    assert (price, answer.status, answer.code) == (1, 504, "TIMEOUT")
    assert [error["path"] for error in answer.errors] == [["b"]]
    assert answer.errors[0]["message"] == "The operation took longer than 3 seconds."
    await service.settled()
    rows = await service.tables_of("usage_events")
    assert sorted((row["code"], row["credits"]) for row in rows) == [("OK", 1), ("TIMEOUT", 0)]


@pytest.mark.parametrize("broken", [(sync, "wait_until_ended"), (fields, "reread")])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}])
async def test_a_sync_is_told_as_it_was_charged_when_waiting_for_it_fails(
    service, idle, monkeypatch, broken, headers
):
    async def fails(*_given, **_more):
        raise errors.Unavailable

    await service.settled()
    before = await service.value("select count(*) from usage_events")
    with monkeypatch.context() as patch:
        patch.setattr(*broken, fails)
        patch.setattr(sync, "REREAD_SECONDS", 0.1)
        patch.setattr(in_time, "SECONDS", 6)
        price, answer = await charged(service, START, idle, headers=headers)
    assert (price, answer.data["a"]) == (10, {"joined": False, "sync": {"status": "QUEUED"}})
    await service.settled()
    assert await service.value("select count(*) from usage_events") == before + 1
    if headers:
        price, again = await charged(service, START, idle, headers=headers)
        assert (price, again.data, again.headers["Idempotent-Replayed"]) == (0, answer.data, "true")


async def test_a_creator_erased_while_its_sync_is_waited_for_is_not_found(service, idle, monkeypatch):
    async def erased(*_given, **_more):
        assert (await service.disconnect(idle["id"], key=service.live)).data

    monkeypatch.setattr(sync, "wait_until_ended", erased)
    before, _ = await service.ledger()
    answer = await service.ask(START, idle, key=service.live)
    assert (answer.code, answer.credits["charged"], (await service.ledger())[0]) == (
        "NOT_FOUND",
        10,
        before - 10,
    )
