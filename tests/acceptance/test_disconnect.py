"""Disconnect: nothing of the creator stays anywhere, whatever runs meanwhile and whether the platform is up or not."""

import asyncio

KNOWN = "query($id: ID!) { creator(id: $id) { externalId username displayName } }"
REVOKE_SOON = (
    "update revocations set next_attempt_at = now() - interval '1 minute'",
    "update pgqueuer set execute_after = now() - interval '1 second'",
)


async def whoever_is_left(service, *words):
    """Where in the database a word still stands."""
    dump = await service.dump()
    return {(name, word) for name, text in dump.items() for word in words if word in text}


async def running(service, sync_id):
    """Until the sync has read a page and is not through."""
    async with asyncio.timeout(60):
        while True:
            row = await service.one(
                "select status, videos_seen from syncs where id = $1::text::uuid", sync_id[4:]
            )
            if row["status"] == "RUNNING" and row["videos_seen"]:
                return
            await asyncio.sleep(0.01)


async def test_a_disconnect_during_a_running_sync_leaves_nothing_but_the_tombstone(service):
    service.work()
    service.fault("video/list", "slow", times=1_000, delay=0.05)
    attempt = await service.connect("sim.prolific", reference="partner-7")
    other = await service.connect("sim.single")
    creator_id = attempt["creator"]["id"]
    known = (await service.data(KNOWN, {"id": creator_id}))["creator"]
    words = ("sim.prolific", known["externalId"], "partner-7", creator_id[4:])
    assert await whoever_is_left(service, known["externalId"])
    await running(service, attempt["sync"]["id"])

    told = (await service.disconnect(creator_id)).data["disconnectCreator"]
    assert told["revocation"] == "REVOKED"
    assert told["erased"]["creators"] == told["erased"]["syncs"] == 1
    assert told["erased"]["videos"] > 0
    service.world.faults.clear()
    await service.idle()
    await service.rest()
    assert await whoever_is_left(service, *words) == set()
    counts = await service.counts()
    assert (counts["tombstones"], counts["creators"], counts["revocations"]) == (1, 1, 0)
    assert (await service.data(KNOWN, {"id": other["creator"]["id"]}))["creator"]["username"] == "sim.single"
    assert not service.world.state.revoke("creator-graph-test", "sim.prolific")


async def test_a_platform_that_is_down_gets_its_revocation_later_and_erasure_does_not_wait(service):
    creator_id = await service.connected("sim.single", reference="partner-8")
    known = (await service.data(KNOWN, {"id": creator_id}))["creator"]
    await service.idle()
    service.fault("oauth/revoke", "status_500", times=100)
    told = (await service.disconnect(creator_id)).data["disconnectCreator"]
    assert (told["revocation"], told["erased"]["creators"]) == ("PENDING_RETRY", 1)
    assert (
        await whoever_is_left(service, "sim.single", known["externalId"], "partner-8", creator_id[4:])
        == set()
    )
    counts = await service.counts()
    assert (counts["revocations"], counts["tombstones"], counts["grants"]) == (1, 1, 0)
    assert (await service.disconnect(creator_id)).code == "NOT_FOUND"

    service.world.faults.clear()
    for statement in REVOKE_SOON:
        await service.execute(statement)
    async with asyncio.timeout(60):
        while await service.value("select count(*) from revocations"):
            await asyncio.sleep(0.05)
    assert not service.world.state.revoke("creator-graph-test", "sim.single")


async def test_a_grant_that_the_creator_removed_before_is_told_so(service):
    creator_id = await service.connected("sim.single")
    assert service.world.state.revoke("creator-graph-test", "sim.single")
    told = (await service.disconnect(creator_id)).data["disconnectCreator"]
    assert told["revocation"] == "ALREADY_REVOKED"


async def test_two_disconnects_at_once_answer_once(service):
    creator_id = await service.connected("sim.single")
    answers = await asyncio.gather(*(service.disconnect(creator_id) for _ in range(4)))
    assert sorted(answer.body["data"] is not None for answer in answers) == [False, False, False, True]
    assert {answer.code for answer in answers if "errors" in answer.body} == {"NOT_FOUND"}
