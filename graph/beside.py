"""Charged beside its read: an operation whose price no answer can change need not wait for one to be settled.

A usage row also tells what was delivered. It is written with the charge, as if the operation delivered what it did the
last times; where it does not, or fails, the row is set right and what was not delivered given back (`services.amends`).
"""

import asyncio
from dataclasses import dataclass

from graph.context import Context
from services import credits

# So many times alike, until the next is expected to be: setting right costs more than the waiting that is spared.
ENOUGH = 8
PRICE = 1


class Usual:
    """What an operation of fixed price delivered the last times, as usage rows tell it."""

    __slots__ = ("_coordinates", "_times")

    def __init__(self) -> None:
        self._coordinates: str | None = None
        self._times = 0

    @property
    def expected(self) -> str | None:
        """What the next one delivers, most likely; None where nobody can tell."""
        return self._coordinates if self._times >= ENOUGH else None

    def saw(self, usage: credits.Usage) -> None:
        """What one delivered."""
        coordinates = usage.coordinates if usage.code == "OK" else None
        if coordinates == self._coordinates:
            self._times += 1
        else:
            self._coordinates, self._times = coordinates, 1


@dataclass(slots=True)
class Charge:
    """A charge under way while its operation is read."""

    context: Context
    usual: Usual
    usage: credits.Usage
    outcome: asyncio.Future[credits.Outcome]

    async def end(self, usage: credits.Usage) -> credits.Settled:
        """What the operation came to, charged and written down. Raises what `Cashier.settle` raises."""
        settled = credits.stood(await self.outcome)
        if usage.code == "OK" and usage.coordinates == self.usage.coordinates:
            return settled
        self.usual.saw(usage)
        return await self.context.services.cashier.amend(self.usage, usage)


def begun(context: Context, usual: Usual | None) -> Charge | None:
    """The charge of an operation about to be read; None where it is settled after that."""
    if usual is None or not context.caller.livemode:
        return None
    coordinates = usual.expected
    if coordinates is None:
        return None
    usage = context.expected(charge=PRICE, coordinates=coordinates)
    return Charge(context, usual, usage, context.services.cashier.begin(usage))


async def settled(
    context: Context, usual: Usual | None, usage: credits.Usage, charge: Charge | None
) -> credits.Settled:
    """The balance after an operation that was read: its answer may leave. Raises what `Cashier.settle` raises."""
    if charge is not None:
        return await charge.end(usage)
    if usual is not None:
        usual.saw(usage)
    return await context.services.cashier.settle(usage)
