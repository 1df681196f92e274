"""Who leaves keeps nothing: not by making a key in the same moment, not by a key of a key."""

import asyncio
from datetime import UTC, datetime

import pytest

from services import accounts, api_keys, callers, errors
from services import addresses as places

IP = places.HERE


@pytest.fixture
async def made(database):
    async with database.write() as session:
        return await accounts.create(session, "a", "basic", owner_email="ada@example.com")


async def change(database, function, *arguments, **named):
    async with database.write() as session:
        return await function(session, *arguments, **named)


async def caller_of(database, key):
    return await callers.Callers(database).authenticate(key.secret, IP, datetime.now(UTC))


async def standing(database, account_id, member):
    keys = await change(database, api_keys.listed, account_id)
    return [
        key for key in keys if key.created_by == member and key.owner == "MEMBER" and key.status != "REVOKED"
    ]


@pytest.mark.parametrize("way", ["create", "rotate"])
async def test_a_key_made_while_its_maker_leaves_ends_with_them(database, made, way):
    for n in range(8):
        bob = await change(database, accounts.add_member, made.id, f"bob{n}@example.com")
        key = await change(database, api_keys.create, made.id, name="k", created_by=bob)

        async def more(key=key, bob=bob):
            if way == "create":
                return await change(database, api_keys.create, made.id, name="more", created_by=bob)
            return await change(database, api_keys.rotate, made.id, key.id, until_revoked=True)

        leaving = change(database, accounts.remove_member, made.id, str(bob))
        results = await asyncio.gather(more(), leaving, return_exceptions=True)
        assert results[1] is None
        assert not isinstance(results[0], BaseException) or isinstance(results[0], errors.Conflict)
        assert await standing(database, made.id, bob) == []


async def test_a_transaction_that_makes_a_key_holds_its_maker_until_it_commits(database, made):
    bob = await change(database, accounts.add_member, made.id, "bob@example.com")
    async with database.write() as session:
        await api_keys.create(session, made.id, name="late", created_by=bob)
        leaving = asyncio.create_task(change(database, accounts.remove_member, made.id, str(bob)))
        done, _ = await asyncio.wait({leaving}, timeout=0.3)
        assert not done
    await leaving
    assert await standing(database, made.id, bob) == []


async def test_a_key_of_a_key_has_the_same_maker_and_leaves_with_them(database, made):
    bob = await change(database, accounts.add_member, made.id, "bob@example.com")
    first = await change(
        database, api_keys.create, made.id, name="k", created_by=bob, scopes=["KEYS_WRITE", "CREATORS_READ"]
    )
    second = await change(
        database, api_keys.create, made.id, name="k2", scopes=["CREATORS_READ"], granted_by=await caller_of(database, first)
    )  # fmt: skip
    await change(database, accounts.remove_member, made.id, "bob@example.com")
    for key in (first, second):
        with pytest.raises(errors.Unauthenticated):
            await caller_of(database, key)


async def test_a_key_of_the_account_whose_maker_left_makes_no_personal_keys(database, made):
    bob = await change(database, accounts.add_member, made.id, "bob@example.com")
    service = await change(
        database, api_keys.create, made.id, name="s", owner="SERVICE", created_by=bob, scopes=["KEYS_WRITE"]
    )
    await change(database, accounts.remove_member, made.id, "bob@example.com")
    caller = await caller_of(database, service)
    with pytest.raises(errors.Conflict, match="has left"):
        await change(database, api_keys.create, made.id, name="k", scopes=["KEYS_READ"], granted_by=caller)
    await change(
        database, api_keys.create, made.id, name="k", owner="SERVICE", scopes=["KEYS_READ"], granted_by=caller
    )
    await change(database, api_keys.rotate, made.id, service.id)


async def test_of_two_owners_who_remove_each_other_one_stays(database, made):
    other = await change(database, accounts.add_member, made.id, "bob@example.com", "OWNER")
    results = await asyncio.gather(
        change(database, accounts.remove_member, made.id, str(other)),
        change(database, accounts.remove_member, made.id, "ada@example.com"),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]
    owners = [m for m in await change(database, accounts.members, made.id) if m.role == "OWNER"]
    assert len(owners) == 1
