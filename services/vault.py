"""Secrets at rest: AES-256-GCM, bound to the row they belong to, under keys that can be rotated.

A sealed value is `version (1) | key id (4) | nonce (12) | ciphertext and tag`. The key id follows from
the key itself, so the order and number of keys may change while old values still find theirs.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import hkdf

KEY_BYTES = 32
VERSION = b"\x01"
ID_BYTES = 4
HEADER_BYTES = len(VERSION) + ID_BYTES
NONCE_BYTES = 12


class Unopenable(Exception):
    """A sealed value does not open: another row's, altered, or sealed under a key we do not have."""


@dataclass(frozen=True)
class _Key:
    id: bytes
    cipher: aead.AESGCM = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes) -> Self:
        """Separate keys for separate uses, all from one secret."""
        return cls(
            id=_derive(secret, b"key id")[:ID_BYTES],
            cipher=aead.AESGCM(_derive(secret, b"seal")),
            digest=_derive(secret, b"digest"),
        )


class Vault:
    """Seals with the first key, opens with any."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("The vault needs at least one key.")
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"Every vault key must be {KEY_BYTES} bytes.")
        derived = [_Key.derive(key) for key in keys]
        self._current = derived[0]
        self._keys = {key.id: key for key in derived}
        if len(self._keys) != len(derived):
            raise ValueError("A vault key is given twice.")

    @classmethod
    def from_settings(cls, keys: Sequence[str]) -> Self:
        """Keys as base64 text (either alphabet, padding optional); errors name the place, never the key."""
        return cls([_decode(text, place) for place, text in enumerate(keys, 1)])

    def seal(self, plaintext: str, bound_to: str) -> bytes:
        """Encrypt for one place, such as `grant:<account>:<creator>:access`; it opens nowhere else."""
        header = VERSION + self._current.id
        nonce = os.urandom(NONCE_BYTES)
        return (
            header + nonce + self._current.cipher.encrypt(nonce, plaintext.encode(), _bind(header, bound_to))
        )

    def open(self, sealed: bytes, bound_to: str) -> str:
        """The plaintext. Raises Unopenable, which does not say more than an operator needs."""
        header, nonce = sealed[:HEADER_BYTES], sealed[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        key = self._keys.get(header[len(VERSION) :])
        if key is None or not header.startswith(VERSION):
            raise Unopenable("Sealed under a key that is not among the vault's keys.")
        try:
            return key.cipher.decrypt(
                nonce, sealed[HEADER_BYTES + NONCE_BYTES :], _bind(header, bound_to)
            ).decode()
        except (exceptions.InvalidTag, ValueError):
            raise Unopenable("Altered, or sealed for another place.") from None

    def digest(self, text: str, purpose: str) -> bytes:
        """A keyed hash under the first key: recognises a value again without keeping it."""
        return _hash(self._current, text, purpose)

    def digests(self, text: str, purpose: str) -> tuple[bytes, ...]:
        """The hash under every key, the first key's first: look for all of them, or rotation forgets."""
        return tuple(_hash(key, text, purpose) for key in self._keys.values())


def _derive(secret: bytes, use: bytes) -> bytes:
    info = b"creator-graph vault: " + use
    return hkdf.HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)


def _bind(header: bytes, bound_to: str) -> bytes:
    if not bound_to:
        raise ValueError("A secret must be bound to its place.")
    return header + bound_to.encode()


def _hash(key: _Key, text: str, purpose: str) -> bytes:
    """Hashed twice, so that no purpose and text run into each other."""
    return hmac.digest(hmac.digest(key.digest, purpose.encode(), "sha256"), text.encode(), "sha256")


def _decode(text: str, place: int) -> bytes:
    plain = text.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"Vault key {place} is not base64.") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"Vault key {place} has {len(key)} bytes; it must have {KEY_BYTES}.")
    return key
