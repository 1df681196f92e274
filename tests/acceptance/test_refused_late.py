"""What is refused when it has already run: told with the headers of any other refusal, whatever carries it."""

from services import errors

READ = "{ creators { totalCount } }"
MAKE = 'mutation { createApiKey(input: {name: "k", mode: LIVE}) { secret } }'
CREDITS = ("X-Credits-Charged", "X-Credits-Remaining", "X-Credits-Limit", "X-Credits-Reset")
EVENTS = {"Accept": "text/event-stream"}


async def test_every_401_asks_for_a_credential_also_when_the_key_ended_while_it_ran(service):
    await service.ask(READ, key=service.live)
    await service.execute("update api_keys set revoked_at = now() where id = $1", service.account.live.id)
    for query, headers in (
        (READ, {}),
        (READ, EVENTS),
        (MAKE, {}),
    ):  # nobody told the process: settlement finds out
        answer = await service.ask(query, key=service.live, headers=headers)
        assert (answer.status, answer.reason) == (401, "REVOKED")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_stream_refused_before_its_first_event_tells_the_balance_and_when_to_come_again(
    service, monkeypatch
):
    await service.update(credits=0)
    answer = await service.ask(READ, key=service.live, headers=EVENTS)
    assert (answer.status, answer.code) == (402, "CREDITS_EXHAUSTED")
    assert [answer.headers[name] for name in CREDITS][:3] == ["0", "0", "0"]

    async def away(_usage):
        raise errors.Unavailable

    monkeypatch.setattr(service.house.services.cashier, "settle", away)
    service.house.services.cashier.purses.forget_all()
    answer = await service.ask(READ, key=service.live, headers=EVENTS)
    assert (answer.status, answer.headers["Retry-After"], answer.headers["X-Credits-Charged"]) == (
        503,
        "1",
        "0",
    )
