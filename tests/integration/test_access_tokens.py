"""Access tokens under attack: only what we signed ourselves, as we wrote it, says who is asking."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from db import session as sessions
from services import access_tokens, accounts, api_keys, callers, errors, key_terms, signing, vault

ISSUER = "https://api.example"
IP = ipaddress.ip_address("192.0.2.1")
SEALED = vault.Vault([b"k" * 32])
WISH = access_tokens.Wish(expires_in=3600, max_websockets=1)


def b64(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
async def made(database):
    async with database.write() as session:
        await signing.ensure_key(session, SEALED)
        return await accounts.create(session, "a", "basic")


@pytest.fixture
def tokens(database):
    return access_tokens.AccessTokens(database, callers.Callers(database), issuer=ISSUER)


async def caller_of(database, key):
    return await callers.Callers(database).authenticate(key.secret, IP, datetime.now(UTC))


async def minted(database, key, now=None, **wish):
    caller = await caller_of(database, key)
    async with database.write() as session:
        return await access_tokens.mint(
            session, SEALED, caller, access_tokens.Wish(**{**vars(WISH), **wish}),
            issuer=ISSUER, now=now or datetime.now(UTC),
        )  # fmt: skip


async def refusal(tokens, token, now=None):
    """The reason; every refusal says the same words, and no word of the token."""
    with pytest.raises(errors.InvalidToken) as refused:
        await tokens.authenticate(token, now or datetime.now(UTC))
    assert refused.value.message == "Invalid access token"
    assert refused.value.code == "UNAUTHENTICATED"
    return refused.value.extra["reason"]


@pytest.fixture
async def forge(database, made):
    """Signs whatever is asked with our own private key: what the header and the claims alone decide."""
    async with database.write() as session:
        row = (await session.execute(signing.text(signing.NEWEST))).one()
    private = serialization.load_pem_private_key(
        SEALED.open(row.private_key, f"signing:{row.kid}").encode(), password=None
    )
    good = jwt.decode((await minted(database, made.live)).token, options={"verify_signature": False})

    def forged(header=None, without=(), signed_by=private, **claims):
        head = {"alg": "EdDSA", "typ": "JWT", "kid": row.kid} | (header or {})
        body = {name: value for name, value in (good | claims).items() if name not in without}
        text = f"{b64({k: v for k, v in head.items() if v is not ...})}.{b64(body)}"
        return f"{text}.{b64(signed_by.sign(text.encode()))}"

    forged.kid, forged.private, forged.claims = row.kid, private, good
    return forged


# -- what is good


async def test_a_token_asks_in_its_keys_name_with_no_more_than_it_was_given(database, made, tokens):
    token = await minted(database, made.live, scopes=["CREATORS_READ"], max_websockets=3)
    caller = await tokens.authenticate(token.token, datetime.now(UTC))
    assert (caller.account_id, caller.key_id, caller.livemode) == (made.id, made.live.id, True)
    assert caller.scopes == {"CREATORS_READ"}
    assert caller.allowed_creators is None
    assert caller.token_expires_at == token.expires_at
    assert caller.max_websockets == 3
    assert token.token not in repr(token)


async def test_a_token_has_the_documented_header_and_claims(database, made):
    now = datetime.now(UTC)
    token = (await minted(database, made.test, now=now, expires_in=60)).token
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    assert header.keys() == {"alg", "kid", "typ"}
    assert header["alg"] == "EdDSA"
    assert claims.keys() >= {"iss", "aud", "iat", "exp", "jti"}
    assert claims["iss"] == ISSUER
    assert claims["exp"] == int(now.timestamp()) + 60
    assert claims["mode"] == "TEST"
    other = jwt.decode((await minted(database, made.test)).token, options={"verify_signature": False})
    assert other["jti"] != claims["jti"]


async def test_without_scopes_a_token_has_its_keys_but_those_over_keys_tokens_and_webhooks(
    database, made, tokens
):
    token = await minted(database, made.live)
    caller = await tokens.authenticate(token.token, datetime.now(UTC))
    assert caller.scopes == {
        s for s in key_terms.SCOPES if not s.startswith(("KEYS_", "TOKENS_", "WEBHOOKS_"))
    }


@pytest.mark.parametrize("scope", ["KEYS_READ", "KEYS_WRITE", "TOKENS_WRITE", "WEBHOOKS_WRITE"])
async def test_no_token_carries_a_scope_over_keys_tokens_or_webhooks(database, made, scope):
    with pytest.raises(errors.Forbidden) as refused:
        await minted(database, made.live, scopes=["CREATORS_READ", scope])
    assert refused.value.extra == {"reason": "SCOPE", "scope": scope}


async def test_no_token_has_a_scope_above_its_keys(database, made, tokens):
    async with database.write() as session:
        small = await api_keys.create(session, made.id, name="s", scopes=["CREATORS_READ", "TOKENS_WRITE"])
    for scope in ("CREATORS_WRITE", "VIDEOS_READ"):
        with pytest.raises(errors.Forbidden):
            await minted(database, small, scopes=[scope])
    with pytest.raises(errors.BadUserInput):
        await minted(database, small, scopes=["EVERYTHING"])
    caller = await tokens.authenticate((await minted(database, small)).token, datetime.now(UTC))
    assert caller.scopes == {"CREATORS_READ"}


@pytest.mark.parametrize("seconds", [0, -1, -(2**31), 24 * 3600 + 1, 2**31, 2**31 - 1])
async def test_a_token_lives_one_second_to_a_day(database, made, seconds):
    with pytest.raises(errors.BadUserInput, match=r"`expiresIn` must be 1 to 86400"):
        await minted(database, made.live, expires_in=seconds)


@pytest.mark.parametrize("sockets", [0, -1, 1001, 2**31 - 1])
async def test_a_token_has_1_to_1000_sockets(database, made, sockets):
    with pytest.raises(errors.BadUserInput, match="maxWebsockets"):
        await minted(database, made.live, max_websockets=sockets)


async def test_sockets_of_a_token_are_never_more_than_its_accounts(database, made, tokens):
    token = (await minted(database, made.live, max_websockets=1000)).token
    assert (await tokens.authenticate(token, datetime.now(UTC))).max_websockets == 5


async def test_a_token_ends_no_later_than_its_key(database, made, tokens):
    ends = datetime.now(UTC) + timedelta(seconds=100)
    async with database.write() as session:
        key = await api_keys.create(session, made.id, name="k", expires_at=ends)
    token = await minted(database, key, expires_in=3600)
    assert token.expires_at <= ends
    await tokens.authenticate(token.token, datetime.now(UTC))
    assert await refusal(tokens, token.token, ends) == "EXPIRED"


async def test_a_token_is_good_until_the_second_it_ends(database, made, tokens):
    now = datetime.now(UTC).replace(microsecond=0)
    token = await minted(database, made.live, now=now, expires_in=10)
    await tokens.authenticate(token.token, now + timedelta(seconds=9, microseconds=999_999))
    assert await refusal(tokens, token.token, now + timedelta(seconds=10)) == "EXPIRED"


# -- what is not


async def test_a_forged_good_one_passes_so_that_the_refusals_below_mean_something(tokens, forge):
    assert (await tokens.authenticate(forge(), datetime.now(UTC))).token_expires_at


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS256", "ES256", "PS256", "Ed25519", "eddsa", None, 1, ["EdDSA"], {}]
)  # fmt: skip
async def test_no_other_algorithm_is_taken_signed_or_not(tokens, forge, algorithm):
    signed = forge(header={"alg": algorithm})
    body = signed.rpartition(".")[0]
    for token in (signed, f"{body}.", body + ".AA", f"{body}.{b64(b'0' * 64)}"):
        assert await refusal(tokens, token) == "MALFORMED"
    assert await refusal(tokens, forge(header={"alg": ...})) == "MALFORMED"


async def test_our_public_key_is_no_hmac_secret_in_any_form(database, made, tokens, forge):
    async with database.read() as connection:
        jwk = (await signing.public_keys(connection))["keys"][0]
        public = await connection.fetchval("select public_key from signing_keys")
    key = Ed25519PublicKey.from_public_bytes(public)
    info, raw = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.Raw
    pem = key.public_bytes(serialization.Encoding.PEM, info)
    forms = [
        pem, pem.strip(), pem.replace(b"\n", b"\r\n"), b"".join(pem.splitlines()[1:-1]),
        key.public_bytes(serialization.Encoding.DER, info), key.public_bytes(serialization.Encoding.Raw, raw),
        public.hex().encode(), json.dumps(jwk).encode(), json.dumps(jwk, separators=(",", ":")).encode(),
        jwk["x"].encode(), jwk["kid"].encode(), b"", b"\0" * 32,
    ]  # fmt: skip
    for secret in forms:
        for name, digest in (
            ("HS256", "sha256"),
            ("HS384", "sha384"),
            ("HS512", "sha512"),
            ("EdDSA", "sha512"),
        ):
            text = f"{b64({'alg': name, 'typ': 'JWT', 'kid': forge.kid})}.{b64(forge.claims)}"
            token = f"{text}.{b64(hmac.new(secret, text.encode(), digest).digest())}"
            assert await refusal(tokens, token) == "MALFORMED"


@pytest.mark.parametrize(
    "kid",
    ["../../../../dev/null", "/dev/null", "' or 1=1 --", "x' union select 'AA'--", "file:///etc/passwd", "", "%00",
     "\0", "\ud800", "x" * 10_000, 0, 1, None, True, ["{}"], [], {}, {"$ne": None}, "AA", "None"],
)  # fmt: skip
async def test_no_other_kid_finds_a_key(tokens, forge, kid):
    await tokens.authenticate(forge(), datetime.now(UTC))
    assert await refusal(tokens, forge(header={"kid": kid})) == "MALFORMED"
    assert await refusal(tokens, forge(header={"kid": ...})) == "MALFORMED"
    if isinstance(kid, str):
        assert await refusal(tokens, forge(header={"kid": forge.kid + kid or "x"}, iss=kid)) == "MALFORMED"


async def test_a_header_that_says_more_is_refused_even_when_we_signed_it(tokens, forge):
    mine = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(mine.public_key().public_bytes_raw())}
    for header in (
        {"jku": "https://evil.example/jwks.json"}, {"x5u": "https://evil.example/x.pem"}, {"jwk": jwk},
        {"x5c": ["MIIB"]}, {"crit": []}, {"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"b64": False},
        {"b64": True}, {"zip": "DEF"}, {"cty": "JWT"}, {"enc": "A256GCM"}, {"x5t": "AA"}, {"url": "https://evil.example"},
    ):  # fmt: skip
        assert await refusal(tokens, forge(header=header)) == "MALFORMED", header
        assert await refusal(tokens, forge(header=header, signed_by=mine)) == "MALFORMED", header
    assert await refusal(tokens, forge(signed_by=mine)) == "MALFORMED"


async def test_every_claim_is_required_and_must_be_what_we_write(tokens, forge):
    for name in (
        "exp",
        "iat",
        "iss",
        "aud",
        "jti",
        "sub",
        "key",
        "use",
        "mode",
        "scopes",
        "creators",
        "sockets",
    ):
        assert await refusal(tokens, forge(without=[name])) == "MALFORMED", name
    late = int(time.time()) + 3600
    for claims in (
        {"exp": "tomorrow"}, {"exp": str(late)}, {"exp": None}, {"exp": [late]}, {"exp": 2**63}, {"exp": 10**400},
        {"exp": 1e308}, {"exp": float("nan")}, {"exp": float("inf")}, {"exp": late + 10**6}, {"exp": {}},
        {"nbf": late}, {"nbf": "x"}, {"iat": late, "exp": late + 60}, {"iat": "x"}, {"iat": None},
        {"aud": "another"}, {"aud": ["creator-graph"]}, {"aud": ["another", "creator-graph"]}, {"aud": None}, {"aud": {}},
        {"iss": "https://evil.example"}, {"iss": ISSUER + "/"}, {"iss": [ISSUER]}, {"iss": None},
        {"use": "receipt"}, {"use": None}, {"sub": "x"}, {"sub": None}, {"key": "x"}, {"key": ["x"]}, {"jti": 5},
        {"scopes": None}, {"scopes": 1}, {"scopes": [["CREATORS_READ"]]}, {"creators": 5}, {"creators": ["x"]},
        {"creators": [None]}, {"sockets": None}, {"sockets": "many"},
    ):  # fmt: skip
        assert await refusal(tokens, forge(**claims)) == "MALFORMED", claims
    for exp in (0, -1, -(10**10), int(time.time()) - 1, True):
        assert await refusal(tokens, forge(exp=exp)) in {"EXPIRED", "MALFORMED"}, exp


async def test_a_token_is_taken_as_it_was_written_and_in_no_other_way(database, made, tokens):
    token = (await minted(database, made.live)).token
    head, body, signature = token.split(".")
    cut = [token[:n] for n in (0, 1, 10, len(head), len(head) + 1, len(token) - 1, len(token) - 43)]
    changed = [
        f"{token}=", f"{token}==", f"{token} ", f" {token}", f"{token}\n", f"{head}=.{body}.{signature}", f"{head}.{body}==.{signature}",
        f"{head}.{body}.{signature[:-1]}", f"{head}.{body}.!{signature}", f"{head}.{body}.{signature[:40]}!{signature[40:]}",
        f"{head}.{body}.{signature[:40]}\n{signature[40:]}", f"{head}.{body}.{signature}AAAA", f"{head}..{signature}", "..",
        f"{head}.{body}.{signature}.{signature}", f"{token}.{token}", f"{head}.{head}.{signature}", f"{body}.{head}.{signature}",
        f"{head}.{signature}", token.replace("-", "+").replace("_", "/") + "=", f"{head}.{body}.{signature[:-1]}é", token.swapcase(),
        "a." + "b" * 20_000 + "." + signature, f"{head}.{'A' * 100_000}.{signature}", f"{b64(b'[' * 5000)}.{body}.{signature}",
        f"{b64(b'[]')}.{body}.{signature}", f"{b64(b'null')}.{body}.{signature}", f"{b64(bytes(range(256)))}.{body}.{signature}",
        "\ud800.\ud800.\ud800",
    ]  # fmt: skip
    spare = [
        c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" if c != signature[-1]
    ]
    changed += [f"{head}.{body}.{signature[:-1]}{c}" for c in spare]
    for text in cut + changed:
        assert await refusal(tokens, text) == "MALFORMED", text[:80]
    for n in range(len(head) + 1, len(token), 37):  # any other character, anywhere
        other = "A" if token[n] != "A" else "B"
        assert await refusal(tokens, token[:n] + other + token[n + 1 :]) == "MALFORMED"
    assert await tokens.authenticate(token, datetime.now(UTC))


async def test_what_else_we_sign_is_no_token(database, made, tokens):
    async with database.write() as session:
        receipt = await signing.sign(session, SEALED, {"sub": "crt_1", "act": "disconnect"}, issuer=ISSUER)
        dressed = {
            "sub": made.id.hex,
            "exp": int(time.time()) + 60,
            "jti": "x",
            "key": made.live.id.hex,
            "aud": "creator-graph",
        }
        almost = await signing.sign(session, SEALED, dressed | {"act": "disconnect"}, issuer=ISSUER)
    assert await refusal(tokens, receipt) == "MALFORMED"
    assert await refusal(tokens, almost) == "MALFORMED"


async def test_a_token_of_another_deployment_or_of_an_rsa_key_is_none_of_ours(
    database, made, tokens, forge, postgres
):
    another = access_tokens.AccessTokens(database, callers.Callers(database), issuer="https://other.example")
    token = (await minted(database, made.live)).token
    assert await refusal(another, token) == "MALFORMED"
    foreign = Ed25519PrivateKey.generate()
    assert (
        await refusal(tokens, forge(header={"kid": "another-deployments-kid"}, signed_by=foreign))
        == "MALFORMED"
    )
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert (
        await refusal(tokens, jwt.encode(forge.claims, pem, "RS256", headers={"kid": forge.kid}))
        == "MALFORMED"
    )


async def test_a_token_names_its_mode_and_its_accounts_own_key(database, made, tokens, forge):
    async with database.write() as session:
        other = await accounts.create(session, "b")
    assert await refusal(tokens, forge(mode="TEST")) == "REVOKED"
    assert await refusal(tokens, forge(sub=other.id.hex)) == "REVOKED"
    assert await refusal(tokens, forge(key=other.live.id.hex)) == "REVOKED"


# -- its key and its time


async def test_a_token_dies_with_its_key_though_it_was_just_used(database, made):
    caches = callers.Callers(database, kept=timedelta(0))
    tokens = access_tokens.AccessTokens(database, caches, issuer=ISSUER)
    now = datetime.now(UTC)
    for end, reason in (
        ("update api_keys set revoked_at = now() where id = $1", "REVOKED"),
        ("update api_keys set expires_at = now() where id = $1", "EXPIRED"),
        ("update api_keys set retiring_since = now(), retires_at = now() where id = $1", "EXPIRED"),
    ):
        async with database.write() as session:
            key = await api_keys.create(session, made.id, name="k")
        token = (await minted(database, key)).token
        await tokens.authenticate(token, now)
        connection = await database.connect()
        await connection.execute(end, key.id)
        await connection.close()
        assert await refusal(tokens, token, datetime.now(UTC)) == reason


async def test_a_token_of_a_retiring_key_works_until_the_key_stops(database, made, tokens):
    token = (await minted(database, made.live)).token
    async with database.write() as session:
        await api_keys.rotate(session, made.id, made.live.id, overlap_seconds=60)
    await tokens.authenticate(token, datetime.now(UTC))
    assert await refusal(tokens, token, datetime.now(UTC) + timedelta(seconds=61)) == "EXPIRED"


async def test_a_canceled_account_ends_live_tokens_and_keeps_test_ones(database, made):
    tokens = access_tokens.AccessTokens(database, callers.Callers(database, kept=timedelta(0)), issuer=ISSUER)
    live, test = (await minted(database, made.live)).token, (await minted(database, made.test)).token
    async with database.write() as session:
        await accounts.update(session, made.id, canceled=True)
    with pytest.raises(errors.Forbidden) as refused:
        await tokens.authenticate(live, datetime.now(UTC))
    assert refused.value.extra["reason"] == "PLAN"
    await tokens.authenticate(test, datetime.now(UTC))


async def test_a_key_that_loses_a_scope_takes_it_from_its_tokens(database, made):
    tokens = access_tokens.AccessTokens(database, callers.Callers(database, kept=timedelta(0)), issuer=ISSUER)
    token = (await minted(database, made.live)).token
    async with database.write() as session:
        await api_keys.update(session, made.id, made.live.id, scopes=["CREATORS_READ"])
    assert (await tokens.authenticate(token, datetime.now(UTC))).scopes == {"CREATORS_READ"}


# -- signing keys


async def rotate(database, **named):
    async with database.write() as session:
        return await signing.rotate(session, SEALED, **named)


async def test_after_a_rotation_the_new_key_signs_and_the_old_verifies_until_its_end(database, made, tokens):
    old = (await minted(database, made.live)).token
    await tokens.authenticate(old, datetime.now(UTC))
    kid = await rotate(database, overlap_seconds=60)
    new = (await minted(database, made.live)).token
    assert jwt.get_unverified_header(new)["kid"] == kid != jwt.get_unverified_header(old)["kid"]
    tokens.forget()
    for token in (old, new):
        await tokens.authenticate(token, datetime.now(UTC))
    async with database.read() as connection:
        assert len((await signing.public_keys(connection))["keys"]) == 2
    late = datetime.now(UTC) + timedelta(seconds=61)
    assert await refusal(tokens, old, late) == "MALFORMED"  # though it was good before, and is kept
    assert (await tokens.authenticate(new, late)).key_id == made.live.id


async def test_after_a_leak_a_rotation_without_overlap_ends_every_token_made_so_far(database, made, tokens):
    old = (await minted(database, made.live)).token
    await tokens.authenticate(old, datetime.now(UTC))
    await rotate(database, overlap_seconds=0)
    tokens.forget()
    assert await refusal(tokens, old) == "MALFORMED"
    async with database.read() as connection:
        assert len((await signing.public_keys(connection))["keys"]) == 1
    await tokens.authenticate((await minted(database, made.live)).token, datetime.now(UTC))


async def test_a_second_rotation_never_puts_off_an_end_and_only_one_key_signs(database, made):
    for seconds in (60, 0, 3600, 5):
        await rotate(database, overlap_seconds=seconds)
    async with database.write() as session:
        found = await signing.listed(session)
    assert [key.status for key in found].count("SIGNING") == 1
    assert found[0].status == "SIGNING"
    assert found[0].ends_at is None
    assert all(key.ends_at <= datetime.now(UTC) + timedelta(seconds=3600) for key in found[1:])
    assert [key.status for key in found[2:]].count("ENDED") >= 2


async def test_of_rotations_at_once_one_key_signs_in_the_end(database, made, tokens):
    kids = await asyncio.gather(*(rotate(database, overlap_seconds=60) for _ in range(5)))
    async with database.write() as session:
        found = {key.kid: key.status for key in await signing.listed(session)}
    assert list(found.values()).count("SIGNING") == 1
    token = (await minted(database, made.live)).token
    assert found[jwt.get_unverified_header(token)["kid"]] == "SIGNING"
    assert set(kids) < set(found)
    await tokens.authenticate(token, datetime.now(UTC))


@pytest.mark.parametrize("seconds", [-1, 10 * 365 * 24 * 3600 + 1, 2**63])
async def test_an_overlap_of_signing_keys_is_nothing_to_ten_years(database, made, seconds):
    with pytest.raises(errors.BadUserInput, match="overlapSeconds"):
        await rotate(database, overlap_seconds=seconds)


async def test_a_flood_of_unknown_kids_asks_the_database_once_a_second(
    database, made, tokens, forge, monkeypatch
):
    await tokens.authenticate(forge(), datetime.now(UTC))
    asked = []
    read = sessions.Database.read
    monkeypatch.setattr(sessions.Database, "read", lambda self: asked.append(1) or read(self))
    started = time.monotonic()
    flood = [forge(header={"kid": hashlib.sha256(bytes([n])).hexdigest()}) for n in range(200)]
    assert set(await asyncio.gather(*(refusal(tokens, token) for token in flood))) == {"MALFORMED"}
    assert len(asked) <= 1 + int(time.monotonic() - started)


async def test_a_key_made_a_moment_ago_on_another_machine_is_found(database, made, tokens):
    await tokens.authenticate((await minted(database, made.live)).token, datetime.now(UTC))
    await rotate(database)
    new = (await minted(database, made.live)).token
    tokens.forget()  # what the hint does
    results = await asyncio.gather(*(tokens.authenticate(new, datetime.now(UTC)) for _ in range(20)))
    assert {caller.key_id for caller in results} == {made.live.id}


async def test_what_is_kept_of_tokens_is_bounded(database, made, tokens, monkeypatch):
    monkeypatch.setattr(access_tokens, "MOST_KEPT", 3)
    for _ in range(6):
        await tokens.authenticate((await minted(database, made.live)).token, datetime.now(UTC))
    assert len(tokens._kept) == 3
