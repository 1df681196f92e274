"""Why a field is null: said of every platform, for every subset of scopes, and true of what a sync really stored."""

import importlib.util
import itertools
import sys
from pathlib import Path

import pytest

from services.platforms import coverage, instagram_wire, tiktok

SPEC = importlib.util.spec_from_file_location(
    "planner_tests_world", Path(__file__).parents[2] / "planner" / "world.py"
)
QUERY = (
    "query ($id: ID!) { creator(id: $id) { missingMetrics { field reason unlockedBy } %s"
    " videos(first: 100) { nodes { %s } } } }"
)
CREATOR = ("displayName", "bio", "avatarUrl", "profileUrl", "verified")
STATS = ("followers", "following", "likes", "views", "videoCount", "engagementRate")
VIDEO = (
    "title", "description", "url", "coverUrl", "mediaUrl", "views", "likes", "comments", "shares", "duration",
    "engagementRate",
)  # fmt: skip


@pytest.fixture(scope="module")
def world():
    module = importlib.util.module_from_spec(SPEC)
    sys.modules[SPEC.name] = module
    SPEC.loader.exec_module(module)
    return module, module.make_engine()


async def read(stage, world, creator_id):
    module, engine = world
    fields = " ".join((*CREATOR, f"stats {{ {' '.join(STATS)} }}"))
    async with stage.database.read() as connection:
        driver = module.Driver(engine, connection, module.Caller(stage.account, livemode=False))
        answer = await driver.ask(QUERY % (fields, " ".join(VIDEO)), {"id": f"crt_{creator_id.hex}"})
    return answer.data["creator"]


def values(creator):
    """Coordinate -> the values that a sync stored under it."""
    told = {f"Creator.{name}": [creator[name]] for name in CREATOR}
    told |= {f"CreatorStats.{name}": [creator["stats"][name]] for name in STATS}
    return told | {f"Video.{name}": [video[name] for video in creator["videos"]["nodes"]] for name in VIDEO}


def reasons(creator):
    return {row["field"]: row["reason"] for row in creator["missingMetrics"]}


SUBSETS = [
    ("TIKTOK", subset)
    for length in range(4)
    for subset in itertools.combinations([one for one in tiktok.SCOPES if one != "user.info.basic"], length)
] + [("INSTAGRAM", (instagram_wire.INSIGHTS,)), ("INSTAGRAM", ()), ("YOUTUBE", coverage.youtube.SCOPES)]


async def test_what_is_said_to_be_missing_is_null_and_what_is_not_is_there(stage, world):
    """Every platform with every subset of scopes a creator can untick, against what the sync really stored."""
    always = {"TIKTOK": ("user.info.basic",), "INSTAGRAM": (instagram_wire.BASIC,), "YOUTUBE": ()}
    async with stage.working():
        for platform, subset in SUBSETS:
            completed = await stage.connect("sim.twenty", (*always[platform], *subset), platform=platform)
            await stage.ended(completed.sync_id)
            if "video.list" not in subset and platform == "TIKTOK":
                await stage.execute("delete from videos")  # of an earlier, wider consent
                await stage.execute("update creators set engagement_rate = null")
            creator = await read(stage, world, completed.creator_id)
            said, stored = reasons(creator), values(creator)
            for coordinate, found in stored.items():
                filled = any(value is not None for value in found)
                assert not (filled and coordinate in said), (platform, subset, coordinate)
                if not coordinate.startswith("Creator.") and found:
                    assert filled or coordinate in said, (platform, subset, coordinate)
            for row in creator["missingMetrics"]:
                scopes = coverage.TABLES[platform][row["field"]]
                denied = bool(scopes) and not set(scopes) & {*always[platform], *subset}
                assert (row["reason"] == "SCOPE_NOT_GRANTED") is denied, (platform, subset, row)
                assert row["unlockedBy"] == (list(scopes[:1]) if denied else [])
                assert (row["reason"] == "UNSUPPORTED_BY_PLATFORM") is (not scopes)


async def test_granting_what_is_named_unlocks_the_field(stage, world):
    async with stage.working():
        completed = await stage.connect("sim.twenty", ("user.info.basic",))
        row = await stage.ended(completed.sync_id)
        assert (row["status"], row["error_code"]) == ("PARTIAL", "SCOPE_MISSING")
        missing = (await read(stage, world, completed.creator_id))["missingMetrics"]
        wanted = {scope for row in missing for scope in row["unlockedBy"]}
        assert wanted == {"user.info.profile", "user.info.stats", "video.list"}
        again = await stage.connect("sim.twenty", ("user.info.basic", *wanted))
        assert again.creator_id == completed.creator_id
        assert (await stage.ended(again.sync_id))["status"] == "SUCCEEDED"
        creator = await read(stage, world, completed.creator_id)
    assert set(reasons(creator).values()) == {"UNSUPPORTED_BY_PLATFORM"}


async def test_before_the_first_sync_ends_it_is_said_that_it_has_not(stage, world):
    completed = await stage.connect("sim.twenty")
    said = reasons(await read(stage, world, completed.creator_id))
    assert said["CreatorStats.engagementRate"] == said["Video.views"] == "NOT_SYNCED_YET"
    assert "CreatorStats.followers" not in said


async def test_a_hidden_count_is_the_creators_own_doing(stage, world):
    completed = await stage.connect("sim.twenty", platform="YOUTUBE")
    await stage.execute("update creators set followers = null")
    said = reasons(await read(stage, world, completed.creator_id))
    assert said["CreatorStats.followers"] == "HIDDEN_BY_CREATOR"


def test_every_table_says_something_of_every_field():
    for platform, table in coverage.TABLES.items():
        assert set(table) == {*coverage.PROFILE, *coverage.VIDEO, *coverage.RATES}, platform
    rate = coverage.TABLES["INSTAGRAM"]["Video.engagementRate"]
    assert rate == (instagram_wire.INSIGHTS,)
