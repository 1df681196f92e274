"""How fast: N at once, then one every 60/N seconds; every answer says how it stands."""

import asyncio
import time

from services import accounts

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit-Policy", "RateLimit")
VIEWER = "{ viewer { mode } }"


async def test_n_at_once_pass_and_the_next_is_told_when_to_come_back(service):
    await service.update(test_requests_per_minute=4)  # none comes back within 15 seconds
    answers = await asyncio.gather(*(service.ask(VIEWER) for _ in range(14)))
    passed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert (len(passed), len(refused)) == (4, 10)
    told = sorted(int(answer.headers["X-RateLimit-Remaining"]) for answer in passed)
    # One whose turn comes after that of a later one is told of the instant at which it came: a little was missing then.
    assert all(left - 1 <= one <= left for left, one in enumerate(told)), told
    for answer in refused:
        assert (answer.code, "data" in answer.body) == ("RATE_LIMITED", False)
        after = int(answer.headers["Retry-After"])
        assert 1 <= after <= 15
        assert answer.errors[0]["extensions"]["retryAfter"] == after
        assert answer.errors[0]["message"] == f"Too many requests. Retry after {after} seconds."
        assert answer.headers["X-RateLimit-Remaining"] == "0"
    for answer in answers:
        assert all(answer.headers[name] for name in HEADERS)
        assert answer.headers["X-RateLimit-Limit"] == "4"
    full_at = [int(answer.headers["X-RateLimit-Reset"]) for answer in answers]
    assert 30 < max(full_at) - time.time() <= 61  # a full burst fills again in a minute
    await service.settled()
    assert await service.value("select count(*) from usage_events where code = 'RATE_LIMITED'") == 10
    other = await service.ask(VIEWER, key=service.live)
    assert other.status == 200
    assert "X-RateLimit-Limit" not in other.headers  # unlimited


async def test_every_answer_to_a_known_key_says_how_it_stands_refused_ones_too(service):
    await service.update(test_requests_per_minute=1_000)
    scoped = (await service.key(scopes=["USAGE_READ"])).secret
    for answer, status in (
        (await service.ask(VIEWER), 200),
        (await service.ask("{"), 200),
        (await service.ask("{ nope }", headers={"Accept": "application/graphql-response+json"}), 400),
        (await service.ask("{ creators { totalCount } }", key=scoped), 403),
        (await service.ask(VIEWER, headers={"X-Credits-Max": "x"}), 400),
        (await service.send("PUT", headers={"X-API-Key": service.test}), 405),
        (await service.ask('mutation { revokeApiKey(input: {id: "x"}) { apiKey { id } } }'), 200),
    ):
        assert answer.status == status, answer.body
        assert all(name in answer.headers for name in HEADERS), answer.body
    assert "X-RateLimit-Limit" not in (await service.ask(VIEWER, key=None)).headers


async def test_what_is_asked_is_what_the_limit_says_and_costs_nothing_of_it_to_nobody(service):
    await service.update(test_requests_per_minute=50)
    told = (await service.data("{ rateLimit { limit remaining resetAt } }"))["rateLimit"]
    assert (told["limit"], told["remaining"]) == (50, 49)
    own = (await service.key(requests_per_minute=5)).secret
    answers = [await service.ask(VIEWER, key=own) for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert (await service.ask(VIEWER)).status == 200


async def test_counted_in_the_database_it_is_the_same(serving):
    service = await serving(rate_limits="postgres")
    await service.update(test_requests_per_minute=4)
    answers = await asyncio.gather(*(service.ask(VIEWER) for _ in range(14)))
    passed = [answer for answer in answers if answer.status == 200]
    assert sorted(int(answer.headers["X-RateLimit-Remaining"]) for answer in passed) == list(range(4))
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) == 10
    assert {answer.headers["X-RateLimit-Remaining"] for answer in refused} == {"0"}
    assert {int(answer.headers["Retry-After"]) for answer in refused} <= set(range(1, 16))
    assert await service.value("select count(*) from rate_limits") == 2


async def test_an_account_has_its_plans_rates_until_it_has_its_own(service):
    other = await service.another("other", plan="basic")
    own = await service.key(name="slow", requests_per_minute=9)

    async def told(secret):
        answer = await service.ask(VIEWER, key=secret)
        return answer.headers.get("X-RateLimit-Limit"), answer.headers.get("RateLimit-Policy")

    def policy(key, account):
        return str(key), f'"key";q={key};w=60, "account";q={account};w=60'

    live, test = other.live.secret, other.test.secret
    assert (await told(live), await told(test)) == (policy(300, 1_500), policy(60, 300))
    for changes, of_live, of_test in (
        ({"plan": "ultra"}, policy(6_000, 30_000), policy(300, 1_500)),
        ({"requests_per_minute": 7}, policy(7, 35), policy(300, 1_500)),
        ({"requests_per_minute": 0, "test_requests_per_minute": 8}, (None, None), policy(8, 40)),
        ({"requests_per_minute": None, "test_requests_per_minute": None}, policy(6_000, 30_000), policy(300, 1_500)),
    ):  # fmt: skip
        async with service.database.write() as session:
            await accounts.update(session, other.id, **changes)
        service.house.services.callers.forget_all()
        assert (await told(live), await told(test)) == (of_live, of_test), changes
    assert await told(own.secret) == ("9", '"key";q=9;w=60')  # of an account without a limit
