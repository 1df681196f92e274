"""What the simulated Instagram remembers, in tables of its own beside TikTok's in the same file."""

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from simulators import state

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS instagram_codes (
        hash TEXT PRIMARY KEY, client_id TEXT NOT NULL, creator TEXT NOT NULL, scopes TEXT NOT NULL,
        redirect_uri TEXT NOT NULL, expires_at REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS instagram_grants (
        client_id TEXT NOT NULL, creator TEXT NOT NULL, scopes TEXT NOT NULL, PRIMARY KEY (client_id, creator))""",
    """CREATE TABLE IF NOT EXISTS instagram_tokens (
        hash TEXT PRIMARY KEY, client_id TEXT NOT NULL, creator TEXT NOT NULL, long INTEGER NOT NULL,
        issued_at REAL NOT NULL, expires_at REAL NOT NULL,
        FOREIGN KEY (client_id, creator) REFERENCES instagram_grants ON DELETE CASCADE)""",
)


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for."""

    client_id: str
    creator: str
    scopes: tuple[str, ...]
    redirect_uri: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Token:
    """Who a token speaks for, and its age. A dead one is told from an unknown one by `expires_at`."""

    client_id: str
    creator: str
    scopes: tuple[str, ...]
    long: bool
    issued_at: float
    expires_at: float


class Ledger(state.State):
    """Remembers codes, grants and tokens; secrets as hashes only."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path)
        self._ready = False

    def _open(self) -> sqlite3.Connection:
        db = super()._open()
        if not self._ready:
            for statement in _SCHEMA:
                db.execute(statement)
            self._ready = True
        return db

    def close(self) -> None:
        super().close()
        self._ready = False

    def put_code(self, secret: str, code: Code, now: float) -> None:
        row = (_hash(secret), code.client_id, code.creator, ",".join(code.scopes), code.redirect_uri)
        with self._transaction() as db:
            db.execute("DELETE FROM instagram_codes WHERE expires_at <= ?", (now,))
            db.execute("INSERT INTO instagram_codes VALUES (?, ?, ?, ?, ?, ?)", (*row, code.expires_at))

    def spend_code(self, client_id: str, secret: str) -> Code | None:
        """The code, once: whoever takes it, it is gone."""
        with self._transaction() as db:
            row = db.execute(
                "DELETE FROM instagram_codes WHERE hash = ? AND client_id = ?"
                " RETURNING client_id, creator, scopes, redirect_uri, expires_at",
                (_hash(secret), client_id),
            ).fetchone()
        return None if row is None else Code(row[0], row[1], _split(row[2]), row[3], row[4])

    def connect(self, client_id: str, creator: str, scopes: tuple[str, ...]) -> None:
        """The creator's consent; a later one replaces the scopes, and older tokens live on."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO instagram_grants VALUES (?, ?, ?)"
                " ON CONFLICT (client_id, creator) DO UPDATE SET scopes = excluded.scopes",
                (client_id, creator, ",".join(scopes)),
            )

    def put_token(self, secret: str, token: Token) -> None:
        row = (_hash(secret), token.client_id, token.creator, token.long, token.issued_at, token.expires_at)
        with self._transaction() as db:
            db.execute("INSERT INTO instagram_tokens VALUES (?, ?, ?, ?, ?, ?)", row)

    def drop_token(self, secret: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM instagram_tokens WHERE hash = ?", (_hash(secret),))

    def token(self, secret: str) -> Token | None:
        """A token of a standing grant, living or past its time."""
        row = (
            self._open()
            .execute(
                "SELECT client_id, creator, scopes, long, issued_at, expires_at"
                " FROM instagram_tokens JOIN instagram_grants USING (client_id, creator) WHERE hash = ?",
                (_hash(secret),),
            )
            .fetchone()
        )
        return None if row is None else Token(row[0], row[1], _split(row[2]), bool(row[3]), row[4], row[5])

    def disconnect(self, client_id: str, creator: str) -> bool:
        """Take the app off the creator's account: every code and token dies. False if there was none."""
        whose = (client_id, creator)
        with self._transaction() as db:
            db.execute("DELETE FROM instagram_codes WHERE client_id = ? AND creator = ?", whose)
            gone = db.execute("DELETE FROM instagram_grants WHERE client_id = ? AND creator = ?", whose)
            return gone.rowcount > 0


def _split(scopes: str) -> tuple[str, ...]:
    return tuple(filter(None, scopes.split(",")))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
