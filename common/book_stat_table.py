"""The table of book statistics."""

from collections.abc import Iterator

from common.book_stat import BANDS_BPS, FLOW_LEVELS, IMBALANCE_LEVELS, NOTIONALS, REACHES_BPS
from common.columns import Column, Table
from common.streams import BOOK_STATS


def _real(name: str, comment: str) -> Column:
    return Column(name, "real", name, comment, optional=True)


def _number(name: str, comment: str) -> Column:
    return Column(name, "number", name, comment, optional=True)


def _count(name: str, comment: str) -> Column:
    return Column(name, "count", name, comment, optional=True)


def _each_side(name: str, comment: str) -> Iterator[Column]:
    yield _real(f"bid_{name}", comment)
    yield _real(f"ask_{name}", comment)


def _bands() -> Iterator[Column]:
    for bps in BANDS_BPS:
        yield from _each_side(f"depth_{bps}bps", f"base currency within {bps} bps of the mid")
    for bps in BANDS_BPS:
        yield from _each_side(f"notional_{bps}bps", "the same in quote currency")
    for bps in BANDS_BPS:
        yield _real(f"imbalance_{bps}bps", f"of the base currency within {bps} bps of the mid, -1 to 1")


def _coverage() -> Iterator[Column]:
    for side in ("bid", "ask"):
        for bps in BANDS_BPS:
            name = f"{side}_covered_{bps}bps"
            yield Column(name, "flag", name, f"the side is known {bps} bps from the mid", optional=True)
        yield _real(f"{side}_known_depth", "of all known levels, base: the least in a band that is not covered")
        yield _real(f"{side}_known_notional", "the same in quote currency")


def _past() -> Iterator[Column]:
    for side in ("bid", "ask"):
        yield _real(f"{side}_wall_age_ms", "since when the nearest wall is seen to stand")
        yield _real(f"{side}_wall_gone", "what the nearest wall lost since the row before, if it is one no more, base")
        name = f"{side}_wall_end"
        yield Column(name, "text", name, "pulled or eaten, null where the book cannot tell", optional=True)
        yield _real(f"{side}_removed_rate", "what left the best queue in the last 10 s, base per second")
        yield _real(f"{side}_depletion_s", "in how many seconds the best queue is gone at that rate")
    for measure in ("bid", "ask", "spread"):
        what = "5 levels halved" if measure != "spread" else "the spread doubled"
        yield _real(f"{measure}_resilience", f"what has come back since {what}, in the last 10 s; 1 is all")
        yield _real(f"{measure}_half_life_s", "how long half of it took")


def _all_walls() -> Iterator[Column]:
    for side in ("bid", "ask"):
        yield _real(f"{side}_walls_size", "of all walls of the best 20 levels together, base currency")
        yield _real(f"{side}_largest_wall_price", "of the largest wall, the nearest of equals")
        yield _real(f"{side}_largest_wall_size", "of the largest wall, base currency")
        yield _real(f"{side}_oldest_wall_age_ms", "since when the wall that stands longest is seen to stand")
        yield _real(f"{side}_walls_pulled", "what walls of the row before lost since that were pulled, base")
        yield _real(f"{side}_walls_eaten", "what walls of the row before lost since that were eaten, base")


def _costs() -> Iterator[Column]:
    for side in ("buy", "sell"):
        for name in NOTIONALS:
            yield _real(f"{side}_cost_{name}_bps", f"average price of a market order for {name} against the mid")
        for bps in REACHES_BPS:
            yield _real(
                f"{side}_reach_{bps}bps", f"most quote currency at an average price within {bps} bps of the mid"
            )


def _shape() -> Iterator[Column]:
    yield from _each_side("slope", "Naes-Skjeltorp, of 20 levels")
    yield _real("slope", "mean of both sides")
    yield _real("quote_slope", "Hasbrouck-Seppi: spread by the logarithms of both best sizes")
    yield _real("log_quote_slope", "the same with the logarithm of the prices' quotient")
    yield from _each_side("hhi", "concentration of 20 levels: sum of squared shares")
    yield from _each_side("share_5", "of the best 5 levels in the best 20")
    yield from _each_side("hole_bps", "largest distance between neighbours of the best 20 levels")
    for side in ("bid", "ask"):
        yield _count(f"{side}_walls", "levels of the best 20 that are walls")
        yield _real(f"{side}_wall_price", "of the nearest wall")
        yield _real(f"{side}_wall_size", "of the nearest wall, base currency")
        yield _count(f"{side}_orders", "at the best 20 levels, null if the venue does not tell")
        yield _real(f"{side}_order_size", "mean size of an order there, base currency")


BOOK_STAT_ROWS = Table(
    "book_stats",
    BOOK_STATS,
    (
        Column("venue", "word", "venue", "venue, lower case"),
        Column("symbol", "word", "symbol", "the venue's own spelling"),
        Column("event_time", "time", "event_ns", "the instant; what happened before it is in"),
        Column("received_time", "time", "received_ns", "when the bytes of the last message in it reached us"),
        Column("source", "word", "source", "maintained by us, or rest: asked for whole"),
        _count("sequence", "the venue's number of the last message in it"),
        _count("updates", "messages since the row before"),
        _count("late_updates", "of these, how many belong to instants that were told before"),
        _real("age_ms", "from the newest message to the instant"),
        Column("is_crossed", "flag", "is_crossed", "the best bid is above the best ask", optional=True),
        Column("is_locked", "flag", "is_locked", "the best bid is the best ask", optional=True),
        Column("levels", "count", "levels", "known on both sides"),
        Column("bid_levels", "count", "bid_levels", "known"),
        Column("ask_levels", "count", "ask_levels", "known"),
        *_each_side("covered_bps", "how far from the mid the book is known, null if to its end"),
        _number("best_bid", "quote currency"),
        _number("best_bid_size", "base currency"),
        _number("best_ask", "quote currency"),
        _number("best_ask_size", "base currency"),
        _real("mid", "quote currency"),
        _real("spread", "quote currency"),
        _real("spread_bps", "of the mid"),
        _real("microprice", "best prices, each weighted by the other side's best size"),
        _real("weighted_mid", "best prices, each weighted by the other side's size at 5 levels"),
        _real("vamp_5", "average prices of 5 levels, each weighted by the other side's size there"),
        _real("vamp_20", "average prices of 20 levels, each weighted by the other side's size there"),
        *(_real(f"imbalance_{k}", f"bids minus asks over both, best {k} levels, -1 to 1") for k in IMBALANCE_LEVELS),
        _real("distance_imbalance", "of 20 levels, weighted by exp(-distance / 10 bps)"),
        *_bands(),
        *_costs(),
        *_shape(),
        *(_real(f"ofi_{k}", f"order flow imbalance of level {k} since the row before, base") for k in FLOW_LEVELS),
        Column(
            "ofi_kind", "text", "ofi_kind", "event: seen by changes, snapshot: between books, or mixed", optional=True
        ),
        *_coverage(),
        *_past(),
        *_all_walls(),
    ),
    order_by="(venue, symbol, event_time, offset)",
    partition_by="toYYYYMMDD(event_time)",
    comment="What books said at instants of event time, in numbers; null is what a book could not answer.",
)
