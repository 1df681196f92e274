"""Grants stay alive: a wave of refusals changes none, one refusal changes one, and idle ones are renewed."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bench import simulated
from db.session import raw
from services import grants, jobs, refusals, renewing
from services.platforms import base
from simulators import people

SOON_OVER = (
    "update grants set expires_at = now() + interval '1 minute', refreshed_at = now() - interval '2 hours'"
)


async def crowd(stage, count):
    names = [creator.username for creator in people.CREATORS if creator.videos <= 60][:count]
    connected = await asyncio.gather(*(stage.connect(name) for name in names))
    return [one.creator_id for one in connected]


async def refused(stage, creator_ids, monkeypatch):
    """Everyone's refresh is refused, definitively, at once."""

    async def refresh(tokens):
        raise base.ReconnectRequired("invalid_grant", "no")

    monkeypatch.setattr(stage.connector, "refresh", refresh)
    arguments = (stage.database, stage.vault, stage.platforms)
    return await asyncio.gather(
        *(grants.renewed(*arguments, stage.whose(one), 1) for one in creator_ids), return_exceptions=True
    )


async def statuses(stage):
    rows = await stage.value("select array_agg(status order by status) from grants")
    return {status: rows.count(status) for status in rows}


async def test_one_refused_grant_needs_to_be_connected_again_and_no_other(stage, monkeypatch):
    creator_ids = await crowd(stage, 5)
    (told,) = await refused(stage, creator_ids[:1], monkeypatch)
    assert isinstance(told, base.ReconnectRequired)
    assert await statuses(stage) == {"ACTIVE": 4, "NEEDS_REAUTH": 1}


async def test_twenty_refused_alike_change_nothing_and_recover_by_themselves(stage, monkeypatch):
    creator_ids = await crowd(stage, 20)
    before = datetime.now(UTC)
    told = await refused(stage, creator_ids, monkeypatch)
    assert await statuses(stage) == {"ACTIVE": 20}
    assert sum(isinstance(one, base.Transient) for one in told) >= 20 - refusals.WAVE_LEAST
    assert await stage.value("select count(*) from creators where next_sync_at >= $1", before) >= 9
    monkeypatch.undo()
    arguments = (stage.database, stage.vault, stage.platforms)
    held = await asyncio.gather(*(grants.renewed(*arguments, stage.whose(one), 1) for one in creator_ids))
    assert {one.version for one in held} == {2}


async def test_a_wave_that_syncs_run_into_ends_none_of_the_grants(stage, monkeypatch):
    monkeypatch.setattr(refusals, "WAVE_LEAST", 5)
    await crowd(stage, 12)

    async def profile(tokens):
        raise base.ReconnectRequired("190", "no")

    monkeypatch.setattr(stage.connector, "profile", profile)
    async with stage.working():
        await stage.until(
            "select 1 from syncs having bool_and(error_code is not null or status = 'FAILED')", seconds=90
        )
    assert await statuses(stage) == {"ACTIVE": 12}


async def test_among_many_that_are_well_the_refused_are_not_a_wave(stage, monkeypatch):
    creator_ids = await crowd(stage, 12)
    async with stage.database.write() as session:
        connection = await raw(session)
        for _ in range(30):
            await refusals.accepted(connection, "TIKTOK", False)
            await refusals.accepted(connection, "TIKTOK", True)
    await refused(stage, creator_ids, monkeypatch)
    assert await statuses(stage) == {"NEEDS_REAUTH": 12}


async def test_a_wave_does_not_bring_back_what_the_platform_said_is_over(stage, monkeypatch):
    creator_ids = await crowd(stage, 12)
    await stage.removed(creator_ids[0])
    await refused(stage, creator_ids[1:], monkeypatch)
    assert await statuses(stage) == {"ACTIVE": 11, "NEEDS_REAUTH": 1}


@pytest.mark.parametrize("removed_first", [True, False])
async def test_a_refusal_on_its_way_does_not_soften_a_removal(stage, monkeypatch, removed_first):
    creator_ids = await crowd(stage, 12)
    gone = await stage.held(creator_ids[0])
    if removed_first:
        await stage.removed(creator_ids[0])
        assert not await grants.judge(stage.database, gone)
    else:
        assert await grants.judge(stage.database, gone)
        await stage.removed(creator_ids[0])
    row = await stage.one(
        "select status, reason, refused_at from grants where creator_id = $1", creator_ids[0]
    )
    assert tuple(row) == ("NEEDS_REAUTH", "REMOVED", None)
    await refused(stage, creator_ids[1:], monkeypatch)
    assert await statuses(stage) == {"ACTIVE": 11, "NEEDS_REAUTH": 1}


async def test_a_wave_at_one_platform_is_none_at_another(stage, monkeypatch):
    creator_ids = await crowd(stage, 12)
    other = await stage.connect("sim.twenty", platform="YOUTUBE")
    await refused(stage, creator_ids, monkeypatch)
    stage.youtube.state.remove_everywhere("sim.twenty")
    with pytest.raises(base.ReconnectRequired):
        await grants.renewed(stage.database, stage.vault, stage.platforms, stage.whose(other.creator_id), 1)
    assert await statuses(stage) == {"ACTIVE": 12, "NEEDS_REAUTH": 1}


# -- idle grants


async def renew(stage):
    return await renewing.renew_idle(stage.database, stage.vault, stage.platforms)


async def test_a_grant_that_nobody_uses_is_renewed_before_it_dies(stage):
    for platform, earliest, latest in (("TIKTOK", 88, 136), ("YOUTUBE", 28, 46), ("INSTAGRAM", 29, 46)):
        completed = await stage.connect("sim.single", platform=platform)
        row = await stage.one("select renew_at from grants where creator_id = $1", completed.creator_id)
        wait = row["renew_at"] - datetime.now(UTC)
        assert timedelta(days=earliest) < wait < timedelta(days=latest), platform
    assert await renew(stage) == 0
    stage.instagram.knobs.youngest = 0
    await stage.execute("update grants set renew_at = now(), refreshed_at = now() - interval '2 days'")
    assert await renew(stage) == 3
    assert await stage.value(
        "select bool_and(version = 2 and renew_at > now() + interval '20 days') from grants"
    )
    assert await renew(stage) == 0


async def test_two_workers_renew_a_grant_once_and_a_failure_costs_a_day(stage):
    await crowd(stage, 6)
    await stage.execute("update grants set renew_at = now()")
    assert sum(await asyncio.gather(renew(stage), renew(stage))) == 6
    assert await stage.value("select min(version) = 2 and max(version) = 2 from grants")
    await stage.execute("update grants set renew_at = now()")
    stage.fault("oauth/token", "status_500", times=12)
    assert await renew(stage) == 0
    assert await stage.value("select bool_and(renew_at > now() + interval '23 hours') from grants")
    assert await statuses(stage) == {"ACTIVE": 6}


async def test_twenty_syncs_of_three_platforms_refresh_each_grant_once(stage, monkeypatch):
    """Raced by twenty a grant, on every platform at once."""
    asked = []
    for platform in ("TIKTOK", "INSTAGRAM", "YOUTUBE"):
        connector = stage.connector_of(platform)

        async def refresh(tokens, real=connector.refresh, platform=platform):
            asked.append(platform)
            await asyncio.sleep(0.05)
            return await real(tokens)

        monkeypatch.setattr(connector, "refresh", refresh)
    stage.instagram.knobs.youngest = 0
    creator_ids = [
        (await stage.connect("sim.single", platform=one)).creator_id for one in simulated.PLATFORMS
    ]
    await stage.execute(
        "update grants g set refreshed_at = now() - interval '40 days', expires_at = now() + case c.platform"
        " when 'INSTAGRAM' then interval '20 days' else interval '1 minute' end from creators c where c.id = g.creator_id"
    )
    arguments = (stage.database, stage.vault, stage.platforms)
    held = await asyncio.gather(
        *(grants.tokens_for(*arguments, stage.whose(one)) for one in creator_ids * 20)
    )
    assert sorted(asked) == ["INSTAGRAM", "TIKTOK", "YOUTUBE"]
    assert {one.version for one in held} == {2}


@pytest.mark.parametrize("kind", [base.ProviderBug, base.ScopeMissing, base.AuthExpired, base.Transient])
async def test_a_token_that_cannot_be_refreshed_serves_till_its_end(stage, monkeypatch, kind):
    completed = await stage.connect("sim.single", platform="INSTAGRAM")

    async def refresh(tokens):
        raise kind("odd", "no")

    monkeypatch.setattr(stage.connector_of("INSTAGRAM"), "refresh", refresh)
    await stage.execute("update grants set expires_at = now() + interval '20 days'")
    arguments = (stage.database, stage.vault, stage.platforms, stage.whose(completed.creator_id))
    assert (await grants.tokens_for(*arguments)).version == 1
    async with stage.working():
        assert (await stage.ended(completed.sync_id))["status"] == "SUCCEEDED"
    await stage.execute("update grants set expires_at = now()")
    with pytest.raises(kind):
        await grants.tokens_for(*arguments)
    assert await statuses(stage) == {"ACTIVE": 1}


# -- a refresh whose answer nobody keeps: TikTok's token works once


async def rotated(stage, before):
    async with asyncio.timeout(90):
        while stage.world.state.refresh_hashes() == before:
            await asyncio.sleep(0.01)


async def killed_between_the_rotation_and_our_write(stage, address, begin, creator_id):
    """A worker dies by SIGKILL when the platform has replaced the token and its answer is still on the way."""
    before = stage.world.state.refresh_hashes()
    await stage.execute(SOON_OVER)
    stage.fault("oauth/token", "late", delay=30)
    process = await begin(address, stage.root, stage.key)
    try:
        await rotated(stage, before)
    finally:
        process.kill()
        await process.wait()
    await stage.execute("update grants set lease_until = now()")  # it ends by itself, after half a minute


async def grant(stage):
    return tuple(await stage.one("select status, reason, version from grants"))


async def test_a_kill_between_the_platforms_rotation_and_our_write_is_told_as_what_it_is(
    stage, address, begin
):
    completed = await stage.connect("sim.single")
    arguments = (stage.database, stage.vault, stage.platforms, stage.whose(completed.creator_id))
    await killed_between_the_rotation_and_our_write(stage, address, begin, completed.creator_id)
    assert await grant(stage) == ("ACTIVE", None, 1)  # nobody knows yet
    stage.fault("oauth/token", "status_500", times=2)
    assert (
        await grants.tokens_for(*arguments)
    ).version == 1  # nor now; the old access token serves till its end
    await stage.execute("update grants set expires_at = now()")
    with pytest.raises(grants.Dead):
        await grants.tokens_for(*arguments)
    assert await grant(stage) == ("NEEDS_REAUTH", "REFRESH_INTERRUPTED", 1)
    assert (await stage.connect("sim.single")).creator_id == completed.creator_id
    assert await grant(stage) == ("ACTIVE", None, 2)
    await stage.connector.profile((await grants.tokens_for(*arguments)).tokens)


async def test_where_the_platform_still_takes_the_old_token_the_same_kill_costs_nothing(
    stage, address, begin, monkeypatch
):
    monkeypatch.setattr(
        jobs, "HEARTBEAT_TIMEOUT", timedelta(seconds=1)
    )  # the dead one's job is taken up soon
    stage.world.knobs.spent_lives = 60
    completed = await stage.connect("sim.single")
    await killed_between_the_rotation_and_our_write(stage, address, begin, completed.creator_id)
    async with stage.working():
        assert (await stage.ended(completed.sync_id))["status"] == "SUCCEEDED"
    assert await grant(stage) == ("ACTIVE", None, 2)


async def test_an_answer_lost_on_its_way_is_told_apart_from_a_refusal(stage):
    first, second = await crowd(stage, 2)
    arguments = (stage.database, stage.vault, stage.platforms)
    stage.fault("oauth/token", "half_json")
    with pytest.raises(grants.Dead):
        await grants.renewed(*arguments, stage.whose(first), 1)
    stage.fault("oauth/token", "bad_token")
    with pytest.raises(grants.Dead):
        await grants.renewed(*arguments, stage.whose(second), 1)
    reasons = [
        await stage.value("select reason from grants where creator_id = $1", one) for one in (first, second)
    ]
    assert reasons == ["REFRESH_INTERRUPTED", "REFUSED"]


async def test_new_tokens_wait_for_a_database_that_is_away_when_they_come(
    stage, address, postgres, monkeypatch
):
    completed = await stage.connect("sim.single")
    name = address.partition("?")[0].rpartition("/")[2]
    admin = await asyncpg.connect(postgres)
    arguments = (stage.database, stage.vault, stage.platforms, stage.whose(completed.creator_id))
    real, answered, away = stage.connector.refresh, asyncio.Event(), asyncio.Event()

    async def refresh(tokens):
        new = await real(tokens)
        answered.set()
        await away.wait()
        return new

    monkeypatch.setattr(stage.connector, "refresh", refresh)
    refreshing = asyncio.create_task(grants.renewed(*arguments, 1))
    await answered.wait()
    await admin.execute(f"alter database {name} allow_connections false")
    await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
    away.set()
    await asyncio.sleep(0.3)
    assert not refreshing.done()
    await admin.execute(f"alter database {name} allow_connections true")
    await admin.close()
    held = await refreshing
    assert held.version == 2
    await stage.connector.profile((await stage.held(completed.creator_id)).tokens)


async def test_a_worker_told_to_stop_while_it_renews_keeps_the_new_token(stage):
    completed = await stage.connect("sim.single")
    await stage.execute("update grants set renew_at = now()")
    await stage.execute("update syncs set status = 'SUCCEEDED'")
    stage.fault("oauth/token", "late", delay=0.5)
    before = stage.world.state.refresh_hashes()
    async with stage.working():
        await rotated(stage, before)
    held = await stage.held(completed.creator_id)
    assert (held.status, held.version) == ("ACTIVE", 2)
    await stage.connector.profile(held.tokens)


async def answered_late(stage, monkeypatch, meanwhile):
    """A refresh of the stage's grant during whose answer something else happens to it."""
    completed = await stage.connect("sim.single")
    real, held = stage.connector.refresh, await stage.held(completed.creator_id)

    async def refresh(tokens):
        fresh = await real(tokens)
        await meanwhile(held)
        return fresh

    monkeypatch.setattr(stage.connector, "refresh", refresh)
    await grants.renewed(stage.database, stage.vault, stage.platforms, held.whose, held.version)
    return completed


async def test_new_tokens_that_come_late_revive_a_grant_that_was_buried_meanwhile(stage, monkeypatch):
    async def buried(held):
        assert await grants.judge(stage.database, held)
        await stage.execute("update creators set next_sync_at = null")

    completed = await answered_late(stage, monkeypatch, buried)
    assert await grant(stage) == ("ACTIVE", None, 2)
    assert await stage.value("select refused_at is null from grants")
    assert await stage.value("select next_sync_at <= now() from creators")
    await stage.connector.profile((await stage.held(completed.creator_id)).tokens)


async def test_new_tokens_do_not_revive_what_the_platform_said_is_over(stage, monkeypatch):
    async def removed(held):
        await stage.removed(held.whose.creator_id)

    with pytest.raises(grants.Dead):
        await answered_late(stage, monkeypatch, removed)
    assert await grant(stage) == ("NEEDS_REAUTH", "REMOVED", 2)
    assert await stage.value("select next_sync_at is null from creators")
