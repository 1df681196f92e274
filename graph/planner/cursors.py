"""Cursors as PostgreSQL makes them: the same bytes as `pagination.decode` reads."""

from typing import Any

from sqlalchemy import ColumnElement, func, literal_column

from graph.planner import plan

_SENT = {"instant": "timestamptz_send", "int": "int8send", "float": "float8send"}


def body(page: plan.Page, key: ColumnElement[Any], id: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a cursor says: the order's value and the id. Made in the page, once a row."""
    if page.order.kind == "text":
        value: Any = func.convert_to(key, literal_column("'UTF8'"))
    else:
        value = getattr(func, _SENT[page.order.kind])(key)
    said: ColumnElement[Any] = value.op("||")(func.uuid_send(id))
    return said


def written(page: plan.Page, body: ColumnElement[Any], seed: ColumnElement[Any]) -> ColumnElement[str]:
    """The body and its check, in base64; long texts without the line breaks PostgreSQL puts in."""
    checked = func.int8send(func.crc32(body).op("#")(seed))
    check = func.substr(checked, literal_column("6"), literal_column("3"))
    encoded = func.encode(body.op("||")(check), literal_column("'base64'"))
    if page.order.kind == "text":
        return func.translate(encoded, literal_column(r"E'\n'"), literal_column("''"))
    return encoded
