"""Days on which exchanges are closed by rule; those of mourning, storms and the moon are announced, not known here."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

_MONDAY, _THURSDAY, _SATURDAY = 0, 3, 5


@lru_cache(maxsize=16)
def new_york_holidays(year: int) -> frozenset[date]:
    """Return the days on which NYSE and Nasdaq are closed by rule: https://www.nyse.com/markets/hours-calendars."""
    fixed = [_observed(date(year, 6, 19)), _observed(date(year, 7, 4)), _observed(date(year, 12, 25))]
    new_year = date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:  # the Friday before belongs to the old year, and is a trading day
        fixed.append(_observed(new_year))
    return frozenset(
        [
            *fixed,
            nth_weekday(year, 1, _MONDAY, 3),  # Martin Luther King
            nth_weekday(year, 2, _MONDAY, 3),  # Washington
            _good_friday(year),
            nth_weekday(year, 6, _MONDAY, 1) - timedelta(days=7),  # Memorial Day: the last Monday of May
            nth_weekday(year, 9, _MONDAY, 1),  # Labor Day
            nth_weekday(year, 11, _THURSDAY, 4),  # Thanksgiving
        ]
    )


@lru_cache(maxsize=16)
def mumbai_holidays(year: int) -> frozenset[date]:
    """
    Return the days on which NSE and BSE are closed every year; one at a weekend is not made up for.

    Holi, Diwali and others follow the moon: the exchange lists them anew each year
    (https://www.nseindia.com/resources/exchange-communication-holidays), so they count as open here.
    """
    return frozenset([*_national_days(year), date(year, 5, 1)])  # Maharashtra Day


@lru_cache(maxsize=16)
def mcx_holidays(year: int) -> frozenset[date]:
    """Return the days on which MCX is closed, evening and all: https://www.mcxindia.com/market-operations/trading-survelliance/trading-holidays."""
    return frozenset(_national_days(year))


def nth_weekday(year: int, month: int, weekday: int, number: int) -> date:
    """Return a month's first (1), second (2) … day of a kind; Monday is 0."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _national_days(year: int) -> Iterator[date]:
    yield date(year, 1, 26)  # Republic Day
    yield _good_friday(year)
    yield date(year, 8, 15)  # Independence Day
    yield date(year, 10, 2)  # Gandhi's birthday
    yield date(year, 12, 25)


def _observed(day: date) -> date:
    if day.weekday() == _SATURDAY:
        return day - timedelta(days=1)
    return day + timedelta(days=1) if day.weekday() > _SATURDAY else day


def _good_friday(year: int) -> date:
    """Return the Friday before Easter, which is found by Gauss's rule, as it holds from 1900 to 2099."""
    moon = (19 * (year % 19) + 24) % 30
    sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7
    easter = date(year, 3, 22) + timedelta(days=moon + sunday)
    is_late = (moon, sunday) == (29, 6) or ((moon, sunday) == (28, 6) and year % 19 > 10)  # noqa: PLR2004  his figures
    return easter - timedelta(days=9 if is_late else 2)
