"""Alpaca's times, to the nanosecond, and when there is anything to hear: no clock is asked here."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from common.clock import NS_PER_S

DAY_NS = 86_400 * NS_PER_S
HOUR_NS = 3_600 * NS_PER_S
_MINUTE_CHARACTERS = 16  # 2023-04-06T11:54
_SECOND_END = 19
_NS_DIGITS = 9
_SECONDS_A_MINUTE = 61  # with a leap second
# New York's stock sessions, pre-market to after hours, begin at 08:00 or 09:00 UTC and end 16 hours later. A day that
# begins at 08:00 UTC holds each of them whole, in winter and in summer.
_DAY_BEGINS_NS = 8 * HOUR_NS
_SUMMER_HOURS, _WINTER_HOURS = 4, 5  # that New York is behind UTC
_SATURDAY = 5


class Hours(NamedTuple):
    """From when to when something may be heard on a trading day, in full hours of New York."""

    opens_h: int
    closes_h: int


EVERY_EXCHANGE = Hours(4, 20)
IEX = Hours(8, 17)
CORE = Hours(10, 16)  # within the regular session: before and after it many stocks are not traded at all


def rfc3339_ns(text: str) -> int:
    """Return `2023-04-06T11:54:26.83915973Z` in ns: by integers, since floats and datetime lose digits."""
    seconds, rest = text[_MINUTE_CHARACTERS + 1 : _SECOND_END], text[_SECOND_END:]
    if not rest.endswith("Z") or text[_MINUTE_CHARACTERS] != ":" or not seconds.isdecimal():
        raise ValueError(f"expected a time in UTC, found {text!r}")
    fraction = rest[1:-1]
    if len(rest) > 1 and (rest[0] != "." or not fraction.isdecimal() or len(fraction) > _NS_DIGITS):
        raise ValueError(f"expected a time with at most nine decimals, found {text!r}")
    if int(seconds) >= _SECONDS_A_MINUTE:
        raise ValueError(f"expected a time, found {text!r}")
    return _minute_ns(text[:_MINUTE_CHARACTERS]) + int(seconds) * NS_PER_S + int(fraction.ljust(_NS_DIGITS, "0"))


def rfc3339(time_ns: int) -> str:
    """Return a time as the venue takes it, with all nine decimals."""
    seconds, fraction_ns = divmod(time_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction_ns:09d}Z"


def trading_day(time_ns: int) -> str:
    """Return the New York trading day of a time, e.g. `20230406`."""
    return _day_text((time_ns - _DAY_BEGINS_NS) // DAY_NS)


def is_open(time_ns: int, hours: Hours) -> bool:
    """
    Return whether US stocks may trade: in these hours, Monday to Friday, except on the exchanges' holidays.

    Early closes count as open days: the few quiet hours cost some needless dialling, an hour too few would cost data.
    """
    opens_ns, closes_ns = _session_ns(_new_york_day(time_ns), hours)
    return opens_ns <= time_ns < closes_ns


def open_ns(from_ns: int, to_ns: int, hours: Hours) -> int:
    """Return for how long US stocks may have traded in a stretch."""
    day, last, total_ns = _new_york_day(from_ns), _new_york_day(to_ns), 0
    while day <= last:
        opens_ns, closes_ns = _session_ns(day, hours)
        total_ns += max(0, min(closes_ns, to_ns) - max(opens_ns, from_ns))
        day += timedelta(days=1)
    return total_ns


@lru_cache(maxsize=64)
def _minute_ns(text: str) -> int:
    if text[10] != "T":
        raise ValueError(f"expected a time, found {text!r}")
    return int(datetime.strptime(text + "+0000", "%Y-%m-%dT%H:%M%z").timestamp()) * NS_PER_S


@lru_cache(maxsize=64)
def _day_text(day: int) -> str:
    return f"{date(1970, 1, 1) + timedelta(days=day):%Y%m%d}"


def _new_york_day(time_ns: int) -> date:
    return datetime.fromtimestamp((time_ns - _WINTER_HOURS * HOUR_NS) // NS_PER_S, UTC).date()


@lru_cache(maxsize=512)
def _session_ns(day: date, hours: Hours) -> tuple[int, int]:
    """Return when a day's session begins and ends; both are the same on a day without one."""
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NS_PER_S
    summer = _nth(day.year, 3, 6, 2) <= day < _nth(day.year, 11, 6, 1)
    behind = _SUMMER_HOURS if summer else _WINTER_HOURS
    closes_h = hours.opens_h if day.weekday() >= _SATURDAY or day in holidays(day.year) else hours.closes_h
    return midnight + (hours.opens_h + behind) * HOUR_NS, midnight + (closes_h + behind) * HOUR_NS


@lru_cache(maxsize=16)
def holidays(year: int) -> frozenset[date]:
    """Return the days on which NYSE and Nasdaq are closed by rule; days of mourning and storms cannot be foreseen."""
    fixed = [_observed(date(year, 6, 19)), _observed(date(year, 7, 4)), _observed(date(year, 12, 25))]
    new_year = date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:  # the Friday before belongs to the old year, and is a trading day
        fixed.append(_observed(new_year))
    return frozenset(
        [
            *fixed,
            _nth(year, 1, 0, 3),  # Martin Luther King
            _nth(year, 2, 0, 3),  # Washington
            _easter(year) - timedelta(days=2),  # Good Friday
            _nth(year, 6, 0, 1) - timedelta(days=7),  # Memorial Day: the last Monday of May
            _nth(year, 9, 0, 1),  # Labor Day
            _nth(year, 11, 3, 4),  # Thanksgiving
        ]
    )


def _observed(day: date) -> date:
    if day.weekday() == _SATURDAY:
        return day - timedelta(days=1)
    return day + timedelta(days=1) if day.weekday() > _SATURDAY else day


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _easter(year: int) -> date:
    """Return Easter Sunday by Gauss's rule, as it holds from 1900 to 2099."""
    moon = (19 * (year % 19) + 24) % 30
    sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7
    day = date(year, 3, 22) + timedelta(days=moon + sunday)
    is_late = (moon, sunday) == (29, 6) or ((moon, sunday) == (28, 6) and year % 19 > 10)  # noqa: PLR2004  his figures
    return day - timedelta(days=7) if is_late else day
