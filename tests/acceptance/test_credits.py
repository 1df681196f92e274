"""Money: what an operation costs, who is told, and that it sums up whatever happens at once."""

import asyncio
import json
import math
from urllib.parse import parse_qsl, urlsplit

import resolvers
from graph.policy import FREE
from services import credits

SCHEMA = resolvers.engine()
COUNT = "{ creators { totalCount } }"
SMOKE = "{ credits { limit used remaining resetAt } }"
NESTED = """query($first: Int!) { creators(first: $first) { edges { cursor node { username
  videos(first: 10) { edges { cursor node { title views } } pageInfo { hasNextPage } } } } totalCount } }"""


async def charged(service, query, variables=None, key="", **more):
    """What the ledger lost, beside the answer; headers and extensions must agree with it."""
    before, spent = await service.ledger()
    answer = await service.ask(query, variables, key=key or service.live, **more)
    after, now_spent = await service.ledger()
    assert before - after == now_spent - spent
    assert agrees(answer)
    told = answer.body.get("extensions", {}).get("credits", {})
    if "charged" in told:
        assert told["charged"] == before - after
        assert told["remaining"] == after
    return before - after, answer


def agrees(answer):
    told = answer.body.get("extensions", {}).get("credits", {})
    names = {"charged": "X-Credits-Charged", "remaining": "X-Credits-Remaining", "limit": "X-Credits-Limit"}
    return all(str(told[name]) == answer.headers[header] for name, header in names.items() if name in told)


async def audited(service):
    await service.settled()
    async with service.database.read() as connection:
        assert await credits.audit(connection) == []
    left, spent = await service.ledger()
    used = await service.value("select coalesce(sum(credits), 0)::bigint from usage_events")
    assert used == spent
    return left


async def test_a_nested_query_costs_what_it_delivered_and_the_receipt_says_for_what(service):
    await service.connected("sim.twenty", key=service.live)
    await service.connected("sim.single", key=service.live)
    receipt = {"X-Credits-Receipt": "1"}
    price, answer = await charged(service, NESTED, {"first": 20}, headers=receipt)
    assert price == math.ceil(2 * 1 + 11 * 0.1) == 4
    assert answer.credits.keys() == {"charged", "remaining", "limit", "resetAt", "max", "fields"}
    assert answer.credits["max"] >= price
    fields = {row["coordinate"]: row for row in answer.credits["fields"]}
    assert math.isclose(sum(row["credits"] for row in fields.values()), 3.1)
    assert sorted(row["count"] for row in fields.values() if row["credits"]) == [2, 11]
    assert "X-Credits-Reset" in answer.headers
    assert (await charged(service, NESTED, {"first": 1}))[0] in {2, 1 + 1}
    assert (await charged(service, "{ creators { edges { cursor } } }"))[0] == 2
    assert (await charged(service, "{ creators { edges { cursor } nodes { id } } }"))[0] == 4
    assert (await charged(service, "{ a: creators { nodes { id } } b: creators { nodes { id } } }"))[0] == 4
    assert (await charged(service, "{ videos(first: 1) { nodes { id } } }"))[0] == 1
    nobody = {"id": "crt_" + "0" * 32}
    assert (await charged(service, "query($id: ID!) { creator(id: $id) { id } }", nobody))[0] == 1
    assert "fields" not in (await service.ask(COUNT, key=service.live)).credits
    await audited(service)


async def test_the_smoke_test_costs_one_and_shows_the_balance_before(service):
    before, _ = await service.ledger()
    price, answer = await charged(service, SMOKE)
    assert price == 1
    assert answer.data["credits"]["remaining"] == before
    assert answer.credits["remaining"] == before - 1
    plain = await service.send("GET", f"/graphql?query=%7Bcredits%7Bremaining%7D%7D&api_key={service.live}")
    assert (plain.status, plain.data["credits"]["remaining"]) == (200, before - 1)


async def test_what_is_free_costs_nothing(service):
    for query in (
        "{ viewer { keyName account { name } } }", "{ plans { name } }", "{ rateLimit { remaining } }", "{ __typename }",
        "{ __schema { queryType { name } } }", '{ price(query: "{ viewer { keyName } }") { max base affordable } }',
        "{ __typename viewer { mode } plans { name } }", "{ nope }", "{", "query { creators(first: 101) { totalCount } }",
        '{ usage(from: "2020-01-01T00:00:00Z") { buckets { at } } }',
    ):  # fmt: skip
        assert (await charged(service, query))[0] == 0, query
    assert (await charged(service, "{ viewer { keyName } creators { totalCount } }"))[0] == 1
    await audited(service)


async def test_test_mode_is_free_and_says_what_it_would_have_cost(service):
    await service.connected("sim.single")
    price, answer = await charged(service, NESTED, {"first": 20}, key=service.test)
    assert (price, answer.credits["charged"], answer.credits["wouldCost"]) == (0, 0, 2)
    price, answer = await charged(
        service, 'mutation { createApiKey(input: {name: "k", mode: TEST}) { secret } }', key=service.test
    )
    assert (price, answer.credits["charged"], answer.credits["wouldCost"]) == (0, 0, 1)
    nobody = 'revokeApiKey(input: {id: "key_00000000000000000000000000000000"}) { apiKey { id } }'
    answer = await service.ask(f"mutation {{ {nobody} }}", headers={"X-Credits-Receipt": "1"})
    assert (answer.code, answer.credits["wouldCost"], answer.credits["fields"]) == ("NOT_FOUND", 0, [])
    make = 'createApiKey(input: {name: "k", mode: TEST}) { secret }'
    answer = await service.ask(f"mutation {{ {make} b: {nobody} }}")
    assert (answer.code, answer.credits["wouldCost"]) == ("NOT_FOUND", 1)
    await service.update(credits=0)
    assert (await service.ask(COUNT)).status == 200


async def test_a_quote_runs_nothing_and_a_maximum_refuses_before_work(service):
    price, quoted = await charged(service, NESTED, {"first": 20}, headers={"X-Credits-Quote": "only"})
    assert (price, quoted.credits["max"], quoted.body.get("data")) == (0, 40, None)
    assert "errors" not in quoted.body
    make = 'mutation { createApiKey(input: {name: "k", mode: LIVE}) { secret } }'
    assert (await charged(service, make, headers={"X-Credits-Quote": "only"}))[0] == 0
    assert await service.value("select count(*) from api_keys") == 2
    price, refused = await charged(service, NESTED, {"first": 20}, headers={"X-Credits-Max": "39"})
    assert (price, refused.status, refused.code) == (0, 400, "PRICE_EXCEEDS_MAXIMUM")
    assert "data" not in refused.body
    assert (
        await service.ask(NESTED, {"first": 20}, key=service.live, headers={"X-Credits-Max": "40"})
    ).status == 200
    said = (await service.data(
        "query($q: String!, $v: String!) { price(query: $q, variables: $v) { max base affordable fields { path count credits } } }",
        {"q": NESTED, "v": '{"first": 20}'}, key=service.live,
    ))["price"]  # fmt: skip
    assert (said["max"], said["base"], said["affordable"]) == (40, 1, True)


async def test_three_hundred_at_once_with_a_balance_for_a_hundred(service):
    await service.update(credits=100)
    assert await service.ledger() == (100, 0)
    answers = await asyncio.gather(
        *(service.ask("{ credits { remaining } }", key=service.live) for _ in range(300))
    )
    paid = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 402]
    assert (len(paid), len(refused)) == (100, 200)
    assert sum(answer.credits["charged"] for answer in paid) == 100
    for answer in refused:
        assert answer.code == "CREDITS_EXHAUSTED"
        assert "data" not in answer.body
        assert answer.errors[0]["extensions"]["resetAt"]
        assert answer.errors[0]["message"] == "Not enough credits: 1 needed, 0 left."
    assert await audited(service) == 0
    rows = dict(await rows_by_code(service))
    assert rows == {"OK": 100, "CREDITS_EXHAUSTED": 200}


async def rows_by_code(service):
    async with service.database.read() as connection:
        return await connection.fetch("select code, count(*) from usage_events group by code")


async def test_a_mutation_that_cannot_be_paid_writes_nothing(service):
    creator_id = await service.connected("sim.single", key=service.live)
    await service.idle()
    own = await service.begin(key=service.live, redirectUri="https://partner.example/oauth")
    location = await service.decide(own["authUrl"], "sim.twenty")
    code = dict(parse_qsl(urlsplit(location).query))["code"]
    for balance, query, variables in (
        (9, "mutation($id: ID!) { syncCreator(input: {id: $id}) { joined } }", {"id": creator_id}),
        (0, 'mutation { createApiKey(input: {name: "k", mode: LIVE}) { secret } }', None),
        (0, "mutation { connectCreator(input: {platform: TIKTOK}) { state } }", None),
        (0, "mutation($s: String!, $c: String!) { completeConnect(input: {state: $s, code: $c}) { sync { id } } }",
         {"s": own["state"], "c": code}),
    ):  # fmt: skip
        left, _ = await service.ledger()
        await service.execute(
            "with c as (update credit_balances set granted = granted - $1::int) "
            "insert into ledger (account_id, kind, amount) select account_id, 'adjustment', -$1::int from credit_balances",
            left - balance,
        )
        before = await service.counts("usage_events")
        price, answer = await charged(service, query, variables)
        assert (price, answer.status, answer.code) == (0, 402, "CREDITS_EXHAUSTED"), query
        assert await service.counts("usage_events") == before, query
    gone = await service.ask(
        "mutation($id: ID!) { disconnectCreator(input: {id: $id}) { disconnected } }",
        {"id": creator_id},
        key=service.live,
    )
    assert gone.data["disconnectCreator"]["disconnected"] is True
    assert await audited(service) == 0


async def test_each_mutation_field_settles_its_own_and_a_failed_one_costs_nothing(service):
    make = 'createApiKey(input: {name: "k", mode: LIVE}) { secret }'
    price, answer = await charged(service, f"mutation {{ a: {make} b: {make} }}")
    assert (price, answer.credits["charged"]) == (2, 2)
    nobody = 'revokeApiKey(input: {id: "key_00000000000000000000000000000000"}) { apiKey { id } }'
    price, answer = await charged(service, f"mutation {{ a: {make} b: {nobody} }}")
    assert (price, answer.credits["charged"], answer.code) == (1, 1, "NOT_FOUND")
    price, answer = await charged(service, f"mutation {{ b: {nobody} }}")
    assert (price, answer.code) == (0, "NOT_FOUND")
    await service.settled()
    assert await service.value("select count(*) from usage_events where code = 'NOT_FOUND'") >= 1
    await audited(service)


async def test_joining_a_sync_that_runs_is_free(service):
    attempt = await service.connect("sim.single", key=service.live)
    start = "mutation($id: ID!) { syncCreator(input: {id: $id}) { joined } }"
    price, answer = await charged(service, start, {"id": attempt["creator"]["id"]})
    assert (price, answer.data["syncCreator"]["joined"]) == (0, True)


PRICES = {
    "Query.nodes": 2, "Mutation.syncCreator": 10, "Mutation.fetchVideo": 2,
}  # fmt: skip


FOLLOWED = {
    "Subscription.syncProgress": "subscription($syn: ID!) { syncProgress(id: $syn) { id } }",
    "Subscription.connectAttemptUpdated": "subscription($state: String!) { connectAttemptUpdated(state: $state) { status } }",
    "Subscription.creatorUpdated": "subscription($crt: ID!) { creatorUpdated(ids: [$crt]) { id } }",
}


async def first_event(service, query, variables):
    """What the ledger lost for a subscription's first event, and what that told."""
    before, _ = await service.ledger()
    headers = {"X-API-Key": service.live, "Accept": "text/event-stream"}
    body = {"query": query, "variables": variables}
    async with service.http.post(f"{service.url}/graphql", json=body, headers=headers) as answer:
        async for line in answer.content:
            if line.startswith(b"data: {"):
                break
    return before - (await service.ledger())[0], json.loads(line[6:])


async def test_every_resolver_is_priced_and_charged_through_the_context(service, roots):
    """A root field that is neither free nor charged would be given away: every one is asked, in live mode."""
    core = SCHEMA.core
    everyone = {f"Query.{name}" for name in core.query_type.fields}
    everyone |= {f"Mutation.{name}" for name in core.mutation_type.fields}
    everyone |= {f"Subscription.{name}" for name in core.subscription_type.fields}
    assert everyone == set(roots) | set(FOLLOWED)
    assert everyone >= FREE
    things = await service.things(service.live)
    await service.idle()
    for coordinate, query in FOLLOWED.items():
        expected = 0 if coordinate in FREE else 1
        price, event = await first_event(service, query, things)
        assert "errors" not in event, (coordinate, event)
        assert price == event["extensions"]["credits"]["charged"] == expected, (coordinate, event)
    last = ["Mutation.disconnectCreator"]
    for coordinate in [name for name in roots if name not in last] + last:
        expected = 0 if coordinate in FREE else PRICES.get(coordinate, 1)
        price, answer = await charged(service, roots[coordinate], things)
        assert price == expected, (coordinate, answer.body)
        assert answer.credits["charged"] == expected, coordinate
        if expected or coordinate in FREE:
            assert "errors" not in answer.body, (coordinate, answer.body)
        else:
            assert answer.code == "NOT_IMPLEMENTED", coordinate
    await audited(service)
