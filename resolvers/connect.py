"""Begin a connect, and complete one that the app received itself."""

from typing import Annotated, Any

import strawberry

from graph import fields
from graph.types import connect as types
from services import connecting

Connect = Annotated[types.ConnectCreatorInput, strawberry.argument(description="Which platform, and where to afterwards.")]
Complete = Annotated[types.CompleteConnectInput, strawberry.argument(description="What the platform sent.")]


async def connect_creator(info: strawberry.Info, input: Connect) -> types.ConnectCreatorPayload:
    context = fields.context_of(info)
    services, caller = context.services, context.caller
    async with fields.mutation(info) as run:
        begun = await connecting.begin(
            run.session,
            services.vault,
            services.platforms.connector(input.platform.value, livemode=caller.livemode),
            account_id=caller.account_id,
            livemode=caller.livemode,
            platform=input.platform.value,
            reference=input.reference or None,
            return_url=input.return_url or None,
            redirect_uri=input.redirect_uri or None,
            callback_url=services.callback_url(input.platform.value),
            now=context.now,
        )
        value = {"authUrl": begun.auth_url, "state": begun.state, "expiresAt": begun.expires_at}
        payload: Any = await run.payload(value)
    return payload  # type: ignore[no-any-return]


async def complete_connect(info: strawberry.Info, input: Complete) -> types.CompleteConnectPayload:
    context = fields.context_of(info)
    await fields.check_affordable(info)
    raise NotImplementedError(context, input)
