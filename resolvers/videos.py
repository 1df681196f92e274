"""Videos, one or many."""

from typing import Annotated, Any

import strawberry

from graph import fields
from graph.pagination import After, Before, First, Last
from graph.types import mutations
from graph.types import video as types
from services import public_videos

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
    run, context = fields.mutation(info), fields.context_of(info)
    link = public_videos.read_link(input.url, livemode=context.caller.livemode)
    await fields.check_affordable(info)
    found = await public_videos.fetch(
        context.services.database,
        context.services.platforms,
        account_id=context.caller.account_id,
        livemode=context.caller.livemode,
        link=link,
        allowed=context.caller.allowed_creators,
    )
    async with run.transaction() as session:
        payload: Any = await run.settle(session, {"video": _plain(found)})
    return payload


def _plain(found: public_videos.PublicVideo) -> dict[str, Any]:
    return {
        "url": found.url,
        "platform": found.platform,
        "externalId": found.external_id,
        "title": found.told.title,
        "authorName": found.told.author_name,
        "authorUrl": found.told.author_url,
        "coverUrl": found.told.cover_url,
        "html": found.told.html,
        "video": found.video_id and fields.Ref("Video", found.video_id),
    }
