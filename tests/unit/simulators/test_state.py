"""What the simulated platform remembers, and for whom."""

from concurrent.futures import ThreadPoolExecutor

from simulators.state import Consent, State, Tokens

CONSENT = Consent("web", "sim.ada", ("user.info.basic", "video.list"))


def pair(name):
    return Tokens(f"act.{name}", 2_000, f"rft.{name}", 9_000)


async def test_a_restart_keeps_grants_and_codes(start, tmp_path):
    path = tmp_path / "var" / "state.sqlite"
    first = await start(state_path=path)
    tokens, code = await first.connect(), await first.code(creator="sim.noor")
    await first.client.close()
    second = await start(state_path=path)
    assert (await second.user(tokens["access_token"]))[0] == 200
    assert "access_token" in (await second.refresh(tokens["refresh_token"]))[1]
    assert "access_token" in (await second.exchange(code))[1]


async def test_two_simulators_on_one_file_see_each_others_grants(start, tmp_path):
    one, other = [await start(state_path=tmp_path / "state.sqlite") for _ in range(2)]
    tokens = (await other.exchange(await one.code()))[1]
    assert (await one.user(tokens["access_token"]))[0] == 200
    await other.revoke(tokens["access_token"])
    assert (await one.user(tokens["access_token"]))[0] == 401


async def test_no_token_is_stored_in_clear(start, tmp_path):
    tiktok = await start(state_path=tmp_path / "state.sqlite")
    tokens, code = await tiktok.connect(), await tiktok.code()
    await tiktok.client.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (tokens["access_token"], tokens["refresh_token"], code):
        assert secret.encode() not in stored
    assert b"sim.ada" in stored


def test_one_of_many_racing_refreshes_wins(tmp_path):
    path = tmp_path / "state.sqlite"
    first = State(path)
    first.grant(CONSENT, pair("0"), 0)
    first.close()

    def refresh(number):
        state = State(path)
        try:
            return state.rotate("web", "rft.0", pair(number), 0)
        finally:
            state.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(refresh, range(1, 25)))
    assert [answer for answer in answers if answer] == [CONSENT]


def test_many_openers_of_a_new_file_all_succeed(tmp_path):
    def open_and_grant(number):
        state = State(tmp_path / "state.sqlite")
        try:
            state.grant(CONSENT, pair(number), 0)
            return state.consent_of(f"act.{number}", 1)
        finally:
            state.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(open_and_grant, range(24))) == [CONSENT] * 24
