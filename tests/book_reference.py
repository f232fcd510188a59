"""The slow obvious order book and its statistics: dictionaries of decimals, exact fractions, a loop a formula."""

import math
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import median

from common.book_stat import BANDS_BPS, FLOW_LEVELS, IMBALANCE_LEVELS, NOTIONALS, REACHES_BPS

SHOWN = 20
BPS = 10_000


class DecimalBook:
    """Prices to (size, orders) a side; `limits` is the last price of a limited snapshot, None when a side is whole."""

    def __init__(self):
        self.bids, self.asks = {}, {}
        self.limits = [None, None]

    def apply(self, update):
        sides = (
            (self.bids, update.bid_prices, update.bid_sizes, update.bid_orders, min),
            (self.asks, update.ask_prices, update.ask_sizes, update.ask_orders, max),
        )
        for number, (side, prices, sizes, orders, worst) in enumerate(sides):
            if update.kind == "snapshot":
                side.clear()
            for level, (price, size) in enumerate(zip(map(Decimal, prices), map(Decimal, sizes), strict=True)):
                side.pop(price, None)
                if size:
                    side[price] = (size, orders[level] if orders else 0)
            if update.kind == "snapshot" or update.depth:
                self.limits[number] = worst(side) if update.depth and len(side) >= update.depth else None

    def best_first(self):
        """Return both sides as lists of (price, size, orders), fractions, best first."""
        return [
            [(Fraction(price), Fraction(side[price][0]), side[price][1]) for price in sorted(side, reverse=is_bid)]
            for side, is_bid in ((self.bids, True), (self.asks, False))
        ]

    def flow_levels(self):
        """Return the best levels a side as (price, size); a missing one has no price."""
        return [[*((price, size) for price, size, _ in side[:5]), *[(None, 0)] * 5][:5] for side in self.best_first()]


def flow(before, after):
    """Return what one change did to each of the best levels: bids' gains and asks' losses."""
    made = []
    for level in range(len(FLOW_LEVELS)):
        total = Fraction(0)
        for side, sign in ((0, 1), (1, -1)):
            (old, old_size), (new, new_size) = before[side][level], after[side][level]
            if not_worse(new, old, sign):
                total += sign * new_size
            if not_worse(old, new, sign):
                total -= sign * old_size
        made.append(total)
    return made


def not_worse(one, other, sign):
    if other is None:
        return True
    return one is not None and sign * one >= sign * other


def message_facts(record, row_ns, *, is_first):
    """Return what a row says of the one message since the row before."""
    kind = None if is_first else "snapshot" if record.kind == "snapshot" else "event"
    return {
        "venue": record.venue,
        "symbol": record.symbol,
        "event_ns": row_ns,
        "received_ns": record.received_ns,
        "source": "maintained",
        "sequence": record.last_sequence,
        "updates": 1,
        "late_updates": 0,
        "age_ms": Fraction(row_ns - record.event_ns, 10**6),
        "ofi_kind": kind,
    }


def best_texts(sides):
    """Return the best prices and sizes, exact."""
    made = {}
    for name, side in zip(("bid", "ask"), sides, strict=True):
        price, size = side[0][:2] if side else (None, None)
        made |= {f"best_{name}": price, f"best_{name}_size": size}
    return made


def quotient(top, bottom):
    return None if top is None or bottom is None or bottom == 0 else top / bottom


def statistics(book):
    """Return every statistic of a book by its name, None where it cannot answer."""
    bids, asks = sides = book.best_first()
    limits = [None if limit is None else Fraction(limit) for limit in book.limits]
    known = [
        [level for level in side if limit is None or sign * level[0] >= sign * limit]
        for side, limit, sign in zip(sides, limits, (1, -1), strict=True)
    ]
    mid = (bids[0][0] + asks[0][0]) / 2 if bids and asks else None
    made = {"bid_levels": len(bids), "ask_levels": len(asks), "levels": len(known[0]) + len(known[1]), "mid": mid}
    made |= best_texts(sides) | top(sides, known, limits, mid) | deep(sides, known, limits, mid)
    for number, name in enumerate(("bid", "ask")):
        made |= shape(name, sides[number], speaks(known, limits, number, SHOWN), mid)
    made["slope"] = (
        None if None in (made["bid_slope"], made["ask_slope"]) else (made["bid_slope"] + made["ask_slope"]) / 2
    )
    return made


def speaks(known, limits, number, levels):
    return len(known[number]) >= levels or (limits[number] is None and len(known[number]) > 0)


def crossed_mean(bid, ask, bid_size, ask_size):
    return quotient(bid * ask_size + ask * bid_size, bid_size + ask_size)


def imbalance(bid, ask):
    return None if bid is None or ask is None else quotient(bid - ask, bid + ask)


def top(sides, known, limits, mid):
    bids, asks = sides
    best = [[(float(p), float(q)) for p, q, _ in side[:SHOWN]] for side in sides]

    def both(levels, compute):
        return compute(levels) if all(speaks(known, limits, side, levels) for side in (0, 1)) else None

    def size(side, levels):
        return sum(level[1] for level in sides[side][:levels])

    def average(side, levels):
        return sum(level[0] * level[1] for level in sides[side][:levels]) / size(side, levels)

    def near(side):
        return sum(q * math.exp(-float(abs(Fraction(p) - mid) / mid * BPS / 10)) for p, q in best[side])

    made = {} if mid is not None else dict.fromkeys(BEST)
    if mid is not None:
        made |= best_prices(bids[0], asks[0], mid)
    for levels in IMBALANCE_LEVELS:
        made[f"imbalance_{levels}"] = both(levels, lambda k: imbalance(size(0, k), size(1, k)))
    made["weighted_mid"] = both(5, lambda k: crossed_mean(bids[0][0], asks[0][0], size(0, k), size(1, k)))
    for levels in (5, 20):
        made[f"vamp_{levels}"] = both(
            levels, lambda k: crossed_mean(average(0, k), average(1, k), size(0, k), size(1, k))
        )
    made["distance_imbalance"] = both(SHOWN, lambda _: imbalance(near(0), near(1)))
    return made


BEST = ("spread", "spread_bps", "is_crossed", "is_locked", "microprice", "log_quote_slope", "quote_slope")


def best_prices(best_bid, best_ask, mid):
    (bid, bid_size, _), (ask, ask_size, _) = best_bid, best_ask
    spread, logs = ask - bid, math.log(bid_size) + math.log(ask_size)
    slopes = (float(spread) / logs, math.log1p(float(spread / bid)) / logs) if logs > 0 else (None, None)
    return {
        "spread": spread,
        "spread_bps": BPS * spread / mid,
        "is_crossed": spread < 0,
        "is_locked": spread == 0,
        "microprice": crossed_mean(bid, ask, bid_size, ask_size),
        "quote_slope": slopes[0],
        "log_quote_slope": slopes[1],
    }


def deep(sides, known, limits, mid):
    made = {}
    for number, (name, sign, action) in enumerate((("bid", 1, "sell"), ("ask", -1, "buy"))):
        limit = limits[number]
        made[f"{name}_covered_bps"] = None if limit is None or mid is None else sign * (mid - limit) / mid * BPS
        made[f"{name}_known_depth"] = None if mid is None else sum(q for _, q, _ in known[number])
        made[f"{name}_known_notional"] = None if mid is None else sum(p * q for p, q, _ in known[number])
        for bps in BANDS_BPS:
            edge = None if mid is None else mid * (1 - sign * Fraction(bps, BPS))
            is_known = mid is not None and (limit is None or sign * limit <= sign * edge)
            made[f"{name}_covered_{bps}bps"] = None if mid is None else is_known
            inside = [level for level in sides[number] if is_known and sign * level[0] >= sign * edge]
            made[f"{name}_depth_{bps}bps"] = sum(q for _, q, _ in inside) if is_known else None
            made[f"{name}_notional_{bps}bps"] = sum(p * q for p, q, _ in inside) if is_known else None
        for title, notional in NOTIONALS.items():
            made[f"{action}_cost_{title}_bps"] = (
                None if mid is None else cost(known[number], Fraction(notional), mid, sign)
            )
        for bps in REACHES_BPS:
            made[f"{action}_reach_{bps}bps"] = (
                None if mid is None else reach(known[number], bps, mid, sign, limit is None)
            )
    for bps in BANDS_BPS:
        made[f"imbalance_{bps}bps"] = imbalance(made[f"bid_depth_{bps}bps"], made[f"ask_depth_{bps}bps"])
    return made


def cost(levels, notional, mid, sign):
    left, base = notional, Fraction(0)
    for price, size, _ in levels:
        taken = min(size, left / price)
        base += taken
        left -= taken * price
        if left == 0:
            return -sign * (notional / base / mid - 1) * BPS
    return None


def reach(levels, bps, mid, sign, is_whole):
    worst = mid * (1 - sign * Fraction(bps, BPS))
    spent = base = Fraction(0)
    for price, size, _ in levels:
        if sign * (spent + price * size) < sign * worst * (base + size):
            return spent + price * (worst * base - spent) / (price - worst)
        spent += price * size
        base += size
    return spent if is_whole else None


def shape(name, side, is_shown, mid):
    best = side[:SHOWN]
    walls_of = ("walls", "walls_size", "wall_price", "wall_size", "largest_wall_price", "largest_wall_size")
    names = ("slope", "hhi", "share_5", "hole_bps", *walls_of, "orders", "order_size")
    made = {f"{name}_{what}": None for what in names}
    if not is_shown:
        return made
    sizes = [size for _, size, _ in best]
    total, orders = sum(sizes), sum(orders for *_, orders in best)
    made[f"{name}_hhi"] = sum((size / total) ** 2 for size in sizes)
    made[f"{name}_share_5"] = sum(sizes[:5]) / total
    walls = [(p, q) for p, q, _ in best if q >= 5 * median(sizes) and q >= total / 10]
    made |= {f"{name}_walls": len(walls), f"{name}_walls_size": sum(size for _, size in walls)}
    for which, wall in (("", walls[0]), ("largest_", max(walls, key=lambda wall: wall[1]))) if walls else ():
        made |= {f"{name}_{which}wall_price": wall[0], f"{name}_{which}wall_size": wall[1]}
    if orders:
        made |= {f"{name}_orders": orders, f"{name}_order_size": total / orders}
    if mid is not None:
        steps = [abs(after[0] - before[0]) for before, after in pairwise(best)]
        made[f"{name}_hole_bps"] = max(steps) / mid * BPS if steps else None
        made[f"{name}_slope"] = slope(best, mid)
    return made


def slope(best, mid):
    if best[0][0] == mid:
        return None
    total = best[0][1] / abs(best[0][0] / mid - 1)
    summed = best[0][1]
    for before, after in pairwise(best):
        total += (after[1] / summed) / abs(after[0] / before[0] - 1)
        summed += after[1]
    return total / len(best)
