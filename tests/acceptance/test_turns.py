"""Others have a turn of the loop between the parts of what takes long: counted in turns, not in time."""

import asyncio
import contextlib

import pytest

from graph import documents, quote


@contextlib.asynccontextmanager
async def turns():
    """How many turns the loop has taken, as it goes on."""
    taken = [0]

    async def count():
        while True:
            taken[0] += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    yield taken
    task.cancel()


@pytest.fixture
async def parts(monkeypatch):
    """The turn in which each document is read and priced: (what, its text or None, the turn)."""
    done = []
    read, make = documents.Documents._read, quote.make
    async with turns() as taken:

        def reads(known, text):
            done.append(("read", taken[0]))
            return read(known, text)

        def makes(*given):
            done.append(("priced", taken[0]))
            return make(*given)

        monkeypatch.setattr(documents.Documents, "_read", reads)
        monkeypatch.setattr(quote, "make", makes)
        yield done


async def test_others_have_a_turn_between_the_reading_and_the_planning_of_a_new_document(service, parts):
    await service.data("{ creators { nodes { id username } } }")
    assert [what for what, _ in parts] == ["read", "priced"]
    assert len({turn for _, turn in parts}) == 2
    parts.clear()
    await service.data("{ creators { nodes { id username } } }")
    assert parts == []


async def test_prices_of_ten_documents_are_found_one_by_one(service, parts):
    names = [f"q{n}" for n in range(10)]
    declared = " ".join(f"${name}: String!" for name in names)
    asked = " ".join(f"{name}: price(query: ${name}) {{ max }}" for name in names)
    texts = {name: f"{{ creators(first: {n + 1}) {{ nodes {{ id }} }} }}" for n, name in enumerate(names)}
    told = await service.data(f"query ({declared}) {{ {asked} }}", texts)
    assert [price["max"] for price in told.values()] == [*range(1, 11)]
    assert sorted(what for what, _ in parts) == ["priced"] * 11 + ["read"] * 11
    assert len({turn for _, turn in parts}) == 22


async def test_a_document_that_is_refused_is_not_read_twice_in_one_turn(service, parts):
    headers = {"X-API-Key": service.test, "Accept": "text/event-stream"}
    answer = await service.send(json={"query": "{ nothing }"}, headers=headers)
    assert b"GRAPHQL_VALIDATION_FAILED" in answer.raw
    await service.send("GET", "/graphql?query=%7Bnothing%7D", headers={"X-API-Key": service.test})
    assert len({turn for _, turn in parts}) == len(parts) > 2


async def test_of_many_new_documents_at_once_each_is_read_and_planned_in_a_turn_of_its_own(service, parts):
    texts = [f"{{ creators(first: {n}) {{ nodes {{ id }} }} }}" for n in range(1, 21)]
    await asyncio.gather(*(service.ask(text) for text in texts))
    assert sorted(what for what, _ in parts) == ["priced"] * 20 + ["read"] * 20
    assert len({turn for _, turn in parts}) == 40
