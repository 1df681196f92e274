"""What the service answers, and charges, is what a naive reader makes of the same rows, compiled and ordinary alike.

Operations and rows are drawn, and what fails is shrunk. CREATOR_GRAPH_TEST_READS=5000 tries so many, others each time.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import resolvers
from db.gathered import Gathered
from db.session import Database
from graph.schema import executable
from tests.planner import counted, data, drawn, operations, oracle, paths, used

READS = os.environ.get("CREATOR_GRAPH_TEST_READS")
OPERATIONS, TOGETHER = (int(READS), int(READS)) if READS else (80, 25)
NAIVE = executable(resolvers.schema())
GATHERED = ("creator", "video", "sync", "apiKey", "creatorBy", "account", "node")
OF_KEYS = {"apiKey", "node"}
REFUSED = {"QUERY_TOO_COMPLEX", "FORBIDDEN"}

# The stage is the same for all examples: what one adds is an account of its own.
drawing = settings(derandomize=READS is None, suppress_health_check=[*HealthCheck], max_examples=OPERATIONS)


class Stage:
    """One database with three accounts in both worlds, filled once for all examples."""

    # No dataclass: hypothesis shows all fields of one that a test is given.
    def __init__(self, database: Database, writer: Any, accounts: list[UUID], tables: Any) -> None:
        self.database, self.writer, self.accounts = database, writer, accounts
        self.tables: dict[str, list[Any]] = tables
        self.together: list[str] = []  # statements that read for several

    async def drawn(self, chance: drawn.Drawn) -> tuple[UUID, dict[str, list[Any]]]:
        """An account, and all there is: one of the large ones, or a new one of rows that are drawn."""
        if chance.chance(0.5):
            return chance.choice(self.accounts), self.tables
        maker = drawn.Maker(chance)
        await data.write(self.writer, maker.rows)
        await used.write(self.writer, used.rows(maker, chance, often=(0, 1, 3)))
        own = await oracle.Oracle.read(self.writer, maker.account_id)
        await used.forget(self.writer)
        others = {name: rows for name, rows in self.tables.items() if name != "plans"}
        return maker.account_id, own | {name: [*own[name], *rows] for name, rows in others.items()}


@pytest.fixture
async def stage(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    maker = data.Maker(7)
    accounts = [maker.account(f"account{n}", creators=(6, 4, 0)[n]) for n in range(3)]
    writer = await database.connect()
    await data.write(writer, maker.rows)
    await used.write(writer, used.rows(maker))
    stage = Stage(database, writer, accounts, await oracle.Oracle.read(writer))
    await used.forget(writer)
    read = Gathered._read

    async def seen(self: Gathered, runs: Any, sql: str, for_several: Any) -> None:
        stage.together += [for_several] * (len(runs) > 1)
        await read(self, runs, sql, for_several)

    monkeypatch.setattr(Gathered, "_read", seen)
    yield stage
    await writer.close()


def reader(
    chance: drawn.Drawn, account_id: UUID, tables: dict[str, list[Any]], *, held: bool = True
) -> counted.Counted:
    """Who asks: a key of either world, or a token that is held to some creators, if it may be."""
    naive = counted.Counted(NAIVE, tables, account_id, chance.chance(0.7), None, paths.NOW)
    if held and chance.chance(0.2):
        naive.allowed = tuple(row["id"] for row in naive.rows("Creator")[:2])
    return naive


def writer(naive: counted.Counted, chance: drawn.Drawn) -> operations.Writer:
    return operations.Writer(chance, NAIVE, naive, oracle.cursor, paths.NOW)


def plainly(answer: bytes) -> str:
    """JSON in the order it came in, whole numbers alike: PostgreSQL writes 1 in a list where it is 1.0 elsewhere."""
    return json.dumps(
        json.loads(answer, parse_float=lambda text: int(x) if (x := float(text)).is_integer() else x)
    )


async def check(
    stage: Stage, engine: Any, path: str, naive: counted.Counted, text: str, variables: Any
) -> None:
    """One path's answer is the naive one, in its order; so are its price and what was delivered."""
    who = paths.caller(naive.account_id, livemode=naive.livemode, allowed=naive.allowed)
    told = await paths.ask(engine, stage.database, who, text, variables)
    if told.path is None:
        assert {error["extensions"]["code"] for error in told.errors} <= REFUSED, (text, told.errors)
        return
    expected = naive.answer(text, variables)
    assert (told.path, told.errors) == (path, []), text
    assert plainly(told.data) == plainly(orjson.dumps(expected)), text
    assert (told.delivered, told.price) == (naive.delivered, naive.price), text
    charged = naive.price * naive.livemode
    assert sum(thousandths for _, thousandths in told.shares.values()) == charged * 1000, text
    assert {name: count for name, (count, _) in told.shares.items() if count} == {
        name: count for name, (count, _) in naive.delivered.items()
    }, text


@drawing
@given(draws=st.data())
async def test_both_paths_answer_and_charge_what_a_naive_reader_does(stage: Stage, draws: Any) -> None:
    chance = drawn.Drawn(draws)
    naive = reader(chance, *await stage.drawn(chance))
    text, variables = writer(naive, chance).operation()
    note(f"{text}\n{variables}")
    await check(stage, paths.COMPILED, "compiled", naive, text, variables)
    await check(stage, paths.ORDINARY, "ordinary", naive, text, variables)


@settings(drawing, max_examples=TOGETHER)
@given(draws=st.data())
async def test_small_reads_that_go_together_are_each_answered_as_if_alone(stage: Stage, draws: Any) -> None:
    chance, before = drawn.Drawn(draws), len(stage.together)
    root, (first, tables) = chance.choice(GATHERED), await stage.drawn(chance)
    others = [chance.choice([first, *stage.accounts]) for _ in range(chance.randint(2, 5))]
    writers = [
        writer(reader(chance, id, tables, held=root not in OF_KEYS), chance) for id in [first, *others]
    ]
    text = writers[0].several(root)
    asked = [(one.oracle, text, one.names(root)) for one in writers]
    note(f"{text}\n{[names for *_, names in asked]}")
    await asyncio.gather(*(check(stage, paths.COMPILED, "compiled", *each) for each in asked))
    # Those who ask alike went together; a list of creators one is held to is no plain value, and goes alone.
    alike = sum(one.oracle.allowed is None for one in writers)
    assert len(stage.together) > before or alike < 3 or root == "node", text
