"""One credit left buys no endless free work, and every answer to a known account tells its balance."""

import asyncio

from graph import admission, compiled, running, subscriptions
from services import purses

NESTED = "{ creators(first: 20) { nodes { id videos(first: 20) { nodes { id } } } } }"
FOLLOW = "subscription($ids: [ID!]) { creatorUpdated(ids: $ids) { id videos(first: 20) { nodes { id } } } }"
EVENTS = {"Accept": "text/event-stream"}
REVOKE_NOBODY = f'mutation {{ revokeApiKey(input: {{id: "key_{"0" * 32}"}}) {{ apiKey {{ id }} }} }}'
HEADERS = ("X-Credits-Charged", "X-Credits-Remaining", "X-Credits-Limit", "X-Credits-Reset")


def counted(monkeypatch):
    """The operations run, on whichever path."""
    reads = []

    def counting(run):
        async def counted_run(*given):
            reads.append(given)
            return await run(*given)

        return counted_run

    monkeypatch.setattr(compiled, "run", counting(compiled.run))
    monkeypatch.setattr(running, "by_core", counting(running.by_core))
    return reads


async def test_what_cannot_be_paid_is_read_once_as_long_as_that_is_remembered(service, monkeypatch):
    await service.connected("sim.twenty", key=service.live)
    await service.connected("sim.single", key=service.live)
    _, spent = await service.ledger()
    await service.update(credits=spent + 1)
    monkeypatch.setattr(purses, "SECONDS", 3_600)  # that it ends, test_budgets_and_purses shows with a clock
    service.house.services.cashier.purses.forget_all()
    reads = counted(monkeypatch)
    for _ in range(20):
        answer = await service.ask(NESTED, key=service.live)
        assert (answer.status, answer.code, "data" in answer.body) == (402, "CREDITS_EXHAUSTED", False)
        assert (answer.credits["charged"], answer.credits["remaining"]) == (0, 1)
    assert len(reads) == 1
    # What it can pay is answered, at once.
    assert (await service.ask("{ creators { totalCount } }", key=service.live)).status == 200
    reads.clear()
    for _ in range(5):
        answer = await service.ask("{ creators { totalCount } }", key=service.live)
        assert (answer.status, answer.credits["remaining"]) == (402, 0)
        assert answer.errors[0]["message"] == "Not enough credits: 1 needed, 0 left."
    assert len(reads) <= 1
    assert (await service.ask("{ viewer { mode } }", key=service.live)).status == 200
    # More credits count at once, wherever they were granted.
    await service.update(credits=spent + 100)
    async with asyncio.timeout(60):
        while (await service.ask("{ creators { totalCount } }", key=service.live)).status != 200:
            await asyncio.sleep(0.01)


async def test_what_cannot_be_paid_is_not_followed_for_nothing_either(service, monkeypatch):
    creator = {"ids": [await service.connected("sim.twenty", key=service.live)]}
    await service.rest()
    _, spent = await service.ledger()
    await service.update(credits=spent + 1)
    monkeypatch.setattr(purses, "SECONDS", 3_600)
    service.house.services.cashier.purses.forget_all()
    reads, read = [], subscriptions.Stream._read
    monkeypatch.setattr(subscriptions.Stream, "_read", lambda *given: reads.append(given) or read(*given))
    first = await service.ask(FOLLOW, creator, key=service.live, headers=EVENTS)
    assert '"CREDITS_EXHAUSTED"' in first.raw.decode()
    for _ in range(5):
        answer = await service.ask(FOLLOW, creator, key=service.live, headers=EVENTS)
        assert (answer.status, answer.code, answer.headers["X-Credits-Remaining"]) == (
            402,
            "CREDITS_EXHAUSTED",
            "1",
        )
    assert len(reads) == 1
    # One that was begun before is told at its next event, unread.
    monkeypatch.setattr(subscriptions, "begin", began_before)
    answer = await service.ask(FOLLOW, creator, key=service.live, headers=EVENTS)
    assert '"CREDITS_EXHAUSTED"' in answer.raw.decode()
    assert len(reads) == 1


def began_before(engine, services, again, asked, caller):
    operation = engine.documents.operation(asked.query, asked.operation_name)
    admitted = admission.admitted(engine, caller, asked, operation)
    return subscriptions.Stream(engine, services, again, asked, caller, operation, *admitted)


async def test_a_mutation_that_fails_lets_nobody_read_for_nothing(service, monkeypatch):
    await service.connected("sim.twenty", key=service.live)
    await service.connected("sim.single", key=service.live)
    other = await service.another(plan="pro")
    _, spent = await service.ledger()
    await service.update(credits=spent + 1)
    monkeypatch.setattr(purses, "SECONDS", 3_600)
    service.house.services.cashier.purses.forget_all()
    reads = counted(monkeypatch)
    assert (await service.ask(NESTED, key=service.live)).code == "CREDITS_EXHAUSTED"
    for key in (service.live, other.live.secret):
        reads.clear()
        assert (await service.ask(REVOKE_NOBODY, key=key)).code == "NOT_FOUND"
        assert (await service.ask(NESTED, key=service.live)).code == "CREDITS_EXHAUSTED"
        assert len(reads) == 1  # the mutation alone


async def test_every_answer_to_a_known_account_tells_its_balance(service):
    before, _ = await service.ledger()
    slow = (await service.key("LIVE", requests_per_minute=1)).secret
    await service.ask("{ viewer { mode } }", key=slow)
    scoped = (await service.key("LIVE", scopes=["USAGE_READ"])).secret
    json = {"X-API-Key": service.live, "Content-Type": "application/json"}
    for answer, code in (
        (await service.ask("{ viewer { mode } }", key=slow), "RATE_LIMITED"),
        (await service.send("PUT", headers={"X-API-Key": service.live}), "METHOD_NOT_ALLOWED"),
        (await service.send(headers=json, data=b"{"), "BAD_REQUEST"),
        (await service.send(headers=json | {"Content-Type": "text/plain"}, data=b"{}"), "UNSUPPORTED_MEDIA_TYPE"),
        (await service.ask("{", key=service.live), "GRAPHQL_PARSE_FAILED"),
        (await service.ask("{ nope }", key=service.live), "GRAPHQL_VALIDATION_FAILED"),
        (await service.ask("{ creators { totalCount } }", key=scoped), "FORBIDDEN"),
        (await service.ask(NESTED, key=service.live, headers={"X-Credits-Max": "1"}), "PRICE_EXCEEDS_MAXIMUM"),
    ):  # fmt: skip
        assert answer.code == code
        assert (answer.credits["charged"], answer.credits["remaining"]) == (0, before), code
        assert all(name in answer.headers for name in HEADERS), code
    unknown = await service.ask("{ viewer { mode } }", key="sk_live_wrong")
    assert "extensions" not in unknown.body
