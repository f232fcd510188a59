"""
A tick of an instrument as records: ticker, best bid and ask, levels, the venue's own candles.

Every tick holds the whole state of its mode. The wire leaves out what is 0, so 0 and nothing look alike: volumes, sizes
and totals are told as 0; open interest, volatility and greeks, which an instrument need not have, as not told.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from common.clock import NS_PER_MS
from common.records import Bar, BookSnapshot, Quote, Ticker
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.upstox_wire import VENUE, decimal_text, told, venue_ns

MINUTE = "I1"
DAY = "1d"
DEPTHS = {pb.full_d5: 5, pb.full_d30: 30}
NONE = "0"


class Moment(NamedTuple):
    """When a frame came, when the venue says that it made it, and that time as the number by which it is known."""

    received_ns: int
    event_ns: int | None
    sequence: int | None


class Tick(NamedTuple):
    """The state of one instrument; what its mode or its kind does not have is empty."""

    ltpc: pb.LTPC
    market: pb.MarketFullFeed | pb.FirstLevelWithGreeks | None = None
    totals: pb.MarketFullFeed | None = None
    levels: Sequence[pb.Quote] = ()
    candles: Sequence[pb.OHLC] = ()
    depth: int | None = None


def tick_of(feed: pb.Feed) -> Tick:
    """
    Return what a feed tells.

    Raises:
        ValueError: it is of a kind that is not documented.
    """
    match feed.WhichOneof("FeedUnion"):
        case "ltpc":
            return Tick(feed.ltpc)
        case "firstLevelWithGreeks":
            first = feed.firstLevelWithGreeks
            return Tick(first.ltpc, first, levels=(first.firstDepth,))
        case "fullFeed":
            return _full_tick(feed.fullFeed, DEPTHS.get(feed.requestMode))
        case _:
            raise ValueError("expected an ltpc, fullFeed or firstLevelWithGreeks, found none of them")


def _full_tick(full: pb.FullFeed, depth: int | None) -> Tick:
    match full.WhichOneof("FullFeedUnion"):
        case "marketFF":
            market = full.marketFF
            levels = market.marketLevel.bidAskQuote
            return Tick(market.ltpc, market, market, levels, market.marketOHLC.ohlc, depth or max(5, len(levels)))
        case "indexFF":
            return Tick(full.indexFF.ltpc, candles=full.indexFF.marketOHLC.ohlc)
        case _:
            raise ValueError("expected a marketFF or indexFF, found neither")


def ticker_of(tick: Tick, symbol: str, moment: Moment, repeats: int) -> Ticker:
    """Return a tick without its levels; `repeats` is how often the one before it was said again."""
    ltpc, market, totals = tick.ltpc, tick.market, tick.totals
    best = tick.levels[0] if tick.levels else None
    day = next((candle for candle in tick.candles if candle.interval == DAY), None)
    greeks = market.optionGreeks if market is not None and market.optionGreeks.ByteSize() else None
    return Ticker(
        VENUE,
        symbol,
        moment.received_ns,
        event_ns=moment.event_ns,
        sequence=moment.sequence,
        last_price=decimal_text(ltpc.ltp),
        last_size=str(ltpc.ltq) if market is not None else (str(ltpc.ltq) if ltpc.ltq else None),
        last_trade_ns=venue_ns(ltpc.ltt),
        previous_close=told(ltpc.cp) if ltpc.cp else None,
        volume=str(market.vtt) if market is not None else None,
        open_interest=decimal_text(market.oi) if market is not None and market.oi else None,
        implied_volatility=told(market.iv) if market is not None and market.iv else None,
        bid_price=decimal_text(best.bidP) if best is not None and best.bidP else None,
        bid_size=str(best.bidQ) if best is not None and best.bidP else None,
        ask_price=decimal_text(best.askP) if best is not None and best.askP else None,
        ask_size=str(best.askQ) if best is not None and best.askP else None,
        average_price=told(totals.atp) if totals is not None and totals.atp else None,
        total_bid_size=decimal_text(totals.tbq) if totals is not None else None,
        total_ask_size=decimal_text(totals.tsq) if totals is not None else None,
        open=decimal_text(day.open) if day is not None else None,
        high=decimal_text(day.high) if day is not None else None,
        low=decimal_text(day.low) if day is not None else None,
        delta=told(greeks.delta) if greeks is not None else None,
        gamma=told(greeks.gamma) if greeks is not None else None,
        theta=told(greeks.theta) if greeks is not None else None,
        vega=told(greeks.vega) if greeks is not None else None,
        rho=told(greeks.rho) if greeks is not None else None,
        repeats=repeats or None,
    )
