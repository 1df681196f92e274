"""Settings that are made of others."""

import pytest

from server.settings import Settings


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("127.0.0.1", "http://127.0.0.1:4000"),
        ("0.0.0.0", "http://127.0.0.1:4000"),
        ("::", "http://[::1]:4000"),  # asyncio listens there for IPv6 alone
        ("::1", "http://[::1]:4000"),
        ("api.example", "http://api.example:4000"),
    ],
)
def test_without_a_public_address_it_is_the_one_that_is_listened_on(host, public):
    assert Settings(host=host, port=4000, public_url=None).public == public
