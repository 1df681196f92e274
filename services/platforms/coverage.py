"""Which field a platform fills, and with which scope: read off the tables the connectors walk, so never apart from them."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.platforms import instagram_wire, tiktok_wire, youtube, youtube_wire

# The schema's coordinate -> the record's field. What is not named here is always there.
PROFILE = {
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
}
VIDEO = {
    "Video.title": "title",
    "Video.description": "description",
    "Video.url": "url",
    "Video.coverUrl": "cover_url",
    "Video.mediaUrl": "media_url",
    "Video.views": "views",
    "Video.likes": "likes",
    "Video.comments": "comments",
    "Video.shares": "shares",
    "Video.duration": "duration",
}
RATES = ("CreatorStats.engagementRate", "Video.engagementRate")
RATE_OF = ("Video.views", "Video.likes", "Video.comments", "Video.shares")

HIDEABLE = frozenset({("YOUTUBE", "CreatorStats.followers")})
"""Where an empty value means that the creator hides it."""


@dataclass(frozen=True)
class Coverage:
    """A field on a platform. `scopes`: any of them opens it; none: the platform has no such thing."""

    platform: str
    field: str
    scopes: tuple[str, ...]
    hideable: bool = False


def _tiktok() -> Mapping[str, tuple[str, ...]]:
    profile = {ours: (scope,) for scope, fields in tiktok_wire.PROFILE.items() for ours, _ in fields.values()}
    return _found(profile, dict.fromkeys((ours for ours, _ in tiktok_wire.VIDEO.values()), ("video.list",)))


def _instagram() -> Mapping[str, tuple[str, ...]]:
    basic, insights = (instagram_wire.BASIC,), (instagram_wire.INSIGHTS,)
    media = dict.fromkeys((ours for ours, _ in instagram_wire.MEDIA.values()), basic)
    made = {"title": basic}  # the caption's first line
    profile = {
        **dict.fromkeys((ours for ours, _ in instagram_wire.PROFILE.values()), basic),
        "profile_url": basic,
    }
    return _found(profile, media | made | dict.fromkeys(instagram_wire.METRICS.values(), insights))


def _youtube() -> Mapping[str, tuple[str, ...]]:
    # Ours first: what we ask for is what unlocks it.
    enough = (youtube.READONLY, *sorted(youtube.ENOUGH - {youtube.READONLY}))
    profile = dict.fromkeys((ours for ours, _ in youtube_wire.PROFILE.values()), enough)
    video = dict.fromkeys((ours for ours, _ in youtube_wire.VIDEO.values()), enough)
    return _found({**profile, "profile_url": enough}, {**video, "url": enough})


def _found(
    profile: Mapping[str, tuple[str, ...]], video: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Scopes by coordinate; a rate needs all it is made of."""
    told = {coordinate: profile.get(ours, ()) for coordinate, ours in PROFILE.items()}
    told |= {coordinate: video.get(ours, ()) for coordinate, ours in VIDEO.items()}
    whole = all(told[part] for part in RATE_OF)
    return told | dict.fromkeys(
        RATES, told["Video.views"] if whole else ()
    )  # views are the hardest to come by


TABLES = {"TIKTOK": _tiktok(), "INSTAGRAM": _instagram(), "YOUTUBE": _youtube()}

COVERAGE = tuple(
    Coverage(platform, coordinate, scopes, (platform, coordinate) in HIDEABLE)
    for platform, table in TABLES.items()
    for coordinate, scopes in table.items()
)
