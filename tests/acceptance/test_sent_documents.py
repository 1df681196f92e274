"""What a key sent with its hash (Apollo's APQ) is found by every process, within bounds, by its account alone."""

import asyncio
import hashlib
from datetime import UTC, datetime

from graph import persisted
from services import sent_documents

QUERY = "query Who { viewer { mode } } # \x00 is a character like others"
HASH = hashlib.sha256(QUERY.encode()).hexdigest()
APQ = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}}
MODE = {"viewer": {"mode": "TEST"}}


async def ask(service, body, key):
    return await service.send(json=body, headers={"X-API-Key": key})


async def test_a_document_sent_to_one_process_is_found_by_the_others(service, other, monkeypatch):
    stranger = await service.another()
    assert (await ask(service, APQ, service.test)).code == "PERSISTED_QUERY_NOT_FOUND"
    assert (await ask(service, APQ | {"query": QUERY}, service.test)).data == MODE
    assert (await ask(other, APQ, service.test)).data == MODE
    for process in (service, other):
        assert (await ask(process, APQ, stranger.test.secret)).code == "PERSISTED_QUERY_NOT_FOUND"
        for key in (service.test, stranger.test.secret):
            planted = APQ | {"query": "{ plans { name } }"}
            assert (await ask(process, planted, key)).code == "BAD_REQUEST"
    monkeypatch.setattr(sent_documents, "find", None)  # from here on memory alone answers
    monkeypatch.setattr(sent_documents, "store", None)
    for process in (service, other):
        for body in (APQ, APQ | {"query": QUERY}):
            assert (await ask(process, body, service.test)).data == MODE


async def test_what_cannot_be_asked_takes_no_room(service):
    for query in ("{ nothing }", "{", "query A { viewer { mode } } query B { viewer { mode } }"):
        digest = hashlib.sha256(query.encode()).hexdigest()
        sent = {"query": query, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}
        assert (await ask(service, sent, service.test)).errors
    assert await service.value("select count(*) from sent_documents") == 0


async def test_an_account_keeps_so_many_documents_and_bytes_the_latest_first(service, monkeypatch):
    monkeypatch.setattr(sent_documents, "MOST_DOCUMENTS", 3)
    account, other = service.account.id, (await service.another()).id

    async def send(*numbers, size=10, account=account):
        for n in numbers:
            await sent_documents.store(service.database, account, bytes([n]), "x" * size)

    async def kept(account=account):
        return await service.value(
            "select array_agg(get_byte(hash, 0) order by used_at) from sent_documents where account_id = $1",
            account,
        )

    await send(9, account=other)
    await send(1, 2, 3, 1, 4)
    assert await kept() == [3, 1, 4]
    monkeypatch.setattr(sent_documents, "MOST_BYTES", 25)
    await send(5)
    assert await kept() == [4, 5]
    await asyncio.gather(
        *(send(n) for n in range(20, 32))
    )  # many at once neither fail nor wait for each other
    await send(40)
    assert await kept() == [(await kept())[0], 40]
    assert await kept(other) == [9]


async def test_what_is_used_is_kept_for_thirty_days_more_and_no_longer(service):
    account, database = service.account.id, service.database
    digest = bytes.fromhex(HASH)
    await sent_documents.store(database, account, digest, QUERY)

    async def aged(days):
        await service.execute(f"update sent_documents set used_at = now() - interval '{days} days'")
        return await sent_documents.find(database, account, digest)

    days = "select extract(day from now() - used_at) from sent_documents"
    assert (
        await aged(0.5),
        await service.value("select now() - used_at > '11 hours' from sent_documents"),
    ) == (QUERY, True)
    assert (await aged(29), await service.value(days)) == (QUERY, 0)
    assert (await aged(30), await service.value(days)) == (None, 30)
    async with database.write() as session:
        await sent_documents.forget_old(session, datetime.now(UTC))
    assert await service.value("select count(*) from sent_documents") == 0


async def test_memory_asks_the_table_again_after_a_day(monkeypatch):
    kept = persisted.Kept(most_bytes=10_000)
    kept.put(("account", b"1"), "x" * 6_000)
    assert kept.get(("account", b"1"))
    monkeypatch.setattr(persisted.time, "monotonic", lambda: float("inf"))
    assert kept.get(("account", b"1")) is None
    monkeypatch.undo()
    kept.put(("account", b"2"), "x" * 6_000)  # what went leaves its room
    kept.put(("account", b"3"), "x" * 2_000)
    assert kept.get(("account", b"2"))
