"""What a platform told as columns take it: cut to what they hold, in their order."""

from typing import Any

from services.platforms import base

# Three counters are added up in a generated column: a third of int8 each, rounded down to a power of two.
COUNT_MAX = 2**61 - 1
NAME_MAX, TITLE_MAX, TEXT_MAX, URL_MAX = 300, 500, 10_000, 4_096
"""Longer ones are cut: an index entry and a tsvector have their limits, and a page must not fail on them."""


def profile_values(profile: base.Profile) -> tuple[Any, ...]:
    """In the order of the columns, username to video_count."""
    return (
        _cut(profile.username, NAME_MAX),
        _cut(profile.display_name, NAME_MAX),
        _cut(profile.bio, TEXT_MAX),
        _short(profile.avatar_url),
        _short(profile.profile_url),
        profile.verified,
        _count(profile.followers),
        _count(profile.following),
        _count(profile.likes),
        _count(profile.views),
        _count(profile.video_count),
    )


def is_storable(video: base.VideoRecord) -> bool:
    """An id too long for the index would have to be cut, and then be another video's."""
    return 0 < len(video.external_id) <= NAME_MAX


def video_values(video: base.VideoRecord) -> tuple[Any, ...]:
    return (
        video.external_id,
        video.kind,
        _cut(video.title, TITLE_MAX),
        _cut(video.description, TEXT_MAX),
        _short(video.url),
        _short(video.cover_url),
        _short(video.media_url),
        _count(video.views),
        _count(video.likes),
        _count(video.comments),
        _count(video.shares),
        _count(video.duration),
        video.published_at,
    )


def _cut(value: str | None, limit: int) -> str | None:
    return None if value is None else value[:limit]


def _short(url: str | None) -> str | None:
    """An address cut in two leads elsewhere: better none."""
    return url if url is not None and len(url) <= URL_MAX else None


def _count(value: int | None) -> int | None:
    return None if value is None else min(max(value, 0), COUNT_MAX)
