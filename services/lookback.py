"""How far back a sync reads: numbers of new videos move fast, those of old ones slowly, and none stand still.

Videos of the last 7 days are read in every sync, those of the last 90 days once a day, all of them once a week
and the first time. What somebody asks for (MANUAL, CONNECT) is read whole: they may have deleted a video.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.platforms import base

RECENT, DEEP = timedelta(days=7), timedelta(days=90)
# A little less than a day and a week, so that a sync that comes early by its jitter does not wait for the next.
DEEP_EVERY, WHOLE_EVERY = timedelta(hours=20), timedelta(days=6, hours=12)

LOOKS_BACK = frozenset({"SCHEDULED", "STALE", "WEBHOOK"})


def back_to(
    trigger: str, read_deep_at: datetime | None, read_whole_at: datetime | None, now: datetime
) -> datetime | None:
    """Videos published before it may be left out this time; None: read them all."""
    if trigger not in LOOKS_BACK or read_whole_at is None or now - read_whole_at >= WHOLE_EVERY:
        return None
    deep = read_deep_at is None or now - read_deep_at >= DEEP_EVERY
    return now - (DEEP if deep else RECENT)


def is_deep(back_to: datetime | None, queued_at: datetime) -> bool:
    """Whether a walk back to there read the last 90 days."""
    return back_to is None or queued_at - back_to > (RECENT + DEEP) / 2


def is_behind(videos: Sequence[base.VideoRecord], back_to: datetime | None) -> bool:
    """Whether everything on a page is older than what is to be read.

    Its last video alone says little: lists are newest first only roughly.
    """
    return back_to is not None and bool(videos) and all(video.published_at < back_to for video in videos)
