"""`creator-graph usage`: what people read, what scripts read, and what is refused."""

import functools
import json
from datetime import UTC, datetime, timedelta

import pytest

from db import partitions
from services import accounts


@pytest.fixture
def run(address, shell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    return functools.partial(shell.run, "usage", database_url=address)


async def test_show_prints_totals_a_plot_and_tables_or_one_json_object(database, run):
    async with database.write() as session:
        made = await accounts.create(session, "Plotted", "pro")
        now = datetime.now(UTC)
        await partitions.ensure(session, now - timedelta(days=2))
    connection = await database.connect()
    for hours, livemode, key in ((26, True, made.live.id), (2, True, made.live.id), (2, False, made.test.id)):
        await connection.execute(
            "insert into usage_events (account_id, at, key_id, livemode, coordinates, credits, code, duration_us)"
            " select $1, $2::timestamptz, $3, $4, '{\"Query.creator\": [1, 2000]}', 2, 'OK', 1 from generate_series(1, $5)",
            *(made.id, now - timedelta(hours=hours), key, livemode, 1000 + hours),
        )
    await connection.close()
    since = f"{now - timedelta(days=2):%Y-%m-%d}"
    code, out, err = await run("rollup", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["hours"] in {25, 26}
    code, out, err = await run("show", "Plotted", "--from", since)
    assert code == 0, err
    for text in (
        "2,028",
        "█",
        "First live key",
        "Query.creator",
        "4,056",
        "unknown",
        f"{now - timedelta(hours=26):%Y-%m-%d}",
    ):
        assert text in out, out
    code, out, err = await run("show", "Plotted", "--from", since, "--granularity", "hour", "--json")
    found = json.loads(out)
    assert (code, err, found["requests"], found["credits"]) == (0, "", 2028, 4056)
    assert sum(bucket["requests"] for bucket in found["buckets"]) == 2028
    assert found["byKey"][0]["apiKey"]["name"] == "First live key"
    code, out, _ = await run("show", "Plotted", "--mode", "test", "--from", since, "--json")
    assert json.loads(out)["requests"] == 1002


async def test_what_cannot_be_shown_is_said_on_stderr_with_exit_code_1(run, database):
    async with database.write() as session:
        await accounts.create(session, "Empty", "pro")
    code, out, err = await run("show", "Empty")
    assert (code, err) == (0, "")
    assert "requests     0" in out
    for arguments, text in (
        (("show", "Nobody"), "No such account."),
        (("show", "Empty", "--from", "yesterday"), "`--from` must be a day or an instant"),
        (("show", "Empty", "--from", "2026-02-01", "--to", "2026-01-01"), "`from` must not be after `to`."),
        (("show", "Empty", "--from", "2019-01-01"), "at most 800"),
    ):
        code, out, err = await run(*arguments)
        assert (code, out) == (1, "")
        assert text in err
    code, out, err = await run("show", "Nobody", "--json")
    assert (code, out, json.loads(err)["error"]["code"]) == (1, "", "NOT_FOUND")
