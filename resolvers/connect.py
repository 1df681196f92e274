"""Begin a connect, and complete one that the app received itself."""

from typing import Annotated, Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from graph import fields
from graph.context import Context
from graph.types import connect as types
from services import connect_store, connecting

Connect = Annotated[
    types.ConnectCreatorInput, strawberry.argument(description="Which platform, and where to go afterwards.")
]
Complete = Annotated[types.CompleteConnectInput, strawberry.argument(description="What the platform sent.")]


async def connect_creator(info: strawberry.Info, input: Connect) -> types.ConnectCreatorPayload:
    run = fields.mutation(info)
    async with run.transaction() as session:
        begun = await _begin(session, fields.context_of(info), input)
        value = {"authUrl": begun.auth_url, "state": begun.state, "expiresAt": begun.expires_at}
        payload: Any = await run.settle(session, value)
    return payload


async def _begin(session: AsyncSession, context: Context, input: Connect) -> connecting.Begun:
    services, caller, platform = context.services, context.caller, input.platform.name
    return await connecting.begin(
        session,
        services.vault,
        services.platforms.connector(platform, caller.livemode),
        account_id=caller.account_id,
        livemode=caller.livemode,
        platform=platform,
        reference=input.reference or None,
        return_url=input.return_url or None,
        redirect_uri=input.redirect_uri or None,
        callback_url=services.callback_url(platform),
        now=context.now,
    )


async def complete_connect(info: strawberry.Info, input: Complete) -> types.CompleteConnectPayload:
    run = fields.mutation(info)
    await fields.check_affordable(info)
    payload: list[Any] = []

    async def also(session: AsyncSession, done: connect_store.Completed) -> None:
        assert done.creator_id
        assert done.sync_id
        value = {"creator": fields.Ref("Creator", done.creator_id), "sync": fields.Ref("Sync", done.sync_id)}
        payload.append(await run.settle(session, value, creator_id=done.creator_id))

    await _complete(fields.context_of(info), input, also)
    return payload[0]


async def _complete(context: Context, input: Complete, also: connecting.Also) -> None:
    await connecting.complete(
        context.services.database,
        context.services.vault,
        context.services.platforms,
        account_id=context.caller.account_id,
        livemode=context.caller.livemode,
        state=input.state,
        code=input.code,
        also=also,
    )
