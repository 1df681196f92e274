"""What of a creator stays null, and why: the platforms' tables beside what was granted and what was read."""

import json
from typing import Any

from sqlalchemy import Boolean, SmallInteger, Text, and_, case, column, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import models
from graph.planner.mapping import Column, Series, SeriesRequest, plain
from services.platforms import coverage

_C, _G = models.Creator.__table__, models.Grant.__table__

COLUMNS = {
    "Creator.displayName": "display_name",
    "Creator.bio": "bio",
    "Creator.avatarUrl": "avatar_url",
    "Creator.profileUrl": "profile_url",
    "Creator.verified": "verified",
    "CreatorStats.followers": "followers",
    "CreatorStats.following": "following",
    "CreatorStats.likes": "likes",
    "CreatorStats.views": "views",
    "CreatorStats.videoCount": "video_count",
    "CreatorStats.engagementRate": "engagement_rate",
}
"""Where a value of the creator's own stands. What is not here is its videos': no single value says that it is missing."""

RATE = "CreatorStats.engagementRate"


def _known() -> str:
    rows = [
        {
            "place": place,
            "platform": row.platform,
            "field": row.field,
            "scopes": row.scopes,
            "unlocks": row.scopes[:1],  # the one we ask for
            "hideable": row.hideable,
            "of_videos": row.field not in COLUMNS or row.field == RATE,
            "is_number": row.field.startswith("CreatorStats."),
        }
        for place, row in enumerate(coverage.COVERAGE)
    ]
    return json.dumps(rows, separators=(",", ":")).replace("'", "''")


def _rows(request: SeriesRequest) -> Any:
    """The creator's rows of the table whose value is null for a reason we know."""
    known: Any = (
        func.jsonb_to_recordset(literal_column(f"'{_known()}'::jsonb"))
        .table_valued(
            column("place", SmallInteger),
            column("platform", Text),
            column("field", Text),
            column("scopes", ARRAY(Text)),
            column("unlocks", ARRAY(Text)),
            column("hideable", Boolean),
            column("of_videos", Boolean),
            column("is_number", Boolean),
            name="known",
        )
        .render_derived(name="known", with_types=True)
    )
    creator, grant = _C.alias("whose"), _G.alias("granted")
    unsupported = known.c.scopes == literal_column("'{}'::text[]")
    denied = ~known.c.scopes.overlap(func.coalesce(grant.c.scopes, literal_column("'{}'::text[]")))
    unread = and_(known.c.of_videos, creator.c.synced_at.is_(None))
    empty = case(
        *(
            (known.c.field == literal_column(f"'{field}'"), creator.c[name].is_(None))
            for field, name in COLUMNS.items()
        ),
        else_=literal_column("true"),
    )
    told: dict[str, Any] = {
        "field": known.c.field,
        "reason": case(
            (unsupported, literal_column("'UNSUPPORTED_BY_PLATFORM'")),
            (denied, literal_column("'SCOPE_NOT_GRANTED'")),
            (unread, literal_column("'NOT_SYNCED_YET'")),
            (known.c.hideable, literal_column("'HIDDEN_BY_CREATOR'")),
            else_=literal_column("'NOT_TOLD_BY_PLATFORM'"),
        ),
        "unlocked_by": case((denied, known.c.unlocks), else_=literal_column("'{}'::text[]")),
    }
    return (
        select(*(told[name].label(name) for name in request.columns))
        .select_from(creator)
        .outerjoin(
            grant, and_(grant.c.account_id == creator.c.account_id, grant.c.creator_id == creator.c.id)
        )
        .join(known, known.c.platform == creator.c.platform)
        .where(
            creator.c.account_id == request.tenant.account_id,
            creator.c.livemode == request.tenant.livemode,
            creator.c.id == request.owner,
            empty,
            or_(unsupported, denied, unread, known.c.is_number),
        )
        .order_by(known.c.place)
    )


MISSING = Series(
    _rows,
    {
        "field": plain("field"),
        "reason": plain("reason"),
        "unlockedBy": Column(("unlocked_by",), lambda row: func.to_json(row.c.unlocked_by), form="json"),
    },
    here="id",
)
