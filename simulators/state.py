"""What the simulated platform remembers: codes, grants and tokens, in SQLite.

With a path it survives a restart and several processes may share the file; without, it lives in memory.
Codes and tokens are stored hashed. Statements run on the event loop: each is one short transaction.
"""

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS codes (
        hash TEXT PRIMARY KEY, client_key TEXT NOT NULL, creator TEXT NOT NULL, scopes TEXT NOT NULL,
        redirect_uri TEXT NOT NULL, challenge TEXT, expires_at REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS grants (
        id INTEGER PRIMARY KEY AUTOINCREMENT, client_key TEXT NOT NULL, creator TEXT NOT NULL,
        scopes TEXT NOT NULL, refresh_hash TEXT NOT NULL UNIQUE, refresh_expires_at REAL NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS grants_of_creator ON grants (client_key, creator)",
    """CREATE TABLE IF NOT EXISTS access (
        hash TEXT PRIMARY KEY, grant_id INTEGER NOT NULL REFERENCES grants ON DELETE CASCADE,
        expires_at REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS spent (
        hash TEXT PRIMARY KEY, grant_id INTEGER NOT NULL REFERENCES grants ON DELETE CASCADE,
        until REAL NOT NULL)""",
)


@dataclass(frozen=True, slots=True)
class Consent:
    """What a creator agreed to."""

    client_key: str
    creator: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code's terms."""

    consent: Consent
    redirect_uri: str
    challenge: str | None
    expires_at: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """A fresh pair, in clear, with the instants they end."""

    access: str
    access_expires_at: float
    refresh: str
    refresh_expires_at: float


class State:
    """Remembers codes, grants and tokens."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def add_code(self, code: str, terms: Code, now: float) -> None:
        consent = terms.consent
        row = (_hash(code), consent.client_key, consent.creator, ",".join(consent.scopes))
        with self._transaction() as db:
            db.execute("DELETE FROM codes WHERE expires_at <= ?", (now,))
            db.execute(
                "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, terms.redirect_uri, terms.challenge, terms.expires_at),
            )

    def take_code(self, client_key: str, code: str) -> Code | None:
        """The code's terms, once: whoever takes it, it is gone."""
        with self._transaction() as db:
            row = db.execute(
                "DELETE FROM codes WHERE hash = ? AND client_key = ?"
                " RETURNING creator, scopes, redirect_uri, challenge, expires_at",
                (_hash(code), client_key),
            ).fetchone()
        if row is None:
            return None
        return Code(_consent(client_key, row[0], row[1]), row[2], row[3], row[4])

    def grant(self, consent: Consent, tokens: Tokens, now: float) -> None:
        row = (consent.client_key, consent.creator, ",".join(consent.scopes))
        with self._transaction() as db:
            inserted = db.execute(
                "INSERT INTO grants (client_key, creator, scopes, refresh_hash, refresh_expires_at)"
                " VALUES (?, ?, ?, ?, ?) RETURNING id",
                (*row, _hash(tokens.refresh), tokens.refresh_expires_at),
            ).fetchone()
            _add_access(db, inserted[0], tokens, now)

    def rotate(
        self, client_key: str, refresh: str, tokens: Tokens, now: float, spent_lives: float = 0.0
    ) -> Consent | None:
        """Put a new pair in the place of a living refresh token; None when it is spent, dead or another app's.

        The one before it counts as living for `spent_lives` seconds after it was spent.
        """
        spent = _hash(refresh)
        with self._transaction() as db:
            row = db.execute(
                "UPDATE grants SET refresh_hash = ?, refresh_expires_at = ?"
                " WHERE (refresh_hash = ? OR id IN (SELECT grant_id FROM spent WHERE hash = ? AND until > ?))"
                " AND client_key = ? AND refresh_expires_at > ?"
                " RETURNING id, creator, scopes",
                (_hash(tokens.refresh), tokens.refresh_expires_at, spent, spent, now, client_key, now),
            ).fetchone()
            if row is None:
                return None
            _add_access(db, row[0], tokens, now)
            if spent_lives:
                db.execute("INSERT OR IGNORE INTO spent VALUES (?, ?, ?)", (spent, row[0], now + spent_lives))
        return _consent(client_key, row[1], row[2])

    def refresh_hashes(self) -> frozenset[str]:
        """The living refresh tokens, hashed: they tell that one was replaced."""
        return frozenset(row[0] for row in self._open().execute("SELECT refresh_hash FROM grants"))

    def consent_of(self, access: str, now: float) -> Consent | None:
        """Who a living access token speaks for."""
        row = (
            self._open()
            .execute(
                "SELECT client_key, creator, scopes FROM access JOIN grants ON grants.id = grant_id"
                " WHERE hash = ? AND expires_at > ?",
                (_hash(access), now),
            )
            .fetchone()
        )
        return None if row is None else _consent(*row)

    def revoke(self, client_key: str, creator: str) -> bool:
        """Take the app off the creator's connected apps: every code and token dies. False if there was none."""
        with self._transaction() as db:
            db.execute("DELETE FROM codes WHERE client_key = ? AND creator = ?", (client_key, creator))
            gone = db.execute(
                "DELETE FROM grants WHERE client_key = ? AND creator = ?", (client_key, creator)
            )
            return gone.rowcount > 0

    def narrow(self, client_key: str, creator: str, scopes: tuple[str, ...]) -> None:
        """The creator takes single permissions back: of their grants to the app only these scopes are left."""
        with self._transaction() as db:
            db.execute(
                "UPDATE grants SET scopes = ? WHERE client_key = ? AND creator = ?",
                (",".join(scopes), client_key, creator),
            )

    def _open(self) -> sqlite3.Connection:
        """Connected on first use, so a process that forks before it shares no connection."""
        if self._connection is None:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(str(self._path or ":memory:"))
        return self._connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._open()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def _connect(name: str) -> sqlite3.Connection:
    db = sqlite3.connect(name, timeout=5, isolation_level=None)
    _write_ahead(db)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        db.execute(statement)
    db.execute("COMMIT")
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait for the lock here, whatever busy_timeout says."""
    for _ in range(100):
        with contextlib.suppress(sqlite3.OperationalError):
            db.execute("PRAGMA journal_mode = WAL")
            return
        time.sleep(0.02)
    raise TimeoutError("another process keeps the state file locked")


def _add_access(db: sqlite3.Connection, grant: int, tokens: Tokens, now: float) -> None:
    db.execute("DELETE FROM access WHERE expires_at <= ?", (now,))
    db.execute("INSERT INTO access VALUES (?, ?, ?)", (_hash(tokens.access), grant, tokens.access_expires_at))


def _consent(client_key: str, creator: str, scopes: str) -> Consent:
    return Consent(client_key, creator, tuple(filter(None, scopes.split(","))))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
