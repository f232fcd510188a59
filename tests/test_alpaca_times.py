"""Alpaca's times to the nanosecond, and the hours in which there is anything to hear."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import NS_PER_S
from ingesters.venues.alpaca_market import stocks_mute_s
from ingesters.venues.alpaca_time import (
    EVERY_EXCHANGE,
    IEX,
    holidays,
    is_open,
    open_ns,
    rfc3339,
    rfc3339_ns,
    trading_day,
)
from tests.alpaca_kit import settings

HOUR_NS = 3600 * NS_PER_S


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-04-06T11:54:26.838232225Z", 1680782066838232225),
        ("2023-04-06T13:15:42.83540958Z", 1680786942835409580),
        ("2021-02-22T15:51:44.208Z", 1614009104208000000),
        ("2021-02-22T19:15:00Z", 1614021300000000000),
        ("1970-01-01T00:00:00.000000001Z", 1),
    ],
)
def test_up_to_nine_decimals_are_exact(text, expected):
    assert expected == rfc3339_ns(text)


@given(st.integers(min_value=0, max_value=4 * 10**18), st.integers(min_value=0, max_value=9))
def test_no_nanosecond_is_lost_however_many_zeros_are_left_out(time_ns, least):
    whole = rfc3339(time_ns)
    decimals = whole[20:-1].rstrip("0").ljust(least, "0")
    trimmed = whole[:19] + (f".{decimals}" if decimals else "") + "Z"
    seconds = Fraction(datetime.fromisoformat(trimmed[:19]).replace(tzinfo=UTC).timestamp())

    assert time_ns == rfc3339_ns(trimmed)
    assert time_ns == seconds * NS_PER_S + (int(decimals.ljust(9, "0")) if decimals else 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2021-02-22",
        "2021-02-22T19:15:00",
        "2021-02-22T19:15:00+01:00",
        "2021-02-22 19:15:00Z",
        "2021-02-22T19:15:99Z",
        "2021-02-30T19:15:00Z",
        "2021-02-22T19:15:00.Z",
        "2021-02-22T19:15:00.1234567890Z",
        "2021-02-22T19:15:00.12x4Z",
    ],
)
def test_what_is_no_such_time_is_refused(text):
    with pytest.raises((ValueError, IndexError)):
        rfc3339_ns(text)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-07-10T08:00:00", "20240710"),  # summer: 04:00 in New York
        ("2024-07-10T23:59:59", "20240710"),  # 19:59:59
        ("2024-01-10T09:00:00", "20240110"),  # winter: 04:00
        ("2024-01-11T00:59:59", "20240110"),  # 19:59:59, tomorrow in UTC
    ],
)
def test_a_trading_day_is_new_yorks_and_not_utcs(time, expected):
    assert expected == trading_day(at(time))


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-07-10T07:59:59", False),
        ("2024-07-10T08:00:00", True),
        ("2024-07-10T23:59:59", True),
        ("2024-07-11T00:00:00", False),
        ("2024-01-10T08:59:59", False),
        ("2024-01-10T09:00:00", True),
        ("2024-01-11T00:59:59", True),
        ("2024-01-11T01:00:00", False),
        ("2024-07-13T15:00:00", False),  # Saturday
        ("2024-07-04T15:00:00", False),  # Independence Day
        ("2024-03-29T15:00:00", False),  # Good Friday
        ("2024-11-29T20:00:00", True),  # the day after Thanksgiving closes early, and counts as open
        ("2021-12-31T16:00:00", True),  # New Year 2022 was a Saturday: no day off
        ("2024-03-11T08:30:00", True),  # the first Monday of summer time
    ],
)
def test_stocks_trade_from_four_to_twenty_in_new_york(time, expected):
    assert expected == is_open(at(time), EVERY_EXCHANGE)


def test_holidays_are_those_of_the_exchange():
    expected = ["0101", "0120", "0217", "0418", "0526", "0619", "0704", "0901", "1127", "1225"]  # nyse.com, 2025

    assert expected == [f"{day:%m%d}" for day in sorted(holidays(2025))]


def test_a_holiday_on_a_sunday_is_kept_on_monday():
    assert date(2023, 1, 2) in holidays(2023)


def test_a_weekend_has_no_open_hour():
    assert 0 == open_ns(at("2024-07-13T00:00:00"), at("2024-07-15T08:00:00"), EVERY_EXCHANGE)


@given(st.integers(min_value=0, max_value=96), st.integers(min_value=0, max_value=96))
def test_open_hours_are_those_in_which_it_is_open(first_h, length_h):
    start_ns = at("2024-07-03T00:00:00") + first_h * HOUR_NS
    hours = [start_ns + hour * HOUR_NS for hour in range(length_h)]

    for kind in (EVERY_EXCHANGE, IEX):
        expected_ns = sum(is_open(hour_ns, kind) for hour_ns in hours) * HOUR_NS
        assert expected_ns == open_ns(start_ns, start_ns + length_h * HOUR_NS, kind)


def test_iex_is_open_from_eight_to_five():
    hours = [hour for hour in range(24) if is_open(at(f"2024-07-10T{hour:02}:30:00"), IEX)]

    assert list(range(12, 21)) == hours  # UTC, in summer


def test_silence_at_night_is_not_mute():
    feeds = {"iex": float("inf"), "overnight": 300.0}

    for feed, expected in feeds.items():
        assert expected == stocks_mute_s(settings(alpaca_stocks_feed=feed), at("2024-07-13T15:00:00"))
        assert 300.0 == stocks_mute_s(settings(alpaca_stocks_feed=feed), at("2024-07-12T15:00:00"))


def test_easter_is_right_for_a_century():
    """Against the anonymous Gregorian algorithm, written another way."""
    for year in range(1990, 2090):
        a, b, c = year % 19, *divmod(year, 100)
        h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
        k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
        m = (a + 11 * h + 22 * k) // 451
        month, day = divmod(h + k - 7 * m + 114, 31)

        assert date(year, month, day + 1) - timedelta(days=2) in holidays(year)
