"""Credits: charged once or not at all, never overspent, and every change in the ledger."""

import asyncio
import ipaddress
import random
import types
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services import accounts, api_keys, callers, credits, errors, express, ledger
from services import cashier as cashiers
from services.cashier import Cashier

IP = ipaddress.ip_address("192.0.2.1")


async def account(database, name="a", *, monthly=1_000, plan="pro"):
    async with database.write() as session:
        return await accounts.create(session, name, plan, credits_a_month=monthly)


async def caller_of(database, key):
    return await callers.Callers(database).authenticate(key.secret, IP, datetime.now(UTC))


async def live_caller(database, name="a", *, monthly=1_000):
    return await caller_of(database, (await account(database, name, monthly=monthly)).live)


def usage(caller, charge=1, **facts):
    facts = {"operation": "Q", "coordinates": '{"Query.creators": 1}', "ip": "192.0.2.1", **facts}
    return credits.Usage(caller, charge, **facts)


async def sql(database, statement, *values):
    connection = await database.connect()
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


async def express_outcomes(database, asked):
    batch = express.Batch(asked, [True] * len(asked))
    return batch.outcomes(await sql(database, express.SETTLE, *batch.columns()))


async def remaining(database, caller):
    async with database.read() as connection:
        return (await credits.balance(connection, caller.account_id, datetime.now(UTC))).remaining


async def agreed(database):
    """The three books say the same: balances, ledger, usage rows."""
    async with database.read() as connection:
        assert await credits.audit(connection) == []
    differences = await sql(
        database,
        "select account_id from (select account_id, -sum(amount) as booked from ledger where kind = 'charge' group by 1)"
        " l full join (select account_id, sum(credits) as used from usage_events group by 1) u using (account_id)"
        " where coalesce(booked, 0) <> coalesce(used, 0)",
    )
    assert differences == []


@pytest.fixture
async def cashier(database):
    cashier = Cashier(database)
    yield cashier
    await cashier.close()


async def verdicts(settlements):
    answers = await asyncio.gather(*settlements, return_exceptions=True)
    counted = {}
    for answer in answers:
        name = "OK" if isinstance(answer, credits.Settled) else answer.extensions().get("reason", answer.code)
        counted[name] = counted.get(name, 0) + 1
    return counted


async def test_300_at_once_with_credits_for_100_are_100_answers(database, cashier):
    caller = await live_caller(database, monthly=100)
    answers = await verdicts(cashier.settle(usage(caller)) for _ in range(300))
    assert answers == {"OK": 100, "CREDITS_EXHAUSTED": 200}
    assert await remaining(database, caller) == 0
    await agreed(database)


async def test_two_cashiers_on_one_database_never_overspend(database, cashier):
    caller = await live_caller(database, monthly=100)
    other = Cashier(database, most_at_once=7)
    answers = await verdicts((cashier, other)[n % 2].settle(usage(caller)) for n in range(300))
    await other.close()
    assert answers == {"OK": 100, "CREDITS_EXHAUSTED": 200}
    await agreed(database)


async def test_two_cashiers_with_many_accounts_in_any_order_do_not_wait_for_each_other(database, cashier):
    who = [await live_caller(database, f"a{n}", monthly=40) for n in range(6)]
    other = Cashier(database, most_at_once=11)
    work = [(cashier, other)[n % 2].settle(usage(random.choice(who))) for n in range(600)]
    answers = await verdicts(work)
    await other.close()
    assert set(answers) == {"OK", "CREDITS_EXHAUSTED"}
    assert answers["OK"] == 6 * 40
    await agreed(database)


async def test_a_poor_account_does_not_refuse_its_rich_neighbours(database, cashier):
    poor, rich = await live_caller(database, "poor", monthly=5), await live_caller(database, "rich")
    work = [cashier.settle(usage(who)) for _ in range(50) for who in (poor, rich)]
    answers = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(answer, credits.Settled) for answer in answers[0::2]) == 5
    assert all(isinstance(answer, credits.Settled) for answer in answers[1::2])
    await agreed(database)


async def test_a_batch_is_settled_in_the_order_it_came_and_what_does_not_fit_is_passed(database, cashier):
    caller = await live_caller(database, monthly=10)
    charges = [4, 7, 3, 4, 3, 0]
    answers = await asyncio.gather(
        *(cashier.settle(usage(caller, charge)) for charge in charges), return_exceptions=True
    )
    assert [isinstance(answer, credits.Settled) for answer in answers] == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    assert [answer.remaining for answer in answers if isinstance(answer, credits.Settled)] == [6, 3, 0, 0]
    assert answers[1].message == "Not enough credits: 7 needed, 6 left."
    assert answers[1].extra["resetAt"].endswith("-01T00:00:00.000Z")
    assert {answer.limit for answer in answers if isinstance(answer, credits.Settled)} == {10}
    await agreed(database)


async def test_random_batches_agree_with_a_simulation(database, cashier):
    random.seed(7)
    who = [await live_caller(database, f"a{n}", monthly=60) for n in range(4)]
    room = dict.fromkeys((caller.account_id for caller in who), 60)
    for _ in range(25):
        asked = [(random.choice(who), random.randint(0, 5)) for _ in range(random.randint(1, 15))]
        expected = []
        for caller, charge in asked:
            fits = charge <= room[caller.account_id]
            room[caller.account_id] -= charge if fits else 0
            expected.append((fits, room[caller.account_id]))
        answers = await asyncio.gather(
            *(cashier.settle(usage(caller, charge)) for caller, charge in asked), return_exceptions=True
        )
        assert [
            (True, answer.remaining)
            if isinstance(answer, credits.Settled)
            else (False, answer.extra["remaining"])
            for answer in answers
        ] == expected
    await agreed(database)


async def test_the_express_lane_charges_an_account_whole_or_leaves_it_as_it_was(database):
    rich, poor, gone = [await live_caller(database, name, monthly=10) for name in ("rich", "poor", "gone")]
    await sql(database, "update api_keys set revoked_at = now() where id = $1", gone.key_id)
    asked = [usage(poor, 6), usage(rich, 4), usage(gone), usage(poor, 6), usage(rich, 6)]
    told = await express_outcomes(database, asked)
    assert [one and (one.charged, one.remaining, one.limit) for one in told] == [
        None, (4, 6, 10), None, None, (6, 0, 10),
    ]  # fmt: skip
    assert [await remaining(database, caller) for caller in (rich, poor, gone)] == [0, 10, 10]
    assert await sql(database, "select 1 from usage_events where account_id <> $1", rich.account_id) == []
    await agreed(database)


@pytest.mark.parametrize(
    "change",
    [
        "update api_keys set revoked_at = now()",
        "update api_keys set expires_at = now() + interval '1 day'",
        "update api_keys set retires_at = now() + interval '1 day'",
        "update api_keys set monthly_credits = 10",
        "delete from api_keys",
        "update accounts set canceled_at = now()",
        "update accounts set plan = (select name from plans where name <> plan limit 1)",
        "update plans set api_access = false",
    ],
)
async def test_the_express_lane_charges_nobody_of_whom_something_changed_since_it_was_let_in(
    database, change
):
    caller = await live_caller(database)
    asked = [usage(caller)]
    assert express.takes(asked[0])
    await sql(database, change)
    assert await express_outcomes(database, asked) == [None]
    assert await remaining(database, caller) == 1_000


@pytest.mark.parametrize(
    "change",
    [
        "update api_keys set expires_at = now() + interval '30 minutes'",
        "update api_keys set retiring_since = now(), retires_at = now() + interval '30 minutes'",
        "update api_keys set monthly_credits = 10",
    ],
)
async def test_the_express_lane_takes_nobody_who_may_be_refused_without_a_change(database, change):
    made = await account(database)
    assert express.takes(usage(await caller_of(database, made.live)))
    assert not express.takes(usage(await caller_of(database, made.test)))
    await sql(database, change)
    assert not express.takes(usage(await caller_of(database, made.live)))


async def test_an_express_charge_that_had_to_wait_for_a_change_sees_it(database):
    caller = await live_caller(database)
    changing = await database.connect()
    async with changing.transaction():
        await changing.execute("update api_keys set revoked_at = now()")
        await changing.execute("set constraints all immediate")  # as a commit does: the balance is held
        charging = asyncio.create_task(express_outcomes(database, [usage(caller)]))
        async with asyncio.timeout(60):
            while not await sql(database, "select 1 from pg_locks where not granted"):
                await asyncio.sleep(0.01)
    assert await charging == [None]
    await changing.close()
    assert await remaining(database, caller) == 1_000


async def test_keys_that_were_let_in_before_and_after_a_change_are_each_judged_by_their_own(database):
    before = await live_caller(database)
    await sql(database, "update api_keys set revoked_at = now() where not livemode")
    async with database.read() as connection:
        after = await callers.find(connection, (before.account_id, before.key_id))
    asked = [usage(before, 2), usage(after, 3), usage(before, 4)]
    assert [one and one.remaining for one in await express_outcomes(database, asked)] == [None, 997, None]
    await agreed(database)


async def test_who_was_seen_lately_takes_the_express_lane_and_exceptions_the_other(
    database, cashier, monkeypatch
):
    taken = []
    settle = express.Batch.outcomes

    def outcomes(batch, rows):
        found = settle(batch, rows)
        taken.append(len(found))
        return found

    monkeypatch.setattr(express.Batch, "outcomes", outcomes)
    caller = await live_caller(database)
    await cashier.settle(usage(caller))
    assert taken == []
    await asyncio.gather(*(cashier.settle(usage(caller)) for _ in range(5)))
    assert taken == [5]
    await sql(database, "update api_keys set monthly_credits = 8")  # a budget it does not know of yet
    answers = await verdicts(cashier.settle(usage(caller)) for _ in range(5))
    assert answers == {"OK": 5}
    await asyncio.gather(*(cashier.settle(usage(caller, charge)) for charge in (1, 0)))
    assert taken == [5, 5]  # one of the account was free: both are judged in the order they came
    assert await remaining(database, caller) == 988
    await agreed(database)


async def test_a_key_revoked_after_its_read_began_gets_nothing(database, cashier):
    caller = await live_caller(database)
    await cashier.settle(usage(caller))
    async with database.write() as session:
        await api_keys.revoke(session, caller.account_id, caller.key_id)
    with pytest.raises(errors.Unauthenticated) as refused:
        await cashier.settle(usage(caller))
    assert refused.value.extra["reason"] == "REVOKED"
    assert await remaining(database, caller) == 999
    await agreed(database)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("update api_keys set expires_at = now()", "EXPIRED"),
        ("update api_keys set retiring_since = now(), retires_at = now()", "EXPIRED"),
        ("update accounts set canceled_at = now()", "PLAN"),
        ("update plans set api_access = false", "PLAN"),
        ("delete from api_keys", "REVOKED"),
    ],
)
async def test_whatever_ended_between_read_and_answer_withholds_the_answer(database, cashier, change, reason):
    caller = await live_caller(database)
    await cashier.settle(usage(caller))
    await sql(database, change)
    assert await verdicts([cashier.settle(usage(caller))]) == {reason: 1}
    assert await remaining(database, caller) == 999


async def test_a_retiring_key_still_pays_and_is_answered(database, cashier):
    made = await account(database)
    async with database.write() as session:
        await api_keys.rotate(session, made.id, made.live.id, until_revoked=True)
    caller = await caller_of(database, made.live)
    assert caller.retiring
    assert (await cashier.settle(usage(caller))).remaining == 999


async def test_test_mode_is_written_down_but_never_charged_nor_bound_to_the_plan(database, cashier):
    made = await account(database, monthly=0)
    caller = await caller_of(database, made.test)
    await sql(database, "update accounts set canceled_at = now()")
    assert (await cashier.settle(usage(caller, 50))).charged == 0
    rows = await sql(database, "select livemode, credits, code from usage_events")
    assert [tuple(row) for row in rows] == [(False, 0, "OK")]
    await sql(database, "update api_keys set revoked_at = now() - interval '1 second'")
    assert await verdicts([cashier.settle(usage(caller, 50))]) == {"REVOKED": 1}


async def test_a_new_month_renews_the_balance_once_and_the_ledger_says_so(database, cashier):
    caller = await live_caller(database, monthly=100)
    await cashier.settle(usage(caller, 30))
    await sql(database, "update credit_balances set period = period - interval '1 month'")
    assert await remaining(database, caller) == 100
    answers = await asyncio.gather(*(cashier.settle(usage(caller, 10)) for _ in range(8)))
    assert sorted(answer.remaining for answer in answers) == [20, 30, 40, 50, 60, 70, 80, 90]
    resets = await sql(database, "select amount from ledger where kind = 'reset'")
    assert [row["amount"] for row in resets] == [30]
    await agreed(database)


async def test_a_new_month_takes_back_what_was_granted_for_the_old_one(database, cashier):
    caller = await live_caller(database, monthly=100)
    async with database.write() as session:
        await credits.grant(session, caller.account_id, 500, "sorry")
    await sql(database, "update credit_balances set period = period - interval '3 months'")
    with pytest.raises(errors.CreditsExhausted):
        await cashier.settle(usage(caller, 101))
    kinds = await sql(database, "select kind, amount from ledger order by id")
    assert [tuple(row) for row in kinds] == [("grant", 100), ("grant", 500), ("reset", -500)]
    await agreed(database)


async def test_months_end_for_two_cashiers_at_once_is_one_reset(database, cashier):
    caller = await live_caller(database, monthly=100)
    await sql(database, "update credit_balances set period = period - interval '1 month'")
    other = Cashier(database)
    await verdicts((cashier, other)[n % 2].settle(usage(caller)) for n in range(40))
    await other.close()
    assert len(await sql(database, "select 1 from ledger where kind = 'reset'")) == 1
    assert await remaining(database, caller) == 60
    await agreed(database)


def test_the_year_ends_in_a_month_too():
    at = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert ledger.next_month(at) == datetime(2027, 1, 1, tzinfo=UTC)
    assert ledger.month_of(at) == datetime(2026, 12, 1, tzinfo=UTC)


async def test_every_operation_is_one_usage_row_with_its_verdict(database, cashier):
    caller = await live_caller(database, monthly=5)
    await cashier.settle(usage(caller, 4, operation_hash=b"h", duration_us=17, country="AT"))
    await verdicts([cashier.settle(usage(caller, 4))])
    cashier.record(usage(caller, 99, code="QUERY_TOO_COMPLEX"))
    await cashier.close()
    rows = await sql(database, "select * from usage_events order by id")
    assert [(row["credits"], row["code"]) for row in rows] == [
        (4, "OK"),
        (0, "CREDITS_EXHAUSTED"),
        (0, "QUERY_TOO_COMPLEX"),
    ]
    first = rows[0]
    assert (first["operation"], first["operation_hash"], first["duration_us"]) == ("Q", b"h", 17)
    assert (str(first["ip"]), first["country"], first["livemode"]) == ("192.0.2.1", "AT", True)
    assert first["coordinates"] == '{"Query.creators": 1}'
    assert rows[1]["coordinates"] == "{}"
    await agreed(database)


async def test_a_key_is_touched_once_a_minute(database, cashier, monkeypatch):
    monkeypatch.setattr(cashiers, "TOUCHED_SECONDS", 0.2)
    caller = await live_caller(database)
    for ip in ("192.0.2.1", "192.0.2.2"):
        await cashier.settle(usage(caller, ip=ip, country="AT"))
    row = (await sql(database, "select * from api_keys where id = $1", caller.key_id))[0]
    assert (str(row["last_used_ip"]), row["last_used_country"]) == ("192.0.2.1", "AT")
    await sql(database, "update api_keys set last_used_at = now() - interval '61 seconds'")
    await asyncio.sleep(0.25)
    await cashier.settle(usage(caller, ip="192.0.2.3"))
    row = (await sql(database, "select * from api_keys where id = $1", caller.key_id))[0]
    assert str(row["last_used_ip"]) == "192.0.2.3"


async def test_nobody_waits_for_a_transaction_that_changes_a_key(database, cashier):
    caller = await live_caller(database)
    async with database.write() as session:
        await api_keys.revoke(session, caller.account_id, caller.key_id)
        async with asyncio.timeout(60):
            await cashier.settle(usage(caller))  # the revocation is not committed


async def test_names_that_no_database_takes_do_not_fail_their_neighbours(database, cashier):
    caller = await live_caller(database)
    wild = [usage(caller, operation=name) for name in ("\x00", "\ud800", "x" * 10_000, "é")]
    poison = [
        usage(caller, coordinates='{"\\u0000": 1}'),
        usage(caller, ip="nowhere"),
        usage(caller, country=7),
    ]
    fine = [usage(caller) for _ in range(5)]
    answers = await verdicts(cashier.settle(one) for one in [*wild, *poison, *fine])
    assert answers == {"OK": 9, "UNAVAILABLE": 3}
    await agreed(database)


async def test_two_express_lanes_on_the_same_accounts_charge_to_the_credit(database, monkeypatch):
    who = [await live_caller(database, f"a{n}", monthly=100) for n in range(5)]
    both, taken = [Cashier(database, most_at_once=6) for _ in range(2)], []
    for one in both:  # keys are seen, so that from now on all goes express as long as it fits
        await asyncio.gather(*(one.settle(usage(caller)) for caller in who))
    settle = express.Batch.outcomes

    def outcomes(batch, rows):
        found = settle(batch, rows)
        taken.append(sum(one is not None for one in found))
        return found

    monkeypatch.setattr(express.Batch, "outcomes", outcomes)
    answers = await verdicts(both[n % 2].settle(usage(random.choice(who), 3)) for n in range(300))
    for one in both:
        await one.close()
    assert answers["OK"] == 5 * (98 // 3)
    assert sum(taken) > answers["OK"] / 2, "it is the express lane that was tried"
    assert [await remaining(database, caller) for caller in who] == [98 % 3] * 5
    await agreed(database)


async def test_either_lane_writes_down_the_same_of_an_operation_whatever_it_is_called(database, cashier):
    caller = await live_caller(database)
    names = (
        None, "", "null", "Q", '"', "\\", "{a,b}", " x ", "a\nb\tc", "\x00", "\ud800", "\x7f", "é🎉", "x" * 10_000,
    )  # fmt: skip
    facts = {
        "operation_hash": bytes(range(32)),
        "ip": "2001:db8::1",
        "country": "NO",
        "coordinates": '{"Q.a": [1, 2.5]}',
    }
    asked = [usage(caller, 1 + n, operation=name, duration_us=n, **facts) for n, name in enumerate(names)]
    asked += [usage(caller), usage(caller, 2**40), usage(caller, operation_hash=None, ip=None, country=None)]
    await sql(database, "update credit_balances set granted = 10000000000000")
    for _ in range(
        2
    ):  # the express lane takes no key that is not known to have been seen: the second time it does
        await asyncio.gather(*(cashier.settle(one) for one in asked))
    rows = [tuple(row) for row in await sql(
        database,
        "select operation, operation_hash, coordinates, credits, code, duration_us, ip, country, key_id, livemode"
        " from usage_events order by id",
    )]  # fmt: skip
    assert len(rows) == 2 * len(asked)
    assert sorted(rows[: len(asked)], key=str) == sorted(rows[len(asked) :], key=str)


async def test_a_client_that_hangs_up_is_charged_and_harms_nobody(database, cashier):
    caller = await live_caller(database)
    work = [asyncio.create_task(cashier.settle(usage(caller))) for _ in range(20)]
    await asyncio.sleep(0)
    for task in work[::2]:
        task.cancel()
    answers = await asyncio.gather(*work, return_exceptions=True)
    assert all(isinstance(answer, credits.Settled) for answer in answers[1::2])
    await cashier.close()
    assert await remaining(database, caller) == 980
    await agreed(database)


WAITS = "select wait_event_type = 'Lock' from pg_stat_activity where pid = $1"


async def backend_of_cashier(connection):
    return await connection.fetchval(
        "select pid from pg_stat_activity where application_name = 'creator-graph cashier'"
        " and datname = current_database()"
    )


async def test_a_killed_backend_is_an_unknown_outcome_and_the_next_is_served(database, cashier):
    caller = await live_caller(database)
    await cashier.settle(usage(caller))
    other = await database.connect()
    async with other.transaction():
        await other.execute("select 1 from credit_balances for update")
        waiting = [asyncio.create_task(cashier.settle(usage(caller))) for _ in range(3)]
        async with asyncio.timeout(60):
            while not await other.fetchval(WAITS, pid := await backend_of_cashier(other)):
                await asyncio.sleep(0.01)
        await other.execute("select pg_terminate_backend($1)", pid)
        assert await verdicts(waiting) == {"UNAVAILABLE": 3}
    assert (await cashier.settle(usage(caller))).remaining == 998
    await agreed(database)
    # Killed while idle, nothing was lost: nobody is told of it once the connection is seen to be dead.
    await other.execute("select pg_terminate_backend($1)", await backend_of_cashier(other))
    async with asyncio.timeout(60):
        while not cashier._connection.is_closed():
            await asyncio.sleep(0.01)
    assert (await cashier.settle(usage(caller))).remaining == 997
    await other.close()


async def test_a_balance_held_too_long_refuses_its_own_account_only(database, cashier):
    slow, quick = await live_caller(database, "slow"), await live_caller(database, "quick")
    await cashier.settle(usage(slow))
    other = await database.connect()
    async with other.transaction():
        await other.execute("select 1 from credit_balances where account_id = $1 for update", slow.account_id)
        answers = await asyncio.gather(
            *(cashier.settle(usage(who)) for who in (slow, quick)), return_exceptions=True
        )
    assert isinstance(answers[0], errors.Unavailable)
    assert answers[1].remaining == 999
    await other.close()
    await agreed(database)


async def test_many_are_not_kept_waiting_by_one_balance_that_is_held(database, cashier):
    slow, quick = await live_caller(database, "slow"), await live_caller(database, "quick")
    await cashier.settle(usage(slow))
    sent = counted(cashier)
    other = await database.connect()
    async with other.transaction():
        await other.execute("select 1 from credit_balances where account_id = $1 for update", slow.account_id)
        answers = await verdicts(cashier.settle(usage(who)) for who in [quick] * 32 + [slow] * 32)
    assert answers == {"OK": 32, "UNAVAILABLE": 32}
    assert len(sent) == 3  # all, those that are free, those that are held
    await other.close()
    await agreed(database)


@pytest.mark.parametrize("error", [asyncpg.DiskFullError, asyncpg.OutOfMemoryError, asyncpg.PostgresIOError])
async def test_what_is_nobodys_fault_fails_the_batch_at_once(database, cashier, error):
    caller = await live_caller(database)
    sent = counted(cashier, error("no room"))
    assert await verdicts(cashier.settle(usage(caller)) for _ in range(64)) == {"UNAVAILABLE": 64}
    assert len(sent) == 1


async def test_a_table_that_is_locked_fails_the_batch_whole(database, cashier):
    caller = await live_caller(database)
    for _ in range(2):  # both lanes are prepared
        await cashier.settle(usage(caller))
    sent = counted(cashier)
    other = await database.connect()
    async with other.transaction():
        await other.execute("lock table usage_events in access exclusive mode")
        assert await verdicts(cashier.settle(usage(caller)) for _ in range(64)) == {"UNAVAILABLE": 64}
    assert len(sent) == 2  # and once more, since it may have been over
    await other.close()
    assert await remaining(database, caller) == 998


async def test_a_deadlock_is_tried_again_whole(database, cashier):
    caller = await live_caller(database)
    sent = counted(cashier, asyncpg.DeadlockDetectedError("two waited"), times=1)
    assert await verdicts(cashier.settle(usage(caller)) for _ in range(64)) == {"OK": 64}
    assert len(sent) == 2
    await agreed(database)


def counted(cashier, error=None, times=1_000):
    """The sizes of the batches that it sends; the first `times` of them fail."""
    sizes, prepared = [], cashier._prepared

    async def heard(lane):
        statement = await prepared(lane)

        async def fetch(*columns):
            sizes.append(len(columns[3]))
            if error is not None and len(sizes) <= times:
                raise error
            return await statement.fetch(*columns)

        return types.SimpleNamespace(fetch=fetch)

    cashier._prepared = heard
    return sizes


async def test_a_statement_that_fails_for_everyone_is_told_to_everyone_and_soon(database, cashier):
    caller = await live_caller(database)
    days = await sql(
        database,
        "select inhrelid::regclass::text from pg_inherits where inhparent = 'usage_events'::regclass",
    )
    for day in days:
        await sql(database, f"drop table {day[0]}")
    async with asyncio.timeout(60):
        assert await verdicts(cashier.settle(usage(caller)) for _ in range(200)) == {"UNAVAILABLE": 200}
    assert await remaining(database, caller) == 1_000


async def test_tables_that_change_under_the_cashier_cost_it_one_batch_at_most(database, cashier):
    caller = await live_caller(database)
    await cashier.settle(usage(caller))
    await sql(database, "alter table credit_balances alter column granted type numeric")
    await verdicts([cashier.settle(usage(caller))])
    await sql(database, "alter table credit_balances alter column granted type bigint")
    await verdicts([cashier.settle(usage(caller))])
    assert isinstance(await cashier.settle(usage(caller)), credits.Settled)
    await agreed(database)


async def test_without_a_database_everyone_is_told_and_nobody_waits(database, cashier, monkeypatch):
    caller = await live_caller(database)

    async def away(_database, **_settings):
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(type(database), "connect", away)
        assert await verdicts(cashier.settle(usage(caller)) for _ in range(5)) == {"UNAVAILABLE": 5}
        cashier.record(usage(caller))
        async with asyncio.timeout(60):
            while not cashier.dropped:
                await asyncio.sleep(0.01)
    assert cashier.dropped == 1
    assert (await cashier.settle(usage(caller))).remaining == 999


@pytest.mark.parametrize("error", [asyncpg.TooManyConnectionsError, asyncpg.InvalidPasswordError])
async def test_a_connection_that_is_refused_is_asked_for_once_a_batch(database, cashier, monkeypatch, error):
    caller, tries = await live_caller(database), []

    async def refused(_database, **_settings):
        tries.append(1)
        raise error("no")

    with monkeypatch.context() as patch:
        patch.setattr(type(database), "connect", refused)
        assert await verdicts(cashier.settle(usage(caller)) for _ in range(64)) == {"UNAVAILABLE": 64}
    assert len(tries) == 1


async def test_closing_settles_what_waits_and_then_nothing(database):
    caller, cashier = await live_caller(database), Cashier(database)
    waiting = [asyncio.create_task(cashier.settle(usage(caller))) for _ in range(10)]
    await asyncio.sleep(0)
    await cashier.close()
    assert all(isinstance(answer, credits.Settled) for answer in await asyncio.gather(*waiting))
    with pytest.raises(errors.Unavailable):
        await cashier.settle(usage(caller))


@pytest.mark.parametrize(
    ("under_way", "turns", "first"),
    [
        (8, [1, 1, 1, 1, 1, 1], 4),  # half of those under way are here
        (100, [1, 1, 1, 1, 1, 1, 1, 1], 6),  # enough to share what a batch costs
        (8, [1, 1, 0, 0, 0, 0], 2),  # a turn brought nobody
        (3, [1, 1, 1, 1], 1),  # few: waiting would make nothing cheaper
    ],
)
async def test_a_batch_waits_while_each_turn_brings_more_until_half_are_here_or_enough(
    database, cashier, monkeypatch, under_way, turns, first
):
    caller, sizes, settle = await live_caller(database), [], Cashier._settle

    async def seen(self, batch):
        sizes.append(len(batch))
        await settle(self, batch)

    monkeypatch.setattr(Cashier, "_settle", seen)
    monkeypatch.setattr(cashiers, "ENOUGH", 6)
    monkeypatch.setattr(cashiers, "FEW", 3)
    for _ in range(under_way):
        cashier.expect()
    asked = []
    for come in turns:
        asked += [asyncio.create_task(cashier.settle(usage(caller))) for _ in range(come)]
        await asyncio.sleep(0)
    await asyncio.gather(*asked)
    assert sizes[0] == first
    assert sum(sizes) == len(asked) == 1_000 - await remaining(database, caller)


async def test_records_beyond_the_queue_are_dropped_and_counted(database):
    caller, cashier = await live_caller(database), Cashier(database, most_records=10)
    for _ in range(15):
        cashier.record(usage(caller, code="RATE_LIMITED"))
    await cashier.close()
    assert cashier.dropped == 5
    assert len(await sql(database, "select 1 from usage_events")) == 10


async def test_the_cashier_commits_to_disk(database, cashier):
    await cashier.settle(usage(await live_caller(database)))
    settings = await cashier._connection.fetchrow(
        "select current_setting('synchronous_commit') as commit, current_setting('jit') as jit,"
        " current_setting('plan_cache_mode') as plan"
    )
    assert tuple(settings) == ("on", "off", "force_generic_plan")


# -- mutations, in their own transaction


async def test_a_mutation_and_its_charge_commit_together_or_not_at_all(database):
    caller = await live_caller(database, monthly=10)
    async with database.write() as session:
        assert (await credits.charge(session, usage(caller, 4))).remaining == 6
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            await credits.charge(session, usage(caller, 4))
            raise ZeroDivisionError
    with pytest.raises(errors.CreditsExhausted):
        async with database.write() as session:
            await credits.charge(session, usage(caller, 7))
    assert await remaining(database, caller) == 6
    assert len(await sql(database, "select 1 from usage_events")) == 1
    await agreed(database)


async def test_mutations_and_reads_race_without_overspending(database, cashier):
    caller = await live_caller(database, monthly=60)

    async def mutate():
        async with database.write() as session:
            return await credits.charge(session, usage(caller))

    work = [mutate() if n % 3 == 0 else cashier.settle(usage(caller)) for n in range(120)]
    assert await verdicts(work) == {"OK": 60, "CREDITS_EXHAUSTED": 60}
    await agreed(database)


async def test_a_key_that_ends_itself_pays_for_doing_so_and_is_dead_then(database, cashier):
    caller = await live_caller(database)
    async with database.write() as session:
        await api_keys.revoke(session, caller.account_id, caller.key_id, granted_by=caller)
        assert (await credits.charge(session, usage(caller))).remaining == 999
    assert await verdicts([cashier.settle(usage(caller))]) == {"REVOKED": 1}


async def test_a_mutation_with_a_key_revoked_meanwhile_does_not_commit(database):
    caller = await live_caller(database)
    with pytest.raises(errors.Unauthenticated):
        async with database.write() as session:
            async with database.write() as other:
                await api_keys.revoke(other, caller.account_id, caller.key_id)
            await credits.charge(session, usage(caller))
    assert await remaining(database, caller) == 1_000


# -- by the operator's hand


async def test_grants_and_adjustments_are_ledger_rows(database):
    caller = await live_caller(database, monthly=100)
    async with database.write() as session:
        await credits.charge(session, usage(caller, 30))
        await credits.grant(session, caller.account_id, 50, "welcome")
        await credits.adjust(session, caller.account_id, -120, "a mistake")
    for amount in (-1, 0, -(10**16)):
        with pytest.raises(errors.BadUserInput):
            async with database.write() as session:
                await credits.adjust(session, caller.account_id, amount, "too much")
    async with database.read() as connection:
        shown = await credits.show(connection, caller.account_id, datetime.now(UTC))
    assert shown.balance.remaining == 0
    assert [(entry.kind, entry.amount, entry.note) for entry in shown.entries] == [
        ("adjustment", -120, "a mistake"),
        ("grant", 50, "welcome"),
        ("charge", -30, None),
        ("grant", 100, "opening balance"),
    ]
    await agreed(database)


async def test_a_grant_in_a_new_month_is_that_months(database):
    caller = await live_caller(database, monthly=100)
    await sql(database, "update credit_balances set period = period - interval '1 month', used = 0")
    async with database.write() as session:
        await credits.grant(session, caller.account_id, 50)
    async with database.read() as connection:
        balance = await credits.balance(connection, caller.account_id, datetime.now(UTC))
    assert (balance.limit, balance.remaining) == (150, 150)
    assert balance.reset_at > datetime.now(UTC)
    await agreed(database)


async def test_the_audit_finds_a_balance_its_ledger_does_not_explain(database):
    caller = await live_caller(database, monthly=100)
    await sql(database, "update credit_balances set used = 1")
    async with database.read() as connection:
        assert await credits.audit(connection) == [credits.Disagreement(caller.account_id, 99, 100)]


async def test_the_audit_is_clean_at_every_instant_of_a_busy_month(database, cashier):
    who = [await live_caller(database, f"a{n}", monthly=30) for n in range(3)]
    work = asyncio.gather(
        *(verdicts([cashier.settle(usage(random.choice(who), 2))]) for _ in range(200)),
        *(_by_hand(database, caller, amount) for caller in who for amount in range(1, 9)),
    )
    audits = 0
    async with database.read() as connection:
        while not work.done():
            assert await credits.audit(connection) == []
            audits += 1
    await work
    assert audits > 3
    await agreed(database)


async def _by_hand(database, caller, amount):
    async with database.write() as session:
        await credits.grant(session, caller.account_id, amount)
        await credits.refund(session, caller.account_id, amount, "ours")
        await credits.adjust(session, caller.account_id, -amount, "theirs")


async def test_an_older_balance_reads_as_the_months_own_number(database):
    caller = await live_caller(database, monthly=100)
    later = datetime.now(UTC) + timedelta(days=40)
    async with database.read() as connection:
        balance = await credits.balance(connection, caller.account_id, later)
    assert (balance.limit, balance.used, balance.reset_at) == (100, 0, ledger.next_month(later))


async def test_the_constraint_stands_behind_all_of_it(database):
    await live_caller(database, monthly=100)
    with pytest.raises(asyncpg.CheckViolationError):
        await sql(database, "update credit_balances set used = 101")
