"""Videos, one or many."""

from typing import Annotated

import strawberry

from graph import fields
from graph.pagination import After, Before, First, Last
from graph.types import mutations
from graph.types import video as types
from services import errors

VideoId = Annotated[strawberry.ID, strawberry.argument(description="vid_<32 hex>.")]
FetchVideo = Annotated[mutations.FetchVideoInput, strawberry.argument(description="Which video.")]


async def video(info: strawberry.Info, id: VideoId) -> types.Video | None:
    return await fields.root(info)


async def videos(
    info: strawberry.Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    filter: types.VideoFilterArgument = strawberry.UNSET,
    order_by: types.VideoOrderArgument = strawberry.UNSET,
) -> types.VideoConnection:
    return await fields.root(info)


async def fetch_video(info: strawberry.Info, input: FetchVideo) -> mutations.FetchVideoPayload:
    raise errors.NotImplementedYet("fetchVideo")
