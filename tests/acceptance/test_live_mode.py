"""Live mode is the same code on other hosts and credentials: pointed at the simulator it is shown end to end."""

import pytest

from services import credits

ABOUT = "query($id: ID!) { creator(id: $id) { username livemode stats { videoCount } videos(first: 5) { totalCount } } }"


async def test_live_mode_end_to_end_is_charged_and_apart_from_test_mode(service):
    tested = await service.connected("sim.twenty")
    creator_id = await service.connected("sim.twenty", key=service.live, reference="live-1")
    assert creator_id != tested
    read = (await service.data(ABOUT, {"id": creator_id}, key=service.live))["creator"]
    assert read == {
        "username": "sim.twenty", "livemode": True, "stats": {"videoCount": 20}, "videos": {"totalCount": 20},
    }  # fmt: skip
    begun = await service.begin(key=service.live)
    assert "client_key=live-app&" in begun["authUrl"]
    assert "client_key=creator-graph-test&" in (await service.begin())["authUrl"]
    synced = await service.ask(
        "mutation($id: ID!) { syncCreator(input: {id: $id, waitSeconds: 10}) { joined sync { status } } }",
        {"id": creator_id}, key=service.live,
    )  # fmt: skip
    assert synced.data["syncCreator"] == {"joined": False, "sync": {"status": "SUCCEEDED"}}
    assert synced.credits["charged"] == 10
    assert (await service.disconnect(creator_id)).code == "NOT_FOUND"
    gone = await service.disconnect(creator_id, key=service.live)
    assert (gone.data["disconnectCreator"]["revocation"], gone.credits["charged"]) == ("REVOKED", 0)
    assert (await service.data(ABOUT, {"id": tested}))["creator"]["username"] == "sim.twenty"
    assert service.world.state.revoke("creator-graph-test", "sim.twenty")
    assert not service.world.state.revoke("live-app", "sim.twenty")
    async with service.database.read() as connection:
        assert await credits.audit(connection) == []


@pytest.mark.parametrize("platform", ["TIKTOK", "INSTAGRAM", "YOUTUBE"])
async def test_a_platform_that_is_not_configured_is_told_so(serving, platform):
    service = await serving(tiktok_client_key=None, tiktok_client_secret=None)
    answer = await service.ask(
        "mutation($platform: Platform!) { connectCreator(input: {platform: $platform}) { authUrl } }",
        {"platform": platform}, key=service.live,
    )  # fmt: skip
    assert (answer.status, answer.code, answer.reason) == (200, "PLATFORM_ERROR", "NOT_OFFERED")
    assert answer.credits["charged"] == 0
    assert await service.value("select count(*) from oauth_states") == 0
