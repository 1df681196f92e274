"""Rotation over HTTP, at each moment: before, in the overlap, after it, and when the key would have ended anyway."""

from datetime import UTC, datetime, timedelta

VIEWER = "{ viewer { keyName keyHint expiresAt } }"
ROTATE = """mutation($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { secret apiKey {
  id name hint status scopes allowedIps owner mode requestsPerMinute monthlyCredits createdBy { id email } expiresAt retiresAt rotationDueAt
  replaces { id status retiresAt replacedBy { id } } } } }"""
KEY = """query($id: ID!) { apiKey(id: $id) { status retiresAt rotationDueAt lastUsedAt
  replacedBy { id status } replaces { id } createdBy { email role } owner } }"""


async def rotated(service, key_id, **given):
    return (await service.data(ROTATE, {"input": {"id": f"key_{key_id.hex}", **given}}))["rotateApiKey"]


async def key_of(service, key_id):
    return (await service.data(KEY, {"id": key_id if isinstance(key_id, str) else f"key_{key_id.hex}"}))[
        "apiKey"
    ]


async def works(service, secret):
    answer = await service.ask(VIEWER, key=secret)
    return True if answer.status == 200 else answer.reason


async def moved(service, key_id, **columns):
    for name, value in columns.items():
        await service.execute(f"update api_keys set {name} = $2 where id = $1", key_id, value)
    service.house.services.callers.forget_all()


async def test_at_once_the_old_secret_stops_and_the_new_key_is_its_like(service):
    old = await service.key(
        name="ci", scopes=["CREATORS_READ", "VIDEOS_READ"], allowed_ips=["127.0.0.0/8"], owner="SERVICE",
        requests_per_minute=None, monthly_credits=500, expires_at=datetime.now(UTC) + timedelta(days=400),
    )  # fmt: skip
    made = await rotated(service, old.id)
    new = made["apiKey"]
    assert await works(service, made["secret"]) is True
    assert await works(service, old.secret) == "REVOKED"
    assert made["secret"] != old.secret
    assert new["hint"] == f"sk_test_…{made['secret'][-4:]}"
    assert (new["name"], new["scopes"], new["allowedIps"]) == (
        "ci",
        ["CREATORS_READ", "VIDEOS_READ"],
        ["127.0.0.0/8"],
    )
    assert (new["owner"], new["mode"], new["status"], new["monthlyCredits"]) == (
        "SERVICE",
        "TEST",
        "ACTIVE",
        500,
    )
    assert new["createdBy"]["id"] == f"mem_{service.account.owner_id.hex}"
    assert new["replaces"] == {
        "id": f"key_{old.id.hex}",
        "status": "REVOKED",
        "retiresAt": None,
        "replacedBy": {"id": new["id"]},
    }
    due = datetime.fromisoformat(new["rotationDueAt"]) - datetime.now(UTC)
    assert timedelta(days=89) < due <= timedelta(days=90)


async def test_in_the_overlap_both_work_and_after_it_one(service):
    old = await service.key(name="ci")
    made = await rotated(service, old.id, overlapSeconds=60)
    assert (made["apiKey"]["replaces"]["status"], made["apiKey"]["status"]) == ("RETIRING", "ACTIVE")
    assert [await works(service, secret) for secret in (old.secret, made["secret"])] == [True, True]
    stands = await key_of(service, old.id)
    ends = datetime.fromisoformat(stands["retiresAt"])
    assert timedelta(0) < ends - datetime.now(UTC) <= timedelta(seconds=60)
    assert stands["replacedBy"] == {"id": made["apiKey"]["id"], "status": "ACTIVE"}
    await moved(service, old.id, retires_at=datetime.now(UTC))
    assert await works(service, old.secret) == "EXPIRED"
    assert await works(service, made["secret"]) is True
    assert (await key_of(service, old.id))["status"] == "EXPIRED"
    again = await service.ask(ROTATE, {"input": {"id": f"key_{old.id.hex}"}})
    assert again.code == "CONFLICT"


async def test_until_revoked_the_old_one_lives_and_then_stops_at_once(service):
    old = await service.key(name="ci")
    made = await rotated(service, old.id, untilRevoked=True)
    assert (await key_of(service, old.id))["retiresAt"] is None
    assert await works(service, old.secret) is True
    assert (await key_of(service, old.id))["status"] == "RETIRING"
    await service.data(
        "mutation($id: ID!) { revokeApiKey(input: {id: $id}) { apiKey { status } } }",
        {"id": f"key_{old.id.hex}"},
    )
    assert await works(service, old.secret) == "REVOKED"
    assert await works(service, made["secret"]) is True


async def test_an_expiry_inside_the_overlap_ends_both_the_old_and_the_new(service):
    ends = datetime.now(UTC) + timedelta(hours=1)
    old = await service.key(name="ci", expires_at=ends)
    made = await rotated(service, old.id, overlapSeconds=30 * 24 * 3600)
    stands = await key_of(service, old.id)
    assert datetime.fromisoformat(stands["retiresAt"]) <= ends
    assert datetime.fromisoformat(made["apiKey"]["expiresAt"]) <= ends
    assert [await works(service, secret) for secret in (old.secret, made["secret"])] == [True, True]
    await moved(service, old.id, expires_at=datetime.now(UTC))
    assert await works(service, old.secret) == "EXPIRED"
    assert await works(service, made["secret"]) is True


async def test_a_key_is_refused_from_the_instant_it_expires_and_is_revoked_though_it_is_kept(service):
    for column, reason in (("expires_at", "EXPIRED"), ("retires_at", "EXPIRED"), ("revoked_at", "REVOKED")):
        key = await service.key(name=column)
        assert await works(service, key.secret) is True
        await service.execute(
            f"update api_keys set {column} = now() where id = $1", key.id
        )  # no hint is sent
        answer = await service.ask("{ creators { totalCount } }", key=key.secret)
        assert (answer.status, answer.reason) == (401, reason)
        assert "data" not in answer.body


async def test_overlap_and_until_revoked_together_and_overlaps_out_of_bounds_are_refused(service):
    key = await service.key(name="ci")
    for given in (
        {"overlapSeconds": 1, "untilRevoked": True},
        {"overlapSeconds": -1},
        {"overlapSeconds": 30 * 24 * 3600 + 1},
    ):
        refused = await service.ask(ROTATE, {"input": {"id": f"key_{key.id.hex}", **given}})
        assert refused.code == "BAD_USER_INPUT", given
    assert await works(service, key.secret) is True


async def test_a_key_that_rotates_itself_is_answered_with_its_successor(service):
    key = await service.key(name="self")
    answer = await service.ask(ROTATE, {"input": {"id": f"key_{key.id.hex}"}}, key=key.secret)
    made = answer.data["rotateApiKey"]
    assert await works(service, key.secret) == "REVOKED"
    assert await works(service, made["secret"]) is True
