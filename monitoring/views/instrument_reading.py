"""What /i/{venue}/{symbol} asks: candles, tape, ladder, statistics, events; and the book of a past second."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Query

from common.clickhouse import Store
from common.clock import NS_PER_S
from monitoring.books import BookAt, Ladder, Unknown
from monitoring.desk import Answer, Desk
from monitoring.page import NotThere
from monitoring.ranges import Range
from monitoring.views import instrument_sql as sql
from monitoring.views.compare import Compared, compare, lately
from monitoring.views.instrument_list import PREDICTION
from monitoring.watch import Snapshot

BOOK_EVERY_S = 0.9
CHART_EVERY_S = 3.0
PAST_EVERY_S = 60.0
Rows = list[dict[str, Any]]
Interval = Literal["1s", "1m", "5m", "1h", "1d"]


@dataclass(frozen=True)
class Given:
    """
    Which instrument, candles of which length, statistics over which time.

    `at` is the second of which the book is asked (UTC; empty is none), `beside` another instrument, as venue/symbol.
    """

    venue: str
    symbol: str
    interval: Annotated[Interval, Query()] = "1m"
    range: Annotated[Range, Query()] = "15m"
    at: Annotated[str, Query(max_length=40)] = ""
    beside: Annotated[str, Query(max_length=300)] = ""


@dataclass(frozen=True)
class Book:
    """What is known of one book now: its newest best levels, quote, ticker, trades and statistics; rows as asked."""

    ladder: Rows = field(default_factory=list)
    now: Rows = field(default_factory=list)
    quote: Rows = field(default_factory=list)
    ticker: Rows = field(default_factory=list)
    tape: Rows = field(default_factory=list)


@dataclass(frozen=True)
class Charts:
    """What is known of the instrument over time; `pair` names the market of an outcome token."""

    candles: Rows = field(default_factory=list)
    lately: Rows = field(default_factory=list)
    events: Rows = field(default_factory=list)
    pair: Rows = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """The answers; `other` is the book of the other outcome of a market of two, `past` that of the second asked for."""

    book: Answer[Book]
    charts: Answer[Charts]
    other: Answer[Book] | None
    beside: Compared
    past: Answer[Ladder | Unknown] | None
    at_ns: int | None
    complaint: str


async def ask(desk: Desk, given: Given, shot: Snapshot) -> Found:
    """Return everything; raise NotThere where nothing is stored of such an instrument."""
    del shot
    where = {"venue": given.venue, "symbol": given.symbol}
    named = (given.venue, given.symbol)
    book, charts, compared = await asyncio.gather(
        desk.of_store(("book", named), BOOK_EVERY_S, lambda store: _book(store, where), at_once=True),
        desk.of_store(
            ("charts", named, given.interval, given.range),
            CHART_EVERY_S,
            lambda store: _charts(store, where, given),
            at_once=True,
        ),
        compare(desk, named, given.beside, given.range),
    )
    _check(given, book.value, charts.value)
    other = _other(given.symbol, charts.value.pair if charts.value else [])
    beside = {"venue": given.venue, "symbol": other}
    twin = (
        await desk.of_store(("book", (given.venue, other)), BOOK_EVERY_S, lambda store: _book(store, beside))
        if other
        else None
    )
    at_ns, complaint = _instant(given.at)
    past = None
    if at_ns is not None:
        until_ns = at_ns
        past = await desk.of_store(
            ("past", named, at_ns), PAST_EVERY_S, lambda store: BookAt(store, *named).at(until_ns)
        )
    return Found(book, charts, twin, compared, past, at_ns, complaint)


def _check(given: Given, book: Book | None, charts: Charts | None) -> None:
    if book is None or charts is None:
        return
    if not any((book.ladder, book.now, book.quote, book.ticker, book.tape, charts.events, charts.pair)):
        raise NotThere(f"nothing is stored of {given.venue[:40]} {given.symbol[:120]}; /instruments lists what is")


async def _book(store: Store, where: Mapping[str, str]) -> Book:
    return Book(
        ladder=await _rows(store, sql.LADDER, where),
        now=await _rows(store, sql.BOOK_NOW, where),
        quote=await _rows(store, sql.QUOTE, where),
        ticker=await _rows(store, sql.TICKER, where),
        tape=await _rows(store, sql.TAPE, where),
    )


async def _charts(store: Store, where: Mapping[str, str], given: Given) -> Charts:
    is_token = where["venue"] in PREDICTION
    return Charts(
        candles=await _candles(store, where, given.interval),
        lately=await lately(store, where, given.range),
        events=await _rows(store, sql.EVENTS, where),
        pair=await _rows(store, sql.TOKENS, where) if is_token else [],
    )


async def _candles(store: Store, where: Mapping[str, str], interval: str) -> Rows:
    last = (await _rows(store, sql.LAST_TRADE, where))[0]
    if not last["n"]:
        return []
    view, length_s = sql.INTERVALS[interval]
    first_s = (last["last_ns"] // NS_PER_S // length_s - sql.MOST_CANDLES + 1) * length_s
    asked = {"view": view, "length_s": length_s, "since_ns": first_s * NS_PER_S, "until_ns": last["last_ns"]}
    return await _rows(store, sql.CANDLES, {**where, **asked})


async def _rows(store: Store, question: str, where: Mapping[str, Any]) -> Rows:
    return (await store.query(question, where)).to_dicts()


def _other(symbol: str, pair: Rows) -> str:
    """Return the other token of a market of two outcomes, empty where there is none."""
    tokens = list(pair[0]["token_ids"]) if pair else []
    return next((token for token in tokens if token != symbol), "") if len(tokens) == 2 else ""  # noqa: PLR2004  a pair


def _instant(text: str) -> tuple[int | None, str]:
    """Return the end of the second that a text names, and what is wrong with it."""
    if not text.strip():
        return None, ""
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) * NS_PER_S, ""
    except (ValueError, OverflowError):
        return None, "expected a time such as 2026-03-11 12:00:00 (UTC)"
