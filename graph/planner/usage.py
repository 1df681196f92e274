"""Usage as the planner reads it: whole hours from the roll-ups, the rest from usage rows, in one snapshot.

The roll-up's mark, read in the same statement, says where one ends and the other begins: every usage row
is counted once, whenever the job last ran. A range that begins or ends inside an hour reads that hour's
rows, as long as they are kept; what is older is told in whole hours (`from` and `to` say which).
Rows are read once a usage field, however many lists and keys are asked of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer, and_, cast, column, func, literal_column, select, true, union_all
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from db import models
from graph import cost, pagination
from graph.planner.mapping import Kind, One, Read, Series, SeriesRequest, instant, plain
from services import errors, ledger
from services import usage as rules

INSTANT, COUNT = TIMESTAMP(timezone=True), Integer()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST_BUCKETS = 800
SUMS = ("requests", "credits", "errors", "rate_limited")
# The driver takes the first and the last datetime for minus and plus infinity.
EARLIEST = datetime.min.replace(tzinfo=UTC) + HOUR
LATEST = datetime.max.replace(tzinfo=UTC) - HOUR
UTC_ZONE: Any = literal_column("'UTC'")


# -- which stretch of time


@dataclass(frozen=True)
class Span:
    """[since, until), and in it the whole hours [first, last): those may come from roll-ups."""

    since: datetime
    until: datetime
    first: datetime
    last: datetime


def span(arguments: Mapping[str, Any], now: datetime) -> Span:
    """What `from` and `to` mean. Raises BadUserInput where they are the wrong way round."""
    until: datetime = arguments.get("to") or now
    since: datetime = arguments.get("from") or ledger.month_of(min(until, now))
    if since > until:
        raise errors.BadUserInput("`from` must not be after `to`.", argument="from")
    since, until = _within_time(since), _within_time(until)
    oldest = rules.oldest_row(now)
    if since < oldest:
        since = _hour(since)
    if until < oldest:
        until = _next_hour(until)
    return Span(since, until, min(_next_hour(since), until), max(_hour(until), since))


def _within_time(at: datetime) -> datetime:
    return min(max(at, EARLIEST), LATEST)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _next_hour(at: datetime) -> datetime:
    """The start of an hour at or after an instant."""
    start = _hour(at)
    return start if start == at else start + HOUR


def _on_the_hour(arguments: Mapping[str, Any]) -> bool:
    """Whether no hour is cut at the beginning, as when nothing is said: changes the SQL, so it is the shape."""
    since = arguments.get("from")
    return since is None or since == _hour(since)


def _step(arguments: Mapping[str, Any]) -> str:
    chosen = arguments.get("granularity")
    return "hour" if chosen is not None and chosen.value == "HOUR" else "day"


def _first_bucket(found: Span, arguments: Mapping[str, Any]) -> datetime:
    step = _step(arguments)
    start = _hour(found.since) if step == "hour" else _hour(found.since).replace(hour=0)
    count = -((start - found.until) // (HOUR if step == "hour" else DAY))
    if count > MOST_BUCKETS:
        raise errors.BadUserInput(
            f"From `from` to `to` are {count:,} buckets; at most {MOST_BUCKETS} may be asked for.",
            remedy="Ask for a shorter time, or a granularity of DAY.",
            argument="from",
        )
    return start


# -- what is read


@dataclass(frozen=True)
class Usage:
    """What one usage field reads: `own` is its request, shared by the lists below it; `key`: of one key only."""

    own: SeriesRequest
    key: Any

    def bound(self, name: str) -> Any:
        """One of the span's instants, bound once a usage field."""
        own = self.own

        def read_span(read: Read) -> Any:
            return getattr(span(read.arguments(own.asked), read.now), name)

        return own.once(name, lambda: own.bind_read(read_span, INSTANT))

    def conditions(self, table: Any, *, of_key: bool) -> tuple[Any, ...]:
        tenant = self.own.tenant
        owned = (table.c.account_id == tenant.account_id, table.c.livemode == tenant.livemode)
        return (*owned, table.c.key_id == self.key) if of_key and self.key is not None else owned

    def rolled(self, table: Any, *names: str) -> Any:
        """Rows of a roll-up in the span."""
        rollup = table.alias()
        return select(*(rollup.c[name] for name in names)).where(
            *self.conditions(rollup, of_key=True),
            rollup.c.hour >= self.bound("first"),
            rollup.c.hour < func.least(self.bound("last"), _mark()),
        )

    def raw(self, *names: str) -> Any:
        """Usage rows that no roll-up tells of: of a cut first hour, and from the mark or a cut last hour on."""
        first = self.bound("first")
        parts = [
            (func.greatest(first, func.least(self.bound("last"), _mark())), self.bound("until")),
            *(() if self.own.shape else ((self.bound("since"), first),)),
        ]
        return union_all(*(self._rows_between(names, *part) for part in parts)).subquery()

    def _rows_between(self, names: tuple[str, ...], since: Any, until: Any) -> Any:
        rows = models.UsageEvent.__table__.alias()
        return select(*(rows.c[name] for name in names)).where(
            *self.conditions(rows, of_key=False), rows.c.at >= since, rows.c.at < until
        )

    def both(self, table: Any, recent: Callable[["Usage"], Any], *names: str) -> Any:
        """A roll-up's rows and those that it does not tell of yet, alike."""
        fresh = self.own.once(recent.__name__, lambda: self.own.share(recent(self)))
        rest = select(*(fresh.c[name] for name in names))
        if self.key is not None:
            rest = rest.where(fresh.c.key_id == self.key)
        return union_all(self.rolled(table, *names), rest).subquery()

    def hours(self, *names: str) -> Any:
        return self.both(models.UsageHour.__table__, _recent_hours, *names)


def _mark() -> Any:
    """How far the roll-ups have come; nowhere, before the first."""
    marks = models.UsageMark.__table__.alias()
    until = select(marks.c.until).where(marks.c.name == literal_column(f"'{rules.ROLL_UP}'"))
    return func.coalesce(until.scalar_subquery(), literal_column("'-infinity'::timestamptz", INSTANT))


def _whole(expression: Any) -> Any:
    return cast(expression, BigInteger)


def _sum(column: Any) -> Any:
    return _whole(func.coalesce(func.sum(column), literal_column("0")))


def _recent_hours(usage: Usage) -> Any:
    """Rows not rolled up, as roll-ups would tell them."""
    rows = usage.raw("at", "key_id", "credits", "code")
    hour = func.date_trunc(literal_column("'hour'"), rows.c.at, UTC_ZONE)
    good, limited = rows.c.code == literal_column("'OK'"), rows.c.code == literal_column("'RATE_LIMITED'")
    return select(
        rows.c.key_id,
        hour.label("hour"),
        func.count().label("requests"),
        _sum(rows.c.credits).label("credits"),
        func.count().filter(~good, ~limited).label("errors"),
        func.count().filter(limited).label("rate_limited"),
        func.max(rows.c.at).label("last_used_at"),
    ).group_by(rows.c.key_id, literal_column("2"))


def _recent_fields(usage: Usage) -> Any:
    """Rows' coordinates, `[calls, thousandths]` each; documents that are alike are taken apart once."""
    rows = usage.raw("key_id", "coordinates")
    alike = (
        select(rows.c.key_id, rows.c.coordinates, func.count().label("times"))
        .group_by(rows.c.key_id, rows.c.coordinates)
        .subquery()
    )
    each = func.jsonb_each(alike.c.coordinates).table_valued("key", column("value", JSONB)).render_derived()

    def number(place: str) -> Any:
        return alike.c.times * _whole(each.c.value.op("->>")(literal_column(place)))

    return (
        select(
            alike.c.key_id,
            each.c.key.label("coordinate"),
            _sum(number("0")).label("calls"),
            _sum(number("1")).label("thousandths"),
        )
        .select_from(alike.join(each, true()))
        .group_by(alike.c.key_id, each.c.key)
    )


def _recent_countries(usage: Usage) -> Any:
    rows = usage.raw("key_id", "country")
    country = func.coalesce(rows.c.country, literal_column("''"))
    return select(rows.c.key_id, country.label("country"), func.count().label("requests")).group_by(
        rows.c.key_id, literal_column("2")
    )


# -- the usage field, and the lists below it


def _totals(request: SeriesRequest) -> Any:
    """One row, always."""
    usage = Usage(request, request.owner)
    columns = [usage.bound(name).label(name) for name in ("since", "until") if name in request.columns]
    if "key_id" in request.columns:
        columns.append(request.owner.label("key_id"))
    sums = [name for name in (*SUMS, "last_used_at") if name in request.columns]
    if not sums:
        return select(*columns, literal_column("1").label("one"))
    rows = usage.hours(*sums)
    columns += [_sum(rows.c[name]).label(name) for name in sums if name in SUMS]
    columns += [func.max(rows.c[name]).label(name) for name in sums if name not in SUMS]
    return select(*columns).select_from(rows)


def _below(read: Callable[[Usage, SeriesRequest], Any]) -> Callable[[SeriesRequest], Any]:
    """Rows of a list below a usage field."""

    def rows(request: SeriesRequest) -> Any:
        assert request.outer is not None
        return read(Usage(request.outer, request.owner), request)

    return rows


def _top(request: SeriesRequest) -> Any:
    """How many rows `first` asks for."""
    return request.bind_read(lambda read: pagination.sized(read.arguments(request.asked))[1], COUNT)


def _placed(columns: Sequence[Any], source: Any, order: Sequence[Any], request: SeriesRequest) -> Any:
    """The first of a list; `place` keeps their order when other rows are joined to them."""
    place = func.row_number().over(order_by=list(order)).label("place")
    return select(*columns, place).select_from(source).order_by(literal_column("place")).limit(_top(request))


def _buckets(usage: Usage, request: SeriesRequest) -> Any:
    step = request.shape

    def first_bucket(read: Read) -> datetime:
        return _first_bucket(span(read.arguments(usage.own.asked), read.now), read.arguments(request.asked))

    steps = (
        func.generate_series(
            request.bind_read(first_bucket, INSTANT),
            usage.bound("until") - literal_column("interval '1 microsecond'"),
            literal_column(f"interval '1 {step}'"),
            UTC_ZONE,
        )
        .table_valued(column("at", INSTANT))
        .render_derived()
    )
    rows = usage.hours("hour", *SUMS)
    start = func.date_trunc(literal_column(f"'{step}'"), rows.c.hour, UTC_ZONE)
    sums = select(start.label("at"), *(_sum(rows.c[name]).label(name) for name in SUMS))
    summed = sums.group_by(literal_column("1")).subquery()
    found = (func.coalesce(summed.c[name], literal_column("0")).label(name) for name in SUMS)
    return (
        select(steps.c.at, *found)
        .select_from(steps.outerjoin(summed, summed.c.at == steps.c.at))
        .order_by(steps.c.at)
    )


def _by_key(usage: Usage, request: SeriesRequest) -> Any:
    rows = usage.hours("key_id", *SUMS)
    sums = select(rows.c.key_id, *(_sum(rows.c[name]).label(name) for name in SUMS))
    summed = sums.group_by(rows.c.key_id).subquery()
    order = (summed.c.requests.desc(), summed.c.credits.desc(), summed.c.key_id)
    return _placed(list(summed.c), summed, order, request)


def _by_member(usage: Usage, request: SeriesRequest) -> Any:
    """Members of today: what keys did whose maker left stands under the keys alone."""
    rows = usage.hours("key_id", *SUMS)
    keys, members = models.ApiKey.__table__.alias(), models.Member.__table__.alias()
    account_id = usage.own.tenant.account_id
    made = and_(keys.c.account_id == account_id, keys.c.id == rows.c.key_id)
    theirs = and_(members.c.account_id == account_id, members.c.id == keys.c.created_by)
    summed = (
        select(members.c.id.label("member_id"), *(_sum(rows.c[name]).label(name) for name in SUMS))
        .select_from(rows.join(keys, made).join(members, theirs))
        .group_by(members.c.id)
        .subquery()
    )
    order = (summed.c.requests.desc(), summed.c.credits.desc(), summed.c.member_id)
    return _placed(list(summed.c), summed, order, request)


def _by_field(usage: Usage, request: SeriesRequest) -> Any:
    names = ("coordinate", "calls", "thousandths")
    rows = usage.both(models.UsageHourField.__table__, _recent_fields, *names)
    # Rounded once, at the end: sums of thousandths are exact.
    charged = _whole(func.round(func.sum(rows.c.thousandths) / literal_column(f"{cost.THOUSANDTHS}.0")))
    summed = (
        select(rows.c.coordinate, _sum(rows.c.calls).label("calls"), charged.label("credits"))
        .group_by(rows.c.coordinate)
        .subquery()
    )
    order = (summed.c.calls.desc(), summed.c.credits.desc(), summed.c.coordinate.collate("C"))
    return _placed(list(summed.c), summed, order, request)


def _by_country(usage: Usage, request: SeriesRequest) -> Any:
    rows = usage.both(models.UsageHourCountry.__table__, _recent_countries, "country", "requests")
    summed = (
        select(
            func.nullif(rows.c.country, literal_column("''")).label("country"),
            _sum(rows.c.requests).label("requests"),
        )
        .group_by(rows.c.country)
        .subquery()
    )
    order = (summed.c.requests.desc(), summed.c.country.collate("C"))
    return _placed(list(summed.c), summed, order, request)


def _anomalies(usage: Usage, request: SeriesRequest) -> Any:
    told = models.Anomaly.__table__.alias()
    columns = (told.c.kind, told.c.at, told.c.key_id, told.c.detail)
    found = select(*columns, told.c.id).where(
        *usage.conditions(told, of_key=True),
        told.c.at >= usage.bound("since"),
        told.c.at < usage.bound("until"),
    )
    newest = found.subquery()
    return _placed(list(newest.c), newest, (newest.c.at.desc(), newest.c.id.desc()), request)


# -- the map

SUM_FIELDS: Mapping[str, Kind] = {name: plain(name) for name in ("requests", "credits", "errors")}
BUCKET_FIELDS: Mapping[str, Kind] = {
    "at": instant("at"),
    **SUM_FIELDS,
    "rateLimited": plain("rate_limited"),
}
OF_KEY = One("ApiKey", here="key_id", there="id")
OF_MEMBER = One("Member", here="member_id", there="id")


def _lists(here: str | None) -> Mapping[str, Kind]:
    def top(read: Callable[[Usage, SeriesRequest], Any], fields: Mapping[str, Kind]) -> Series:
        return Series(_below(read), fields, here=here, placed=True)

    return {
        "buckets": Series(_below(_buckets), BUCKET_FIELDS, here=here, shape=_step),
        "byKey": top(_by_key, {"apiKey": OF_KEY, **SUM_FIELDS}),
        "byMember": top(_by_member, {"member": OF_MEMBER, **SUM_FIELDS}),
        "byField": top(
            _by_field, {"field": plain("coordinate"), "calls": plain("calls"), "credits": plain("credits")}
        ),
        "byCountry": top(_by_country, {"country": plain("country"), "requests": plain("requests")}),
        "anomalies": top(
            _anomalies,
            {"kind": plain("kind"), "at": instant("at"), "apiKey": OF_KEY, "detail": plain("detail")},
        ),
    }


def _usage(here: str | None, below: str | None) -> Series:
    fields: Mapping[str, Kind] = {
        "from": instant("since"),
        "to": instant("until"),
        **BUCKET_FIELDS,
        "lastUsedAt": instant("last_used_at"),
        **_lists(below),
    }
    shown = {name: kind for name, kind in fields.items() if name != "at"}
    return Series(_totals, shown, here=here, shape=_on_the_hour, single=True, weight=WEIGHT)


WEIGHT = cost.thousandths("1")
OF_ACCOUNT = _usage(None, None)
OF_ONE_KEY = _usage("id", "key_id")
