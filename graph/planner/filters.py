"""The conditions of filters: what may be given, and what it means in SQL."""

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Text, any_, case, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, UUID

from db import models
from graph import ids
from graph.planner.mapping import Filter
from services import errors

MOST_VALUES = 100
LONGEST_SEARCH = 500
INSTANT = TIMESTAMP(timezone=True)
TEXTS = ARRAY(Text)


def clean_text(value: str, name: str) -> str:
    """Text that PostgreSQL can hold. Raises BadUserInput for NUL and lone surrogates."""
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise errors.BadUserInput(f"`{name}` holds a character that is not text.", argument=name)
    return value


def _listed(values: list[Any], name: str) -> list[Any]:
    if len(values) > MOST_VALUES:
        raise errors.BadUserInput(f"`{name}` takes at most {MOST_VALUES} values.", argument=name)
    return values


def _texts(values: Any, name: str) -> list[str]:
    return [clean_text(value, name) for value in _listed(values, name)]


def _names(values: Any, name: str) -> list[str]:
    return [value.value for value in _listed(values, name)]


def _as_is(value: Any, _name: str) -> Any:
    return value


def prefix_query(value: Any, name: str) -> str | None:
    """A tsquery in which every word matches as a prefix; None when there is no word.

    PostgreSQL divides each quoted word as it divided the document (`jane.doe` is one lexeme, Hindi
    vowel signs belong to theirs); without quotes and backslashes inside, no operator passes.
    """
    if len(value) > LONGEST_SEARCH:
        raise errors.BadUserInput(f"`{name}` takes at most {LONGEST_SEARCH} characters.", argument=name)
    words = [word for word in re.split(r"[\s'\\]+", clean_text(value, name)) if re.search(r"[^\W_]", word)]
    return " & ".join(f"'{word}':*" for word in words) or None


def _among(column: str) -> Callable[..., Any]:
    return lambda row, value, _: row.c[column] == any_(value)


def _search(row: Any, value: Any, _tenant: Any) -> Any:
    return row.c.search.op("@@")(func.to_tsquery(literal_column("'simple'"), value))


def _grant_status(row: Any, value: Any, tenant: Any) -> Any:
    grants = models.Grant.__table__.alias()
    return (
        select(literal_column("1"))
        .where(
            grants.c.account_id == tenant.account_id,
            grants.c.creator_id == row.c.id,
            grants.c.status == any_(value),
        )
        .exists()
    )


def _of_platform(row: Any, value: Any, tenant: Any) -> Any:
    creators = models.Creator.__table__.alias()
    return row.c.creator_id.in_(
        select(creators.c.id).where(
            creators.c.account_id == tenant.account_id,
            creators.c.livemode == tenant.livemode,
            creators.c.platform == any_(value),
        )
    )


def _creator_ids(values: Any, name: str) -> list[Any]:
    return [ids.read("Creator", value, name) for value in _listed(values, name)]


def _key_status(row: Any, value: Any, _tenant: Any) -> Any:
    now = func.now()
    status = case(
        (row.c.revoked_at.is_not(None), literal_column("'REVOKED'")),
        (or_(row.c.expires_at <= now, row.c.retires_at <= now), literal_column("'EXPIRED'")),
        (row.c.retiring_since.is_not(None), literal_column("'RETIRING'")),
        else_=literal_column("'ACTIVE'"),
    )
    return status == any_(value)


CREATOR = {
    "platform": Filter(TEXTS, _names, _among("platform")),
    "externalId": Filter(TEXTS, _texts, _among("external_id")),
    "reference": Filter(TEXTS, _texts, _among("reference")),
    "username": Filter(TEXTS, _texts, _among("username")),
    "grantStatus": Filter(TEXTS, _names, _grant_status),
    "search": Filter(Text(), prefix_query, _search),
    "followersMin": Filter(BigInteger(), _as_is, lambda row, value, _: row.c.followers >= value),
    "followersMax": Filter(BigInteger(), _as_is, lambda row, value, _: row.c.followers <= value),
    "syncedBefore": Filter(
        INSTANT, _as_is, lambda row, value, _: or_(row.c.synced_at.is_(None), row.c.synced_at < value)
    ),
}
CREATOR_BY = {
    "platform": Filter(Text(), lambda value, _: value.value, lambda row, value, _: row.c.platform == value),
    "username": Filter(Text(), clean_text, lambda row, value, _: row.c.username == value),
    "externalId": Filter(Text(), clean_text, lambda row, value, _: row.c.external_id == value),
    "reference": Filter(Text(), clean_text, lambda row, value, _: row.c.reference == value),
}
VIDEO = {
    "publishedAfter": Filter(INSTANT, _as_is, lambda row, value, _: row.c.published_at >= value),
    "publishedBefore": Filter(INSTANT, _as_is, lambda row, value, _: row.c.published_at < value),
    "search": Filter(Text(), prefix_query, _search),
    "viewsMin": Filter(BigInteger(), _as_is, lambda row, value, _: row.c.views >= value),
    "creatorIds": Filter(ARRAY(UUID), _creator_ids, _among("creator_id")),
    "platform": Filter(TEXTS, _names, _of_platform),
}
API_KEY = {
    "mode": Filter(
        Text(),
        lambda value, _: value.value,
        lambda row, value, _: row.c.livemode == (value == literal_column("'LIVE'")),
    ),
    "status": Filter(TEXTS, _names, _key_status),
}
