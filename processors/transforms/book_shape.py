"""Book statistics, the shape of the best 20 levels: slopes, concentration, holes, walls and orders."""

import polars as pl

from common.book_shapes import BPS, SHOWN

SIDES = ("bid", "ask")
WALL_MEDIANS = 5  # a wall is at least so many times the median level
WALL_SHARE = 10  # and at least one such part of all levels shown


def _sizes(side: str) -> pl.Expr:
    return pl.col(f"{side}_sizes")


def _is_shown(side: str) -> pl.Expr:
    """Return whether the best 20 levels are known: as many, or fewer that are all there are."""
    has_all = pl.col(f"{side}_is_whole") & (pl.col(f"{side}_known") > 0)
    return (pl.col(f"{side}_known") >= SHOWN) | has_all


def _when_shown(side: str, value: pl.Expr) -> pl.Expr:
    return pl.when(_is_shown(side)).then(value)


def _slope(side: str) -> pl.Expr:
    """Return the mean of the elasticities of cumulated size to price, from the mid outwards."""
    # Behind the last level nothing is added at no distance: not a number, and left out of the sum.
    steps = pl.col(f"{side}_elasticities").arr.eval(pl.element().fill_nan(None)).arr.sum()
    first = _sizes(side).arr.first() * BPS / pl.col(f"{side}_distances_bps").arr.first()
    levels = pl.min_horizontal(f"{side}_levels", pl.lit(SHOWN))
    return pl.when(pl.col("mid").is_not_null() & _is_shown(side)).then((first + steps) / levels)


def _slopes() -> dict[str, pl.Expr]:
    bid_price = pl.col("bid_prices").arr.first()
    logs = _sizes("bid").arr.first().log() + _sizes("ask").arr.first().log()
    # Sizes below one unit have negative logarithms: the measure means nothing then.
    has_logs = pl.col("mid").is_not_null() & (logs > 0)
    return {
        "bid_slope": _slope("bid"),
        "ask_slope": _slope("ask"),
        "quote_slope": pl.when(has_logs).then(pl.col("spread") / logs),
        "log_quote_slope": pl.when(has_logs).then((pl.col("spread") / bid_price).log1p() / logs),
    }


def _concentration(side: str) -> dict[str, pl.Expr]:
    total = _sizes(side).arr.sum()
    squares = (_sizes(side) * _sizes(side)).arr.sum()
    hole = pl.col(f"{side}_steps").arr.max()
    has_two = pl.col("mid").is_not_null() & (pl.col(f"{side}_levels") > 1)
    return {
        f"{side}_hhi": _when_shown(side, squares / (total * total)),
        f"{side}_share_5": _when_shown(side, pl.col(f"{side}_sums").arr.get(4) / total),
        f"{side}_hole_bps": _when_shown(side, pl.when(has_two).then(BPS * hole / pl.col("mid"))),
    }


def _wall_excess(side: str) -> pl.Expr:
    """Return by how much each level is larger than the least of walls: a missing level has none."""
    there = _sizes(side).arr.eval(pl.when(pl.element() > 0).then(pl.element()))
    return _sizes(side) - pl.max_horizontal(WALL_MEDIANS * there.arr.median(), _sizes(side).arr.sum() / WALL_SHARE)


def _walls(side: str) -> dict[str, pl.Expr]:
    is_wall = pl.col(f"{side}_wall_excess").arr.eval((pl.element() >= 0).cast(pl.UInt8))
    of_walls = pl.col(f"{side}_wall_excess").arr.eval((pl.element() >= 0).cast(pl.Float64)) * _sizes(side)
    return {
        f"{side}_walls": _when_shown(side, is_wall.arr.sum()),
        f"{side}_walls_size": _when_shown(side, of_walls.arr.sum()),
        f"{side}_nearest_wall": is_wall.arr.arg_max(),
        f"{side}_largest_wall": _sizes(side).arr.arg_max(),  # where any level is a wall the largest one is
    }


def _wall(side: str, which: str, what: str) -> pl.Expr:
    value = pl.col(f"{side}_{what}s").arr.get(f"{side}_{which}_wall", null_on_oob=True)
    return pl.when(pl.col(f"{side}_walls") > 0).then(value)


def _orders(side: str) -> dict[str, pl.Expr]:
    orders = pl.col(f"{side}_orders").arr.sum()
    told = pl.when(orders > 0).then(orders)
    return {
        f"{side}_orders": _when_shown(side, told),
        f"{side}_order_size": _when_shown(side, _sizes(side).arr.sum() / told),
    }


def with_walls(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a `book_frame` with what the statistics of walls take as columns."""
    return frame.with_columns(_wall_excess(side).alias(f"{side}_wall_excess") for side in SIDES)


def shape() -> dict[str, pl.Expr]:
    """Return the statistics by their names."""
    made = _slopes()
    for side in SIDES:
        made |= _concentration(side) | _walls(side) | _orders(side)
    return made


def derived_shape() -> dict[str, pl.Expr]:
    """Return the statistics that are made of others."""
    made = {"slope": (pl.col("bid_slope") + pl.col("ask_slope")) / 2}
    for side in SIDES:
        made |= {f"{side}_wall_{what}": _wall(side, "nearest", what) for what in ("price", "size")}
        made |= {f"{side}_largest_wall_{what}": _wall(side, "largest", what) for what in ("price", "size")}
    return made
