"""The broker's addresses hold a password: no refusal, no text and no line in a log shows it."""

import pydantic
import pytest

from server import logs
from server.settings import Settings
from services import broker

NODES = "amqp://worker:geheim@one.example/graph, amqps://worker:geheim@two.example:5671/graph"


def test_the_brokers_password_is_never_shown():
    settings = Settings(broker_urls=NODES)
    found = [url.get_secret_value() for url in settings.broker_urls]
    assert found == NODES.split(", ")
    shown = f"{settings!r} {settings.model_dump_json()} {broker.Broker(found)!r}"
    assert "geheim" not in shown + logs.scrub(f"lost: {found} {found[0]!r} <{found[1]}>")


@pytest.mark.parametrize("wrong", ["http://worker:geheim@one.example", "amqp:///geheim", "geheim"])
def test_what_is_no_brokers_address_is_refused_without_its_password(wrong):
    with pytest.raises(pydantic.ValidationError, match="each is amqp://") as refused:
        Settings(broker_urls=f"{NODES},{wrong}")
    assert "geheim" not in str(refused.value)
