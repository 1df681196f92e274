"""N at once, then one every 60/N seconds; never more than N + N·t/60 over any t seconds."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import callers, errors, rate_limits

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def caller(key=60, account=300, **facts):
    return callers.Caller(
        **{
            "account_id": uuid.UUID(int=1),
            "account_name": "a",
            "key_id": uuid.UUID(int=2),
            "key_name": "k",
            "key_hint": "h",
            "livemode": True,
            "scopes": frozenset(),
            "allowed_ips": (),
            "owner": "SERVICE",
            "created_by": None,
            "expires_at": None,
            "revoked_at": None,
            "retiring": False,
            "retires_at": None,
            "own_requests_per_minute": None,
            "requests_per_minute": key,
            "account_requests_per_minute": account,
            "monthly_credits": None,
            "api_access": True,
            "max_websockets": 1,
            **facts,
        }
    )


def allowed(limits, who, now):
    try:
        limits.take(who, now)
    except errors.RateLimited:
        return False
    return True


@given(
    st.integers(1, 10_000),
    st.lists(st.floats(0, 5, allow_nan=False).map(lambda seconds: timedelta(seconds=seconds)), max_size=300),
)
def test_no_stretch_of_time_sees_more_than_the_burst_and_the_rate(n, pauses):
    limits, who, now, taken = rate_limits.RateLimits(), caller(n, 0), START, []
    for pause in pauses:
        now += pause
        if allowed(limits, who, now):
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            seconds = (taken[last] - taken[first]).total_seconds()
            assert last - first + 1 <= n + n * seconds / 60 + 1e-6


@given(st.integers(1, 300) | st.just(6_000))
def test_exactly_n_at_once(n):
    limits, who = rate_limits.RateLimits(), caller(n, 0)
    assert [limits.take(who, START).remaining for _ in range(n)] == list(reversed(range(n)))
    assert not allowed(limits, who, START)


@given(st.integers(1, 300) | st.just(6_000))
def test_whoever_waits_as_told_is_served(n):
    limits, who = rate_limits.RateLimits(), caller(n, 0)
    while allowed(limits, who, START):
        pass
    with pytest.raises(errors.RateLimited) as refused:
        limits.take(who, START)
    assert allowed(limits, who, START + timedelta(seconds=refused.value.extra["retryAfter"]))


def test_one_every_60_nths_after_the_burst():
    limits, who = rate_limits.RateLimits(), caller(60, 0)
    for _ in range(60):
        limits.take(who, START)
    for second in range(1, 100):
        now = START + timedelta(seconds=second)
        assert not allowed(limits, who, now - timedelta(milliseconds=1))
        assert allowed(limits, who, now)


def test_a_refused_call_counts_nothing_in_either_bucket():
    limits, who = rate_limits.RateLimits(), caller(2, 3)
    other = caller(2, 3, key_id=uuid.UUID(int=3))
    assert [allowed(limits, who, START) for _ in range(5)] == [True, True, False, False, False]
    assert [allowed(limits, other, START) for _ in range(3)] == [True, False, False]
    assert limits.peek(other, START).shares[0].remaining == 1


def test_all_keys_of_an_account_share_five_times_one():
    limits = rate_limits.RateLimits()
    keys = [caller(10, 50, key_id=uuid.UUID(int=n)) for n in range(10)]
    assert sum(allowed(limits, key, START) for key in keys for _ in range(10)) == 50


def test_live_and_test_are_counted_apart():
    limits = rate_limits.RateLimits()
    assert sum(allowed(limits, caller(1, 1), START) for _ in range(3)) == 1
    assert allowed(limits, caller(1, 1, livemode=False), START)


def test_zero_is_unlimited():
    limits, who = rate_limits.RateLimits(), caller(0, 0)
    assert all(allowed(limits, who, START) for _ in range(10_000))
    stands = limits.peek(who, START)
    assert (stands.limit, stands.remaining, stands.headers()) == (0, rate_limits.UNLIMITED, {})


def test_peeking_counts_nothing():
    limits, who = rate_limits.RateLimits(), caller(60, 300)
    assert {limits.peek(who, START).remaining for _ in range(100)} == {60}
    assert limits.peek(who, START).reset_at == START


def test_the_headers_say_how_it_stands():
    limits, who = rate_limits.RateLimits(), caller(60, 300)
    stands = limits.take(who, START)
    assert stands.headers() == {
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": "59",
        "X-RateLimit-Reset": str(int(START.timestamp()) + 1),
        "RateLimit-Policy": '"key";q=60;w=60, "account";q=300;w=60',
        "RateLimit": '"key";r=59;t=1, "account";r=299;t=1',
    }
    assert stands.reset_at == START + timedelta(seconds=1)


def test_a_clock_set_back_an_hour_locks_nobody_out_for_an_hour():
    limits, who = rate_limits.RateLimits(), caller(60, 0)
    while allowed(limits, who, START):
        pass
    earlier = START - timedelta(hours=1)
    assert not allowed(limits, who, earlier)
    assert allowed(limits, who, earlier + timedelta(seconds=1))


def test_memory_is_bounded_and_full_buckets_go_first():
    limits = rate_limits.RateLimits(most=100)
    busy = caller(1, 0, key_id=uuid.UUID(int=0))
    limits.take(busy, START + timedelta(seconds=59))
    for n in range(1, 1_000):
        limits.take(caller(60, 0, key_id=uuid.UUID(int=n)), START + timedelta(seconds=59))
        assert len(limits._full_at) <= 101
    assert not allowed(limits, busy, START + timedelta(seconds=60))
