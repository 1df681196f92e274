"""Connecting: what the outside may rely on, from the consent page to the first sync."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from services import connecting, errors, grants
from services.platforms import base
from simulators import youtube_channels


async def test_a_connect_stores_creator_and_grant_and_reads_everything(stage):
    begun = await stage.begin(reference="partner-7")
    assert (await stage.attempt(begun.state)).status == "PENDING"
    completed = await stage.callback(await stage.decide(begun, "sim.burst"))
    assert (completed.status, completed.return_url) == ("CONNECTED", "https://partner.example/done")
    attempt = await stage.attempt(begun.state)
    assert (attempt.status, attempt.creator_id, attempt.sync_id) == (
        "CONNECTED", completed.creator_id, completed.sync_id,
    )  # fmt: skip
    async with stage.working():
        row = await stage.ended(completed.sync_id)
    assert (row["status"], row["trigger"], row["attempts"]) == ("SUCCEEDED", "CONNECT", 1)
    creator = await stage.one("select * from creators where id = $1", completed.creator_id)
    assert (creator["username"], creator["reference"]) == ("sim.burst", "partner-7")
    count = stage.videos_of("sim.burst")
    assert row["videos_seen"] == row["videos_added"] == creator["video_count"] == count
    assert row["videos_updated"] == 0
    assert await stage.value("select count(*) from videos where gone_at is null") == count
    assert await stage.value("select count(*) from video_stats") == count
    assert await stage.value("select count(*) from creator_stats") == 1
    assert creator["synced_at"] is not None
    assert creator["engagement_rate"] > 0


async def test_nothing_secret_is_stored_in_clear(stage):
    begun = await stage.begin()
    query = await stage.decide(begun, "sim.single")
    completed = await stage.callback(query)
    held = await grants.read(stage.database, stage.vault, stage.whose(completed.creator_id))
    row = str(dict(await stage.one("select * from grants")))
    state = str(dict(await stage.one("select * from oauth_states")))
    assert held.tokens.access_token not in row
    assert held.tokens.refresh_token not in row
    assert begun.state not in state
    with pytest.raises(Exception, match="another place"):
        stage.vault.open(
            await stage.value("select access_token from grants"),
            f"grant:{stage.account}:{begun.state}:access",
        )


async def test_who_says_no_is_denied_and_nothing_is_stored(stage, queued):
    begun = await stage.begin()
    completed = await stage.callback(await stage.decide(begun, "sim.single", decision="deny"))
    assert completed.status == (await stage.attempt(begun.state)).status == "DENIED"
    assert await stage.value("select count(*) from creators") == 0
    assert await queued() == 0


async def test_a_state_serves_once(stage):
    begun = await stage.begin()
    query = await stage.decide(begun, "sim.single")
    await stage.callback(query)
    with pytest.raises(errors.Conflict):
        await stage.callback(query)
    again = await stage.begin()
    query = await stage.decide(again, "sim.single")
    answers = await asyncio.gather(*(stage.callback(query) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(answer, errors.Conflict) for answer in answers) == 7
    assert await stage.value("select count(*) from creators") == 1


async def test_an_expired_state_connects_nobody(stage):
    begun = await stage.begin(now=datetime.now(UTC) - timedelta(minutes=10))
    query = await stage.decide(begun, "sim.single")
    completed = await stage.callback(query)
    assert completed.status == (await stage.attempt(begun.state)).status == "EXPIRED"
    assert completed.return_url == "https://partner.example/done"
    assert await stage.value("select count(*) from creators") == 0


async def test_an_unknown_state_and_another_accounts_do_not_exist(stage):
    from uuid import uuid4  # noqa: PLC0415

    begun = await stage.begin()
    for state in ("", "x" * 43, "\ud800"):
        assert await stage.attempt(state) is None
        with pytest.raises(errors.NotFound):
            await stage.callback([("state", state), ("code", "c")])
    assert await stage.attempt(begun.state, account=uuid4()) is None
    assert await stage.attempt(begun.state, livemode=True) is None
    with pytest.raises(errors.BadUserInput):
        await stage.callback([("state", begun.state), ("state", begun.state), ("code", "c")])
    with pytest.raises(errors.NotFound):
        await connecting.callback(
            stage.database, stage.vault, stage.platforms, platform="YOUTUBE", query=[("state", begun.state)]
        )
    assert (await stage.attempt(begun.state)).status == "PENDING"


@pytest.mark.parametrize(
    "asked",
    [
        {"return_url": "https://partner.example/done/"},
        {"return_url": "https://evil.example/"},
        {"redirect_uri": "https://partner.example/redirect?x=1"},
        {"reference": "x" * 201},
        {"reference": "a\x00b"},
        {"reference": "\ud800"},
        {"reference": " "},
    ],
)
async def test_addresses_off_the_list_and_unclean_references_are_refused(stage, asked):
    with pytest.raises(errors.BadUserInput):
        await stage.begin(**asked)
    assert await stage.value("select count(*) from oauth_states") == 0


async def complete(stage, begun, query, **more):
    asked = {"account_id": stage.account, "livemode": False, "state": begun.state} | more
    code = dict(query).get("code", "none")
    return await connecting.complete(stage.database, stage.vault, stage.platforms, code=code, **asked)


async def test_an_app_finishes_its_own_redirect_and_only_its_own(stage):
    from uuid import uuid4  # noqa: PLC0415

    own, ours = await stage.begin(own=True), await stage.begin()
    query = await stage.decide(own, "sim.single")
    with pytest.raises(errors.NotFound):
        await stage.callback(query)
    with pytest.raises(errors.NotFound):
        await complete(stage, own, query, account_id=uuid4())
    with pytest.raises(errors.NotFound):
        await complete(stage, own, query, livemode=True)
    with pytest.raises(errors.BadUserInput):
        await complete(stage, ours, await stage.decide(ours, "sim.single"))
    completed = await complete(stage, own, query)
    assert completed.status == "CONNECTED"
    with pytest.raises(errors.Conflict):
        await complete(stage, own, query)
    late = await stage.begin(own=True, now=datetime.now(UTC) - timedelta(minutes=10))
    with pytest.raises(errors.NotFound):
        await complete(stage, late, await stage.decide(late, "sim.single"))


async def test_what_the_caller_adds_commits_with_the_connect_or_fails_it(stage):
    begun = await stage.begin(own=True)
    query = await stage.decide(begun, "sim.single")

    async def poor(session, completed):
        raise errors.CreditsExhausted(1, 0, datetime.now(UTC))

    with pytest.raises(errors.CreditsExhausted):
        await complete(stage, begun, query, also=poor)
    assert (await stage.attempt(begun.state)).status == "FAILED"
    assert await stage.value("select count(*) from creators") == 0


@pytest.mark.parametrize(
    ("endpoint", "kind", "reason"),
    [
        ("oauth/token", "status_500", "AWAY"),
        ("oauth/token", "drop", "AWAY"),
        ("oauth/token", "half_json", "AWAY"),
        ("oauth/token", "status_429", "THROTTLED"),
        ("oauth/token", "bad_token", "RECONNECT_REQUIRED"),
        ("oauth/token", "huge", None),
        ("user/info", "status_500", "AWAY"),
        ("user/info", "drop", "AWAY"),
        ("user/info", "bad_token", "RECONNECT_REQUIRED"),
    ],
)
async def test_a_platform_that_fails_during_the_callback_leaves_nothing_half_stored(
    stage, queued, endpoint, kind, reason
):
    begun = await stage.begin()
    query = await stage.decide(begun, "sim.single")
    stage.fault(endpoint, kind, times=5)
    completed = await stage.callback(query)
    assert (completed.status, completed.code) == ("FAILED", "PLATFORM_ERROR")
    assert completed.error.extra.get("reason") == reason
    attempt = await stage.attempt(begun.state)
    assert (attempt.status, attempt.error_code) == ("FAILED", "PLATFORM_ERROR")
    assert "Connect again" in attempt.error_message
    assert [await stage.value(f"select count(*) from {table}") for table in ("creators", "grants", "syncs")] == [
        0, 0, 0,
    ]  # fmt: skip
    assert await queued() == 0
    stage.world.faults.clear()
    assert (await stage.connect("sim.single")).status == "CONNECTED"


@pytest.mark.parametrize("platform", ["TIKTOK", "INSTAGRAM", "YOUTUBE"])
async def test_where_our_own_app_is_at_fault_nobody_is_told_to_connect_again(stage, monkeypatch, platform):
    begun = await stage.begin(platform=platform)
    query = await stage.decide(begun, "sim.single", platform=platform)
    connector = stage.connector_of(platform)
    monkeypatch.setattr(connector, "_app", dataclasses.replace(connector._app, client_secret="no"))
    completed = await stage.callback(query, platform)
    assert (completed.status, completed.error.extra["reason"]) == ("FAILED", "MISCONFIGURED")
    told = (await stage.attempt(begun.state)).error_message
    assert "nothing to do on your side" in told
    assert "onnect again" not in told + completed.error.remedy


async def test_who_lacks_an_account_is_told_to_make_one_before_connecting_again(stage):
    begun = await stage.begin(platform="YOUTUBE")
    query = await stage.decide(begun, youtube_channels.WITHOUT_CHANNEL, platform="YOUTUBE")
    completed = await stage.callback(query, "YOUTUBE")
    assert (completed.status, completed.error.extra["reason"]) == ("FAILED", "NO_ACCOUNT")
    assert "Let the creator make one" in (await stage.attempt(begun.state)).error_message


async def test_a_platform_nobody_configured_is_not_offered(stage):
    with pytest.raises(errors.PlatformError) as refused:
        stage.platforms.connector("TIKTOK", livemode=True)
    assert refused.value.extra["reason"] == "NOT_OFFERED"


async def test_a_reconnect_keeps_id_and_data_and_brings_new_tokens(stage):
    first = await stage.connect("sim.single", reference="mine")
    async with stage.working():
        await stage.ended(first.sync_id)
    whose = stage.whose(first.creator_id)
    before = await grants.read(stage.database, stage.vault, whose)
    await stage.removed(first.creator_id)
    with pytest.raises(base.ReconnectRequired):
        await grants.tokens_for(stage.database, stage.vault, stage.platforms, whose)
    second = await stage.connect("sim.single")
    assert second.creator_id == first.creator_id
    assert second.sync_id != first.sync_id
    after = await grants.tokens_for(stage.database, stage.vault, stage.platforms, whose)
    assert after.tokens.access_token != before.tokens.access_token
    assert after.version == before.version + 1
    assert await stage.value("select reference from creators") == "mine"
    assert await stage.value("select count(*) from videos") == 1


async def test_a_connect_while_a_sync_waits_joins_it(stage):
    first, second = await stage.connect("sim.single"), await stage.connect("sim.single")
    assert first.sync_id == second.sync_id
    assert await stage.value("select count(*) from syncs") == 1


async def test_an_empty_refresh_token_never_overwrites_a_stored_one(stage):
    completed = await stage.connect("sim.single")
    whose = stage.whose(completed.creator_id)
    held = await grants.read(stage.database, stage.vault, whose)
    from db.session import raw  # noqa: PLC0415

    poorer = dataclasses.replace(
        held.tokens, refresh_token=None, refresh_expires_at=None, access_token="newer"
    )
    async with stage.database.write() as session:
        await grants.store(await raw(session), stage.vault, whose, poorer, datetime.now(UTC))
    after = await grants.read(stage.database, stage.vault, whose)
    assert (after.tokens.access_token, after.tokens.refresh_token) == ("newer", held.tokens.refresh_token)
    assert after.tokens.refresh_expires_at == held.tokens.refresh_expires_at


async def test_partial_consent_connects_and_the_sync_says_what_is_missing(stage):
    completed = await stage.connect("sim.single", scopes=("user.info.basic", "user.info.stats"))
    async with stage.working():
        row = await stage.ended(completed.sync_id)
    assert (row["status"], row["error_code"], row["videos_seen"]) == ("PARTIAL", "SCOPE_MISSING", 0)
    assert await stage.value("select status from grants") == "ACTIVE"
