"""/i/{venue}/{symbol}: candles, book, tape, spread and imbalance of one instrument, and whether its book is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common.clock import NS_PER_S, utc_text
from monitoring.desk import AsOf
from monitoring.page import Look
from monitoring.verdicts import Level, Verdict, age_words
from monitoring.views.compare import Beside, beside_of
from monitoring.views.instrument_list import OF_BOOK
from monitoring.views.instrument_reading import Book, Charts, Found, Given
from monitoring.views.ladders import Side, newest, past, plain

QUIET_S = 60.0


@dataclass(frozen=True)
class Print:
    """A trade of the tape."""

    trade_id: str
    event_ns: int
    price: str
    size: str
    taker_side: str
    source: str


@dataclass(frozen=True)
class Incident:
    """A feed event of this instrument."""

    kind: str
    channel: str
    received_ns: int
    age_s: float
    words: str


@dataclass(frozen=True)
class InstrumentPage:
    """
    All of it. `candles` are (time, open, high, low, close, volume), `lately` (time, spread in bps, imbalance).

    `delay_ms` is from the venue's time to ours for the newest quote, `books` one side, or both outcomes of a market.
    `twins` are the same coin at other venues, as venue/symbol; `beside` is compared with it.
    """

    venue: str
    symbol: str
    name: str
    slug: str
    interval: str
    sync: Verdict
    last_price: str
    heard_age_s: float | None
    delay_ms: float | None
    figures: dict[str, float | None]
    candles: tuple[tuple[float, ...], ...]
    lately: tuple[tuple[float | None, ...], ...]
    books: tuple[Side, ...]
    past: Side | None
    at: str
    complaint: str
    range: str
    beside: Beside | None
    twins: tuple[str, ...]
    tape: tuple[Print, ...]
    incidents: tuple[Incident, ...]
    store: AsOf


FIGURES = (
    "mid", "microprice", "spread", "spread_bps", "imbalance_1", "imbalance_5", "imbalance_20", "bid_depth_10bps",
    "ask_depth_10bps", "bid_levels", "ask_levels",
)  # fmt: skip


def view(look: Look) -> InstrumentPage:
    """Return the page of an instrument."""
    given: Given = look.given
    found: Found = look.found
    book, charts = found.book.value or Book(), found.charts.value or Charts()
    market = charts.pair[0] if charts.pair else {}
    outcomes = dict(zip(market.get("token_ids", ()), market.get("outcomes", ()), strict=False))
    incidents = tuple(_incident(row, look.now_ns) for row in charts.events)
    heard_ns = max(
        [
            0,
            *(
                row.get("received_ns") or row.get("event_ns") or 0
                for row in (*book.now, *book.quote, *book.ticker, *book.tape)
            ),
        ]
    )
    now = book.now[0] if book.now else {}
    sides = [newest(given.symbol, outcomes.get(given.symbol, ""), book)]
    if found.other is not None:
        other = next(token for token in outcomes if token != given.symbol)
        sides.append(newest(other, outcomes[other], found.other.value or Book()))
        sides.sort(key=lambda side: list(outcomes).index(side.symbol))
    return InstrumentPage(
        venue=given.venue,
        symbol=given.symbol,
        name=f"{market['question']} {outcomes.get(given.symbol, '')}".strip() if market else "",
        slug=market.get("slug", ""),
        interval=given.interval,
        sync=sync_of(book, incidents, look.now_ns),
        last_price=_last(book),
        heard_age_s=(look.now_ns - heard_ns) / NS_PER_S if heard_ns else None,
        delay_ms=_delay_ms(book),
        figures={name: None if now.get(name) is None else float(now[name]) for name in FIGURES},
        candles=tuple(
            tuple(float(row[name]) for name in ("time", "open", "high", "low", "close", "volume"))
            for row in charts.candles
        ),
        lately=tuple((row["time"], row["spread_bps"], row["imbalance"]) for row in charts.lately),
        books=tuple(sides),
        past=past(found, given),
        at=given.at,
        complaint=found.complaint or found.beside.complaint,
        range=given.range,
        beside=beside_of(found.beside, charts.lately),
        twins=tuple("/".join(named) for named in found.beside.twins),
        tape=tuple(_print(row) for row in book.tape),
        incidents=incidents,
        store=found.book.as_of(look.now_ns),
    )


def sync_of(book: Book, incidents: tuple[Incident, ...], now_ns: int) -> Verdict:
    """Judge whether the book can be trusted: what was told of it last, and how long ago it was heard of."""
    if not book.now and not book.ladder:
        return Verdict(Level.OFF, "no book is kept of it")
    told = [one for one in incidents if one.channel in OF_BOOK and one.kind in ("gap", "resync", "stale")]
    gaps = [one for one in told if one.kind == "gap"]
    since = f"last gap {age_words(gaps[0].age_s)} ago" if gaps else "no gap in 7 days"
    if told and told[0].kind in ("gap", "stale"):
        return Verdict(Level.DOWN, f"out of sync for {age_words(told[0].age_s)}: {told[0].words or told[0].kind}")
    if book.now and book.now[0]["is_crossed"]:
        return Verdict(Level.DOWN, f"crossed: the best bid is above the best ask; {since}")
    told_ns = max(row["told_ns"] for row in (*book.now, *book.ladder))
    silent_s = (now_ns - told_ns) / NS_PER_S
    if silent_s > QUIET_S:
        return Verdict(Level.SLOW, f"not heard of for {age_words(silent_s)}; {since}")
    return Verdict(Level.WELL, f"in sync; {since}")


def _last(book: Book) -> str:
    if book.tape:
        return plain(book.tape[0]["price"])
    return plain(book.ticker[0]["last_price"]) if book.ticker else ""


def _delay_ms(book: Book) -> float | None:
    rows = [row for row in (*book.quote, *book.now) if row["told_ns"] and row["told_ns"] != row["received_ns"]]
    return (rows[0]["received_ns"] - rows[0]["told_ns"]) / 1e6 if rows else None


def _print(row: dict[str, Any]) -> Print:
    return Print(
        row["trade_id"], row["event_ns"], plain(row["price"]), plain(row["size"]), row["taker_side"], row["source"]
    )


def _incident(row: dict[str, Any], now_ns: int) -> Incident:
    words = [row["detail"]] if row["detail"] else []
    if row["expected"] or row["found"]:
        words.append(f"expected {row['expected'] or 'nothing'}, found {row['found'] or 'nothing'}")
    if row["to_ns"] > row["from_ns"]:
        words.append(f"{utc_text(row['from_ns'])[11:23]} to {utc_text(row['to_ns'])[11:23]}")
    age_s = (now_ns - row["received_ns"]) / NS_PER_S
    return Incident(row["kind"], row["channel"], row["received_ns"], age_s, "; ".join(words))


def lines(page: InstrumentPage) -> Iterator[dict[str, object]]:
    """Return the candles that are shown, one a line."""
    names = ("open_time_s", "open", "high", "low", "close", "volume")
    for candle in page.candles:
        figures = dict(zip(names, candle, strict=True))
        yield {"venue": page.venue, "symbol": page.symbol, "interval": page.interval, **figures}
