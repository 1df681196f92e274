"""Instagram's limits: calls of an app in an hour and of an account in a day, told in percent by headers."""

import json
import math
from collections import defaultdict

HOUR, DAY, MINUTE = 3_600, 86_400, 60
TELL_FROM = 5
"""Percent from which the headers come: "once enough calls were made", as Meta's page on rate limiting says."""


class Meter:
    """Counts calls by the minute; refused ones too, which is why calling on prolongs a wait."""

    def __init__(self) -> None:
        self._calls: defaultdict[tuple[str, ...], dict[int, int]] = defaultdict(dict)

    def count(self, key: tuple[str, ...], now: float, window: int) -> int:
        """One more call, and how many it makes within the window."""
        minutes = self._calls[key]
        minute = int(now) // MINUTE
        minutes[minute] = minutes.get(minute, 0) + 1
        for old in [one for one in minutes if one <= minute - window // MINUTE]:
            del minutes[old]
        return sum(minutes.values())

    def regain(self, key: tuple[str, ...], now: float, window: int, limit: int) -> int:
        """Minutes until there is room again, if nobody calls meanwhile."""
        minutes, left = self._calls[key], sum(self._calls[key].values())
        for minute in sorted(minutes):
            if left < limit:
                break
            left -= minutes[minute]
            end = (minute * MINUTE + window - now) / MINUTE
            if left < limit:
                return max(1, math.ceil(end))
        return 0


def headers(app: int, account: int, account_id: str, regain: int) -> dict[str, str]:
    """Both headers for these percentages; none while there is little to tell."""
    told: dict[str, str] = {}
    if app >= TELL_FROM:
        told["X-App-Usage"] = json.dumps(
            {"call_count": app, "total_time": app // 3, "total_cputime": app // 4}
        )
    if account >= TELL_FROM:
        row = {
            "type": "instagram",
            "call_count": account,
            "total_cputime": account // 4,
            "total_time": account // 3,
            "estimated_time_to_regain_access": regain,
        }
        told["X-Business-Use-Case-Usage"] = json.dumps({account_id: [row]})
    return told
