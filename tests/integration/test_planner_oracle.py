"""What the planner answers is what a naive reader answers, for operations and data of every form."""

import importlib.util
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from db.session import Database
from services import errors

OPERATIONS = 120


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


world, data, used, oracle, operations = (
    _load(name) for name in ("world", "data", "used", "oracle", "operations")
)
ENGINE = world.make_engine()
NAIVE = world.make_engine()


class Stage:
    """One database with three accounts in both worlds, filled once for all examples."""

    def __init__(self, connection: Any, tables: Any, accounts: list[Any]) -> None:
        self.connection, self.tables, self.accounts = connection, tables, accounts


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    maker = data.Maker(7)
    accounts = [maker.account(f"account{n}", creators=(6, 4, 0)[n]) for n in range(3)]
    writer = await database.connect()
    await data.write(writer, maker.rows)
    await used.write(writer, used.rows(maker))
    tables = await oracle.Oracle.read(writer)
    await used.forget(writer)
    await writer.close()
    async with database.read() as connection:
        yield Stage(connection, tables, accounts)


def _written(stage: Stage, seed: int) -> tuple[Any, Any, str, dict[str, Any]]:
    chance = random.Random(seed)
    account_id, livemode = chance.choice((*stage.accounts, stage.accounts[0])), chance.random() < 0.7
    naive = oracle.Oracle(NAIVE.core, stage.tables, account_id, livemode, None, world.NOW)
    if chance.random() < 0.2:
        naive.allowed = tuple(row["id"] for row in naive.rows("Creator")[:2])
    writer = operations.Writer(chance, ENGINE.core, naive, oracle.cursor, world.NOW)
    text, variables = writer.operation()
    return naive, world.Caller(account_id, livemode, naive.allowed), text, variables


# The stage is the same for all examples, and it is read only.
@settings(max_examples=OPERATIONS, suppress_health_check=[*HealthCheck])
@given(seed=st.integers(0, 2**32))
@example(seed=1)
async def test_planned_answer_is_the_naive_answer(stage: Stage, seed: int) -> None:
    naive, caller, text, variables = _written(stage, seed)
    driver = world.Driver(ENGINE, stage.connection, caller)
    try:
        asked = await driver.ask(text, variables)
    except errors.QueryTooComplex:
        return
    expected = naive.answer(text, variables)
    assert asked.data == expected, text
    assert world.completed(ENGINE, text, variables, asked) == expected, text
    assert asked.delivered.total <= sum(line.thousandths for line in asked.quote.lines), text
