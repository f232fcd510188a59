"""The plain order book that ours is measured beside: a sorted dictionary of floats a side, statistics in Python."""

from itertools import pairwise
from math import exp, log
from statistics import median

from sortedcontainers import SortedDict  # type: ignore[import-untyped]  # brings no types

from common.book_stat import BANDS_BPS, NOTIONALS, REACHES_BPS
from common.records import BookUpdate

Levels = list[tuple[float, float]]


class SortedBook:
    """One book; a bid's key is its negated price."""

    def __init__(self) -> None:
        self.bids: SortedDict = SortedDict()
        self.asks: SortedDict = SortedDict()

    def apply(self, update: BookUpdate) -> None:
        """Apply a message."""
        if update.kind == "snapshot":
            self.bids.clear()
            self.asks.clear()
        for side, sign, prices, sizes in (
            (self.bids, -1, update.bid_prices, update.bid_sizes),
            (self.asks, 1, update.ask_prices, update.ask_sizes),
        ):
            for price, size in zip(prices, sizes, strict=True):
                if float(size):
                    side[sign * float(price)] = float(size)
                else:
                    side.pop(sign * float(price), None)

    def statistics(self, *, is_whole: bool) -> dict[str, float | None]:
        """Return our statistics, or only some of the best 20 levels."""
        depth = None if is_whole else 20
        bids = [(-key, size) for key, size in self.bids.items()[:depth]]
        asks = list(self.asks.items()[:depth])
        mid = (bids[0][0] + asks[0][0]) / 2
        made = _top(bids[:20], asks[:20], mid)
        if is_whole:
            for side, sign in ((bids, 1), (asks, -1)):
                _deep(side, sign, mid, made)
                _shape(side[:20], sign, mid, made)
        return made


def _top(bids: Levels, asks: Levels, mid: float) -> dict[str, float | None]:
    (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
    made: dict[str, float | None] = {"mid": mid, "spread_bps": (ask - bid) / mid * 1e4}
    made["microprice"] = (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
    made["quote_slope"] = (ask - bid) / (log(bid_size) + log(ask_size))
    for levels in (1, 5, 10, 20):
        bought, sold = (sum([size for _, size in side[:levels]]) for side in (bids, asks))
        made[f"imbalance_{levels}"] = (bought - sold) / (bought + sold)
        spent, got = (sum([price * size for price, size in side[:levels]]) for side in (bids, asks))
        made[f"vamp_{levels}"] = (spent / bought * sold + got / sold * bought) / (bought + sold)
    near = [sum([size * exp(-abs(price - mid) / mid * 1e3) for price, size in side]) for side in (bids, asks)]
    made["distance_imbalance"] = (near[0] - near[1]) / (near[0] + near[1])
    for name, side in (("bid", bids), ("ask", asks)):
        total = sum([size for _, size in side])
        made[f"{name}_hhi"] = sum([(size / total) ** 2 for _, size in side])
        made[f"{name}_hole"] = max([abs(after[0] - before[0]) for before, after in pairwise(side)]) / mid * 1e4
    return made


def _deep(side: Levels, sign: int, mid: float, made: dict[str, float | None]) -> None:
    """Walk the whole side for bands, for amounts and for average prices."""
    edges = [mid * (1 - sign * bps / 1e4) for bps in BANDS_BPS]
    base = spent = 0.0
    band = wanted = 0
    notionals = list(NOTIONALS.values())
    for price, size in side:
        while band < len(edges) and sign * price < sign * edges[band]:
            made[f"{sign}_depth_{BANDS_BPS[band]}"], made[f"{sign}_notional_{BANDS_BPS[band]}"] = base, spent
            band += 1
        while wanted < len(notionals) and spent + price * size >= notionals[wanted]:
            average = notionals[wanted] / (base + (notionals[wanted] - spent) / price)
            made[f"{sign}_cost_{wanted}"] = (average / mid - 1) * 1e4
            wanted += 1
        base += size
        spent += price * size
    for reach in REACHES_BPS:
        made[f"{sign}_reach_{reach}"] = _reach(side, sign, mid * (1 - sign * reach / 1e4))


def _reach(side: Levels, sign: int, limit: float) -> float:
    spent = slack = 0.0
    for price, size in side:
        excess = -sign * (price - limit)
        if excess > 0 and slack < excess * size:
            return spent + price * slack / excess
        slack -= excess * size
        spent += price * size
    return spent


def _shape(side: Levels, sign: int, mid: float, made: dict[str, float | None]) -> None:
    sizes = [size for _, size in side]
    total, middle = sum(sizes), median(sizes)
    walls = [(price, size) for price, size in side if size >= 5 * middle and size >= total / 10]
    made[f"{sign}_walls"] = len(walls)
    made[f"{sign}_wall"] = walls[0][0] if walls else None
    steepness, summed = side[0][1] / abs(side[0][0] / mid - 1), side[0][1]
    for (before, _), (after, size) in pairwise(side):
        steepness += size / summed / abs(after / before - 1)
        summed += size
    made[f"{sign}_slope"] = steepness / len(side)
