"""
When markets are open, by their own calendars; no clock is asked here.

Hours are the widest in which anything may be heard, and early closes count as open: an hour that is taken for open
costs a needless look, one that is taken for closed would hide a hole. Sessions beside the calendar (the hour of Diwali,
a Saturday of the budget) are announced, and not known here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from common.clock import NS_PER_S
from common.holidays import mcx_holidays, mumbai_holidays, new_york_holidays, nth_weekday

MINUTE_NS = 60 * NS_PER_S
_SATURDAY, _SUNDAY = 5, 6


def _new_york_ahead_min(day: date) -> int:
    """Return what New York's clocks are ahead of UTC on a day: they change at night, when nothing is traded."""
    summer = nth_weekday(day.year, 3, _SUNDAY, 2) <= day < nth_weekday(day.year, 11, _SUNDAY, 1)
    return -240 if summer else -300


def _mumbai_ahead_min(day: date) -> int:
    del day  # India has no summer time
    return 330


@dataclass(frozen=True)
class Hours:
    """
    From when to when a market is open, Monday to Friday but on its holidays, in minutes of the day of its city.

    `ahead_min` is what the city's clocks are ahead of UTC on a day, `holidays` gives those of a year. No session comes
    within an hour of the change of clocks.
    """

    market: str
    city: str
    opens_min: int
    closes_min: int
    ahead_min: Callable[[date], int]
    holidays: Callable[[int], frozenset[date]]

    def __str__(self) -> str:
        """Return the rule in words, e.g. `US stocks: 04:00 to 20:00 in New York, Monday to Friday but on holidays`."""
        opens, closes = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (self.opens_min, self.closes_min))
        return f"{self.market}: {opens} to {closes} in {self.city}, Monday to Friday but on holidays"


def _new_york(market: str, opens_h: int, closes_h: int) -> Hours:
    return Hours(market, "New York", opens_h * 60, closes_h * 60, _new_york_ahead_min, new_york_holidays)


EVERY_EXCHANGE = _new_york("US stocks", 4, 20)
IEX = _new_york("US stocks at IEX", 8, 17)
CORE = _new_york("US stocks, regular session", 10, 16)  # before and after it many stocks are not traded at all
# From the window of block deals to the end of the closing session: https://www.nseindia.com/resources/exchange-communication-holidays
NSE_BSE = Hours("NSE and BSE", "Mumbai", 525, 960, _mumbai_ahead_min, mumbai_holidays)
MCX = Hours("MCX", "Mumbai", 540, 1435, _mumbai_ahead_min, mcx_holidays)  # to 23:55 while New York has winter time
# The segments of Upstox whose hours are known: currencies (NCD_FO, BCD_FO) close later than stocks do.
_SEGMENTS = {
    **dict.fromkeys(("NSE_EQ", "NSE_INDEX", "NSE_FO", "BSE_EQ", "BSE_INDEX", "BSE_FO"), NSE_BSE),
    **dict.fromkeys(("MCX_FO", "MCX_INDEX", "NSE_COM"), MCX),
}


def stocks_hours(feed: str) -> Hours | None:
    """Return when a feed of Alpaca's stocks may speak; None for those that do when the exchanges are closed, too."""
    if feed in ("boats", "overnight", "test"):
        return None
    return IEX if feed == "iex" else EVERY_EXCHANGE


def hours_of(venue: str, symbol: str, stocks_feed: str) -> Hours | None:
    """Return when what a symbol stands for is traded; None if it always is, or if nobody here knows."""
    if venue == "upstox":
        return _SEGMENTS.get(symbol.partition("|")[0])
    is_stock = venue == "alpaca" and symbol and "/" not in symbol
    return stocks_hours(stocks_feed) if is_stock else None


def is_open(time_ns: int, hours: Hours) -> bool:
    """Return whether a market is open at a time."""
    opens_ns, closes_ns = _session_ns(_day(time_ns, hours), hours)
    return opens_ns <= time_ns < closes_ns


def open_ns(from_ns: int, to_ns: int, hours: Hours) -> int:
    """Return for how long a market is open in a stretch."""
    return sum(closes_ns - opens_ns for opens_ns, closes_ns in _sessions(from_ns, to_ns, hours))


def closed(from_ns: int, to_ns: int, hours: Hours) -> Iterator[tuple[int, int]]:
    """Yield from when to when a market is closed within a stretch, oldest first."""
    since_ns = from_ns
    for opens_ns, closes_ns in _sessions(from_ns, to_ns, hours):
        if since_ns < opens_ns:
            yield since_ns, opens_ns
        since_ns = closes_ns
    if since_ns < to_ns:
        yield since_ns, to_ns


def _sessions(from_ns: int, to_ns: int, hours: Hours) -> Iterator[tuple[int, int]]:
    """Yield what lies within a stretch of each session."""
    day, last = _day(from_ns, hours), _day(to_ns, hours)
    while day <= last:
        opens_ns, closes_ns = _session_ns(day, hours)
        if max(opens_ns, from_ns) < min(closes_ns, to_ns):
            yield max(opens_ns, from_ns), min(closes_ns, to_ns)
        day += timedelta(days=1)


def _day(time_ns: int, hours: Hours) -> date:
    time = datetime.fromtimestamp(time_ns // NS_PER_S, UTC)
    return (time + timedelta(minutes=hours.ahead_min(time.date()))).date()


@lru_cache(maxsize=512)
def _session_ns(day: date, hours: Hours) -> tuple[int, int]:
    """Return when a day's session begins and ends; both are the same on a day without one."""
    midnight_ns = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NS_PER_S
    begins_ns = midnight_ns - hours.ahead_min(day) * MINUTE_NS
    is_off = day.weekday() >= _SATURDAY or day in hours.holidays(day.year)
    closes_min = hours.opens_min if is_off else hours.closes_min
    return begins_ns + hours.opens_min * MINUTE_NS, begins_ns + closes_min * MINUTE_NS
