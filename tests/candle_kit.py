"""Trades for candles, and the slow obvious way to make candles of them."""

import random
from decimal import Context, Decimal, localcontext

from common.records import Trade
from processors.amended import NOTHING
from tests.book_kit import frame

SECOND_NS = 10**9
START_NS = 1_767_225_600 * SECOND_NS  # midnight
INTERVALS = {"1s": 1, "1m": 60, "1h": 3600, "1d": 86_400}


def trade(at_s, price="10", size="1", side="buy", *, late_s=0.05, **more):
    """Return a trade of so many seconds after midnight that reached us a moment later."""
    at_ns = START_NS + round(at_s * 1000) * 10**6
    received_ns = at_ns + round(late_s * 1000) * 10**6
    told = {"trade_id": str(at_ns), "event_ns": at_ns, "price": str(price), "size": str(size), "taker_side": side}
    names = more.pop("venue", "v"), more.pop("symbol", "S")
    return Trade(*names, received_ns, **told | more)


def random_trades(count, seed, *, spread_s=70):
    """Return trades of three symbols, some of them late, at prices and sizes of many digits."""
    chance = random.Random(seed)
    made, at_s = [], 0.0
    for number in range(count):
        at_s += chance.choice([0, 0.001, 0.2, 0.9, 3, spread_s])
        late_s = chance.choice([0, 0.05, 0.05, 2, 20])
        price = f"{chance.randint(1, 10**9)}.{chance.randint(0, 10**9):09d}"
        size = f"{chance.randint(0, 10**5)}.{chance.randint(1, 10**9):09d}"
        side = chance.choice(["buy", "sell", "unknown"])
        told = trade(at_s, price, size, side, late_s=late_s, symbol=chance.choice("ABC"), trade_id=str(number))
        made.append(told)
    return sorted(made, key=lambda one: one.received_ns)


def turned(state, trades, *, step=None, first=0):
    """Return every candle that a state tells of trades, in batches of `step`."""
    step, told = step or len(trades) or 1, []
    for at in range(0, len(trades), step):
        told += state.turn(frame(trades[at : at + step], Trade, first=first + at), NOTHING).rows.to_dicts()
    return told


def newest(told):
    """Return the last word on each candle: (open, high, low, close, volume, notional, buys, sells, trades)."""
    names = ("open", "high", "low", "close", "volume", "notional", "buy_volume", "sell_volume")
    return {
        (row["venue"], row["symbol"], row["interval"], row["open_ns"]): (
            *(row.get(name) and Decimal(row[name]) for name in names),
            row["trades"],
        )
        for row in told
    }


def slowly(trades):
    """Return the candles of trades, each made of all of its trades at once."""
    found = {}
    for offset, one in enumerate(trades):
        for name, seconds in INTERVALS.items():
            open_ns = one.event_ns // (seconds * SECOND_NS) * seconds * SECOND_NS
            found.setdefault((one.venue, one.symbol, name, open_ns), []).append((one.event_ns, offset, one))
    with localcontext(Context(prec=80)):
        return {
            key: _candle([one for *_, one in sorted(told, key=lambda told: told[:2])]) for key, told in found.items()
        }


def _candle(trades):
    prices, sizes = ([Decimal(getattr(one, name)) for one in trades] for name in ("price", "size"))
    by_side = [sum(size for one, size in zip(trades, sizes, strict=True) if one.taker_side == side) for side in SIDES]
    notional = sum(price * size for price, size in zip(prices, sizes, strict=True))
    return prices[0], max(prices), min(prices), prices[-1], sum(sizes), notional, *by_side, len(trades)


SIDES = ("buy", "sell")
