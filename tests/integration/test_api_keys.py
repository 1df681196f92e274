"""Keys: nobody gets more than they have, nothing keeps a secret, and what is replaced stops when it should."""

import asyncio
import ipaddress
from datetime import UTC, datetime, timedelta

import pytest

from services import accounts, api_keys, callers, errors, key_format, key_terms

IP = ipaddress.ip_address("192.0.2.1")
NOW = datetime.now(UTC)


@pytest.fixture
async def made(database):
    async with database.write() as session:
        return await accounts.create(session, "a", "basic")


async def change(database, function, *arguments, **named):
    async with database.write() as session:
        return await function(session, *arguments, **named)


async def caller_of(database, key, now=None, ip=IP):
    return await callers.Callers(database).authenticate(key.secret, ip, now or datetime.now(UTC))


async def refusal(database, key, **named):
    with pytest.raises(errors.ServiceError) as refused:
        await caller_of(database, key, **named)
    return refused.value.extra["reason"]


async def stands(database, account_id, key_id):
    async with database.write() as session:
        return next(key for key in await api_keys.listed(session, account_id) if key.id == key_id)


async def sql(database, statement, *values):
    connection = await database.connect()
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


async def granting(database, made, **named):
    """A caller with a key of its own terms."""
    key = await change(database, api_keys.create, made.id, name="granting", **named)
    return await caller_of(database, key)


# -- making


async def test_no_table_keeps_a_secret(database, made):
    tables = await sql(
        database,
        "select tablename from pg_tables where schemaname = 'public' and tablename not like 'pgqueuer%'",
    )
    middle = made.live.secret.split("_")[2]
    for table in tables:
        rows = await sql(database, f'select t::text from "{table[0]}" t')
        assert not any(middle in row[0] for row in rows)
    hashes = await sql(database, "select secret_hash from key_lookups")
    assert key_format.digest(made.live.secret) in {row[0] for row in hashes}


async def test_a_key_without_scopes_asked_gets_the_least(database, made):
    key = await change(database, api_keys.create, made.id, name="n")
    assert key.scopes == ("CREATORS_READ", "VIDEOS_READ", "USAGE_READ")
    assert (await caller_of(database, key)).scopes == set(key.scopes)
    kept = await stands(database, made.id, key.id)
    assert (kept.status, kept.mode, kept.owner, kept.hint) == ("ACTIVE", "LIVE", "MEMBER", key.hint)
    assert timedelta(days=89) < kept.rotation_due_at - datetime.now(UTC) < timedelta(days=91)


@pytest.mark.parametrize(
    ("named", "argument"),
    [
        ({"name": "a\nb"}, "name"),
        ({"scopes": ["ADMIN"]}, "scopes"),
        ({"owner": "NOBODY"}, "owner"),
        ({"allowed_ips": ["0.0.0.0/0"]}, "allowedIps"),
        ({"expires_at": NOW - timedelta(seconds=1)}, "expiresAt"),
        ({"expires_at": datetime.max.replace(tzinfo=UTC)}, "expiresAt"),
        ({"requests_per_minute": 0}, "requestsPerMinute"),
        ({"requests_per_minute": 301}, "requestsPerMinute"),
        ({"requests_per_minute": 61, "mode": "TEST"}, "requestsPerMinute"),
        ({"monthly_credits": 0}, "monthlyCredits"),
        ({"monthly_credits": 50_001}, "monthlyCredits"),
        ({"monthly_credits": 2**70}, "monthlyCredits"),
    ],
)
async def test_what_a_key_may_not_be_is_refused_by_name(database, made, named, argument):
    with pytest.raises(errors.BadUserInput) as refused:
        await change(database, api_keys.create, made.id, **{"name": "n", **named})
    assert refused.value.extra["argument"] == argument
    assert f"`{argument}`" in refused.value.message


async def test_the_accounts_own_number_is_the_bound_and_none_is_unlimited(database, made):
    await change(database, accounts.update, made.id, requests_per_minute=0, credits=10)
    await change(database, api_keys.create, made.id, name="n", requests_per_minute=10**6, monthly_credits=10)
    with pytest.raises(errors.BadUserInput, match="1 to 10"):
        await change(database, api_keys.create, made.id, name="n", monthly_credits=11)


async def test_a_key_makes_keys_of_its_own_maker_mode_and_scopes_only(database, made):
    by = await granting(
        database, made, scopes=["CREATORS_WRITE", "KEYS_WRITE"], created_by=made.owner_id, owner="SERVICE"
    )
    new = await change(
        database, api_keys.create, made.id, name="n", scopes=["CREATORS_READ", "KEYS_READ"], granted_by=by
    )
    assert (await stands(database, made.id, new.id)).created_by == made.owner_id
    with pytest.raises(errors.Forbidden, match="VIDEOS_READ") as refused:
        await change(database, api_keys.create, made.id, name="n", granted_by=by)
    assert refused.value.extra["reason"] == "SCOPE"
    with pytest.raises(errors.Forbidden) as refused:
        await change(database, api_keys.create, made.id, name="n", mode="TEST", granted_by=by)
    assert refused.value.extra["reason"] == "MODE"


async def test_what_a_bounded_key_leaves_out_is_its_own_bound(database, made):
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
    terms = {
        "expires_at": end,
        "allowed_ips": ["192.0.2.0/24"],
        "requests_per_minute": 9,
        "monthly_credits": 7,
    }
    by = await granting(database, made, scopes=key_terms.SCOPES, **terms)
    new = await change(database, api_keys.create, made.id, name="n", granted_by=by)
    kept = await stands(database, made.id, new.id)
    assert (kept.expires_at, kept.allowed_ips) == (end, ("192.0.2.0/24",))
    assert (kept.requests_per_minute, kept.monthly_credits) == (9, 7)
    for more in (
        {"expires_at": end + timedelta(seconds=1)},
        {"allowed_ips": ["192.0.0.0/16"]},
        {"allowed_ips": ["2001:db8::/32"]},
        {"requests_per_minute": 10},
        {"monthly_credits": 8},
    ):
        with pytest.raises(errors.Forbidden, match="cannot grant"):
            await change(database, api_keys.create, made.id, name="n", granted_by=by, **more)
        with pytest.raises(errors.Forbidden, match="cannot grant"):
            await change(database, api_keys.update, made.id, new.id, granted_by=by, **more)


async def test_a_lesser_key_cannot_take_over_a_greater_one_by_rotating_it(database, made):
    by = await granting(database, made, scopes=["KEYS_WRITE"])
    with pytest.raises(errors.Forbidden):
        await change(database, api_keys.rotate, made.id, made.live.id, granted_by=by)
    assert (await stands(database, made.id, made.live.id)).status == "ACTIVE"


@pytest.mark.parametrize("function", [api_keys.rotate, api_keys.revoke, api_keys.update])
async def test_keys_of_others_of_the_other_mode_and_of_nobody_look_alike(database, made, function):
    other = await change(database, accounts.create, "b")
    by = await caller_of(database, made.live)
    unknown = made.owner_id
    answers = set()
    for account_id, key_id in (
        (made.id, unknown),
        (made.id, made.test.id),
        (made.id, other.live.id),
        (other.id, other.live.id),
    ):
        with pytest.raises(errors.NotFound) as refused:
            await change(database, function, account_id, key_id, granted_by=by)
        answers.add((refused.value.message, str(refused.value.extensions())))
    assert len(answers) == 1


# -- rotating


async def test_a_rotated_key_stops_at_once_and_the_new_one_is_its_like(database, made):
    terms = {
        "scopes": ["CREATORS_READ"],
        "allowed_ips": ["192.0.2.0/24"],
        "requests_per_minute": 9,
        "monthly_credits": 7,
        "expires_at": datetime.now(UTC) + timedelta(days=5),
        "created_by": made.owner_id,
    }
    old = await change(database, api_keys.create, made.id, name="n", **terms)
    new = await change(database, api_keys.rotate, made.id, old.id)
    assert await refusal(database, old) == "REVOKED"
    assert (await caller_of(database, new)).scopes == {"CREATORS_READ"}
    before, after = await stands(database, made.id, old.id), await stands(database, made.id, new.id)
    assert (before.status, before.replaced_by, after.replaces) == ("REVOKED", new.id, old.id)
    for same in (
        "name",
        "mode",
        "scopes",
        "allowed_ips",
        "owner",
        "created_by",
        "expires_at",
        "requests_per_minute",
        "monthly_credits",
    ):
        assert getattr(before, same) == getattr(after, same)
    assert new.secret != old.secret


async def test_during_an_overlap_both_work_and_after_it_one(database, made):
    new = await change(database, api_keys.rotate, made.id, made.live.id, overlap_seconds=3600)
    old = await caller_of(database, made.live)
    assert old.retiring
    assert (await stands(database, made.id, made.live.id)).status == "RETIRING"
    assert not (await caller_of(database, new)).retiring
    assert await refusal(database, made.live, now=old.retires_at) == "EXPIRED"
    await caller_of(database, made.live, now=old.retires_at - timedelta(seconds=1))
    await caller_of(database, new, now=old.retires_at)


async def test_an_overlap_does_not_outlive_the_keys_own_end(database, made):
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=60)
    old = await change(database, api_keys.create, made.id, name="n", expires_at=end)
    await change(database, api_keys.rotate, made.id, old.id, overlap_seconds=3600)
    assert (await stands(database, made.id, old.id)).retires_at == end


async def test_until_revoked_a_retiring_key_lives_on(database, made):
    await change(database, api_keys.rotate, made.id, made.live.id, until_revoked=True)
    assert (await caller_of(database, made.live, now=NOW + timedelta(days=365))).retiring
    await change(database, api_keys.revoke, made.id, made.live.id)
    assert await refusal(database, made.live) == "REVOKED"


@pytest.mark.parametrize(
    "named",
    [
        {"overlap_seconds": 1, "until_revoked": True},
        {"overlap_seconds": -1},
        {"overlap_seconds": 30 * 86400 + 1},
    ],
)
async def test_an_overlap_is_0_seconds_to_30_days_or_until_revoked(database, made, named):
    with pytest.raises(errors.BadUserInput):
        await change(database, api_keys.rotate, made.id, made.live.id, **named)
    await change(database, api_keys.rotate, made.id, made.live.id, overlap_seconds=30 * 86400)


@pytest.mark.parametrize(
    "state",
    [
        "revoked_at = now()",
        "expires_at = now()",
        "retiring_since = now(), retires_at = now(), replaced_by = id",
        "retiring_since = now(), replaced_by = id",
    ],
)
async def test_what_was_rotated_revoked_or_has_expired_is_not_rotated(database, made, state):
    await sql(database, f"update api_keys set {state}")
    with pytest.raises(errors.Conflict):
        await change(database, api_keys.rotate, made.id, made.live.id)


async def test_of_two_rotations_at_once_one_wins(database, made):
    async with database.write() as session:
        await api_keys.rotate(session, made.id, made.live.id, until_revoked=True)
        with pytest.raises(Exception, match="lock timeout"):
            await change(database, _impatient_rotate, made.id, made.live.id)
    with pytest.raises(errors.Conflict, match="rotated already"):
        await change(database, api_keys.rotate, made.id, made.live.id)


async def _impatient_rotate(session, account_id, key_id):
    from sqlalchemy import text  # noqa: PLC0415

    await session.execute(text("set local lock_timeout = '50ms'"))
    return await api_keys.rotate(session, account_id, key_id)


# -- changing and revoking


async def test_a_change_names_only_what_it_changes(database, made):
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    key = await change(database, api_keys.create, made.id, name="n", expires_at=end, requests_per_minute=5)
    await change(database, api_keys.update, made.id, key.id, name="m", scopes=["USAGE_READ"])
    kept = await stands(database, made.id, key.id)
    assert (kept.name, kept.scopes, kept.expires_at, kept.requests_per_minute) == (
        "m",
        ("USAGE_READ",),
        end,
        5,
    )
    await change(database, api_keys.update, made.id, key.id, expires_at=None, requests_per_minute=None)
    kept = await stands(database, made.id, key.id)
    assert (kept.expires_at, kept.requests_per_minute) == (None, None)


async def test_a_dead_key_is_not_changed_back_to_life(database, made):
    await sql(database, "update api_keys set expires_at = now() where id = $1", made.live.id)
    await change(database, api_keys.revoke, made.id, made.test.id)
    for key in (made.live, made.test):
        with pytest.raises(errors.Conflict):
            await change(database, api_keys.update, made.id, key.id, expires_at=None)


async def test_revoking_again_keeps_the_first_moment(database, made):
    await change(database, api_keys.revoke, made.id, made.live.id)
    first = await sql(database, "select revoked_at from api_keys where id = $1", made.live.id)
    await change(database, api_keys.revoke, made.id, made.live.id)
    assert first == await sql(database, "select revoked_at from api_keys where id = $1", made.live.id)


async def test_keys_are_listed_newest_first_and_by_mode(database, made):
    new = await change(database, api_keys.create, made.id, name="new")
    async with database.write() as session:
        assert (await api_keys.listed(session, made.id))[0].id == new.id
        assert {key.id for key in await api_keys.listed(session, made.id, "TEST")} == {made.test.id}


# -- who is asking


async def test_refusals_come_in_the_documented_order(database, made, monkeypatch):
    who = callers.Callers(database)

    async def reason(secret, ip=IP):
        with pytest.raises(errors.ServiceError) as refused:
            await who.authenticate(secret, ip, datetime.now(UTC))
        who.forget(made.id)
        return refused.value.extra["reason"]

    with monkeypatch.context() as patch:
        patch.setattr(callers, "find", None)  # neither of these asks the database
        assert await reason(None) == await reason("") == "MISSING"
        assert await reason(made.live.secret[:-1]) == await reason("nonsense") == "MALFORMED"
    assert await reason(key_format.mint("LIVE")) == "UNKNOWN"
    await sql(database, "update api_keys set allowed_ips = '{198.51.100.0/24}'")
    assert await reason(made.live.secret) == "IP"
    await sql(database, "update accounts set canceled_at = now()")
    assert await reason(made.live.secret) == "PLAN"
    assert await reason(made.test.secret) == "IP"
    await sql(database, "update api_keys set expires_at = now()")
    assert await reason(made.live.secret) == await reason(made.test.secret) == "EXPIRED"
    await sql(database, "update api_keys set revoked_at = now()")
    assert await reason(made.live.secret) == "REVOKED"


async def test_the_texts_of_refusals_are_the_documented_ones(database, made):
    await sql(database, "update accounts set canceled_at = now()")
    with pytest.raises(errors.Forbidden, match=r"^API access is not enabled for this account\.$"):
        await caller_of(database, made.live)
    assert (await caller_of(database, made.test)).mode == "TEST"


async def test_a_key_works_from_its_ranges_only_in_either_family(database, made):
    key = await change(
        database, api_keys.create, made.id, name="n", allowed_ips=["192.0.2.0/24", "2001:db8::/32"]
    )
    for text in ("192.0.2.255", "2001:db8::1"):
        await caller_of(database, key, ip=ipaddress.ip_address(text))
    for text in ("192.0.3.0", "2001:db9::1"):
        assert await refusal(database, key, ip=ipaddress.ip_address(text)) == "IP"


@pytest.mark.parametrize(
    ("account", "key", "expected"),
    [
        (None, None, (300, 1500)),
        (None, 10, (10, 1500)),
        (0, None, (0, 0)),
        (0, 10, (10, 0)),
        (20, None, (20, 100)),
    ],
)
async def test_a_caller_has_the_lower_of_the_keys_and_the_accounts_number(
    database, made, account, key, expected
):
    await sql(database, "update accounts set requests_per_minute = $1", account)
    await sql(database, "update api_keys set requests_per_minute = $1", key)
    caller = await caller_of(database, made.live)
    assert (caller.requests_per_minute, caller.account_requests_per_minute) == expected
    assert (await caller_of(database, made.test)).account_requests_per_minute == 300


async def test_a_caller_is_kept_for_seconds_and_forgotten_at_a_hint(database, made):
    who, now = callers.Callers(database), datetime.now(UTC)
    await who.authenticate(made.live.secret, IP, now)
    await change(database, api_keys.revoke, made.id, made.live.id)
    await who.authenticate(made.live.secret, IP, now + timedelta(seconds=9))
    with pytest.raises(errors.Unauthenticated):
        await who.authenticate(made.live.secret, IP, now + timedelta(seconds=10))
    await who.authenticate(made.test.secret, IP, now)
    await change(database, api_keys.revoke, made.id, made.test.id)
    who.forget(made.id)
    with pytest.raises(errors.Unauthenticated):
        await who.authenticate(made.test.secret, IP, now)


async def test_what_was_read_while_a_hint_came_in_is_not_kept(database, made, monkeypatch):
    who, find = callers.Callers(database), callers.find

    async def slow(connection, secret_hash):
        found = await find(connection, secret_hash)
        await change(database, api_keys.revoke, made.id, made.live.id)
        who.forget(made.id)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(callers, "find", slow)
        await who.authenticate(made.live.secret, IP, datetime.now(UTC))
    with pytest.raises(errors.Unauthenticated):
        await who.authenticate(made.live.secret, IP, datetime.now(UTC))


async def test_a_key_made_after_it_was_refused_works_at_once(database, made):
    who, secret = callers.Callers(database), key_format.mint("LIVE")
    with pytest.raises(errors.Unauthenticated):
        await who.authenticate(secret, IP, datetime.now(UTC))
    await sql(
        database,
        "insert into key_lookups select $1, account_id, id from api_keys where id = $2",
        key_format.digest(secret),
        made.live.id,
    )
    assert (await who.authenticate(secret, IP, datetime.now(UTC))).key_id == made.live.id


async def test_what_is_kept_is_bounded(database, made):
    who = callers.Callers(database, most=1)
    await who.authenticate(made.live.secret, IP, datetime.now(UTC))
    await who.authenticate(made.test.secret, IP, datetime.now(UTC))
    assert list(who._kept) == [key_format.digest(made.test.secret)]


async def test_a_database_that_is_away_is_not_a_wrong_key(database, made):
    await database.readers.close()
    with pytest.raises(errors.Unavailable):
        await caller_of(database, made.live)


async def test_every_change_of_a_key_tells_the_caches_when_it_commits(database, made):
    told = []
    listener = await database.connect()
    await listener.add_listener(api_keys.CHANNEL, lambda *message: told.append(message[-1]))
    key = await change(database, api_keys.create, made.id, name="n")
    await change(database, api_keys.update, made.id, key.id, name="m")
    new = await change(database, api_keys.rotate, made.id, key.id)
    await change(database, api_keys.revoke, made.id, new.id)
    await change(database, accounts.update, made.id, plan="pro")
    await change(database, accounts.add_member, made.id, "bob@example.com", "OWNER")
    await change(database, accounts.remove_member, made.id, str(made.owner_id))
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            await api_keys.notify(session, made.id)
            raise ZeroDivisionError
    async with asyncio.timeout(60):
        while len(told) < 6:
            await listener.execute("select 1")
    assert told == [str(made.id)] * 6
    await listener.close()


async def test_a_caller_shows_no_secret(database, made):
    caller = await caller_of(database, made.live)
    assert made.live.secret.split("_")[2] not in repr(caller)
    assert caller.key_hint in repr(caller)
