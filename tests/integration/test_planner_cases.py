"""Chosen operations with the SQL they become and what they answer, as files: a change of either is seen in review.

UPDATE_PLANNER_CASES=1 writes the files anew.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from db.session import Database

CASES = Path(__file__).parents[1] / "planner"
UPDATE = os.environ.get("UPDATE_PLANNER_CASES") == "1"


def _load(name: str) -> ModuleType:
    """A helper of the planner's tests: tests are no package."""
    known = f"planner_tests_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, CASES / f"{name}.py")
        assert spec
        assert spec.loader
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


world, data, oracle = (_load(name) for name in ("world", "data", "oracle"))


def _variables(text: str, maker: Any, account_id: Any) -> dict[str, Any]:
    """Ids and cursors of the fixed data, for the cases that ask for them."""
    creators, videos = (
        [row for row in maker.rows[table] if row["account_id"] == account_id and row["livemode"]]
        for table in ("creators", "videos")
    )
    names = [(row["username"], row["platform"]) for row in creators]
    username, platform = max(names, key=names.count)
    last = max(creators, key=lambda row: (row["username"].encode(), row["id"].bytes))
    known = {
        "creator": f"crt_{creators[0]['id'].hex}",
        "video": f"vid_{next(row for row in videos if row['gone_at'] is None)['id'].hex}",
        "username": username,
        "platform": platform,
        "before": oracle.cursor(account_id, True, "Query.creators", "USERNAME", last),
    }
    return {name: value for name, value in known.items() if f"${name}:" in text}


def _check(path: Path, found: str) -> None:
    if UPDATE:
        path.write_text(found, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == found, f"{path.name}: UPDATE_PLANNER_CASES=1 writes it anew"


async def test_each_case_becomes_the_sql_and_the_answer_in_its_files(database: Database) -> None:
    maker = data.Maker(5)
    account_id = maker.account("Acme", creators=6, videos=6)
    maker.account("Other")
    writer = await database.connect()
    await data.write(writer, maker.rows)
    tables = await oracle.Oracle.read(writer)
    await writer.close()
    engine, naive = world.make_engine(), world.make_engine()
    async with database.read() as connection:
        driver = world.Driver(engine, connection, world.Caller(account_id))
        for case in sorted(CASES.glob("*.graphql")):
            text = case.read_text(encoding="utf-8")
            variables = _variables(text, maker, account_id)
            asked = await driver.ask(text, variables)
            sql = "\n;\n".join(line for plan in asked.plans for line in [plan.statement.sql]) + "\n"
            _check(case.with_suffix(".sql"), "\n".join(line.rstrip() for line in sql.splitlines()) + "\n")
            _check(case.with_suffix(".json"), json.dumps(asked.data, indent=1, ensure_ascii=False) + "\n")
            answer = oracle.Oracle(naive.core, tables, account_id, True, None, world.NOW).answer(
                text, variables
            )
            assert asked.data == answer, case.name


def test_every_case_is_whole() -> None:
    cases = {path.stem for path in CASES.glob("*.graphql")}
    assert len(cases) >= 12
    for suffix in ("sql", "json"):
        assert {path.stem for path in CASES.glob(f"*.{suffix}")} == cases
