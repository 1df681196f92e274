"""`Idempotency-Key` on a mutation: done once, its answer given again as it was."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from graph.context import Context
from graph.scalars import instant
from services import errors, idempotency

log = structlog.get_logger()

TAKE_IT = (
    "connectCreator",
    "completeConnect",
    "syncCreator",
    "disconnectCreator",
    "createApiKey",
    "rotateApiKey",
)


async def begin(context: Context) -> Mapping[str, Any] | None:
    """The data of the same request's earlier answer; None where the work is to be done now, under our claim.

    Raises BadUserInput, IdempotencyKeyReused, Conflict.
    """
    key, caller = context.asked.idempotency_key, context.caller
    assert key is not None
    _check_fields(context)
    services = context.services
    found = await idempotency.claim(
        services.database, services.vault, caller.account_id, caller.livemode, key, _body_hash(context)
    )
    if isinstance(found, idempotency.Claim):
        context.claim = found
        return None
    data: Mapping[str, Any] = orjson.loads(found)
    return data


async def keep(session: AsyncSession, context: Context, payload: Any, creator_id: UUID | None = None) -> None:
    """Keep a field's payload as the answer, in its transaction; without an Idempotency-Key, nothing."""
    if context.claim is not None:
        roots = context.operation.roots(context.variables)
        data = {
            root.key: context.operation.root_type if root.name.startswith("__") else _plain(payload)
            for root in roots
        }
        answer = orjson.dumps(data).decode()
        await idempotency.keep(session, context.services.vault, context.claim, answer, creator_id)


def _check_fields(context: Context) -> None:
    names = [root.name for root in context.operation.roots(context.variables)]
    asked = [name for name in names if not name.startswith("__")]
    if len(asked) != 1:
        raise errors.BadUserInput(
            f"With an Idempotency-Key an operation has exactly one mutation field, not {len(asked)}.",
            remedy="Send each mutation by itself, with a key of its own.",
            argument="Idempotency-Key",
        )
    if asked[0] not in TAKE_IT:
        raise errors.BadUserInput(
            f"`{asked[0]}` takes no Idempotency-Key; these do: {', '.join(TAKE_IT)}.",
            remedy="Send it without one.",
            argument="Idempotency-Key",
        )


def _body_hash(context: Context) -> bytes:
    """What makes it the same request: document, operation, variables, the key that asks and what it may see."""
    asked, caller = context.asked, context.caller
    allowed = None if caller.allowed_creators is None else sorted(id.hex for id in caller.allowed_creators)
    document = context.operation.hash.hex()
    parts = [document, asked.operation_name, dict(asked.variables), caller.key_id.hex, allowed]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()


def _plain(value: Any) -> Any:
    """As graphql-core completes it: instants as text, and no more than was asked for."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if key}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


async def free(context: Context) -> None:
    """Give the key back: no answer was kept under it. Where that fails now, the lease runs out by itself."""
    if context.claim is None:
        return
    try:
        await idempotency.free(context.services.database, context.claim)
    except Exception as error:  # noqa: BLE001 -- the answer matters more than the key
        log.warning("idempotency.not_freed", kind=type(error).__name__, request_id=context.asked.request_id)
