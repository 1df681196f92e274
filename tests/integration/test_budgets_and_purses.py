"""A key's own monthly limit holds exactly; an empty purse is not read for again; late days stop nobody."""

import asyncio
import ipaddress
import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from db import partitions
from services import accounts, api_keys, callers, credits, errors, purses
from services.cashier import Cashier

IP = ipaddress.ip_address("192.0.2.1")
RESET = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
async def account(database):
    async with database.write() as session:
        return await accounts.create(session, "a", "pro", credits_a_month=1_000)


@pytest.fixture
async def cashiers(database):
    found = [Cashier(database), Cashier(database, most_at_once=7)]
    yield found
    for one in found:
        await one.close()


async def key_of(database, account, budget, **more):
    async with database.write() as session:
        made = await api_keys.create(
            session, account.id, name="k", mode="LIVE", monthly_credits=budget, **more
        )
    return await callers.Callers(database).authenticate(made.secret, IP, datetime.now(UTC))


async def sql(database, statement, *values):
    connection = await database.connect()
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


async def verdicts(work):
    answers = await asyncio.gather(*work, return_exceptions=True)
    return Counter(
        "OK" if isinstance(one, credits.Settled) else one.extra.get("reason", one.code) for one in answers
    )


async def agreed(database):
    async with database.read() as connection:
        assert await credits.audit(connection) == []
        assert await connection.fetchval(
            "select coalesce(-sum(amount), 0) from ledger where kind = 'charge'"
        ) == await connection.fetchval("select coalesce(sum(credits), 0) from usage_events")


async def test_keys_spend_exactly_their_own_limits_over_two_cashiers(database, account, cashiers):
    poor, rich = await key_of(database, account, 40), await key_of(database, account, None)
    work = [cashiers[n % 2].settle(credits.Usage((poor, rich)[n // 2 % 2], 1)) for n in range(200)]
    assert await verdicts(work) == {"OK": 140, "KEY": 60}
    assert [row["used"] for row in await sql(database, "select used from key_balances")] == [40]
    await agreed(database)


async def test_random_charges_of_keys_agree_with_a_simulation(database, account, cashiers):
    random.seed(11)
    keys = [await key_of(database, account, budget) for budget in (25, 60, None)]
    room, left = 1_000, {keys[0].key_id: 25, keys[1].key_id: 60}
    for _ in range(20):
        asked = [(random.choice(keys), random.randint(0, 6)) for _ in range(random.randint(1, 12))]
        expected = []
        for key, price in asked:
            fits = price <= left.get(key.key_id, price)
            left[key.key_id] = left.get(key.key_id, 10**9) - (price if fits else 0)
            room -= price if fits else 0
            expected.append((fits, room if fits else left[key.key_id]))
        answers = await asyncio.gather(
            *(cashiers[0].settle(credits.Usage(key, price)) for key, price in asked), return_exceptions=True
        )
        assert [
            (True, one.remaining) if isinstance(one, credits.Settled) else (False, one.extra["remaining"])
            for one in answers
        ] == expected
    await agreed(database)


async def test_the_refusal_tells_the_keys_own_numbers(database, account, cashiers):
    key = await key_of(database, account, 5)
    await cashiers[0].settle(credits.Usage(key, 3))
    with pytest.raises(errors.KeyCreditsExhausted) as refused:
        await cashiers[0].settle(credits.Usage(key, 3))
    assert refused.value.message == "Not enough credits: 3 needed, 2 left."
    assert (refused.value.code, refused.value.extra["reason"]) == ("CREDITS_EXHAUSTED", "KEY")
    async with database.read() as connection:
        assert await credits.key_left(connection, key) == 2


async def test_a_keys_limit_is_a_months_and_goes_over_to_the_key_that_replaces_it(
    database, account, cashiers
):
    key = await key_of(database, account, 10)
    await cashiers[0].settle(credits.Usage(key, 8))
    async with database.write() as session:
        made = await api_keys.rotate(session, account.id, key.key_id)
    new = await callers.Callers(database).authenticate(made.secret, IP, datetime.now(UTC))
    assert await verdicts([cashiers[0].settle(credits.Usage(new, 3))]) == {"KEY": 1}
    await sql(database, "update key_balances set period = period - interval '1 month'")
    assert await verdicts(cashiers[n % 2].settle(credits.Usage(new, 3)) for n in range(4)) == {
        "OK": 3,
        "KEY": 1,
    }
    assert await verdicts([cashiers[0].settle(credits.Usage(new, 1))]) == {"OK": 1}
    await agreed(database)


async def test_mutations_are_held_to_the_keys_limit_too(database, account):
    key = await key_of(database, account, 5)

    async def charge():
        async with database.write() as session:
            return await credits.charge(session, credits.Usage(key, 2))

    assert await verdicts(charge() for _ in range(6)) == {"OK": 2, "KEY": 4}
    await agreed(database)


async def test_a_refund_gives_back_and_the_books_agree(database, account, cashiers):
    key = await key_of(database, account, 10)
    await cashiers[0].settle(credits.Usage(key, 9))
    async with database.write() as session:
        await credits.refund(session, account.id, 4, "ours", key_id=key.key_id)
    assert (await cashiers[0].settle(credits.Usage(key, 5))).remaining == 1_000 - 9 + 4 - 5
    await sql(database, "update credit_balances set period = period - interval '1 month'")
    async with database.write() as session:
        await credits.refund(session, account.id, 4, "late")
    async with database.read() as connection:
        shown = await credits.show(connection, account.id, datetime.now(UTC))
    assert (shown.balance.remaining, shown.entries[0].kind, shown.entries[0].amount) == (1_004, "refund", 4)
    async with database.read() as connection:
        assert await credits.audit(connection) == []


# -- what is remembered


def refused(found, least=1, most=1, key=None):
    try:
        found.check(uuid.UUID(int=1), key or uuid.UUID(int=2), least, most)
    except errors.CreditsExhausted as error:
        return error.extra["needed"], error.extra["remaining"]
    return None


def test_an_empty_purse_refuses_for_half_a_second_and_no_longer(monkeypatch):
    found, clock = purses.Purses(), [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    account_id = uuid.UUID(int=1)
    assert refused(found) is None
    found.see(account_id, 0, 10, RESET)
    assert refused(found) == (1, 0)
    clock[0] += 0.5
    assert refused(found) is None
    found.see(account_id, 0, 10, RESET)
    found.see(account_id, 7, 10, RESET)
    assert refused(found) is None


def test_after_a_withheld_answer_only_what_may_cost_more_is_refused_until_the_balance_changes(monkeypatch):
    found, clock, account_id = purses.Purses(), [100.0], uuid.UUID(int=1)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    found.withhold(account_id, 3, RESET)
    assert refused(found, 1, 4) == (4, 3)
    assert refused(found, 1, 3) is None
    found.see(account_id, 3, 10, RESET)  # a free operation was settled: nothing changed
    assert refused(found, 1, 4) == (4, 3)
    found.see(account_id, 2, 10, RESET)
    assert refused(found, 1, 4) is None
    found.withhold(account_id, 2, RESET)
    found.forget(account_id)
    assert refused(found, 1, 4) is None
    key = uuid.UUID(int=2)
    found.withhold(account_id, 1, RESET, key_id=key)
    assert (refused(found, 1, 4), refused(found, 1, 4, uuid.UUID(int=9))) == ((4, 1), None)
    clock[0] += 0.51
    assert refused(found, 1, 4) is None


def test_what_changes_one_account_lets_only_its_own_in_again_and_a_doubt_nobody():
    found, account_id, other, key = purses.Purses(), *(uuid.UUID(int=n) for n in (1, 3, 2))
    found.withhold(account_id, 3, RESET)
    found.see(other, 0, 10, RESET)
    found.forget(other)
    assert refused(found, 1, 4) == (4, 3)
    found.see(account_id, 3, 10, RESET)
    found.doubt(account_id)
    assert found.standing(account_id) is None
    assert refused(found, 1, 4) == (4, 3)
    found.withhold(account_id, 1, RESET, key_id=key)
    found.forget(account_id)
    assert refused(found, 1, 4) is None


def test_what_is_remembered_is_bounded():
    found = purses.Purses()
    for n in range(purses.MOST * 2):
        found.see(uuid.UUID(int=n), 1, 1, RESET)
    assert len(found._seen) <= purses.MOST


# -- late days


async def test_a_day_without_its_partition_is_charged_and_moved_in_later(database, account, cashiers):
    today = datetime.now(UTC)
    name = f"usage_events_{today:%Y_%m_%d}"
    await sql(database, f"drop table {name}")
    key = await key_of(database, account, None)
    assert await verdicts(cashiers[n % 2].settle(credits.Usage(key, 1)) for n in range(20)) == {"OK": 20}
    assert (await sql(database, "select count(*) from usage_events_default"))[0][0] == 20
    async with database.write() as session:
        await partitions.ensure(session, today)
    assert (await sql(database, "select count(*) from usage_events_default"))[0][0] == 0
    assert (await sql(database, f"select count(*) from {name}"))[0][0] == 20
    assert await verdicts([cashiers[0].settle(credits.Usage(key, 1))]) == {"OK": 1}
    assert (await sql(database, f"select count(*) from {name}"))[0][0] == 21
    async with database.write() as session:
        await partitions.ensure(session, today + timedelta(days=1))
        assert await partitions.drop_old(session, today) == []
    await agreed(database)
