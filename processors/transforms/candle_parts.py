"""Trades to candles: what each second of a shard's time adds to every candle."""

import polars as pl

from common.clock import NS_PER_S
from common.records import REMOVED
from processors.transforms.notionals import with_notional

# How long a candle is, and how long after its end it is kept for trades that come late.
KEPT_S = {1: 300, 60: 3600, 3600: 86_400, 86_400: 86_400}
NAMES = {1: "1s", 60: "1m", 3600: "1h", 86_400: "1d"}
REACH_S = max(seconds + kept for seconds, kept in KEPT_S.items())
BY = ("step", "venue", "symbol", "open_ns")
ZERO = pl.lit(0).cast(pl.Decimal(38, 18))


def stepped(trades: pl.DataFrame, clock_s: int) -> pl.DataFrame:
    """Return trades with their `step`: the second of the shard's time, which is the largest `received_ns` so far."""
    return trades.with_columns(step=pl.max_horizontal(pl.col("received_ns").cum_max() // NS_PER_S, pl.lit(clock_s)))


def candle_parts(trades: pl.DataFrame, began_ns: int) -> pl.DataFrame:
    """
    Return what trades add to candles: (step, venue, symbol, interval_s, open_ns) and sums, in the order of steps.

    Open and close go by the venue's time, and by the place in the stream where that is equal. A trade that no table can
    hold is left out: the writer sets it aside. So is history derived from a chain, whose candles are long over, and the
    word that a trade is taken back: the correction that comes with it has its candles made anew.

    Args:
        trades: the fields of Trade with `offset` and `step`.
        began_ns: of candles that opened before, not every trade may have been seen.
    """
    is_past = pl.col("event_ns") <= (pl.col("step") - REACH_S) * NS_PER_S  # all of its candles are: years go by fast
    is_trade = (pl.col("source") != REMOVED) & (~is_past | (pl.col("source") != "derived"))
    parts = _as_parts(trades.filter(is_trade))
    made = []
    for interval_s in NAMES:
        parts = _longer(parts, interval_s * NS_PER_S)
        made.append(parts.with_columns(interval_s=pl.lit(interval_s, pl.Int64)))
    every = pl.concat(made)
    kept_s = pl.col("interval_s").replace_strict(KEPT_S, return_dtype=pl.Int64)
    is_history = pl.col("open_ns") + (pl.col("interval_s") + kept_s - pl.col("step")) * NS_PER_S <= 0
    is_wanted = ~(pl.col("is_derived") & is_history) & (pl.col("open_ns") >= began_ns)
    return every.filter(is_wanted).sort("step", maintain_order=True)


def _as_parts(trades: pl.DataFrame) -> pl.DataFrame:
    price, size, side = pl.col("price"), pl.col("size"), pl.col("taker_side")
    told = with_notional(trades, trades.clear()).rows.drop_nulls(["price", "size", "notional"])
    return told.sort("event_ns", "offset").select(
        "step",
        "venue",
        "symbol",
        "received_ns",
        open_ns=pl.col("event_ns"),
        open=price,
        high=price,
        low=price,
        close=price,
        first_ns=pl.col("event_ns"),
        first_offset=pl.col("offset").cast(pl.Int64),
        last_ns=pl.col("event_ns"),
        last_offset=pl.col("offset").cast(pl.Int64),
        volume=size,
        notional="notional",
        buy_volume=pl.when(side == "buy").then(size).otherwise(ZERO),
        sell_volume=pl.when(side == "sell").then(size).otherwise(ZERO),
        trades=pl.lit(1, pl.Int64),
        is_derived=pl.col("source") == "derived",
    )


def _longer(parts: pl.DataFrame, interval_ns: int) -> pl.DataFrame:
    """Return shorter parts as parts of a longer interval; all are in the order of the venue's time, and stay so."""
    return (
        parts.drop("interval_s", strict=False)
        .with_columns(open_ns=pl.col("open_ns") // interval_ns * interval_ns)
        .group_by(BY, maintain_order=True)
        .agg(
            pl.col("received_ns", "high", "is_derived").max(),
            pl.col("low").min(),
            pl.col("open", "first_ns", "first_offset").first(),
            pl.col("close", "last_ns", "last_offset").last(),
            pl.col("volume", "notional", "buy_volume", "sell_volume", "trades").sum(),
        )
    )
