"""Tokens for browsers."""

from typing import Annotated, Any

import strawberry

from graph import fields, ids
from graph.types import mutations
from services import access_tokens

Create = Annotated[mutations.CreateAccessTokenInput, strawberry.argument(description="The token to make.")]


async def create_access_token(info: strawberry.Info, input: Create) -> mutations.AccessTokenPayload:
    context, run = fields.context_of(info), fields.mutation(info)
    services = context.services
    async with run.transaction() as session:
        minted = await access_tokens.mint(
            session, services.vault, context.caller, _wish(input), issuer=services.public_url, now=context.now
        )
        value = {"token": minted.token, "expiresAt": minted.expires_at}
        payload: Any = await run.settle(session, value)
    return payload


def _wish(input: mutations.CreateAccessTokenInput) -> access_tokens.Wish:
    creators, usernames = input.allowed_creators, input.allowed_usernames
    return access_tokens.Wish(
        expires_in=input.expires_in,
        max_websockets=input.max_websockets,
        scopes=[scope.name for scope in input.scopes or ()] if _given(input.scopes) else None,
        creator_ids=[ids.read("Creator", id, "allowedCreators") for id in creators or ()]
        if _given(creators)
        else None,
        usernames=[(name.platform.name, name.username) for name in usernames or ()]
        if _given(usernames)
        else None,
        references=list(input.allowed_references or ()) if _given(input.allowed_references) else None,
    )


def _given(value: Any) -> bool:
    """Whether a list was given, be it empty: an empty one allows nothing, an absent one everything."""
    return value is not strawberry.UNSET and value is not None
