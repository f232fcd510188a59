"""When markets are open, by rule: sessions, weekends, holidays, summer time; and what is hatched of a stretch."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import NS_PER_S
from common.holidays import mumbai_holidays, new_york_holidays
from common.market_hours import EVERY_EXCHANGE, IEX, MCX, NSE_BSE, closed, hours_of, is_open, open_ns

HOUR_NS = 3600 * NS_PER_S


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


def stretches(from_text, to_text, hours):
    return [
        tuple(datetime.fromtimestamp(time_ns // NS_PER_S, UTC).strftime("%m-%dT%H:%M") for time_ns in both)
        for both in closed(at(from_text), at(to_text), hours)
    ]


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

    assert expected == [f"{day:%m%d}" for day in sorted(new_york_holidays(2025))]


def test_a_holiday_on_a_sunday_is_kept_on_monday():
    assert date(2023, 1, 2) in new_york_holidays(2023)


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


def test_easter_is_right_for_a_century():
    """Against the anonymous Gregorian algorithm, written another way."""
    for year in range(1990, 2090):
        a, b, c = year % 19, *divmod(year, 100)
        h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
        k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
        m = (a + 11 * h + 22 * k) // 451
        month, day = divmod(h + k - 7 * m + 114, 31)

        assert date(year, month, day + 1) - timedelta(days=2) in new_york_holidays(year)


def test_a_weekend_is_closed_from_friday_evening_to_monday_morning():
    expected = [("07-13T00:00", "07-15T08:00"), ("07-16T00:00", "07-16T08:00")]

    assert expected == stretches("2024-07-12T12:00:00", "2024-07-16T12:00:00", EVERY_EXCHANGE)


def test_a_holiday_is_closed_from_the_evening_before():
    assert [("07-03T21:00", "07-05T12:00")] == stretches("2024-07-03T20:00:00", "2024-07-05T13:00:00", IEX)


def test_after_the_change_of_clocks_a_session_begins_an_hour_earlier_by_utc():
    winter = stretches("2024-03-08T15:00:00", "2024-03-11T09:00:00", EVERY_EXCHANGE)
    summer = stretches("2024-11-01T15:00:00", "2024-11-04T10:00:00", EVERY_EXCHANGE)

    assert [("03-09T01:00", "03-11T08:00")] == winter
    assert [("11-02T00:00", "11-04T09:00")] == summer


def test_a_stretch_that_begins_at_night_is_closed_from_its_first_moment():
    assert [("07-10T02:00", "07-10T08:00")] == stretches("2024-07-10T02:00:00", "2024-07-10T09:00:00", EVERY_EXCHANGE)
    assert [("07-10T02:00", "07-10T03:00")] == stretches("2024-07-10T02:00:00", "2024-07-10T03:00:00", EVERY_EXCHANGE)
    assert [] == stretches("2024-07-10T12:00:00", "2024-07-10T12:00:00", EVERY_EXCHANGE)


def test_mumbai_has_half_hours_and_no_summer_time():
    assert [("07-15T10:30", "07-16T03:15")] == stretches("2024-07-15T06:00:00", "2024-07-16T06:00:00", NSE_BSE)
    assert [("01-15T18:25", "01-16T03:30")] == stretches("2024-01-15T06:00:00", "2024-01-16T06:00:00", MCX)


def test_holidays_of_mumbai_that_follow_no_moon_are_known():
    expected = ["0126", "0403", "0501", "0815", "1002", "1225"]  # nseindia.com, 2026; 15 August is a Saturday

    assert expected == [f"{day:%m%d}" for day in sorted(mumbai_holidays(2026))]


@pytest.mark.parametrize(
    ("venue", "symbol", "feed", "expected"),
    [
        ("alpaca", "AAPL", "iex", IEX),
        ("alpaca", "AAPL", "sip", EVERY_EXCHANGE),
        ("alpaca", "AAPL", "overnight", None),
        ("alpaca", "BTC/USD", "iex", None),
        ("alpaca", "", "iex", None),  # a connection, of stocks or of crypto
        ("upstox", "NSE_EQ|INE467B01029", "iex", NSE_BSE),
        ("upstox", "MCX_FO|428750", "iex", MCX),
        ("upstox", "NCD_FO|13177", "iex", None),
        ("binance", "BTCUSDT", "iex", None),
        ("polymarket", "71321045", "iex", None),
    ],
)
def test_hours_are_those_of_the_market_or_unknown(venue, symbol, feed, expected):
    assert expected == hours_of(venue, symbol, feed)


@given(st.integers(min_value=0, max_value=10**7), st.integers(min_value=0, max_value=10**6))
def test_what_is_not_open_is_closed(first_s, length_s):
    start_ns = at("2024-01-01T00:00:00") + first_s * NS_PER_S
    stop_ns = start_ns + length_s * NS_PER_S

    for hours in (EVERY_EXCHANGE, NSE_BSE, MCX):
        shut_ns = sum(to_ns - from_ns for from_ns, to_ns in closed(start_ns, stop_ns, hours))
        assert stop_ns - start_ns == shut_ns + open_ns(start_ns, stop_ns, hours)
