"""Disconnecting: revoked, erased to the last row, counted exactly, never written again."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from services import erase, errors, grants, revocations, schedule
from services.platforms import base


async def disconnect(stage, creator_id, **more):
    asked = {"account_id": stage.account, "livemode": False, "creator_id": creator_id} | more
    return await erase.disconnect(stage.database, stage.vault, stage.platforms, **asked)


async def dump(stage):
    """Every row of every table, as text."""
    connection = await stage.database.connect()
    names = await connection.fetch(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = relnamespace"
        " where relkind = 'r' and nspname = 'public'"
    )
    text = {name: str(await connection.fetch(f"select t::text from {name} t")) for (name,) in names}
    await connection.close()
    return text


async def speaks_of(stage, *words):
    """(table, word) wherever one is written; bytea reads as hex in the dump."""
    spelled = [(word, str(word)) for word in words] + [(word, str(word).encode().hex()) for word in words]
    return {
        (table, word) for table, text in (await dump(stage)).items() for word, form in spelled if form in text
    }


async def identity(stage, creator_id):
    row = await stage.one(
        "select username, display_name, external_id from creators where id = $1", creator_id
    )
    return (*row, creator_id)


async def test_a_disconnect_revokes_and_erases_everything_and_counts_it(stage):
    completed = await stage.connect("sim.burst")
    other = await stage.connect("sim.twenty")
    async with stage.working():
        await stage.ended(completed.sync_id)
        await stage.ended(other.sync_id)
    await stage.execute(
        "insert into idempotent_answers (account_id, livemode, key, body_hash, lease_until, answer, creator_id)"
        " values ($1, false, 'k', '', now(), 'sim.burst', $2)", stage.account, completed.creator_id,
    )  # fmt: skip
    await stage.request(completed.creator_id)
    person = await identity(stage, completed.creator_id)
    assert len(await speaks_of(stage, *person)) > 4
    tokens = (await grants.read(stage.database, stage.vault, stage.whose(completed.creator_id))).tokens
    count = stage.videos_of("sim.burst")
    erased = await disconnect(stage, completed.creator_id)
    assert (erased.revocation, erased.creators, erased.videos) == ("REVOKED", 1, count)
    assert (erased.history_points, erased.syncs, erased.tokens, erased.stored_answers) == (count + 1, 2, 2, 2)
    assert await speaks_of(stage, *person) == set()
    assert await stage.value("select count(*) from tombstones") == 1
    with pytest.raises(base.AuthExpired):
        await stage.connector.profile(tokens)
    assert await stage.value("select count(*) from videos") == stage.videos_of("sim.twenty")
    assert await stage.value("select count(*) from grants") == 1


async def test_unknown_foreign_other_mode_and_erased_creators_look_alike(stage):
    completed = await stage.connect("sim.single")
    texts = set()
    for more in (
        {"creator_id": uuid4()},
        {"creator_id": completed.creator_id, "account_id": uuid4()},
        {"creator_id": completed.creator_id, "livemode": True},
    ):
        with pytest.raises(errors.NotFound) as refused:
            await disconnect(stage, **more)
        texts.add((refused.value.message, str(refused.value.extensions())))
    await disconnect(stage, completed.creator_id)
    with pytest.raises(errors.NotFound) as refused:
        await disconnect(stage, completed.creator_id)
    texts.add((refused.value.message, str(refused.value.extensions())))
    assert len(texts) == 1


async def test_of_concurrent_disconnects_one_wins(stage):
    completed = await stage.connect("sim.single")
    answers = await asyncio.gather(
        *(disconnect(stage, completed.creator_id) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(answer, erase.Erased) for answer in answers) == 1
    assert sum(isinstance(answer, errors.NotFound) for answer in answers) == 5


async def test_what_the_caller_adds_fails_the_erasure_with_it(stage):
    completed = await stage.connect("sim.single")

    async def broken(session, erased):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await disconnect(stage, completed.creator_id, also=broken)
    assert await stage.value("select count(*) from creators") == 1
    assert (await disconnect(stage, completed.creator_id)).revocation == "ALREADY_REVOKED"


@pytest.mark.parametrize("turn", range(4))
async def test_a_disconnect_during_a_running_sync_leaves_nothing_of_the_creator(stage, turn):
    completed = await stage.connect("sim.prolific")
    person = await identity(stage, completed.creator_id)
    async with stage.working():
        async with asyncio.timeout(90):
            while await stage.value("select videos_seen from syncs") < 200 * (turn + 1):
                await asyncio.sleep(0.01)
        erased = await disconnect(stage, completed.creator_id)
        assert erased.revocation == "REVOKED"
        assert erased.videos >= 200 * (turn + 1)
        await stage.until("select 1 where not exists (select from pgqueuer)")  # whoever still read is through
    assert await speaks_of(stage, *person, completed.sync_id) == set()
    assert await stage.value("select count(*) from tombstones") == 1


async def test_who_connects_again_is_read_again(stage):
    first = await stage.connect("sim.single")
    await disconnect(stage, first.creator_id)
    second = await stage.connect("sim.single")
    assert second.creator_id != first.creator_id
    assert await stage.value("select count(*) from tombstones") == 0
    async with stage.working():
        assert (await stage.ended(second.sync_id))["status"] == "SUCCEEDED"


async def test_an_expired_token_is_refreshed_before_it_is_revoked(stage):
    completed = await stage.connect("sim.single")
    stage.world.clock.advance(7_300)
    await stage.execute("update grants set expires_at = now() - interval '1 minute'")
    assert (await disconnect(stage, completed.creator_id)).revocation == "REVOKED"


async def test_a_grant_dead_at_the_platform_is_already_revoked(stage):
    completed = await stage.connect("sim.single")
    stage.world.state.revoke("ck", "sim.single")
    await stage.execute("update grants set expires_at = now() - interval '1 minute'")
    assert (await disconnect(stage, completed.creator_id)).revocation == "ALREADY_REVOKED"


REVOKING = {"TIKTOK": "oauth/revoke", "INSTAGRAM": "me/permissions", "YOUTUBE": "youtube/revoke"}
TOKENS = {"TIKTOK": 2, "INSTAGRAM": 1, "YOUTUBE": 2}


@pytest.mark.parametrize("platform", REVOKING)
@pytest.mark.parametrize("kind", ["status_500", "status_429", "drop", "huge"])
async def test_a_platform_that_is_away_is_asked_again_until_it_revokes(stage, monkeypatch, kind, platform):
    monkeypatch.setattr(revocations, "RETRY_FIRST", timedelta(milliseconds=200))
    completed = await stage.connect("sim.single", platform=platform)
    held = await grants.read(stage.database, stage.vault, stage.whose(completed.creator_id))
    person = await identity(stage, completed.creator_id)
    fault = stage.instagram_fault if platform == "INSTAGRAM" else stage.fault
    fault(REVOKING[platform], kind, times=2)
    erased = await disconnect(stage, completed.creator_id)
    assert (erased.revocation, erased.creators, erased.tokens) == ("PENDING_RETRY", 1, TOKENS[platform])
    assert await speaks_of(stage, *person, held.tokens.access_token) == set()
    async with stage.working():
        await stage.until("select 1 where not exists (select from revocations)", seconds=60)
    with pytest.raises((base.AuthExpired, base.ReconnectRequired)):
        await stage.connector_of(platform).profile(held.tokens)


async def test_a_revocation_without_a_job_finds_a_new_one_and_ends_after_seven_days(stage, queued):
    completed = await stage.connect("sim.single")
    stage.fault("oauth/revoke", "status_500", times=100)
    await disconnect(stage, completed.creator_id)
    await stage.execute("delete from pgqueuer")
    await stage.execute("update revocations set next_attempt_at = now() - interval '1 s'")
    async with stage.database.write() as session:
        assert await schedule.sweep(session) == 1
    async with stage.database.write() as session:
        assert await schedule.sweep(session) == 0
    row = await stage.one("select * from revocations")
    payload, _ = revocations.job(row["account_id"], row["livemode"], row["id"])
    arguments = (stage.database, stage.vault, stage.platforms, payload)
    assert await revocations.retry(*arguments) is not None
    await stage.execute("update revocations set created_at = now() - interval '8 days'")
    assert await revocations.retry(*arguments) is None
    assert await stage.value("select count(*) from revocations") == 0
    assert await revocations.retry(*arguments) is None


async def test_a_reconnect_between_revoking_and_erasing_is_revoked_too(stage, monkeypatch):
    completed = await stage.connect("sim.single")
    real, calls = stage.connector.revoke, []

    async def revoke(tokens):
        answer = await real(tokens)
        if not calls:
            await stage.connect("sim.single")
        calls.append(answer)
        return answer

    monkeypatch.setattr(stage.connector, "revoke", revoke)
    erased = await disconnect(stage, completed.creator_id)
    assert (erased.revocation, len(calls)) == ("REVOKED", 2)
    assert await stage.value("select count(*) from creators") == 0
    assert not stage.world.state.refresh_hashes()  # neither the first consent nor the second lives there


@pytest.mark.parametrize("platform", REVOKING)
async def test_who_connects_again_before_the_retry_keeps_the_new_consent(stage, monkeypatch, platform):
    monkeypatch.setattr(revocations, "RETRY_FIRST", timedelta(milliseconds=200))
    first = await stage.connect("sim.single", platform=platform)
    (stage.instagram_fault if platform == "INSTAGRAM" else stage.fault)(REVOKING[platform], "status_500")
    assert (await disconnect(stage, first.creator_id)).revocation == "PENDING_RETRY"
    second = await stage.connect("sim.single", platform=platform)
    async with stage.working():
        await stage.until("select 1 where not exists (select from revocations)")
        assert (await stage.ended(second.sync_id))["status"] == "SUCCEEDED"
    await stage.connector_of(platform).profile((await stage.held(second.creator_id)).tokens)


# -- while somebody refreshes


async def refreshing(stage, monkeypatch, creator_id, seconds):
    """Somebody refreshes the grant: the platform has replaced the token, and its answer takes so long."""
    real, replaced = stage.connector.refresh, asyncio.Event()

    async def refresh(tokens):
        fresh = await real(tokens)
        replaced.set()
        await asyncio.sleep(seconds)
        return fresh

    monkeypatch.setattr(stage.connector, "refresh", refresh)
    arguments = (stage.database, stage.vault, stage.platforms, stage.whose(creator_id))
    task = asyncio.create_task(grants.renewed(*arguments, 1))
    await replaced.wait()
    return task


async def revoked_in_the_end(stage):
    async with stage.working():
        await stage.until("select 1 where not exists (select from revocations)")
    assert not stage.world.state.refresh_hashes()


async def test_a_disconnect_waits_for_whoever_refreshes_and_revokes_the_new_tokens(stage, monkeypatch):
    completed = await stage.connect("sim.single")
    stage.fault("oauth/revoke", "status_500")
    task = await refreshing(stage, monkeypatch, completed.creator_id, 0.5)
    assert (await disconnect(stage, completed.creator_id)).revocation == "REVOKED"
    await task
    assert not stage.world.state.refresh_hashes()


async def test_tokens_that_come_after_the_disconnect_are_revoked_too(stage, monkeypatch):
    """The refresher takes longer than a disconnect waits, and what was stored is spent by then."""
    monkeypatch.setattr(revocations, "RETRY_FIRST", timedelta(milliseconds=200))
    monkeypatch.setattr(erase, "REVOKE_SECONDS", 0.3)
    monkeypatch.setattr(erase, "REFRESH_SECONDS", 0.3)
    completed = await stage.connect("sim.single")
    stage.world.clock.advance(7_300)  # the access token's life
    await stage.execute("update grants set expires_at = now() - interval '1 minute'")
    task = await refreshing(stage, monkeypatch, completed.creator_id, 3)
    assert (await disconnect(stage, completed.creator_id)).revocation == "PENDING_RETRY"
    assert await speaks_of(stage, completed.creator_id) == set()
    with pytest.raises(grants.Dead):
        await task
    assert await stage.value("select count(*) from revocations") == 2
    await revoked_in_the_end(stage)


# -- one consent, several accounts


@pytest.mark.parametrize("platform", REVOKING)
async def test_a_disconnect_ends_the_persons_consent_everywhere_and_erases_in_its_own_account_alone(
    stage, platform
):
    """At the platform there is one consent a person and app; that others live of it is told to nobody."""
    ours, own = stage.account, await stage.connect("sim.single", platform=platform)
    stage.account = await stage.another()
    theirs = await stage.connect("sim.single", platform=platform)
    async with stage.working():
        await stage.ended(own.sync_id)
        await stage.ended(theirs.sync_id)
        erased = await disconnect(stage, own.creator_id, account_id=ours)
        assert (erased.revocation, erased.creators, erased.videos) == ("REVOKED", 1, 1)
        await stage.execute("update grants set expires_at = now()")
        row = await stage.synced(theirs.creator_id)
    assert (row["status"], row["error_code"]) == ("FAILED", "RECONNECT_REQUIRED")
    grant = await stage.one("select status, reason from grants where creator_id = $1", theirs.creator_id)
    assert tuple(grant) == ("NEEDS_REAUTH", "REFUSED")
    assert await stage.value("select count(*) from videos where creator_id = $1", theirs.creator_id) == 1
    assert (await stage.connect("sim.single", platform=platform)).creator_id == theirs.creator_id
