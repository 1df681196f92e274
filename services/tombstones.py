"""Who was disconnected and has not come back: a keyed hash, so that nothing late is written about them, or revoked."""

from services.vault import Vault

PURPOSE = "tombstone"

BURY = """
insert into tombstones (account_id, livemode, digest) values ($1, $2, $3)
on conflict (account_id, livemode, digest) do update set at = now()
"""

# Who is connected again may be written about again.
UNBURY = "delete from tombstones where account_id = $1 and livemode = $2 and digest = any($3::bytea[])"

LIES = "select 1 from tombstones where account_id = $1 and livemode = $2 and digest = $3"


def digest(vault: Vault, platform: str, external_id: str) -> bytes:
    """What a tombstone of this person says."""
    return vault.digest(_person(platform, external_id), PURPOSE)


def digests(vault: Vault, platform: str, external_id: str) -> tuple[bytes, ...]:
    """What one may say that was made with an older key, too."""
    return tuple(vault.digests(_person(platform, external_id), PURPOSE))


def _person(platform: str, external_id: str) -> str:
    return f"{platform}:{external_id}"
