"""What HTTP says in headers and a socket's messages say in `extensions`: bounds, quotes, receipts, and doing things once."""

from tests.acceptance.test_subscriptions import ready

MAKE = 'mutation { createApiKey(input: {name: "once", mode: LIVE}) { apiKey { id } } }'
READ = "{ creators(first: 5) { nodes { id } } }"
KEYS = "select count(*) from api_keys where name = 'once'"


async def answer(client, query, **extensions):
    found, last = await client.all_of(await client.subscribe(query, extensions=extensions))
    return found[0] if found else last["payload"][0]


async def test_a_mutation_sent_again_after_a_lost_socket_is_done_once_and_answered_alike(service):
    async with ready(service, key=service.live) as client:
        first = await answer(client, MAKE, idempotencyKey="one")
        await client.subscribe(MAKE, extensions={"idempotencyKey": "two"})
    async with ready(service, key=service.live) as client:
        again = await answer(client, MAKE, idempotencyKey="one")
        assert (again["data"], again["extensions"]["credits"]["charged"]) == (first["data"], 0)
        while "data" not in (second := await answer(client, MAKE, idempotencyKey="two")):
            assert second["extensions"]["code"] == "CONFLICT"  # the first one still runs
    assert second["data"] != first["data"]
    assert await service.value(KEYS) == 2
    over_http = await service.ask(MAKE, key=service.live, headers={"Idempotency-Key": "one"})
    assert over_http.data == first["data"]


async def test_prices_are_bounded_quoted_and_told_line_by_line(service):
    async with ready(service, key=service.live) as client:
        refused = await answer(client, READ, creditsMax=0)
        assert refused["extensions"]["code"] == "PRICE_EXCEEDS_MAXIMUM"
        assert "data" in await answer(client, READ, creditsMax=1_000)
        assert "fields" in (await answer(client, READ, creditsReceipt=True))["extensions"]["credits"]
        assert "fields" not in (await answer(client, READ, creditsReceipt=False))["extensions"]["credits"]
        quoted = await answer(client, READ, creditsQuote="only")
        assert quoted["extensions"]["credits"]["max"] > 0
        assert not quoted.get("data")


async def test_what_is_not_of_its_form_is_no_message(service):
    for extensions in (
        {"creditsMax": "many"}, {"creditsMax": True}, {"creditsMax": -1}, {"creditsReceipt": 1},
        {"creditsQuote": True}, {"idempotencyKey": 7}, [],
    ):  # fmt: skip
        async with ready(service) as client:
            await client.subscribe(READ, extensions=extensions)
            assert (await client.closed())[0] == 4400, extensions
