"""What resolvers call: a root field read by its plan, a mutation's payload filled in its transaction."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from graphql import GraphQLResolveInfo
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry import Info

from db.session import raw, when_committed
from graph import cost, idempotent, ids, roots
from graph.context import Context
from graph.planner.reading import Delivered, on
from graph.planner.selection import Field
from services import credits, errors


@dataclass(frozen=True)
class Ref:
    """An object to be read by its plan."""

    type_name: str
    id: UUID


def context_of(info: Info) -> Context:
    context: Context = info.context
    return context


def _core(info: Info) -> GraphQLResolveInfo[Any]:
    return info._raw_info  # noqa: SLF001 -- Strawberry offers no other way to the path


def field_of(info: Info) -> Field:
    """The merged selection of the root field that is being resolved."""
    context, key = context_of(info), _core(info).path.key
    return next(field for field in context.operation.roots(context.variables) if field.key == key)


@dataclass
class Filler(roots.Reader):
    """A reader that also fills plain data."""

    async def fill(self, fields: Sequence[Field], type_name: str, value: Mapping[str, Any]) -> Any:
        """Plain data under its response keys; every Ref in it read by its plan."""
        filled: dict[str, Any] = {}
        for field in fields:
            if field.name == "__typename":
                filled[field.key] = type_name
            else:
                filled[field.key] = await self.filled(field, type_name, value[field.name])
        return filled

    async def filled(self, field: Field, parent_type: str, value: Any) -> Any:
        """One field's plain value, or what its plan reads."""
        if isinstance(value, Ref):
            return (await self.objects(field, value.type_name, [value.id], parent_type))[0]
        if isinstance(value, Mapping):
            return await self.fill(field.fields, field.type_name, value)
        if isinstance(value, list) and field.fields:
            return [await self.fill(field.fields, field.type_name, entry) for entry in value]
        return value


@asynccontextmanager
async def reading(info: Info) -> AsyncIterator[Filler]:
    """A reader on a connection that cannot write; its deliveries count for the operation, once all of it is read."""
    context, delivered = context_of(info), Delivered()
    async with context.services.database.read() as connection:
        yield Filler(context, on(connection), delivered)
    context.delivered.take(delivered)


async def root(info: Info) -> Any:
    """The value of a planned root field."""
    async with reading(info) as reader:
        return await roots.read(reader, field_of(info))


async def plain(info: Info, value: Mapping[str, Any]) -> Any:
    """A root object of plain data, with Refs in it."""
    field = field_of(info)
    async with reading(info) as reader:
        reader.delivered.add(f"Query.{field.name}", 1)
        return await reader.fill(field.fields, field.type_name, value)


@dataclass
class Mutation:
    """One mutation field: its write, its payload and its charge commit together."""

    info: Info
    started: datetime

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """The field's transaction; call `settle` in it, last."""
        async with context_of(self.info).services.database.write() as session:
            yield session

    async def settle(
        self,
        session: AsyncSession,
        value: Mapping[str, Any],
        *,
        free: bool = False,
        creator_id: UUID | None = None,
    ) -> Any:
        """Read the payload, keep it under an Idempotency-Key and charge for it, in the transaction.

        `creator_id`: with whose disconnect the kept answer goes.
        What it cost is told once it stands: what still fails in the transaction was not charged.
        Raises CreditsExhausted, Unauthenticated or Forbidden when the charge is refused; nothing is written then.
        """
        context, field, delivered = context_of(self.info), field_of(self.info), Delivered()
        payload = await self.read(session, value, delivered)
        coordinate = f"Mutation.{field.name}"
        delivered.add(coordinate, 1, 0 if free else policy_of(self.info).weights.get(coordinate, 0))
        charge = 0 if free else cost.credits(delivered.total)
        await idempotent.keep(session, context, payload, creator_id)
        usage = context.usage(
            charge=charge if context.caller.livemode else 0,
            delivered=delivered,
            code="OK",
            started=self.started,
        )
        settled = await credits.charge(session, usage)
        when_committed(session, lambda: context.charged(field.key, settled, charge, delivered))
        return payload

    async def read(
        self, session: AsyncSession, value: Mapping[str, Any], delivered: Delivered | None = None
    ) -> Any:
        """The payload as it stands in the transaction."""
        field = field_of(self.info)
        reader = Filler(context_of(self.info), on(await raw(session)), delivered or Delivered())
        return await reader.fill(field.fields, field.type_name, value)


def mutation(info: Info) -> Mutation:
    return Mutation(info, datetime.now(UTC))


async def reread(info: Info, value: Mapping[str, Any]) -> Any:
    """A payload as it stands after its transaction, kept anew under an Idempotency-Key; not charged again.

    Raises NotFound where what it names was erased meanwhile.
    """
    field, context = field_of(info), context_of(info)
    async with context.services.database.read() as connection:
        reader = Filler(context, on(connection), Delivered())
        payload = await reader.fill(field.fields, field.type_name, value)
    if any(payload[f.key] is None for f in field.fields if isinstance(value.get(f.name), Ref)):
        raise errors.NotFound
    if context.claim is not None:
        with contextlib.suppress(errors.Conflict):  # erased meanwhile, by a disconnect
            async with context.services.database.write() as session:
                await idempotent.keep(session, context, payload)
    return payload


def creator_id(info: Info, text: str) -> UUID:
    """The creator an id names. Raises BadUserInput; NotFound where the token may not see that creator."""
    id, allowed = ids.read("Creator", text), context_of(info).caller.allowed_creators
    if allowed is not None and id not in allowed:
        raise errors.NotFound("creator")
    return id


def policy_of(info: Info) -> Any:
    return _core(info).schema.extensions["policy"]


async def check_affordable(info: Info) -> None:
    """Before a platform is called: the mutation's weight and 1 more must be there. Raises CreditsExhausted."""
    context = context_of(info)
    if not context.caller.livemode:
        return
    weight = policy_of(info).weights.get(f"Mutation.{field_of(info).name}", 0)
    needed = weight // cost.THOUSANDTHS + 1
    async with context.services.database.read() as connection:
        balance = await credits.balance(connection, context.caller.account_id, context.now)
        of_key = await credits.key_left(connection, context.caller)
    if balance.remaining < needed:
        raise errors.CreditsExhausted(needed, balance.remaining, balance.reset_at)
    if of_key is not None and of_key < needed:
        raise errors.KeyCreditsExhausted(needed, of_key, balance.reset_at)
