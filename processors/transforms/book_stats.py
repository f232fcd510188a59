"""
Book statistics: expressions over the instants of all books of a batch at once.

An instant is a row of `book_frame`: its best 20 levels a side as arrays, and what the kernels summed up over the whole
book. What cannot be answered is null, never 0: `docs/analytics.md` has every formula with its unit and source.
"""

from functools import cache

import polars as pl

from common.book_choice import ALL, Choice
from common.book_shapes import BPS, SHOWN
from common.book_stat import BANDS_BPS, FLOW_LEVELS, IMBALANCE_LEVELS, NOTIONALS, REACHES_BPS, BookStat
from processors.frames import schema_of
from processors.transforms.book_shape import derived_shape, shape

SIDES = ("bid", "ask")
DECAY_BPS = 10
WALLS = ("wall_age_ms", "oldest_wall_age_ms", "wall_gone", "wall_end", "walls_pulled", "walls_eaten")
PAST = (*WALLS, "removed_rate", "depletion_s", "resilience", "half_life_s")
MADE_LATER = [f"{side}_{what}" for side in SIDES for what in PAST] + ["spread_resilience", "spread_half_life_s"]
WEIGHED_LEVELS = 5

HAS_BOTH = (pl.col("bid_levels") > 0) & (pl.col("ask_levels") > 0)
BID, ASK = (pl.col(f"{side}_prices").arr.first() for side in SIDES)
BID_SIZE, ASK_SIZE = (pl.col(f"{side}_sizes").arr.first() for side in SIDES)
MID = pl.when(HAS_BOTH).then(pl.col("twice_mid") / 2)


def answers(side: str, levels: int) -> pl.Expr:
    """Return whether a side can speak of so many levels: it knows them, or it has fewer and that is all there is."""
    has_all = pl.col(f"{side}_is_whole") & (pl.col(f"{side}_known") > 0)
    return (pl.col(f"{side}_known") >= levels) | has_all


def both_answer(levels: int) -> pl.Expr:
    """Return whether both sides can speak of so many levels."""
    return answers("bid", levels) & answers("ask", levels)


def size(side: str, levels: int) -> pl.Expr:
    """Return the base currency at the best levels of a side; a missing one has none."""
    return pl.col(f"{side}_sums").arr.get(levels - 1)


def notional(side: str, levels: int) -> pl.Expr:
    """Return the quote currency at the best levels of a side."""
    return pl.col(f"{side}_notional_sums").arr.get(levels - 1)


def imbalance(bid: pl.Expr, ask: pl.Expr) -> pl.Expr:
    """Return bids minus asks over both: -1 to 1."""
    return (bid - ask) / (bid + ask)


def crossed_mean(bid: pl.Expr, ask: pl.Expr, bid_size: pl.Expr, ask_size: pl.Expr) -> pl.Expr:
    """Return the mean of two prices, each weighted by the other side's size."""
    return (bid * ask_size + ask * bid_size) / (bid_size + ask_size)


def _vamp(levels: int) -> pl.Expr:
    bid, ask = (notional(side, levels) / size(side, levels) for side in SIDES)
    return crossed_mean(bid, ask, size("bid", levels), size("ask", levels))


def _near(side: str) -> pl.Expr:
    """Return the size of the best levels, each weighted by exp(-distance / 10 bps)."""
    weights = pl.col(f"{side}_distances_bps").arr.eval((pl.element() / -DECAY_BPS).exp())
    return (weights * pl.col(f"{side}_sizes")).arr.sum()


def _top(levels_asked: tuple[int, ...]) -> dict[str, pl.Expr]:
    weighed = (size(side, WEIGHED_LEVELS) for side in SIDES)
    made: dict[str, pl.Expr] = {
        "spread": pl.when(HAS_BOTH).then(pl.col("spread")),
        "spread_bps": pl.when(HAS_BOTH).then(BPS * pl.col("spread") / pl.col("mid")),
        "is_crossed": pl.when(HAS_BOTH).then(pl.col("spread") < 0),
        "is_locked": pl.when(HAS_BOTH).then(pl.col("spread") == 0),
        "microprice": pl.when(HAS_BOTH).then(crossed_mean(BID, ASK, BID_SIZE, ASK_SIZE)),
        "weighted_mid": pl.when(both_answer(WEIGHED_LEVELS)).then(crossed_mean(BID, ASK, *weighed)),
        "vamp_5": pl.when(both_answer(5)).then(_vamp(5)),
        "vamp_20": pl.when(both_answer(20)).then(_vamp(20)),
        "distance_imbalance": pl.when(both_answer(SHOWN)).then(imbalance(_near("bid"), _near("ask"))),
    }
    for levels in IMBALANCE_LEVELS:
        value = imbalance(size("bid", levels), size("ask", levels))
        is_asked = both_answer(levels) if levels in levels_asked else pl.lit(value=False)
        made[f"imbalance_{levels}"] = pl.when(is_asked).then(value)
    return made


def _deep(bands_bps: tuple[int, ...]) -> dict[str, pl.Expr]:
    """Return what needs more than the best levels; the kernels left null where the book does not reach."""
    made = {
        f"{side}_covered_bps": sign * (MID - pl.col(f"{side}_floor")) / MID * BPS
        for side, sign in zip(SIDES, (1, -1), strict=True)
    }
    for side in SIDES:
        for bps in BANDS_BPS:
            # Of a book whose prices add up to nothing there is no band.
            has_mid = HAS_BOTH & (pl.col("twice_mid") > 0) & pl.lit(bps in bands_bps)
            made[f"{side}_covered_{bps}bps"] = pl.when(has_mid).then(pl.col(f"{side}_depth_{bps}bps").is_not_null())
    for bps in BANDS_BPS:
        made[f"imbalance_{bps}bps"] = imbalance(pl.col(f"bid_depth_{bps}bps"), pl.col(f"ask_depth_{bps}bps"))
    for name in NOTIONALS:
        for action, side in (("buy", "ask"), ("sell", "bid")):
            value = pl.col(f"{side}_fill_{name}") * pl.col("mid")
            made[f"{action}_cost_{name}_bps"] = BPS * pl.col(f"{side}_loss_{name}") / value
    for bps in REACHES_BPS:
        made[f"buy_reach_{bps}bps"] = pl.col(f"ask_reach_{bps}bps")
        made[f"sell_reach_{bps}bps"] = pl.col(f"bid_reach_{bps}bps")
    return made


def _flow() -> dict[str, pl.Expr]:
    is_whole = pl.col("flow_broken") == 0
    events, snapshots = pl.col("flow_events"), pl.col("flow_snapshots")
    kind = (pl.when(snapshots == 0).then(pl.lit("event")).when(snapshots == events).then(pl.lit("snapshot"))).otherwise(
        pl.lit("mixed")
    )
    made: dict[str, pl.Expr] = {
        f"ofi_{level}": pl.when(is_whole).then(pl.col(f"flow_{level}")) for level in FLOW_LEVELS
    }
    return made | {"ofi_kind": pl.when(is_whole & (events > 0)).then(kind)}


@cache
def _stages(choice: Choice) -> tuple[list[pl.Expr], ...]:
    """Return the expressions in the order in which they need each other."""
    stages = ({"mid": MID}, _top(choice.levels) | _deep(choice.bands_bps) | _flow() | shape(), derived_shape())
    return tuple([expression.alias(name) for name, expression in named.items()] for named in stages)


@cache
def _fields() -> list[pl.Expr]:
    """Return the fields of the record; a quotient with nothing under the line says nothing."""
    schema = schema_of(BookStat)
    floats = [name for name, dtype in schema.items() if dtype == pl.Float64()]
    return [
        *(pl.col(name).cast(dtype) for name, dtype in schema.items() if dtype != pl.Float64()),
        pl.when(pl.col(floats).is_finite()).then(pl.col(floats)),
    ]


def book_stats(instants: pl.DataFrame, choice: Choice = ALL) -> pl.DataFrame:
    """
    Return the fields of BookStat, a row for each instant.

    Args:
        instants: as `book_frame` makes them, with walls.
        choice: what was asked; the rest is null.
    """
    made = instants.with_columns(pl.lit(None).alias(name) for name in MADE_LATER)
    for stage in _stages(choice):
        made = made.with_columns(stage)
    return made.select(_fields()).select(list(schema_of(BookStat)))
