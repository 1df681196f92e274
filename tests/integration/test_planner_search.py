"""Searching finds what people type, in any script, and never an operator's meaning."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from db.session import Database


def _load(name: str) -> ModuleType:
    """A helper of the planner's tests: tests are no package."""
    known = f"planner_tests_{name}"
    if known not in sys.modules:
        path = Path(__file__).parents[1] / "planner" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec
        assert spec.loader
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


world = _load("world")
NAMES = ("jane.doe", "jane_doe", "हिन्दी में", "می‌خواهم", "don't stop", "x-ray vision", "plain")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("jane", {"jane.doe", "jane_doe"}),
        ("jane.doe", {"jane.doe"}),
        ("jane.do", {"jane.doe"}),
        ("JANE_do", {"jane_doe"}),
        ("हिन्दी", {"हिन्दी में"}),
        ("می‌خو", {"می‌خواهم"}),
        ("don't", {"don't stop"}),
        ("x-ray", {"x-ray vision"}),
        ("vis x", {"x-ray vision"}),
        ("plain | jane", {"plain"} & set()),
        ("!plain", {"plain"}),
        ("'':* & \\", set(NAMES)),
        ("🎉", set(NAMES)),
    ],
)
async def test_a_search_finds_what_begins_so(database: Database, typed: str, found: set[str]) -> None:
    writer = await database.connect()
    account_id = await writer.fetchval("insert into accounts (name, plan) values ('a', 'pro') returning id")
    for name in NAMES:
        await writer.execute(
            "insert into creators (account_id, livemode, platform, external_id, username) values ($1, true, 'TIKTOK', $2, $2)",
            account_id,
            name,
        )
    await writer.close()
    async with database.read() as connection:
        driver = world.Driver(world.make_engine(), connection, world.Caller(account_id))
        text = "query ($s: String) { creators(filter: {search: $s}) { nodes { username } } }"
        nodes = (await driver.ask(text, {"s": typed})).data["creators"]["nodes"]
    assert {node["username"] for node in nodes} == found
