"""Revoke, and erase."""

from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from graph import fields, ids
from graph.context import Context, Services
from graph.types import connect as types
from services import erase, signing

Disconnect = Annotated[types.DisconnectCreatorInput, strawberry.argument(description="Which creator.")]


async def disconnect_creator(info: strawberry.Info, input: Disconnect) -> types.DisconnectCreatorPayload:
    context, run = fields.context_of(info), fields.mutation(info)
    payload: list[Any] = []

    async def also(session: AsyncSession, erased: erase.Erased) -> None:
        value = _plain(erased)
        receipt = await _sign(session, context.services, erased, value)
        payload.append(await run.settle(session, {**value, "receipt": receipt}, free=True))

    await _disconnect(context, fields.creator_id(info, input.id), also)
    return payload[0]


async def _disconnect(context: Context, creator_id: UUID, also: erase.Also) -> None:
    await erase.disconnect(
        context.services.database,
        context.services.vault,
        context.services.platforms,
        account_id=context.caller.account_id,
        livemode=context.caller.livemode,
        creator_id=creator_id,
        also=also,
    )


async def _sign(
    session: AsyncSession, services: Services, erased: erase.Erased, value: dict[str, Any]
) -> str:
    claims = {"sub": value["disconnectedId"], "act": "disconnect", **value, "at": erased.at.isoformat()}
    return await signing.sign(session, services.vault, claims, issuer=services.public_url)


def _plain(erased: erase.Erased) -> dict[str, Any]:
    return {
        "disconnected": True,
        "disconnectedId": ids.write("Creator", erased.creator_id),
        "revocation": erased.revocation,
        "erased": {
            "creators": erased.creators,
            "videos": erased.videos,
            "historyPoints": erased.history_points,
            "syncs": erased.syncs,
            "tokens": erased.tokens,
            "storedAnswers": erased.stored_answers,
        },
    }
