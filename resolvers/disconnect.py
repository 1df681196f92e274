"""Revoke, and erase."""

from typing import Annotated, Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from graph import fields, ids
from graph.types import connect as types
from services import erase, signing

Disconnect = Annotated[types.DisconnectCreatorInput, strawberry.argument(description="Which creator.")]


async def disconnect_creator(info: strawberry.Info, input: Disconnect) -> types.DisconnectCreatorPayload:
    context, run = fields.context_of(info), fields.mutation(info)
    payload: list[Any] = []

    async def also(session: AsyncSession, erased: erase.Erased) -> None:
        value = _plain(erased)
        claims = {"sub": value["disconnectedId"], "act": "disconnect", **value, "at": erased.at.isoformat()}
        receipt = await signing.sign(
            session, context.services.vault, claims, issuer=context.services.public_url
        )
        payload.append(await run.settle(session, {**value, "receipt": receipt}, free=True))

    await erase.disconnect(
        context.services.database,
        context.services.vault,
        context.services.platforms,
        account_id=context.caller.account_id,
        livemode=context.caller.livemode,
        creator_id=fields.creator_id(info, input.id),
        also=also,
    )
    return payload[0]


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
