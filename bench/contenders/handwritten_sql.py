"""One statement an operation, in three styles: JSON made by json_build_object, JSON made by concat, or rows.

In JSON styles a statement's one value is the whole answer. Lists are ordered by their subqueries; that the
aggregates keep that order holds in practice and is checked by the bench's comparison with the reference.
"""

from collections.abc import Callable
from dataclasses import dataclass

CRT, VID = "'crt_' || encode(uuid_send(id), 'hex')", "'vid_' || encode(uuid_send(id), 'hex')"
CONNECTED, PUBLISHED = (
    f"encode(timestamptz_send({column}) || uuid_send(id), 'base64')"
    for column in ("connected_at", "published_at")
)
FOLLOWERS, VIEWS = (
    f"encode(int8send(coalesce({column}, -1)) || uuid_send(id), 'base64')"
    for column in ("followers", "views")
)
STATS = [
    ("followers", "plain", "followers"),
    ("following", "plain", "following"),
    ("likes", "plain", "likes"),
    ("views", "plain", "views"),
    ("videoCount", "plain", "video_count"),
    ("engagementRate", "plain", "engagement_rate"),
]
WHO = [
    ("platform", "word", "platform"),
    ("username", "text", "username"),
    ("displayName", "text", "display_name"),
]
TIMES = [("connectedAt", "text", "connected_at"), ("syncedAt", "text", "synced_at")]
ID = ("id", "word", CRT)
SMALL = [
    ID,
    *WHO,
    ("bio", "text", "bio"),
    ("verified", "flag", "verified"),
    ("stats", "object", STATS),
    *TIMES,
]
WIDE = [ID, *WHO, ("verified", "flag", "verified"), ("stats", "object", STATS), *TIMES]
NUMBERS = [(name, "plain", name) for name in ("views", "likes", "comments", "shares", "duration")]
VIDEO = [
    ("id", "word", VID),
    ("title", "text", "title"),
    ("url", "text", "url"),
    *NUMBERS,
    ("publishedAt", "text", "published_at"),
]
NESTED = [
    ID,
    *WHO,
    ("stats", "object", [("followers", "plain", "followers"), ("views", "plain", "c.views")]),
    ("videos", "made", "v.page"),
]
DEEP_VIDEO = [VIDEO[0], VIDEO[1], ("views", "plain", "views"), VIDEO[-1]]
DEEP = [
    ID,
    ("username", "text", "username"),
    ("stats", "object", [("followers", "plain", "followers"), ("likes", "plain", "likes")]),
    ("history", "made", "h.points"),
    ("videos", "made", "v.page"),
]
POINT = [("at", "text", "at"), *((name, "plain", name) for name in ("followers", "likes", "views"))]

Fields = list[tuple[str, str, object]]


def by_json(fields: Fields) -> str:
    """An object by json_build_object."""
    parts = (f"'{key}', {by_json(what) if kind == 'object' else what}" for key, kind, what in fields)
    return f"json_build_object({', '.join(parts)})"


def by_concat(fields: Fields) -> str:
    """An object by concat: words need no quoting, texts and instants are quoted by to_json."""
    written = {
        "word": "'\"' || {} || '\"'",
        "text": "coalesce(to_json({})::text, 'null')",
        "plain": "coalesce({}::text, 'null')",
        "flag": "case {} when true then 'true' when false then 'false' else 'null' end",
        "made": "{}",
    }
    parts = (
        f"'{'{' if n == 0 else ','}\"{key}\":', "
        + (by_concat(what) if kind == "object" else written[kind].format(what))
        for n, (key, kind, what) in enumerate(fields)
    )
    return f"concat({', '.join(parts)}, '}}')"


@dataclass(frozen=True)
class Style:
    """How JSON is made: an object, a list, a page of edges; `out` makes bytes of it."""

    object: Callable[[Fields], str]
    json: bool

    def list(self, fields: Fields) -> str:
        if self.json:
            return f"coalesce(json_agg({self.object(fields)}), '[]'::json)"
        return f"concat('[', string_agg({self.object(fields)}, ','), ']')"

    def page(self, fields: Fields, size: int) -> str:
        """Over rows that have `n` and `cur`, one more than the page."""
        node = self.object(fields)
        end = f"(array_agg(cur))[least(count(*), {size})]"
        if self.json:
            return (
                f"json_build_object('edges', coalesce(json_agg(json_build_object('cursor', cur, 'node', {node}))"
                f" filter (where n <= {size}), '[]'::json), 'pageInfo',"
                f" json_build_object('hasNextPage', count(*) > {size}, 'endCursor', {end}))"
            )
        return (
            f"concat('{{\"edges\":[', string_agg(concat('{{\"cursor\":\"', cur, '\",\"node\":', {node}, '}}'), ',')"
            f' filter (where n <= {size}), \'],"pageInfo":{{"hasNextPage":\','
            f" case when count(*) > {size} then 'true' else 'false' end, ',\"endCursor\":',"
            f" coalesce('\"' || {end} || '\"', 'null'), '}}}}')"
        )

    def root(self, name: str, value: str) -> str:
        made = (
            f"json_build_object('data', json_build_object('{name}', {value}))::text"
            if self.json
            else f"concat('{{\"data\":{{\"{name}\":', {value}, '}}}}')"
        )
        return f"convert_to({made}, 'UTF8')"


STYLES = {"json": Style(by_json, json=True), "concat": Style(by_concat, json=False)}


def creators_page(size: int, *, after: bool, followers: bool = False, numbered: bool = True) -> str:
    """Rows of a page and one more; a null cursor has a text of its own, so that the index is used."""
    key, way, sign, cur = ("connected_at", "desc", "<", CONNECTED)
    least = ""
    if followers:
        key, way, sign, cur = ("coalesce(followers, -1)", "asc", ">", FOLLOWERS)
        least = "and followers >= $2"
    where = f"and ({key}, id) {sign} ($2, $3)" if after else ""
    order = f"{key} {way}, id {way}"
    return (
        f"select *, {cur} as cur{_number(order, numbered)} from creators"
        f" where account_id = $1 and livemode {least} {where} order by {order} limit {size + 1}"
    )


def videos_page(size: int, *, by_views: bool = False, numbered: bool = True) -> str:
    key, cur, least = ("published_at", PUBLISHED, "")
    if by_views:
        key, cur, least = ("coalesce(views, -1)", VIEWS, "and coalesce(views, -1) >= $3")
    order = f"{key} desc, id desc"
    return (
        f"select *, {cur} as cur{_number(order, numbered)} from videos"
        f" where account_id = $1 and creator_id = c.id and gone_at is null {least}"
        f" order by {order} limit {size + 1}"
    )


def _number(order: str, wanted: bool) -> str:
    """Made JSON must leave the one more out by its number; rows are cut by the handler."""
    return f", row_number() over (order by {order}) as n" if wanted else ""


HISTORY = (
    "select at, followers, likes, views from creator_stats"
    " where account_id = $1 and creator_id = c.id and at >= $4 and at < $5 order by at"
)


def made_of(style: Style) -> dict[str, str]:
    """Statements whose one value is the answer's bytes."""
    texts = {
        "small": f"select {style.root('creator', style.object(SMALL))} from creators where account_id = $1 and id = $2",
        "totalCount": (
            "select {} from (select count(*) as total from creators where account_id = $1 and livemode and followers >= $2) t,"
            " (select id from creators where account_id = $1 and livemode and followers >= $2"
            "  order by connected_at desc, id desc limit 1) c"
        ).format(
            style.root(
                "creators",
                style.object(
                    [
                        ("totalCount", "plain", "total"),
                        (
                            "edges",
                            "made",
                            "json_build_array(json_build_object('node', json_build_object('id', "
                            + CRT
                            + ")))",
                        ),
                    ]
                ),
            )
        ),
        "deep": (
            f"select {style.root('creators', style.page(DEEP, 10))} from ({creators_page(10, after=False, followers=True)}) c"
            f" left join lateral (select {style.list(POINT)} as points from ({HISTORY}) r) h on c.n <= 10"
            f" left join lateral (select {style.page(DEEP_VIDEO, 5)} as page from ({videos_page(5, by_views=True)}) r) v on c.n <= 10"
        ),
    }
    for after in (False, True):
        tail = " after" if after else ""
        texts["wide" + tail] = (
            f"select {style.root('creators', style.page(WIDE, 100))} from ({creators_page(100, after=after)}) c"
        )
        texts["nested" + tail] = (
            f"select {style.root('creators', style.page(NESTED, 20))} from ({creators_page(20, after=after)}) c"
            f" left join lateral (select {style.page(VIDEO, 10)} as page from ({videos_page(10)}) r) v on c.n <= 20"
        )
    return texts


HEX = "encode(uuid_send(id), 'hex') as id"
FLAT = "platform, username, display_name, verified, followers, following, likes, views, video_count, engagement_rate, connected_at, synced_at"
FLAT_VIDEO = "title, url, views, likes, comments, shares, duration, published_at"


def rows() -> dict[str, str]:
    """Statements whose rows the handler assembles."""
    texts = {
        "small": f"select {HEX}, bio, {FLAT} from creators where account_id = $1 and id = $2",
        "totalCount": (
            f"select t.total, {HEX} from (select count(*) as total from creators where account_id = $1 and livemode"
            " and followers >= $2) t, (select id from creators where account_id = $1 and livemode and followers >= $2"
            " order by connected_at desc, id desc limit 1) c"
        ),
        "deep": (
            "select c.cur, encode(uuid_send(c.id), 'hex') as id, c.username, c.followers, c.likes, h.*,"
            " v.cur as vcur, encode(uuid_send(v.id), 'hex') as vid, v.title, v.views as vviews, v.published_at"
            f" from ({creators_page(10, after=False, followers=True, numbered=False)}) c"
            " cross join lateral (select array_agg(at) as hat, array_agg(followers) as hfollowers,"
            f" array_agg(likes) as hlikes, array_agg(views) as hviews from ({HISTORY}) r) h"
            f" left join lateral ({videos_page(5, by_views=True, numbered=False)}) v on true"
        ),
    }
    for after in (False, True):
        tail = " after" if after else ""
        texts["wide" + tail] = (
            f"select cur, {HEX}, {FLAT} from ({creators_page(100, after=after, numbered=False)}) c"
        )
        texts["nested" + tail] = (
            "select c.cur, encode(uuid_send(c.id), 'hex') as id, c.platform, c.username, c.display_name,"
            " c.followers, c.views, v.cur as vcur, encode(uuid_send(v.id), 'hex') as vid, v.title, v.url,"
            " v.views as vviews, v.likes, v.comments, v.shares, v.duration, v.published_at"
            f" from ({creators_page(20, after=after, numbered=False)}) c left join lateral ({videos_page(10, numbered=False)}) v on true"
        )
    return texts
