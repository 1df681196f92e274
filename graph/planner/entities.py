"""Which field is which column, and which connection is which table: the whole map, a table a type."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, literal_column, or_, select, text
from sqlalchemy.dialects.postgresql import TIMESTAMP, distinct_on

from db import models
from graph import cost
from graph.planner import filters, missing, usage
from graph.planner.mapping import (
    Column,
    Embedded,
    Entity,
    Many,
    One,
    Order,
    Series,
    SeriesRequest,
    array,
    instant,
    instant_text,
    plain,
    public_id,
    whole,
)
from services import errors

INSTANT = TIMESTAMP(timezone=True)
MOST_POINTS = 1_000
DEFAULT_HISTORY = timedelta(days=30)
EARLIEST = datetime.min.replace(tzinfo=UTC) + DEFAULT_HISTORY

# -- orders (each has its index: db.models)

CREATOR_ORDERS = {
    "CONNECTED_AT": Order("connected_at", "instant", lambda row: row.c.connected_at),
    "SYNCED_AT": Order(
        "synced_at",
        "instant",
        lambda row: func.coalesce(row.c.synced_at, literal_column("'-infinity'::timestamptz", INSTANT)),
    ),
    "FOLLOWERS": whole("followers"),
    "LIKES": whole("likes"),
    "USERNAME": Order("username", "text", lambda row: row.c.username.collate("C")),
}
VIDEO_ORDERS = {
    "PUBLISHED_AT": Order("published_at", "instant", lambda row: row.c.published_at),
    "VIEWS": whole("views"),
    "LIKES": whole("likes"),
    "COMMENTS": whole("comments"),
    "SHARES": whole("shares"),
    "ENGAGEMENT_RATE": Order(
        "engagement_rate",
        "float",
        lambda row: func.coalesce(row.c.engagement_rate, literal_column("-1::double precision")),
    ),
}
NEWEST_SYNC = {"QUEUED_AT": Order("queued_at", "instant", lambda row: row.c.queued_at)}
NEWEST_KEY = {"CREATED_AT": Order("created_at", "instant", lambda row: row.c.created_at)}


# -- series


def _step(arguments: Any) -> str:
    chosen = arguments.get("granularity")
    return "hour" if chosen is not None and chosen.value == "HOUR" else "day"


def _from(arguments: Any, now: datetime) -> datetime:
    to = _to(arguments, now)
    since: datetime = arguments.get("from") or max(to, EARLIEST) - DEFAULT_HISTORY
    points = (to - since) / timedelta(hours=1 if _step(arguments) == "hour" else 24)
    if points > MOST_POINTS:
        raise errors.BadUserInput(
            f"From `from` to `to` are more than {MOST_POINTS:,} points.",
            remedy="Ask for a shorter time, or a granularity of DAY.",
            argument="from",
        )
    return since


def _to(arguments: Any, now: datetime) -> datetime:
    return arguments.get("to") or now


def most_points(arguments: Any) -> int:
    """How many points a history has at most, whenever it is asked for: of its last 30 days where `from` is not said."""
    if arguments.get("from") is not None:
        return MOST_POINTS
    return DEFAULT_HISTORY // timedelta(hours=1 if _step(arguments) == "hour" else 24) + 1


def _history(table: Any, owner_column: str) -> Any:
    """The last reading of each step."""

    def rows(request: SeriesRequest) -> Any:
        unit: Any = literal_column(f"'{request.shape}'")
        start = func.date_trunc(unit, table.c.at, literal_column("'UTC'"))
        within = [] if request.within is None else [table.c.creator_id == request.within]
        return (
            select(start.label("at"), *(table.c[name] for name in request.columns if name != "at"))
            .where(
                table.c.account_id == request.tenant.account_id,
                table.c.livemode == request.tenant.livemode,
                *within,
                table.c[owner_column] == request.owner,
                table.c.at >= request.bind(_from, INSTANT),
                table.c.at < request.bind(_to, INSTANT),
            )
            .ext(distinct_on(start))
            .order_by(start, table.c.at.desc())
        )

    return rows


def _members(request: SeriesRequest) -> Any:
    table = models.Member.__table__
    return (
        select(table)
        .where(table.c.account_id == request.tenant.account_id)
        .order_by(table.c.joined_at, table.c.id)
    )


def _plans(_request: SeriesRequest) -> Any:
    table = models.Plan.__table__
    return select(table).order_by(table.c.rank)


MEMBER_FIELDS = {
    "id": public_id("mem"),
    "email": plain("email"),
    "role": plain("role"),
    "joinedAt": instant("joined_at"),
}
PLAN_FIELDS = {
    "name": plain("name"),
    "apiAccess": plain("api_access"),
    "monthlyCredits": plain("monthly_credits"),
    "requestsPerMinute": plain("requests_per_minute"),
    "testRequestsPerMinute": plain("test_requests_per_minute"),
    "maxWebsockets": plain("max_websockets"),
}

# -- an account with its plan, its own numbers before the plan's

_A, _P = models.Account.__table__, models.Plan.__table__
ACCOUNT_ROWS = (
    select(
        _A.c.id,
        _A.c.id.label("account_id"),
        _A.c.name.label("account_name"),
        _A.c.return_urls,
        _P.c.name,
        and_(_P.c.api_access, _A.c.canceled_at.is_(None)).label("api_access"),
        func.coalesce(_A.c.monthly_credits, _P.c.monthly_credits).label("monthly_credits"),
        func.coalesce(_A.c.requests_per_minute, _P.c.requests_per_minute).label("requests_per_minute"),
        func.coalesce(_A.c.test_requests_per_minute, _P.c.test_requests_per_minute).label(
            "test_requests_per_minute"
        ),
        func.coalesce(_A.c.max_websockets, _P.c.max_websockets).label("max_websockets"),
    )
    .join(_P, _P.c.name == _A.c.plan)
    .subquery("account")
)


def _key_status(row: Any) -> Any:
    now = func.now()
    over = or_(row.c.expires_at <= now, row.c.retires_at <= now)
    return case(
        (row.c.revoked_at.is_not(None), literal_column("'REVOKED'")),
        (over, literal_column("'EXPIRED'")),
        (row.c.retiring_since.is_not(None), literal_column("'RETIRING'")),
        else_=literal_column("'ACTIVE'"),
    )


def _progress(row: Any) -> Any:
    """Seen of expected; never quite 1 before the end."""
    share = row.c.videos_seen.op("/")(
        func.greatest(row.c.videos_expected, row.c.videos_seen, literal_column("1")).op("::")(text("float8"))
    )
    return case(
        (
            row.c.status.in_([literal_column("'SUCCEEDED'"), literal_column("'PARTIAL'")]),
            literal_column("1.0::float8"),
        ),
        (row.c.started_at.is_(None), literal_column("0.0::float8")),
        else_=func.least(literal_column("0.99::float8"), func.coalesce(share, literal_column("0.0::float8"))),
    )


ENTITIES: dict[str, Entity] = {
    "Creator": Entity(
        "Creator",
        models.Creator.__table__,
        weight=cost.thousandths("1"),
        creator="id",
        fields={
            "id": public_id("crt"),
            "platform": plain("platform"),
            "externalId": plain("external_id"),
            "reference": plain("reference"),
            "username": plain("username"),
            "displayName": plain("display_name"),
            "bio": plain("bio"),
            "avatarUrl": plain("avatar_url"),
            "profileUrl": plain("profile_url"),
            "verified": plain("verified"),
            "stats": Embedded(
                {
                    "followers": plain("followers"),
                    "following": plain("following"),
                    "likes": plain("likes"),
                    "views": plain("views"),
                    "videoCount": plain("video_count"),
                    "engagementRate": plain("engagement_rate"),
                }
            ),
            "grant": One("Grant", here="id", there="creator_id"),
            "connectedAt": instant("connected_at"),
            "syncedAt": instant("synced_at"),
            "livemode": plain("livemode"),
            "videos": Many(
                "Video", VIDEO_ORDERS, ("PUBLISHED_AT", "DESC"), filters.VIDEO, here="id", there="creator_id"
            ),
            "history": Series(
                _history(models.CreatorStats.__table__, "creator_id"),
                {
                    "at": instant("at"),
                    "followers": plain("followers"),
                    "following": plain("following"),
                    "likes": plain("likes"),
                    "views": plain("views"),
                    "videoCount": plain("video_count"),
                },
                here="id",
                shape=_step,
            ),
            "syncs": Many("Sync", NEWEST_SYNC, ("QUEUED_AT", "DESC"), here="id", there="creator_id"),
            "missingMetrics": missing.MISSING,
        },
    ),
    "Grant": Entity(
        "Grant",
        models.Grant.__table__,
        key="creator_id",
        creator="creator_id",
        fields={
            "status": plain("status"),
            "reason": plain("reason"),
            "scopes": array("scopes"),
            "expiresAt": instant("expires_at"),
            "refreshExpiresAt": instant("refresh_expires_at"),
            "refreshedAt": instant("refreshed_at"),
        },
    ),
    "Video": Entity(
        "Video",
        models.Video.__table__,
        weight=cost.thousandths("0.1"),
        creator="creator_id",
        alive=lambda row: row.c.gone_at.is_(None),
        fields={
            "id": public_id("vid"),
            "creator": One("Creator", here="creator_id", there="id"),
            "externalId": plain("external_id"),
            "kind": plain("kind"),
            "title": plain("title"),
            "description": plain("description"),
            "url": plain("url"),
            "coverUrl": plain("cover_url"),
            "mediaUrl": plain("media_url"),
            "views": plain("views"),
            "likes": plain("likes"),
            "comments": plain("comments"),
            "shares": plain("shares"),
            "duration": plain("duration"),
            "publishedAt": instant("published_at"),
            "engagementRate": plain("engagement_rate"),
            "history": Series(
                _history(models.VideoStats.__table__, "video_id"),
                {
                    "at": instant("at"),
                    "views": plain("views"),
                    "likes": plain("likes"),
                    "comments": plain("comments"),
                    "shares": plain("shares"),
                },
                here="id",
                within="creator_id",
                shape=_step,
            ),
        },
    ),
    "Sync": Entity(
        "Sync",
        models.Sync.__table__,
        creator="creator_id",
        fields={
            "id": public_id("syn"),
            "creator": One("Creator", here="creator_id", there="id"),
            "status": plain("status"),
            "trigger": plain("trigger"),
            "progress": Column(("status", "started_at", "videos_seen", "videos_expected"), _progress),
            "videosSeen": plain("videos_seen"),
            "videosAdded": plain("videos_added"),
            "videosUpdated": plain("videos_updated"),
            "attempts": plain("attempts"),
            "error": Embedded(
                {
                    "code": plain("error_code"),
                    "message": plain("error_message"),
                    "retryAt": instant("error_retry_at"),
                },
                present=Column(("error_code",), lambda row: row.c.error_code.is_not(None)),
            ),
            "queuedAt": instant("queued_at"),
            "startedAt": instant("started_at"),
            "finishedAt": instant("finished_at"),
        },
    ),
    "ApiKey": Entity(
        "ApiKey",
        models.ApiKey.__table__,
        fields={
            "id": public_id("key"),
            "name": plain("name"),
            "mode": Column(
                ("livemode",),
                lambda row: case((row.c.livemode, literal_column("'LIVE'")), else_=literal_column("'TEST'")),
            ),
            "hint": plain("hint"),
            "status": Column(("revoked_at", "expires_at", "retires_at", "retiring_since"), _key_status),
            "scopes": array("scopes"),
            "allowedIps": array("allowed_ips"),
            "createdAt": instant("created_at"),
            "expiresAt": instant("expires_at"),
            "rotationDueAt": instant("rotation_due_at"),
            "lastUsedAt": instant("last_used_at"),
            "lastUsedIp": Column(("last_used_ip",), lambda row: func.host(row.c.last_used_ip)),
            "lastUsedCountry": plain("last_used_country"),
            "owner": plain("owner"),
            "createdBy": One("Member", here="created_by", there="id", nullable=True),
            "requestsPerMinute": plain("requests_per_minute"),
            "monthlyCredits": plain("monthly_credits"),
            "retiresAt": Column(
                ("retires_at", "retiring_since"), lambda row: instant_text(row.c.retires_at), form="instant"
            ),
            "replaces": One("ApiKey", here="replaces", there="id", nullable=True),
            "replacedBy": One("ApiKey", here="replaced_by", there="id", nullable=True),
            "usage": usage.OF_ONE_KEY,
        },
    ),
    "Member": Entity("Member", models.Member.__table__, MEMBER_FIELDS, has_livemode=False),
    "Account": Entity(
        "Account",
        ACCOUNT_ROWS,
        has_livemode=False,
        fields={
            "id": public_id("acc"),
            "name": plain("account_name"),
            "plan": Embedded(PLAN_FIELDS),
            "returnUrls": array("return_urls"),
            "members": Series(_members, MEMBER_FIELDS),
        },
    ),
}

ROOTS: dict[str, Many | Series] = {
    "creators": Many("Creator", CREATOR_ORDERS, ("CONNECTED_AT", "DESC"), filters.CREATOR),
    "videos": Many("Video", VIDEO_ORDERS, ("PUBLISHED_AT", "DESC"), filters.VIDEO),
    "apiKeys": Many(
        "ApiKey", NEWEST_KEY, ("CREATED_AT", "DESC"), filters.API_KEY, filter_arguments=("mode", "status")
    ),
    "creatorBy": Many(
        "Creator",
        CREATOR_ORDERS,
        ("CONNECTED_AT", "DESC"),
        filters.CREATOR_BY,
        filter_arguments=("platform", "username", "externalId", "reference"),
        single=True,
    ),
    "plans": Series(_plans, PLAN_FIELDS),
    "usage": usage.OF_ACCOUNT,
}
