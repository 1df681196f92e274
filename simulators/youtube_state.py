"""What the simulated Google remembers: codes, grants, tokens, and the units a project has spent on a day.

Its tables stand in the same SQLite file as the other platforms'. Codes and tokens are stored hashed.
"""

import hashlib
import sqlite3
from dataclasses import dataclass

from simulators import state

MOST_REFRESH_TOKENS = 100
"""Of one person for one app; a further one silently kills the oldest."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS youtube_codes (
        hash TEXT PRIMARY KEY, client TEXT NOT NULL, creator TEXT NOT NULL, scopes TEXT NOT NULL,
        redirect_uri TEXT NOT NULL, challenge TEXT, offline INTEGER NOT NULL, expires_at REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS youtube_grants (
        id INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, creator TEXT NOT NULL,
        scopes TEXT NOT NULL, refresh_hash TEXT UNIQUE, issued_at REAL NOT NULL, used_at REAL NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS youtube_grants_of_creator ON youtube_grants (client, creator)",
    """CREATE TABLE IF NOT EXISTS youtube_access (
        hash TEXT PRIMARY KEY, grant_id INTEGER NOT NULL REFERENCES youtube_grants ON DELETE CASCADE,
        expires_at REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS youtube_units (
        client TEXT NOT NULL, day TEXT NOT NULL, units INTEGER NOT NULL, PRIMARY KEY (client, day))""",
)


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code's terms; `offline`: it buys a refresh token too."""

    consent: state.Consent
    redirect_uri: str
    challenge: str | None
    offline: bool
    expires_at: float


@dataclass(frozen=True, slots=True)
class Life:
    """How long a refresh token lives: unused, and from its first day (None: for ever)."""

    unused: float
    whole: float | None


class State(state.State):
    """Remembers what Google would."""

    def add_youtube_code(self, code: str, terms: Code, now: float) -> None:
        consent = terms.consent
        row = (_hash(code), consent.client_key, consent.creator, " ".join(consent.scopes))
        with self._transaction() as db:
            db.execute("DELETE FROM youtube_codes WHERE expires_at <= ?", (now,))
            db.execute(
                "INSERT INTO youtube_codes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, terms.redirect_uri, terms.challenge, terms.offline, terms.expires_at),
            )

    def take_youtube_code(self, client: str, code: str) -> Code | None:
        """The code's terms, once: whoever takes it, it is gone."""
        with self._transaction() as db:
            row = db.execute(
                "DELETE FROM youtube_codes WHERE hash = ? AND client = ?"
                " RETURNING creator, scopes, redirect_uri, challenge, offline, expires_at",
                (_hash(code), client),
            ).fetchone()
        if row is None:
            return None
        return Code(_consent(client, row[0], row[1]), row[2], row[3], bool(row[4]), row[5])

    def known(self, client: str, creator: str) -> bool:
        """Whether the app is among the person's connected apps already."""
        found = self._open().execute(
            "SELECT 1 FROM youtube_grants WHERE client = ? AND creator = ? LIMIT 1", (client, creator)
        )
        return found.fetchone() is not None

    def open_grant(
        self, consent: state.Consent, access: str, refresh: str | None, *, now: float, until: float
    ) -> None:
        row = (consent.client_key, consent.creator, " ".join(consent.scopes))
        with self._transaction() as db:
            inserted = db.execute(
                "INSERT INTO youtube_grants (client, creator, scopes, refresh_hash, issued_at, used_at)"
                " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
                (*row, None if refresh is None else _hash(refresh), now, now),
            ).fetchone()
            db.execute(
                "DELETE FROM youtube_grants WHERE id IN (SELECT id FROM youtube_grants WHERE client = ?"
                " AND creator = ? AND refresh_hash IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?)",
                (*row[:2], MOST_REFRESH_TOKENS),
            )
            _add_access(db, inserted[0], access, now, until)

    def renew(
        self, client: str, refresh: str, access: str, *, life: Life, now: float, until: float
    ) -> state.Consent | None:
        """A further access token for a living refresh token, which stays; None when that one is dead."""
        oldest = float("-inf") if life.whole is None else now - life.whole
        with self._transaction() as db:
            row = db.execute(
                "UPDATE youtube_grants SET used_at = ? WHERE refresh_hash = ? AND client = ?"
                " AND issued_at > ? AND used_at > ? RETURNING id, creator, scopes",
                (now, _hash(refresh), client, oldest, now - life.unused),
            ).fetchone()
            if row is None:
                return None
            _add_access(db, row[0], access, now, until)
        return _consent(client, row[1], row[2])

    def opened_by(self, access: str, now: float) -> state.Consent | None:
        """Who a living access token speaks for."""
        found = self._open().execute(
            "SELECT client, creator, scopes FROM youtube_access JOIN youtube_grants ON youtube_grants.id = grant_id"
            " WHERE hash = ? AND expires_at > ?",
            (_hash(access), now),
        )
        row = found.fetchone()
        return None if row is None else _consent(*row)

    def revoke_token(self, token: str, now: float) -> bool:
        """End everything the token's person gave the token's app; False for a dead or unknown token."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT client, creator FROM youtube_grants WHERE refresh_hash = ? OR id ="
                " (SELECT grant_id FROM youtube_access WHERE hash = ? AND expires_at > ?)",
                (_hash(token), _hash(token), now),
            ).fetchone()
            if row is None:
                return False
            for table in ("youtube_codes", "youtube_grants"):
                db.execute(f"DELETE FROM {table} WHERE client = ? AND creator = ?", row)  # noqa: S608 -- two names
            return True

    def remove_everywhere(self, creator: str) -> None:
        """As if the person removed every app in their Google account."""
        with self._transaction() as db:
            for table in ("youtube_codes", "youtube_grants"):
                db.execute(f"DELETE FROM {table} WHERE creator = ?", (creator,))  # noqa: S608 -- two names

    def spend(self, client: str, day: str, units: int) -> int:
        """What the project has spent on the day, these units included."""
        with self._transaction() as db:
            db.execute("DELETE FROM youtube_units WHERE client = ? AND day < ?", (client, day))
            row = db.execute(
                "INSERT INTO youtube_units VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET units = units + excluded.units RETURNING units",
                (client, day, units),
            ).fetchone()
        return int(row[0])

    def _open(self) -> sqlite3.Connection:
        fresh = self._connection is None
        db = super()._open()
        if fresh:
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("COMMIT")
        return db


def _add_access(db: sqlite3.Connection, grant: int, access: str, now: float, until: float) -> None:
    db.execute("DELETE FROM youtube_access WHERE expires_at <= ?", (now,))
    db.execute("INSERT INTO youtube_access VALUES (?, ?, ?)", (_hash(access), grant, until))


def _consent(client: str, creator: str, scopes: str) -> state.Consent:
    return state.Consent(client, creator, tuple(scopes.split()))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
