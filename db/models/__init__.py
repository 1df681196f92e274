"""Every table, as columns; the rules live in `services`.

`account_id` comes first in every tenant table's primary key, unique index and foreign key, so that the
tables can be spread over machines by account. The exceptions are global look-ups (`key_lookups`,
`oauth_states`), where a request arrives before its account is known, `usage_marks`, which tell how
far jobs over all accounts have come, and what is said of or by a platform as a whole. `livemode` separates the two
worlds in every row a partner can see. Ids are uuidv7: they sort by the time they were made.
"""

from db.models.accounts import (
    Account,
    ApiKey,
    IdempotentAnswer,
    KeyLookup,
    Member,
    OpenSocket,
    Plan,
    RateLimit,
    SentDocument,
    SigningKey,
    SocketProcess,
    TrustedDocument,
)
from db.models.base import Instant, Table
from db.models.creators import Creator, CreatorStats, Grant, OAuthState, Revocation, Tombstone
from db.models.credits import CreditBalance, KeyBalance, LedgerEntry
from db.models.syncs import PlatformBudget, PlatformEvent, PlatformRefusal, Sync
from db.models.usage import (
    Anomaly,
    KeyOrigin,
    UsageEvent,
    UsageHour,
    UsageHourCountry,
    UsageHourField,
    UsageMark,
)
from db.models.videos import PUBLIC_ID, PublicVideo, Thinning, Video, VideoStats

__all__ = [
    "PUBLIC_ID",
    "Account",
    "Anomaly",
    "ApiKey",
    "Creator",
    "CreatorStats",
    "CreditBalance",
    "Grant",
    "IdempotentAnswer",
    "Instant",
    "KeyBalance",
    "KeyLookup",
    "KeyOrigin",
    "LedgerEntry",
    "Member",
    "OAuthState",
    "OpenSocket",
    "Plan",
    "PlatformBudget",
    "PlatformEvent",
    "PlatformRefusal",
    "PublicVideo",
    "RateLimit",
    "Revocation",
    "SentDocument",
    "SigningKey",
    "SocketProcess",
    "Sync",
    "Table",
    "Thinning",
    "Tombstone",
    "TrustedDocument",
    "UsageEvent",
    "UsageHour",
    "UsageHourCountry",
    "UsageHourField",
    "UsageMark",
    "Video",
    "VideoStats",
]
