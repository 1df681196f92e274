"""Cursors as PostgreSQL makes them: the same bytes as `pagination.decode` reads."""

from graph.planner import plan

_SENT = {"instant": "timestamptz_send", "int": "int8send", "float": "float8send"}


def body(page: plan.Page, key: str, id: str) -> str:
    """What a cursor says: the order's value and the id. Made in the page, once a row."""
    value = f"convert_to({key}, 'UTF8')" if page.order.kind == "text" else f"{_SENT[page.order.kind]}({key})"
    return f"{value} || uuid_send({id})"


def checked(body: str, seed: str) -> str:
    """The body and its check. Where the answer is made, that becomes base64."""
    return f"{body} || substr(int8send(crc32({body}) # {seed}), 6, 3)"
