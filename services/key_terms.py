"""What a key may do: each part checked by itself, and the whole against the key that grants it."""

import dataclasses
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from services import addresses, callers, errors, key_format

SCOPES: Final = (
    "CREATORS_READ",
    "CREATORS_WRITE",
    "VIDEOS_READ",
    "VIDEOS_FETCH",
    "USAGE_READ",
    "KEYS_READ",
    "KEYS_WRITE",
    "TOKENS_WRITE",
    "WEBHOOKS_WRITE",
)
LEAST_SCOPES: Final = ("CREATORS_READ", "VIDEOS_READ", "USAGE_READ")
OWNERS: Final = ("MEMBER", "SERVICE")

LONGEST_NAME = 100
MOST_RANGES = 100
LARGEST = 2**31 - 1
LAST_YEAR = 9998
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Terms:
    """What a key may do."""

    name: str
    scopes: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    expires_at: datetime | None
    requests_per_minute: int | None
    monthly_credits: int | None


# -- each part: raises BadUserInput, naming the argument and what is allowed


def name(text: str, argument: str = "name") -> str:
    """1 to 100 characters, none of which is invisible or breaks a line."""
    plain = text.strip()
    if not 1 <= len(plain) <= LONGEST_NAME or any(_is_control(character) for character in plain):
        raise errors.BadUserInput(
            f"`{argument}` must be 1 to {LONGEST_NAME} characters, without control characters.",
            argument=argument,
        )
    return plain


def owner(text: str) -> str:
    if text not in OWNERS:
        raise errors.BadUserInput(f"`owner` must be one of {', '.join(OWNERS)}.", argument="owner")
    return text


def scopes(wanted: Iterable[str]) -> tuple[str, ...]:
    """At least one of the nine, each once, in the order of the schema."""
    asked = set(wanted)
    if not asked or not asked <= set(SCOPES):
        raise errors.BadUserInput(f"`scopes` must be one or more of {', '.join(SCOPES)}.", argument="scopes")
    return tuple(scope for scope in SCOPES if scope in asked)


def allowed_ips(ranges: Sequence[str]) -> tuple[str, ...]:
    """At most 100 ranges, normalised, each once. None: any address."""
    if len(ranges) > MOST_RANGES:
        raise errors.BadUserInput(
            f"`allowedIps` takes at most {MOST_RANGES} ranges, not {len(ranges)}.", argument="allowedIps"
        )
    return tuple(dict.fromkeys(_range(text) for text in ranges))


def expires_at(at: datetime | None) -> datetime | None:
    """An instant in the future, or None: never."""
    if at is None:
        return None
    if at.tzinfo is None or at.year > LAST_YEAR or at <= datetime.now(UTC):
        raise errors.BadUserInput("`expiresAt` must be in the future.", argument="expiresAt")
    return at


def check_limits(terms: Terms, requests_per_minute: int, monthly_credits: int) -> None:
    """A key's own numbers stand below its account's; 0 requests a minute is unlimited."""
    _check_number("requestsPerMinute", terms.requests_per_minute, requests_per_minute or LARGEST)
    _check_number("monthlyCredits", terms.monthly_credits, monthly_credits)


# -- against the key that grants


def check_mode(granted_by: callers.Caller, mode: key_format.Mode) -> None:
    if granted_by.mode != mode:
        raise errors.Forbidden(
            f"A {granted_by.mode} key cannot make {mode} keys.",
            remedy=f"Ask with a {mode} key.",
            reason="MODE",
        )


def inherit(granted_by: callers.Caller | None, asked: Terms) -> Terms:
    """What was not asked for is what the granting key itself has, so that leaving out is never more."""
    if granted_by is None:
        return asked
    return dataclasses.replace(
        asked,
        allowed_ips=asked.allowed_ips or tuple(str(network) for network in granted_by.allowed_ips),
        expires_at=asked.expires_at or granted_by.ends_at,
        requests_per_minute=_or(asked.requests_per_minute, granted_by.own_requests_per_minute),
        monthly_credits=_or(asked.monthly_credits, granted_by.monthly_credits),
    )


def check_rights(granted_by: callers.Caller | None, terms: Terms) -> None:
    """Nobody grants more than they have. Raises Forbidden, which names what is too much."""
    if granted_by is None:
        return
    more = [scope for scope in terms.scopes if not covers(granted_by.scopes, scope)]
    if more:
        raise _too_much(f"the scopes {', '.join(more)}")
    if granted_by.ends_at and (terms.expires_at is None or terms.expires_at > granted_by.ends_at):
        raise _too_much("a life longer than its own")
    if granted_by.allowed_ips and not _inside(terms.allowed_ips, granted_by.allowed_ips):
        raise _too_much("addresses outside its own", "IP")
    for own, wanted, what in (
        (granted_by.own_requests_per_minute, terms.requests_per_minute, "requests a minute"),
        (granted_by.monthly_credits, terms.monthly_credits, "monthly credits"),
    ):
        if own is not None and (wanted is None or wanted > own):
            raise _too_much(f"more {what} than its own")


def covers(held: frozenset[str], wanted: str) -> bool:
    """Whether `held` scopes suffice for `wanted`: a _WRITE includes its _READ."""
    return wanted in held or (wanted.endswith("_READ") and wanted.replace("_READ", "_WRITE") in held)


def _too_much(what: str, reason: str = "SCOPE") -> errors.Forbidden:
    return errors.Forbidden(
        f"This API key cannot grant {what}.", remedy="Ask for less, or with a key that has it.", reason=reason
    )


def _inside(ranges: Sequence[str], outer: Sequence[addresses.Network]) -> bool:
    return bool(ranges) and all(
        any(addresses.contains(network, addresses.network(text)) for network in outer) for text in ranges
    )


def _or(asked: int | None, own: int | None) -> int | None:
    return own if asked is None else asked


def _range(text: str) -> str:
    try:
        return str(addresses.network(text))
    except ValueError as error:
        raise errors.BadUserInput(f"`allowedIps`: {text[:60]!a} {error}.", argument="allowedIps") from None


def _check_number(argument: str, number: int | None, most: int) -> None:
    if number is not None and not 1 <= number <= most:
        raise errors.BadUserInput(
            f"`{argument}` must be 1 to {most}, the account's own number.", argument=argument
        )


def _is_control(character: str) -> bool:
    """Control characters, halves of pairs, line separators, and what turns the direction of the text around it."""
    return character in TURNS or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
