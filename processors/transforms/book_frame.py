"""What the kernels read off, as the frame that statistics are made of; and exact decimals out of scaled integers."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # brings no types

from common.book_choice import Choice
from common.book_shapes import (
    ASKS,
    BIDS,
    BPS,
    FLOW_BROKEN,
    FLOW_EVENTS,
    FLOW_SNAPSHOTS,
    KEY,
    NOWHERE,
    ORDERS,
    REMOVED,
    SIZE,
    Floats,
    Instants,
    Ints,
)
from common.book_stat import BANDS_BPS, FLOW_LEVELS, NOTIONALS, REACHES_BPS

SIDES = ("bid", "ask")


def joined(parts: list[Instants]) -> Instants:
    """Return the rows of several as one."""
    return Instants(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))


def book_frame(instants: Instants, digits: Ints, choice: Choice) -> pl.DataFrame:
    """
    Return a row for each instant: levels as arrays of floats, sums as columns, best prices and sizes as exact text.

    Args:
        instants: what was read off.
        digits: (rows, 2): behind the point of prices and of sizes.
        choice: what was asked; the rest is null.
    """
    units: Floats = np.power(10.0, digits)
    bid, ask = abs(instants.tops[:, BIDS, KEY, 0]), abs(instants.tops[:, ASKS, KEY, 0])
    # From integers: the difference of two large floats would have few figures left.
    columns = [pl.Series("spread", (ask - bid) / units[:, 0]), pl.Series("twice_mid", (bid + ask) / units[:, 0])]
    columns += _best(instants, digits)
    columns += [column for which in (BIDS, ASKS) for column in _side(instants, which, units)]
    columns += [column for which in (BIDS, ASKS) for column in _ladders(instants, which, choice)]
    columns += [pl.Series(f"flow_{level}", instants.flow[:, level - 1]) for level in FLOW_LEVELS]
    for name, field in (("events", FLOW_EVENTS), ("snapshots", FLOW_SNAPSHOTS), ("broken", FLOW_BROKEN)):
        columns.append(pl.Series(f"flow_{name}", instants.flow[:, field]))
    return pl.DataFrame(columns).with_columns(levels=pl.col("bid_known") + pl.col("ask_known"))


def _best(instants: Instants, digits: Ints) -> Iterator[pl.Series]:
    """Yield the best prices and sizes, exact; null where a side is empty."""
    rows = len(digits)
    tops = abs(instants.tops[:, :, KEY : SIZE + 1, 0]).reshape(rows, 4)
    texts = decimal_text(tops.T.ravel(), np.tile(digits, 2).T.ravel())
    for place, (side, what) in enumerate((side, what) for side in (BIDS, ASKS) for what in ("", "_size")):
        is_there = pl.Series(instants.counts[:, side] > 0)
        text = texts.slice(place * rows, rows)
        yield text.zip_with(is_there, pl.Series([None], dtype=pl.String)).alias(f"best_{SIDES[side]}{what}")


def _side(instants: Instants, which: int, units: Floats) -> Iterator[pl.Series]:
    side = SIDES[which]
    tops = abs(instants.tops[:, which])
    prices, sizes = tops[:, KEY] / units[:, :1], tops[:, SIZE] / units[:, 1:]
    sums = np.cumsum(sizes, axis=1)
    yield pl.Series(f"{side}_prices", prices)
    yield pl.Series(f"{side}_sizes", sizes)
    yield pl.Series(f"{side}_sums", sums)
    yield pl.Series(f"{side}_notional_sums", np.cumsum(prices * sizes, axis=1))
    # From each level to the next: what is there, what comes with it, and how far it is.
    yield pl.Series(f"{side}_from_prices", prices[:, :-1])
    yield pl.Series(f"{side}_from_sums", sums[:, :-1])
    yield pl.Series(f"{side}_next_sizes", sizes[:, 1:])
    yield pl.Series(f"{side}_steps", abs(np.diff(tops[:, KEY])) / units[:, :1])
    twice_mid = abs(instants.tops[:, BIDS, KEY, :1]) + abs(instants.tops[:, ASKS, KEY, :1])
    distances = abs(2 * tops[:, KEY] - twice_mid)
    yield pl.Series(f"{side}_distances_bps", distances / np.maximum(twice_mid, 1) * BPS)
    yield pl.Series(f"{side}_orders", tops[:, ORDERS])
    yield pl.Series(f"{side}_levels", instants.counts[:, which])
    yield pl.Series(f"{side}_known", instants.known[:, which])
    floors = instants.floors[:, which]
    yield pl.Series(f"{side}_is_whole", floors == NOWHERE)
    yield _or_null(f"{side}_floor", np.where(floors == NOWHERE, np.nan, abs(floors.astype(np.float64)) / units[:, 0]))
    yield pl.Series(f"{side}_removed_flow", instants.flow[:, REMOVED + which])


def _ladders(instants: Instants, which: int, choice: Choice) -> Iterator[pl.Series]:
    """Yield what the kernels summed up over the whole side."""
    side, nothing = SIDES[which], np.full(len(instants.counts), np.nan)
    for what, name in enumerate(("depth", "notional")):
        yield _or_null(f"{side}_known_{name}", instants.totals[:, which, what])
        bands = dict(zip(choice.bands_bps, instants.bands[:, which, what].T, strict=True))
        yield from (_or_null(f"{side}_{name}_{bps}bps", bands.get(bps, nothing)) for bps in BANDS_BPS)
    for what, name in enumerate(("fill", "loss")):
        fills = dict(zip(choice.notionals, instants.fills[:, which, what].T, strict=True))
        yield from (_or_null(f"{side}_{name}_{amount}", fills.get(amount, nothing)) for amount in NOTIONALS)
    for place, bps in enumerate(REACHES_BPS):
        yield _or_null(f"{side}_reach_{bps}bps", instants.reaches[:, which, place])


def _or_null(name: str, values: Floats) -> pl.Series:
    return pl.Series(name, values, nan_to_null=True)


def decimal_text(scaled: Ints, digits: Ints) -> pl.Series:
    """Return `scaled / 10**digits` as decimal text: exact, no exponent, no zeros at the end."""
    frame = pl.DataFrame({"text": pl.Series(scaled).cast(pl.String), "digits": digits})
    padded = pl.col("text").str.zfill(pl.col("digits") + 1)
    whole = padded.str.slice(0, padded.str.len_bytes() - pl.col("digits"))
    rest = padded.str.slice(padded.str.len_bytes() - pl.col("digits")).str.strip_chars_end("0")
    text = pl.when(rest == "").then(whole).otherwise(whole + "." + rest)
    return frame.select(text.alias("text"))["text"]


def lists(values: pl.Series, lengths: Ints) -> pl.Series:
    """Return consecutive runs of values as lists."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    made = pa.LargeListArray.from_arrays(offsets, values.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return pl.Series(values.name, made)
