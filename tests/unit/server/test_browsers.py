"""Whether a page sent a request: told by what browsers say of themselves, so that no server is taken for one."""

import pytest

from server import browsers

OWN = ("api.example", "127.0.0.1:4000")


@pytest.mark.parametrize(
    ("headers", "by_page"),
    [
        ({}, False),
        ({"Origin": "https://shop.example"}, True),
        ({"Origin": "null"}, True),  # a file, or a frame without rights
        ({"Origin": "capacitor://localhost"}, True),  # an app around a page
        ({"Origin": "nonsense"}, True),
        ({"Origin": "https://[::"}, True),
        ({"Origin": ""}, False),
        ({"Origin": "https://api.example"}, False),
        ({"Origin": "https://API.example"}, False),
        ({"Origin": "https://api.example.evil.example"}, True),
        ({"Origin": "http://127.0.0.1:4000"}, False),
        ({"Origin": "http://127.0.0.1:4001"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "https://shop.example"}, True),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, True),
        (
            {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Origin": "https://behind.a.proxy"},
            False,
        ),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, False),
        ({"Sec-Fetch-Mode": "cors", "Accept-Language": "*", "User-Agent": "node"}, False),  # Node's own fetch
    ],
)
def test_pages_of_others_are_told_from_our_own_and_from_servers(headers, by_page):
    assert browsers.sent_by_page(headers, OWN) is by_page
