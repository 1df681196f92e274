"""Ours without metering: the product's own `serve`, with a cashier who charges nobody and writes nothing down.

The one thing that is not the product's is this cashier; the switch lives here, not there.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from server import app as composition
from server import cli
from server.settings import Settings
from services import credits
from services.cashier import Cashier

NEXT_MONTH = datetime.now(UTC) + timedelta(days=30)
_open_house = composition.open_house


class Unmetered(Cashier):
    """Answers at once what a charge would have answered."""

    async def settle(self, usage: credits.Usage) -> credits.Settled:
        return credits.Settled(usage.credits, 10**15, 10**15, NEXT_MONTH)

    def begin(self, usage: credits.Usage) -> "asyncio.Future[credits.Outcome]":
        """The same, where it is settled beside its read."""
        done: asyncio.Future[credits.Outcome] = asyncio.get_running_loop().create_future()
        done.set_result(credits.Settled(usage.credits, 10**15, 10**15, NEXT_MONTH))
        return done

    def record(self, usage: credits.Usage) -> None:
        """Nothing is written down."""


async def open_house(settings: Settings, address: str, **how: Any) -> composition.House:
    house = await _open_house(settings, address, **how)
    await house.services.cashier.close()
    cashier = Unmetered(house.services.database)
    return replace(house, services=replace(house.services, cashier=cashier))


composition.open_house = open_house
cli.app(["serve"])
