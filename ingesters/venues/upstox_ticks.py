"""
A tick of an instrument as records: ticker, best bid and ask, levels, the venue's own candles.

Every tick holds the whole state of its mode. The wire leaves out what is 0, so 0 and nothing look alike: volumes, sizes
and totals are told as 0; open interest, volatility and greeks, which an instrument need not have, as not told.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from common.clock import NS_PER_MS
from common.records import Bar, BookSnapshot, Quote, Ticker
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.upstox_wire import VENUE, decimal_text, some, told, venue_ns

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
    ltpc = tick.ltpc
    more: dict[str, Any] = _best(tick.levels) | _day(tick.candles)
    if tick.market is not None:
        more |= _market(tick.market)
    if tick.totals is not None:
        more |= _totals(tick.totals)
    return Ticker(
        VENUE,
        symbol,
        moment.received_ns,
        event_ns=moment.event_ns,
        sequence=moment.sequence,
        last_price=decimal_text(ltpc.ltp),
        last_size=str(ltpc.ltq) if ltpc.ltq else None,  # an index has none
        last_trade_ns=venue_ns(ltpc.ltt),
        previous_close=some(ltpc.cp),
        repeats=repeats or None,
        **more,
    )


def _best(levels: Sequence[pb.Quote]) -> dict[str, str]:
    found: dict[str, str] = {}
    if levels and levels[0].bidP:
        found = {"bid_price": decimal_text(levels[0].bidP), "bid_size": str(levels[0].bidQ)}
    if levels and levels[0].askP:
        found |= {"ask_price": decimal_text(levels[0].askP), "ask_size": str(levels[0].askQ)}
    return found


def _day(candles: Sequence[pb.OHLC]) -> dict[str, str]:
    for candle in candles:
        if candle.interval == DAY:
            return {
                "open": decimal_text(candle.open),
                "high": decimal_text(candle.high),
                "low": decimal_text(candle.low),
            }
    return {}


def _market(market: pb.MarketFullFeed | pb.FirstLevelWithGreeks) -> dict[str, str | None]:
    found = {
        "volume": str(market.vtt),
        "open_interest": some(market.oi),
        "implied_volatility": some(market.iv),
    }
    greeks = market.optionGreeks
    if not greeks.ByteSize():  # no option
        return found
    return found | {
        "delta": told(greeks.delta),
        "gamma": told(greeks.gamma),
        "theta": told(greeks.theta),
        "vega": told(greeks.vega),
        "rho": told(greeks.rho),
    }


def _totals(market: pb.MarketFullFeed) -> dict[str, str | None]:
    return {
        "average_price": some(market.atp),
        "total_bid_size": told(market.tbq),
        "total_ask_size": told(market.tsq),
    }


def quote_of(level: pb.Quote, symbol: str, moment: Moment) -> Quote:
    """Return the best bid and ask; a side that nobody is on has price and size 0, as the venue writes it."""
    return Quote(
        venue=VENUE,
        symbol=symbol,
        received_ns=moment.received_ns,
        event_ns=moment.event_ns,
        bid_price=decimal_text(level.bidP),
        bid_size=str(level.bidQ) if level.bidP else NONE,
        ask_price=decimal_text(level.askP),
        ask_size=str(level.askQ) if level.askP else NONE,
        sequence=moment.sequence,
    )


def snapshot_of(tick: Tick, depth: int, symbol: str, moment: Moment) -> BookSnapshot:
    """Return the levels that have a price; before the opening one without a price holds market orders."""
    bids = [level for level in tick.levels if level.bidP]
    asks = [level for level in tick.levels if level.askP]
    return BookSnapshot(
        venue=VENUE,
        symbol=symbol,
        received_ns=moment.received_ns,
        event_ns=moment.event_ns,
        depth=depth,
        bid_prices=tuple([decimal_text(level.bidP) for level in bids]),
        bid_sizes=tuple([str(level.bidQ) for level in bids]),
        ask_prices=tuple([decimal_text(level.askP) for level in asks]),
        ask_sizes=tuple([str(level.askQ) for level in asks]),
        source="partial",
        sequence=moment.sequence,
    )


def bar_of(candle: pb.OHLC, symbol: str, moment: Moment) -> Bar:
    """Return a candle of the venue. `I1` is always the last whole minute; the day's is never called final."""
    return Bar(
        venue=VENUE,
        symbol=symbol,
        received_ns=moment.received_ns,
        event_ns=moment.event_ns,
        interval=candle.interval,
        open_ns=candle.ts * NS_PER_MS,
        open=decimal_text(candle.open),
        high=decimal_text(candle.high),
        low=decimal_text(candle.low),
        close=decimal_text(candle.close),
        volume=str(candle.vol),
        is_closed=True if candle.interval == MINUTE else None,
        sequence=moment.sequence,
    )
