"""Usage over HTTP: what is told is what was charged and written down, of one's own account and world alone."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from db import partitions
from graph import compiled
from services import usage

CREATORS = "{ creators { nodes { id } } }"
SUMS = "requests credits errors rateLimited"
EVERYTHING = f"""query($from: DateTime, $to: DateTime) {{ usage(from: $from, to: $to) {{ __typename
  from to {SUMS} lastUsedAt
  buckets {{ __typename at {SUMS} }}
  byKey {{ __typename apiKey {{ __typename id name createdBy {{ email }} usage {{ requests byKey {{ apiKey {{ name }} }} }} }} requests }}
  byMember {{ member {{ __typename id email role }} requests credits errors }}
  byField {{ field calls credits }} byCountry {{ country requests }}
  anomalies {{ kind at detail apiKey {{ id hint status }} }} }} }}"""


async def told(service, key, *, text=f"{{ usage {{ {SUMS} }} }}", **variables):
    return (await service.data(text, variables, key=key))["usage"]


async def test_usage_is_the_ledger_the_rows_and_what_the_headers_said(service):
    charged = 0
    for text in (
        CREATORS,
        "{ credits { remaining } }",
        "{ plans { name } }",
        "{ creators { nope } }",
        "{ usage { requests } }",
    ):
        answer = await service.ask(text, key=service.live)
        charged += int(answer.headers["X-Credits-Charged"])
    await service.settled()
    before = await service.ledger()
    assert before[1] == charged
    for _ in range(2):
        rows = await service.one(
            "select count(*) as requests, sum(credits)::bigint as credits, count(*) filter (where code <> 'OK') as errors"
            " from usage_events where livemode and account_id = $1",
            service.account.id,
        )
        found = await told(service, service.live)
        assert found == {**dict(rows), "rateLimited": 0}
        assert rows["errors"] == 1
        await usage.roll_up(service.database)
    assert (await service.ledger())[1] == charged + 2


async def test_fields_are_told_with_what_was_charged_for_them_to_the_credit(service):
    for _ in range(3):
        await service.data("{ credits { remaining } }", key=service.live)
        await service.data('{ creator(id: "crt_00000000000000000000000000000000") { id } }', key=service.live)
    await service.data("{ a: usage { requests } b: usage { requests buckets { at } } }", key=service.live)
    found = await told(service, service.live, text="{ usage { credits byField { field credits } } }")
    assert sum(row["credits"] for row in found["byField"]) == found["credits"] == 8
    assert {row["field"]: row["credits"] for row in found["byField"]} == {
        "Query.credits": 3, "Query.creator": 3, "Query.usage": 2, "Usage.buckets": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("{ usage { requests } }", 1),
        ("{ a: usage { requests } b: usage { credits } c: usage { from } }", 3),
        ("{ apiKeys { nodes { usage { requests } } } }", 2),
        ("{ apiKeys { nodes { a: usage { requests } b: usage { requests } } } }", 4),
        (
            "{ apiKeys { edges { cursor node { usage { requests byKey { apiKey { usage { requests } } } } } } } }",
            3,
        ),
        ("{ usage { byKey { apiKey { id createdBy { email } } } byField { field } buckets { at } } }", 1),
        ("{ usage { byKey(first: 7) { apiKey { usage { requests } } } } }", 2),
        ("{ usage { anomalies(first: 5) { apiKey { usage { requests } } } } }", 1),
    ],
)
async def test_each_usage_delivered_costs_1_and_no_more_than_quoted(service, text, price):
    await service.key("LIVE", name="idle")
    await service.data(CREATORS, key=service.live)  # one key has usage, two exist
    answer = await service.ask(text, key=service.live)
    assert answer.credits["charged"] == price, answer.body
    assert answer.credits["charged"] <= answer.credits["max"]


async def test_what_stands_below_lists_is_quoted_as_often_as_they_may_be_long(service):
    quote = """query($q: String!) { price(query: $q) { max } }"""
    for text, price in (
        ("{ usage { byKey(first: 7) { apiKey { usage { requests } } } } }", 8),
        ("{ usage { byKey { apiKey { usage { requests } } } } }", 21),
        ("{ usage { anomalies(first: 100) { apiKey { usage { requests } } } } }", 101),
        ("{ apiKeys(first: 3) { nodes { usage { byKey(first: 2) { apiKey { usage { from } } } } } } }", 9),
    ):
        assert (await service.data(quote, {"q": text}, key=service.live))["price"]["max"] == price


async def test_test_mode_and_live_mode_are_told_apart_and_other_accounts_never(service):
    other = await service.another()
    for _ in range(2):
        await service.data(CREATORS, key=service.test)
    for _ in range(3):
        await service.data(CREATORS, key=other.live.secret)
    await service.data(CREATORS, key=service.live)
    names = f"{{ usage {{ {SUMS} byKey {{ apiKey {{ id }} requests }} }} }}"
    for _ in range(2):
        live, test = (
            await told(service, service.live, text=names),
            await told(service, service.test, text=names),
        )
        assert [row["apiKey"]["id"] for row in live["byKey"]] == [f"key_{service.account.live.id.hex}"]
        assert [row["apiKey"]["id"] for row in test["byKey"]] == [f"key_{service.account.test.id.hex}"]
        assert test["credits"] == 0
        await usage.roll_up(service.database)
    assert (live["requests"], test["requests"]) == (2, 3)


async def test_both_paths_answer_alike(service, path, monkeypatch):
    variables = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-20T00:00:00Z"}
    first = await service.ask(EVERYTHING, variables, key=service.live, headers={"X-Debug": "path"})
    monkeypatch.setattr(compiled, "part", lambda _fields: ())
    second = await service.ask(EVERYTHING, variables, key=service.live, headers={"X-Debug": "path"})
    assert first.headers["X-Execution-Path"] == path
    assert second.headers["X-Execution-Path"] == "ordinary"
    assert first.data["usage"] == second.data["usage"]
    assert len(first.data["usage"]["buckets"]) == 19


async def test_both_paths_answer_alike_with_everything_in_it(service, path, monkeypatch):
    await service.data(CREATORS, key=service.live)
    await service.execute(
        "insert into anomalies (account_id, livemode, key_id, kind, about, at, detail)"
        " values ($1, true, $2, 'NEW_COUNTRY', 'BR', now(), 'Used from BR for the first time.')",
        service.account.id,
        service.account.live.id,
    )
    fixed = {"from": f"{datetime.now(UTC) - timedelta(days=40):%Y-%m-%d}T00:00:00Z"}
    text = EVERYTHING.replace(" to ", " ")
    first = await service.ask(text, fixed, key=service.live, headers={"X-Debug": "path"})
    monkeypatch.setattr(compiled, "part", lambda _fields: ())
    second = await service.ask(text, fixed, key=service.live, headers={"X-Debug": "path"})
    assert (first.headers["X-Execution-Path"], second.headers["X-Execution-Path"]) == (
        path,
        "ordinary",
    )
    one, other = first.data["usage"], second.data["usage"]
    assert one["anomalies"] == other["anomalies"] != []
    assert one["anomalies"][0]["apiKey"]["id"] == f"key_{service.account.live.id.hex}"
    assert one["byKey"][0]["apiKey"] == {
        **other["byKey"][0]["apiKey"],
        "usage": one["byKey"][0]["apiKey"]["usage"],
    }
    assert one["requests"] + 1 == other["requests"]  # the first is in the second
    assert one["byMember"][0]["member"] == other["byMember"][0]["member"]


async def test_too_many_buckets_and_other_bad_ranges_are_refused_in_their_place(service):
    for text, argument in (
        ('{ usage(from: "2020-01-01T00:00:00Z") { buckets { at } } }', "from"),
        ('{ usage(from: "2026-02-01T00:00:00Z", to: "2026-01-01T00:00:00Z") { requests } }', "from"),
    ):
        answer = await service.ask(text, key=service.live)
        assert answer.code == "BAD_USER_INPUT"
        assert answer.errors[0]["path"] == ["usage"]
        assert answer.errors[0]["extensions"]["argument"] == argument
        assert answer.credits["charged"] == 0
    for size in (0, 101, -1):
        answer = await service.ask(f"{{ usage {{ byKey(first: {size}) {{ requests }} }} }}", key=service.live)
        assert answer.code == "BAD_USER_INPUT"
    answer = await service.ask("{ usage { byKey(first: null) { requests } } }", key=service.live)
    assert len(answer.data["usage"]["byKey"]) == 1


async def test_scopes_are_needed_for_keys_and_members_beside_usage(service):
    reader = (await service.key("LIVE", scopes=["USAGE_READ"])).secret
    assert (await service.ask("{ usage { requests byField { field } } }", key=reader)).status == 200
    for text in ("{ usage { byKey { apiKey { name } } } }", "{ usage { byMember { member { email } } } }"):
        answer = await service.ask(text, key=reader)
        assert (answer.status, answer.errors[0]["extensions"]["scope"]) == (403, "KEYS_READ")
    keys = (await service.key("LIVE", scopes=["KEYS_READ"])).secret
    answer = await service.ask("{ apiKeys { nodes { usage { requests } } } }", key=keys)
    assert (answer.status, answer.errors[0]["extensions"]["scope"]) == (403, "USAGE_READ")


async def test_a_payloads_key_tells_its_usage_too(service):
    text = """mutation { createApiKey(input: {name: "new"}) { apiKey { name usage { requests buckets { requests } lastUsedAt } } } }"""
    answer = await service.ask(text, key=service.live)
    made = answer.data["createApiKey"]["apiKey"]
    assert (made["usage"]["requests"], made["usage"]["lastUsedAt"]) == (0, None)
    assert answer.credits["charged"] == 1


async def test_a_revoked_key_that_knocks_is_told_to_its_account(service):
    gone = await service.key("LIVE", name="gone")
    await service.execute("update api_keys set revoked_at = now() where id = $1", gone.id)
    for _ in range(3):
        assert (await service.ask(CREATORS, key=gone.secret)).status == 401
    await service.house.services.notes.close()
    text = "{ usage { anomalies { kind apiKey { name } } } }"
    found = (await told(service, service.live, text=text))["anomalies"]
    assert found == [{"kind": "RETIRED_KEY_USED", "apiKey": {"name": "gone"}}]
    assert (await told(service, service.test, text=text))["anomalies"] == []


async def test_a_worker_sums_hours_and_finds_anomalies_by_itself(service, left_out):
    left_out.clear()
    async with service.database.write() as session:
        await partitions.ensure(session, datetime.now(UTC) - timedelta(days=1))
    # Not the last hour: until a minute after its end nobody sums it.
    for country in ("DE", "BR"):
        await service.execute(
            "insert into usage_events (account_id, at, key_id, livemode, coordinates, credits, code, duration_us, country)"
            " values ($1, date_trunc('hour', now() - interval '2 hours') + $3::text::interval, $2, true, '{}', 1, 'OK', 1, $4)",
            *(
                service.account.id,
                service.account.live.id,
                "5 minutes" if country == "DE" else "6 minutes",
                country,
            ),
        )
    service.work()
    async with asyncio.timeout(60):
        while not await service.value(
            "select exists (select from usage_hourly) and exists (select from anomalies)"
        ):
            await asyncio.sleep(0.05)
    text = "query($from: DateTime) { usage(from: $from) { requests anomalies { kind detail } } }"
    since = datetime.now(UTC) - timedelta(hours=4)  # the month may just have begun
    found = await told(service, service.live, text=text, **{"from": since.isoformat()})
    assert found["requests"] == 2
    assert found["anomalies"] == [{"kind": "NEW_COUNTRY", "detail": "Used from BR for the first time."}]
