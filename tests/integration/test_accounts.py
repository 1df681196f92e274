"""Accounts: whole from the start, changed by the operator, and left by people whose keys then end."""

import ipaddress
from datetime import UTC, datetime

import pytest

from services import accounts, api_keys, callers, credits, errors, key_terms

IP = ipaddress.ip_address("192.0.2.1")


async def change(database, function, *arguments, **named):
    async with database.write() as session:
        return await function(session, *arguments, **named)


async def caller_of(database, key):
    return await callers.Callers(database).authenticate(key.secret, IP, datetime.now(UTC))


async def balance_of(database, made):
    async with database.read() as connection:
        assert await credits.audit(connection) == []
        return await credits.balance(connection, made.id, datetime.now(UTC))


async def test_a_new_account_has_an_owner_a_balance_and_a_key_of_each_mode(database):
    made = await change(database, accounts.create, "Ada & Co", "basic", owner_email="Ada@example.com")
    live, test = await caller_of(database, made.live), await caller_of(database, made.test)
    assert (live.mode, test.mode) == ("LIVE", "TEST")
    assert live.scopes == test.scopes == set(key_terms.SCOPES)
    assert (live.account_name, live.max_websockets, live.created_by) == ("Ada & Co", 5, made.owner_id)
    assert (await balance_of(database, made)).remaining == 50_000
    [owner] = await change(database, accounts.members, made.id)
    assert (owner.email, owner.role) == ("ada@example.com", "OWNER")


async def test_an_account_without_an_owners_address_still_has_an_owner(database):
    made = await change(database, accounts.create, "a", credits_a_month=7)
    [owner] = await change(database, accounts.members, made.id)
    assert owner.email.endswith(".invalid")
    assert (await balance_of(database, made)).limit == 7


@pytest.mark.parametrize(
    ("arguments", "named", "error", "says"),
    [
        (("a", "gold"), {}, errors.BadUserInput, "sandbox, basic, pro, ultra"),
        (("a\n",), {}, None, ""),
        (("a\nb",), {}, errors.BadUserInput, "name"),
        (("b",), {"credits_a_month": -1}, errors.BadUserInput, "credits"),
        (("b",), {"owner_email": "nobody"}, errors.BadUserInput, "email"),
        (("taken",), {}, errors.Conflict, "exists"),
    ],
)
async def test_what_an_account_may_not_be_is_refused_and_leaves_nothing(
    database, arguments, named, error, says
):
    await change(database, accounts.create, "taken")
    if error is None:
        await change(database, accounts.create, *arguments, **named)
        return
    with pytest.raises(error, match=says):
        await change(database, accounts.create, *arguments, **named)
    with pytest.raises(errors.NotFound):
        await change(database, accounts.find, "b")


async def test_an_account_is_found_by_either_id_and_by_name(database):
    made = await change(database, accounts.create, "Ada")
    for which in (f"acc_{made.id.hex}", str(made.id), made.id.hex, "Ada"):
        assert (await change(database, accounts.find, which)).id == made.id
    for which in ("ada", "acc_" + "0" * 32, "acc_1", ""):
        with pytest.raises(errors.NotFound):
            await change(database, accounts.find, which)


async def test_an_accounts_own_numbers_stand_before_its_plans(database):
    made = await change(database, accounts.create, "a")
    changed = await change(
        database,
        accounts.update,
        made.id,
        requests_per_minute=0,
        test_requests_per_minute=7,
        max_websockets=9,
        return_urls=["https://app.example/back?a=1", "http://localhost:3000/back"],
    )
    assert (changed.requests_per_minute, changed.test_requests_per_minute, changed.max_websockets) == (
        0,
        7,
        9,
    )
    assert changed.return_urls == ("https://app.example/back?a=1", "http://localhost:3000/back")
    again = await change(database, accounts.update, made.id, requests_per_minute=None)
    assert (again.requests_per_minute, again.max_websockets) == (60, 9)
    assert (await caller_of(database, made.live)).max_websockets == 9


@pytest.mark.parametrize(
    "url",
    [
        "/back",
        "app.example/back",
        "javascript:alert(1)",
        "ftp://app.example/",
        "https://",
        "https://user@app.example/",
        "https://app.example\\@evil.example/",
        "https://app.example/#x",
        "https://app.example/a b",
        "https://app.example/\n",
        "https://app.example:99999/",
        "https://[::1/",
        "https://app.example/" + "x" * 2000,
        "https://аpp.example/",
    ],
)
async def test_a_return_url_is_an_absolute_address_read_alike_by_everyone(database, url):
    made = await change(database, accounts.create, "a")
    with pytest.raises(errors.BadUserInput, match="returnUrls"):
        await change(database, accounts.update, made.id, return_urls=[url])


async def test_twenty_return_urls_and_no_more(database):
    made = await change(database, accounts.create, "a")
    urls = [f"https://app.example/{n}" for n in range(21)]
    await change(database, accounts.update, made.id, return_urls=urls[:20])
    with pytest.raises(errors.BadUserInput, match="at most 20"):
        await change(database, accounts.update, made.id, return_urls=urls)


@pytest.mark.parametrize(
    "changes", [{"plan": "gold"}, {"credits": -1}, {"requests_per_minute": -1}, {"max_websockets": 2**40}]
)
async def test_numbers_and_plans_that_cannot_be_are_refused(database, changes):
    made = await change(database, accounts.create, "a")
    with pytest.raises(errors.BadUserInput):
        await change(database, accounts.update, made.id, **changes)


async def test_what_an_account_does_not_have_is_a_mistake_of_ours(database):
    made = await change(database, accounts.create, "a")
    with pytest.raises(TypeError):
        await change(database, accounts.update, made.id, name="b")


async def test_a_new_plan_or_number_counts_at_once_and_what_is_spent_stays_spent(database):
    made = await change(database, accounts.create, "a")
    caller = await caller_of(database, made.live)
    await change(database, credits.charge, credits.Usage(caller, 400))
    await change(database, accounts.update, made.id, plan="basic")
    assert (await balance_of(database, made)).remaining == 50_000 - 400
    await change(database, credits.grant, made.id, 100)
    await change(database, accounts.update, made.id, credits=1_000)
    stands = await balance_of(database, made)
    assert (stands.limit, stands.used, stands.remaining) == (1_100, 400, 700)
    await change(database, accounts.update, made.id, credits=0)
    stands = await balance_of(database, made)
    assert (stands.used, stands.remaining) == (400, 0)


async def test_a_canceled_account_reads_nothing_live_until_it_is_taken_back(database):
    made = await change(database, accounts.create, "a")
    await change(database, accounts.update, made.id, canceled=True)
    with pytest.raises(errors.Forbidden):
        await caller_of(database, made.live)
    await caller_of(database, made.test)
    await change(database, accounts.update, made.id, canceled=False)
    await caller_of(database, made.live)


async def test_who_leaves_takes_their_own_keys_along_and_the_accounts_stand_due_for_rotation(database):
    made = await change(database, accounts.create, "a")
    member = await change(database, accounts.add_member, made.id, "bob@example.com")
    keys = {
        owner: await change(database, api_keys.create, made.id, name="n", owner=owner, created_by=member)
        for owner in ("MEMBER", "SERVICE")
    }
    await change(database, accounts.remove_member, made.id, "BOB@example.com")
    with pytest.raises(errors.Unauthenticated):
        await caller_of(database, keys["MEMBER"])
    await caller_of(database, keys["SERVICE"])
    await caller_of(database, made.live)
    kept = {key.id: key for key in await change(database, api_keys.listed, made.id)}
    assert kept[keys["SERVICE"].id].rotation_due_at <= datetime.now(UTC)
    assert kept[made.live.id].rotation_due_at > datetime.now(UTC)
    assert len(await change(database, accounts.members, made.id)) == 1


async def test_members_are_one_an_address_and_known_by_it(database):
    made = await change(database, accounts.create, "a")
    other = await change(database, accounts.create, "b")
    member = await change(database, accounts.add_member, made.id, "bob@example.com", "ADMIN")
    with pytest.raises(errors.Conflict):
        await change(database, accounts.add_member, made.id, "Bob@example.com")
    with pytest.raises(errors.BadUserInput, match="OWNER, ADMIN, MEMBER"):
        await change(database, accounts.add_member, made.id, "eve@example.com", "KING")
    for account_id, which in (
        (other.id, str(member)),
        (other.id, "bob@example.com"),
        (made.id, "no@example.com"),
    ):
        with pytest.raises(errors.NotFound):
            await change(database, accounts.remove_member, account_id, which)
    await change(database, accounts.remove_member, made.id, f"mem_{member.hex}")
