"""OKX's rows as records."""

from common.records import Bar, BookSnapshot, BookUpdate, Quote, TakerSide, Ticker, Trade
from ingesters.venues.okx_wire import (
    CANDLE,
    OLD_CANDLE,
    VENUE,
    BookRow,
    TickerRow,
    TradeRow,
    columns,
    is_spot,
    venue_ns,
)

SIDES: dict[str, TakerSide] = {"buy": "buy", "sell": "sell"}  # `side` is the taker's


def trade_of(row: TradeRow, received_ns: int) -> Trade:
    """Return a live trade; an aggregate of several carries the id of the last one."""
    number = int(row.id)
    return Trade(
        VENUE,
        row.symbol,
        received_ns,
        trade_id=row.id,
        event_ns=venue_ns(row.time),
        price=row.price,
        size=row.size,
        taker_side=SIDES.get(row.side, "unknown"),
        sequence=number,
    )


def update_of(row: BookRow, symbol: str, received_ns: int, *, depth: int | None) -> BookUpdate:
    """Return a snapshot of `depth` levels, or a delta when `depth` is None; `first_sequence` is then prevSeqId."""
    bid_prices, bid_sizes, bid_orders = columns(row.bids)
    ask_prices, ask_sizes, ask_orders = columns(row.asks)
    return BookUpdate(
        VENUE,
        symbol,
        received_ns,
        event_ns=venue_ns(row.time),
        kind="delta" if depth is None else "snapshot",
        first_sequence=row.previous if depth is None else row.sequence,
        last_sequence=row.sequence,
        bid_prices=bid_prices,
        bid_sizes=bid_sizes,
        ask_prices=ask_prices,
        ask_sizes=ask_sizes,
        bid_orders=bid_orders,
        ask_orders=ask_orders,
        depth=depth,
    )


def top_of(row: BookRow, symbol: str, received_ns: int, depth: int) -> BookSnapshot:
    """Return the best levels as the venue pushes them."""
    bid_prices, bid_sizes, bid_orders = columns(row.bids)
    ask_prices, ask_sizes, ask_orders = columns(row.asks)
    return BookSnapshot(
        VENUE,
        symbol,
        received_ns,
        event_ns=venue_ns(row.time),
        depth=depth,
        bid_prices=bid_prices,
        bid_sizes=bid_sizes,
        ask_prices=ask_prices,
        ask_sizes=ask_sizes,
        bid_orders=bid_orders,
        ask_orders=ask_orders,
        source="partial",
        sequence=row.sequence,
    )


def quote_of(row: BookRow, symbol: str, received_ns: int) -> Quote:
    """Return the best bid and ask; both sides must have one."""
    bid_price, bid_size, *_ = row.bids[0]
    ask_price, ask_size, *_ = row.asks[0]
    return Quote(
        VENUE,
        symbol,
        received_ns,
        event_ns=venue_ns(row.time),
        bid_price=bid_price,
        bid_size=bid_size,
        ask_price=ask_price,
        ask_size=ask_size,
        sequence=row.sequence,
    )


def ticker_of(row: TickerRow, received_ns: int) -> Ticker:
    """Return a ticker. `vol24h` is in base currency for spot; in contracts else, and then `volCcy24h` is in base."""
    of_spot = is_spot(row.symbol)
    return Ticker(
        VENUE,
        row.symbol,
        received_ns,
        event_ns=venue_ns(row.time),
        last_price=row.last_price,
        last_size=row.last_size or None,
        volume=(row.volume if of_spot else row.volume_in_currency) or None,
        quote_volume=(row.volume_in_currency or None) if of_spot else None,
        bid_price=row.bid_price or None,
        bid_size=row.bid_size or None,
        ask_price=row.ask_price or None,
        ask_size=row.ask_size or None,
        open=row.open or None,
        high=row.high or None,
        low=row.low or None,
    )


def bar_of(candle: list[str], symbol: str, received_ns: int, *, interval: str, event_ns: int | None = None) -> Bar:
    """
    Return a candle as a bar; one that is pushed does not say when it was made.

    Raises:
        ValueError: it has fewer columns than any version of the venue's.
    """
    if len(candle) < OLD_CANDLE:
        raise ValueError(f"expected a candle of {CANDLE} columns, found {len(candle)}")
    start, open_, high, low, close, volume, in_currency, *later = candle
    of_spot = is_spot(symbol)
    return Bar(
        VENUE,
        symbol,
        received_ns,
        event_ns=event_ns,
        interval=interval,
        open_ns=venue_ns(start),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume if of_spot else in_currency,
        quote_volume=later[0] if later else (in_currency if of_spot else None),
        is_closed=later[1] == "1" if len(later) > 1 else None,
    )
