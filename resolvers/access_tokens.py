"""Tokens for browsers."""

from typing import Annotated

import strawberry

from graph.types import mutations
from services import errors

Create = Annotated[mutations.CreateAccessTokenInput, strawberry.argument(description="The token to make.")]


async def create_access_token(info: strawberry.Info, input: Create) -> mutations.AccessTokenPayload:
    raise errors.NotImplementedYet("createAccessToken")
