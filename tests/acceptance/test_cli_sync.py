"""creators and sync from the command line, beside a running service and its worker."""

import functools
import json
from uuid import uuid4

import pytest
from rich.progress import Progress

from server import cli_sync
from services import creators, errors


@pytest.fixture
def run(service, shell):
    """Run a command as a shell would, in a process of its own; answers exit code, stdout and stderr."""
    return functools.partial(
        shell.run, database_url=service.address, data_dir=service.data_dir, public_url=service.url
    )


def value(answer):
    code, out, err = answer
    assert (code, err) == (0, ""), answer
    return json.loads(out)


def refused(answer):
    code, out, err = answer
    assert (code, out) == (1, ""), answer
    return json.loads(err)["error"]["code"]


async def test_creators_are_listed_by_platform_and_mode(service, run):
    assert value(await run("creators", "list", "--account", "MetriqLab", "--json")) == []
    service.work()
    test = await service.connected("sim.twenty", reference="r-1")
    video = await service.connect("sim.single", platform="YOUTUBE")
    live = await service.connected("sim.single", key=service.live)
    found = value(await run("creators", "list", "--account", "MetriqLab", "--json"))
    assert [one["id"] for one in found] == [test, video["creator"]["id"], live]
    assert found[0] | {"connectedAt": 0, "syncedAt": 0, "externalId": 0, "followers": 0} == {
        "id": test, "mode": "test", "platform": "TIKTOK", "username": "sim.twenty", "reference": "r-1",
        "grant": "ACTIVE", "videoCount": 20, "connectedAt": 0, "syncedAt": 0, "externalId": 0, "followers": 0,
    }  # fmt: skip
    for options, wanted in (
        (("--platform", "youtube"), [video["creator"]["id"]]), (("--mode", "live"), [live]), (("--most", "1"), [test]),
        (("--platform", "INSTAGRAM"), []),
    ):  # fmt: skip
        rows = value(await run("creators", "list", "--account", "MetriqLab", *options, "--json"))
        assert [one["id"] for one in rows] == wanted
    code, out, err = await run("creators", "list", "--account", "MetriqLab")
    assert (code, err) == (0, "")
    assert f"{test}  test  TIKTOK" in out
    assert refused(await run("creators", "list", "--account", "nobody", "--json")) == "NOT_FOUND"
    assert (
        refused(await run("creators", "list", "--account", "MetriqLab", "--platform", "x", "--json"))
        == "BAD_USER_INPUT"
    )


async def test_a_sync_of_one_is_waited_for_and_told(service, run):
    creator_id = await service.connected("sim.twenty")
    rows = value(await run("sync", "--account", "MetriqLab", "--creator", creator_id, "--wait", "--json"))
    assert [(row["creator"], row["status"], row["videosSeen"], row["joined"]) for row in rows] == [
        (creator_id, "SUCCEEDED", 20, False)
    ]
    assert await service.value("select count(*) from syncs where trigger = 'MANUAL'") == 1
    assert await service.value("select count(*) from ledger where kind = 'charge'") == 0


async def test_all_are_read_with_progress_and_dead_grants_left_out(service, run):
    for username in ("sim.single", "sim.twenty", "sim.quiet"):
        await service.connected(username)
    await service.execute(
        "update grants set status = 'NEEDS_REAUTH' where creator_id = (select id from creators where username = 'sim.quiet')"
    )
    service.fault("video/list", "slow", times=4, delay=0.5)
    code, out, err = await run("sync", "--account", "MetriqLab", "--all", "--mode", "test", "--wait")
    assert code == 0, err
    assert out.count("SUCCEEDED") == 2
    assert "sim.quiet" not in out
    assert "2/2" in err  # the bar, on stderr
    other = await service.another()
    rows = value(await run("sync", "--account", other.name, "--all", "--json"))
    assert rows == []


async def test_without_wait_it_answers_at_once_and_joins_what_runs(service, run):
    attempt = await service.connect("sim.single")  # no worker: its first sync waits
    arguments = ("sync", "--account", "MetriqLab", "--creator", attempt["creator"]["id"], "--json")
    rows = value(await run(*arguments))
    assert (rows[0]["sync"], rows[0]["joined"], rows[0]["status"]) == (attempt["sync"]["id"], True, "QUEUED")


async def test_a_failed_sync_is_exit_1_with_its_row_on_stdout(service, run):
    creator_id = await service.connected("sim.single")
    await service.idle()
    assert service.world.state.revoke("creator-graph-test", "sim.single")
    code, out, _ = await run("sync", "--account", "MetriqLab", "--creator", creator_id, "--wait", "--json")
    assert (code, json.loads(out)[0]["status"]) == (1, "FAILED")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ((), "BAD_USER_INPUT"), (("--all", "--creator", "crt_" + "0" * 32), "BAD_USER_INPUT"),
        (("--creator", "crt_" + "0" * 32), "NOT_FOUND"), (("--creator", "vid_" + "0" * 32), "BAD_USER_INPUT"),
        (("--all", "--mode", "both"), "BAD_USER_INPUT"),
    ],
)  # fmt: skip
async def test_a_wrong_sync_is_refused(run, options, error):
    assert refused(await run("sync", "--account", "MetriqLab", *options, "--json")) == error


async def test_an_operator_disconnects_a_creator_of_that_account_alone(service, run):
    creator_id = await service.connected("sim.single")
    await service.idle()
    other = await service.another()
    wrong = await run("creators", "disconnect", creator_id, "--account", other.name, "--json")
    assert refused(wrong) == "NOT_FOUND"
    code, _, _ = await run("creators", "disconnect", creator_id, "--account", "MetriqLab")
    assert code == 1  # nobody said yes
    told = value(await run("creators", "disconnect", creator_id, "--account", "MetriqLab", "--json"))
    assert (told["id"], told["revocation"], told["videos"]) == (creator_id, "REVOKED", 1)
    assert (await service.counts())["creators"] == 0
    assert not service.world.state.revoke("creator-graph-test", "sim.single")
    assert (
        refused(await run("creators", "disconnect", creator_id, "--account", "MetriqLab", "--json"))
        == "NOT_FOUND"
    )


async def test_a_demo_that_is_told_to_come_later_does(service, run, monkeypatch):
    limits, told = service.house.services.limits, []
    take = limits.take

    def take_the_third_time(caller, now):
        if len(told) < 2:
            told.append(now)
            raise errors.RateLimited(1)
        return take(caller, now)

    monkeypatch.setattr(limits, "take", take_the_third_time)
    service.work()
    (row,) = value(await run("demo", "--account", "MetriqLab", "--creators", "1", "--json"))
    assert (row["sync"], len(told)) == ("succeeded", 2)


def test_no_more_bars_are_drawn_than_fit_and_the_next_takes_the_place_of_one_that_ended():
    found = {
        one: creators.Running(
            id=one, creator_id=uuid4(), username=f"sim.{number}", status="RUNNING", videos_expected=9, videos_seen=1,
            videos_added=1, videos_updated=0, error_code=None, error_message=None,
        )
        for number, one in enumerate(uuid4() for _ in range(50))
    }  # fmt: skip
    progress, bars = Progress(disable=True), {}
    cli_sync._draw(progress, bars, found, set())
    first = set(bars)
    assert len(progress.tasks) == len(first) == cli_sync.MOST_BARS <= 20
    ended = set(list(first)[:3])
    cli_sync._draw(progress, bars, found, ended)
    assert len(progress.tasks) == len(bars) == cli_sync.MOST_BARS
    assert not ended & bars.keys()
    assert len(first & bars.keys()) == len(first) - 3
