"""/instruments: whatever is recorded, searched and paged on the server."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from common.clock import NS_PER_S
from monitoring.desk import Answer, AsOf, Desk
from monitoring.page import Look
from monitoring.views.instrument_list import Listed, instruments_of
from monitoring.watch import Snapshot

EVERY_S = 5.0
PAGE = 50


@dataclass(frozen=True)
class Given:
    """What to look for: words that all must be in the venue, the symbol or the name; one venue; which page."""

    q: Annotated[str, Query(max_length=200)] = ""
    venue: Annotated[str, Query(max_length=40)] = ""
    page: Annotated[int, Query(ge=1, le=10_000)] = 1


@dataclass(frozen=True)
class Instrument:
    """
    A symbol of a venue; `name` says what a token stands for.

    `is_in_sync` is None where no book is kept; `heard_age_s` is the age of the newest thing that is stored of it.
    """

    venue: str
    symbol: str
    name: str
    last_price: float | None
    bid: float | None
    ask: float | None
    spread_bps: float | None
    is_in_sync: bool | None
    gap_age_s: float | None
    heard_age_s: float | None
    trades_per_day: int | None


@dataclass(frozen=True)
class Instruments:
    """A page of those that fit; `total` is how many there are, `fitting` how many fit."""

    rows: tuple[Instrument, ...]
    venues: tuple[str, ...]
    total: int
    fitting: int
    page: int
    pages: int
    q: str
    venue: str
    store: AsOf


async def ask(desk: Desk, given: Given, shot: Snapshot) -> Answer[tuple[Listed, ...]]:
    """Return every instrument: one question for all who look, whatever they look for."""
    del given, shot
    return await desk.of_store("instruments", EVERY_S, instruments_of, at_once=True)


def view(look: Look) -> Instruments:
    """Return the page that is asked for."""
    given: Given = look.given
    listed: tuple[Listed, ...] = look.found.value or ()
    words = given.q.casefold().split()
    fitting = [one for one in listed if given.venue in ("", one.venue) and (not words or _fits(one, words))]
    pages = max(1, -(-len(fitting) // PAGE))
    page = min(given.page, pages)
    return Instruments(
        rows=tuple(_row(one, look.now_ns) for one in fitting[(page - 1) * PAGE : page * PAGE]),
        venues=tuple(sorted({one.venue for one in listed})),
        total=len(listed),
        fitting=len(fitting),
        page=page,
        pages=pages,
        q=given.q,
        venue=given.venue,
        store=look.found.as_of(look.now_ns),
    )


def _fits(one: Listed, words: list[str]) -> bool:
    text = f"{one.venue} {one.symbol} {one.name}".casefold()
    return all(word in text for word in words)


def _row(one: Listed, now_ns: int) -> Instrument:
    spread_bps = one.spread_bps
    if spread_bps is None and one.bid and one.ask:
        spread_bps = (one.ask - one.bid) / (one.ask + one.bid) * 2e4
    return Instrument(
        venue=one.venue,
        symbol=one.symbol,
        name=one.name,
        last_price=one.last_price,
        bid=one.bid,
        ask=one.ask,
        spread_bps=spread_bps,
        is_in_sync=one.is_in_sync if one.has_book else None,
        gap_age_s=_age_s(one.gap_ns, now_ns),
        heard_age_s=_age_s(one.heard_ns, now_ns),
        trades_per_day=one.trades,
    )


def _age_s(time_ns: int | None, now_ns: int) -> float | None:
    return None if time_ns is None else max(0.0, (now_ns - time_ns) / NS_PER_S)
