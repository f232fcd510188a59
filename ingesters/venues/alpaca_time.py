"""Alpaca's times, to the nanosecond: no clock is asked here."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from common.clock import NS_PER_S

_DAY_NS = 86_400 * NS_PER_S
_MINUTE_CHARACTERS = 16  # 2023-04-06T11:54
_SECOND_END = 19
_NS_DIGITS = 9
_SECONDS_A_MINUTE = 61  # with a leap second
# New York's stock sessions, pre-market to after hours, begin at 08:00 or 09:00 UTC and end 16 hours later. A day that
# begins at 08:00 UTC holds each of them whole, in winter and in summer.
_DAY_BEGINS_NS = _DAY_NS // 3


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
    return _day_text((time_ns - _DAY_BEGINS_NS) // _DAY_NS)


@lru_cache(maxsize=64)
def _minute_ns(text: str) -> int:
    if text[10] != "T":
        raise ValueError(f"expected a time, found {text!r}")
    return int(datetime.strptime(text + "+0000", "%Y-%m-%dT%H:%M%z").timestamp()) * NS_PER_S


@lru_cache(maxsize=64)
def _day_text(day: int) -> str:
    return f"{date(1970, 1, 1) + timedelta(days=day):%Y%m%d}"
