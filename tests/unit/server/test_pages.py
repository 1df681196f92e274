from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from server import pages

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built page, and a secret one step above it."""
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html><title>built</title>")
    (built / "assets" / "index-B9t_fFRj.js").write_text("'script'")
    (built / "assets" / ".hidden").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    return built


@pytest.fixture
async def client(dist: Path) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(pages.routes(dist))
    async with TestClient(TestServer(app)) as client:
        yield client


SCRIPT = "/graphiql/assets/index-B9t_fFRj.js"


@pytest.mark.parametrize("path", ["/graphiql", "/graphiql/"])
async def test_the_page_is_served_and_never_stored(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert "<title>built</title>" in await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/graphiql", SCRIPT])
async def test_the_policy_lets_nothing_in_from_elsewhere(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == "'self'"
    assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert not [source for sources in policy.values() for source in sources.split() if "http" in source]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


async def test_assets_are_kept_for_good_because_their_names_carry_a_hash(client: Client) -> None:
    answer = await client.get(SCRIPT)
    assert answer.status == 200
    assert "javascript" in answer.content_type
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


async def test_an_unknown_asset_is_not_found_and_not_remembered(client: Client) -> None:
    answer = await client.get("/graphiql/assets/index-gone.js")
    assert answer.status == 404
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/graphiql/assets/../../secret.txt",
        "/graphiql/assets/..%2f..%2fsecret.txt",
        "/graphiql/assets/%2e%2e/%2e%2e/secret.txt",
        "/graphiql/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/graphiql/assets/..%252f..%252fsecret.txt",
        "/graphiql/assets/..%5c..%5csecret.txt",
        "/graphiql/assets/.hidden",
        "/graphiql/assets/",
        "/graphiql/../secret.txt",
    ],
)
async def test_nothing_outside_the_assets_can_be_named(client: Client, path: str) -> None:
    url = URL(f"http://{client.host}:{client.port}{path}", encoded=True)
    async with ClientSession() as session, session.get(url) as answer:
        assert answer.status == 404
        assert "secret" not in await answer.text()


async def test_a_compressed_twin_is_sent_to_who_accepts_it(client: Client, dist: Path) -> None:
    (dist / "assets" / "index-B9t_fFRj.js.gz").write_bytes(b"zipped")
    async with ClientSession(auto_decompress=False) as session:
        async with session.get(client.make_url(SCRIPT), headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert "javascript" in answer.content_type
            assert await answer.read() == b"zipped"
        async with session.get(client.make_url(SCRIPT), headers={"Accept-Encoding": "identity"}) as answer:
            assert await answer.read() == b"'script'"


async def test_without_a_build_the_page_says_how_to_make_one(client: Client, dist: Path) -> None:
    (dist / "index.html").unlink()
    answer = await client.get("/graphiql")
    assert answer.status == 503
    assert answer.content_type == "text/html"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    text = await answer.text()
    assert "make web" in text
    assert "/graphql" in text


async def test_a_build_made_meanwhile_is_served(client: Client, dist: Path) -> None:
    (dist / "index.html").rename(dist / "aside.html")
    assert (await client.get("/graphiql")).status == 503
    (dist / "aside.html").rename(dist / "index.html")
    assert (await client.get("/graphiql")).status == 200
