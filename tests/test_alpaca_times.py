"""Alpaca's times to the nanosecond, and when its silence means something."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import NS_PER_S
from ingesters.venues.alpaca_market import stocks_mute_s
from ingesters.venues.alpaca_time import rfc3339, rfc3339_ns, trading_day
from tests.alpaca_kit import settings


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


def test_silence_at_night_is_not_mute():
    feeds = {"iex": float("inf"), "overnight": 300.0}

    for feed, expected in feeds.items():
        assert expected == stocks_mute_s(settings(alpaca_stocks_feed=feed), at("2024-07-13T15:00:00"))
        assert 300.0 == stocks_mute_s(settings(alpaca_stocks_feed=feed), at("2024-07-12T15:00:00"))
