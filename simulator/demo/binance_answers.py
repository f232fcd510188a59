"""What an invented Binance answers beside books and trades: candles, tickers, and what can be traded."""

from collections.abc import Callable, Mapping

import msgspec

from simulator.demo.bars import Bar
from simulator.demo.binance_messages import eight, eight_signed
from simulator.demo.binance_pair import Pair
from simulator.demo.order_book import ASK, BID, Instrument

MOST_KLINES, DEFAULT_KLINES = 1000, 500
Query = dict[str, str]


def answer_about(pairs: Mapping[str, Pair], path: str, query: Query, now_ms: int) -> bytes | None:
    """Return the body for one symbol, or for all where that exists; None for an unknown symbol."""
    if path == "exchangeInfo":
        return _exchange_info(pairs, query, now_ms)
    answer = ANSWERS[path]
    if "symbol" in query:
        pair = pairs.get(query["symbol"])
        return msgspec.json.encode(answer(pair, query)) if pair else None
    return msgspec.json.encode([answer(pair, query) for pair in pairs.values()])


def _exchange_info(pairs: Mapping[str, Pair], query: Query, now_ms: int) -> bytes | None:
    wanted = list(pairs)
    if "symbols" in query:
        wanted = msgspec.json.decode(query["symbols"], type=list[str])
    elif "symbol" in query:
        wanted = [query["symbol"]]
    if not set(wanted) <= set(pairs):
        return None
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}
    info = {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [weight],
        "exchangeFilters": [],
        "symbols": [_symbol_info(pairs[symbol].instrument) for symbol in wanted],
    }
    return msgspec.json.encode(info)


def _price(pair: Pair, _query: Query) -> dict[str, str]:
    return {"symbol": pair.instrument.symbol, "price": pair.write.price(pair.book.best(BID))}


def _average(pair: Pair, _query: Query) -> dict[str, object]:
    return {"mins": 5, "price": pair.write.price(pair.book.best(BID))}


def _klines(pair: Pair, query: Query) -> list[list[int | str]]:
    start, end = int(query.get("startTime", "0")), int(query.get("endTime", str(2**62)))
    limit = min(int(query.get("limit", DEFAULT_KLINES)), MOST_KLINES)
    bars = [bar for bar in pair.bars.of(query.get("interval", "")) if start <= bar.open_ms <= end]
    return [_kline(bar) for bar in (bars[:limit] if "startTime" in query else bars[-limit:])]


def _kline(bar: Bar) -> list[int | str]:
    prices = [eight(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    taken = [eight(bar.taker_volume), eight(bar.taker_quote), "0"]
    return [bar.open_ms, *prices, eight(bar.volume), bar.close_ms, eight(bar.quote), bar.trades, *taken]


def _ticker(pair: Pair, _query: Query) -> dict[str, int | str]:
    day = pair.bars.day()
    return {
        "symbol": pair.instrument.symbol,
        "priceChange": eight_signed(day.close - day.open),
        "lastPrice": eight(day.close),
        "openPrice": eight(day.open),
        "highPrice": eight(day.high),
        "lowPrice": eight(day.low),
        "volume": eight(day.volume),
        "quoteVolume": eight(day.quote),
        "openTime": day.open_ms,
        "closeTime": day.close_ms,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.trades,
    }


def _book_ticker(pair: Pair, _query: Query) -> dict[str, str]:
    (bid, bid_lots), (ask, ask_lots) = pair.book.top(BID, 1)[0], pair.book.top(ASK, 1)[0]
    write = pair.write
    return {
        "symbol": pair.instrument.symbol,
        "bidPrice": write.price(bid),
        "bidQty": write.size(bid_lots),
        "askPrice": write.price(ask),
        "askQty": write.size(ask_lots),
    }


def _symbol_info(instrument: Instrument) -> dict[str, object]:
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": eight(instrument.tick_e8)},
            {"filterType": "LOT_SIZE", "stepSize": eight(instrument.lot_e8)},
        ],
    }


ANSWERS: dict[str, Callable[[Pair, Query], object]] = {
    "klines": _klines,
    "ticker/24hr": _ticker,
    "ticker/bookTicker": _book_ticker,
    "ticker/price": _price,
    "avgPrice": _average,
}
