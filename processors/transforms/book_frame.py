"""What the kernels read off, as the frame that statistics are made of; and exact decimals out of scaled integers."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # brings no types

from common.book_choice import Choice
from common.book_engine import Engine
from common.book_shapes import (
    ASKS,
    BIDS,
    FLOW_BROKEN,
    FLOW_EVENTS,
    FLOW_SNAPSHOTS,
    KEY,
    MOST_BYTES,
    NOWHERE,
    ORDERS,
    REMOVED,
    SIZE,
    Floats,
    Instants,
    Ints,
    no_levels,
)
from common.book_stat import BANDS_BPS, FLOW_LEVELS, NOTIONALS, REACHES_BPS

SIDES = ("bid", "ask")


def joined(parts: list[Instants]) -> Instants:
    """Return the rows of several as one."""
    return Instants(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))


def book_frame(instants: Instants, digits: Ints, choice: Choice, kernels: Engine) -> pl.DataFrame:
    """
    Return a row for each instant: levels as arrays of floats, sums as columns, best prices and sizes as exact text.

    Args:
        instants: what was read off.
        digits: (rows, 2): behind the point of prices and of sizes.
        choice: what was asked; the rest is null.
        kernels: the order-book kernels.
    """
    units: Floats = np.power(10.0, digits)
    bid, ask = abs(instants.tops[:, BIDS, KEY, 0]), abs(instants.tops[:, ASKS, KEY, 0])
    # From integers: the difference of two large floats would have few figures left.
    columns = [pl.Series("spread", (ask - bid) / units[:, 0]), pl.Series("twice_mid", (bid + ask) / units[:, 0])]
    columns += _best(instants, digits, kernels)
    columns += [column for which in (BIDS, ASKS) for column in _levels(instants, which, units, kernels)]
    columns += [column for which in (BIDS, ASKS) for column in _side(instants, which, units)]
    columns += [column for which in (BIDS, ASKS) for column in _ladders(instants, which, choice)]
    columns += [pl.Series(f"flow_{level}", instants.flow[:, level - 1]) for level in FLOW_LEVELS]
    for name, field in (("events", FLOW_EVENTS), ("snapshots", FLOW_SNAPSHOTS), ("broken", FLOW_BROKEN)):
        columns.append(pl.Series(f"flow_{name}", instants.flow[:, field]))
    return pl.DataFrame(columns).with_columns(levels=pl.col("bid_known") + pl.col("ask_known"))


def _best(instants: Instants, digits: Ints, kernels: Engine) -> Iterator[pl.Series]:
    """Yield the best prices and sizes, exact; null where a side is empty."""
    rows = len(digits)
    tops = abs(instants.tops[:, :, KEY : SIZE + 1, 0]).reshape(rows, 4)
    texts = pl.Series(decimal_text(tops.T.ravel(), np.tile(digits, 2).T.ravel(), kernels))
    for place, (side, what) in enumerate((side, what) for side in (BIDS, ASKS) for what in ("", "_size")):
        is_there = pl.Series(instants.counts[:, side] > 0)
        text = texts.slice(place * rows, rows)
        yield text.zip_with(is_there, pl.Series([None], dtype=pl.String)).alias(f"best_{SIDES[side]}{what}")


def _levels(instants: Instants, which: int, units: Floats, kernels: Engine) -> list[pl.Series]:
    made = no_levels(len(units))
    kernels.levels(instants.tops, which, units, made)
    return [pl.Series(f"{SIDES[which]}_{name}", values) for name, values in made._asdict().items()]


def _side(instants: Instants, which: int, units: Floats) -> Iterator[pl.Series]:
    side = SIDES[which]
    yield pl.Series(f"{side}_orders", instants.tops[:, which, ORDERS])
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


def decimal_text(scaled: Ints, digits: Ints, kernels: Engine) -> pa.Array:
    """Return `scaled / 10**digits` as decimal text: exact, no exponent, no zeros at the end."""
    room, offsets = np.zeros(MOST_BYTES * len(scaled), np.uint8), np.zeros(len(scaled) + 1, np.int64)
    kernels.write_numbers(scaled, digits, room, offsets)
    text = room[offsets[0] :].copy()  # without what was left free
    buffers = pa.py_buffer(offsets - offsets[0]), pa.py_buffer(text)
    return pa.LargeStringArray.from_buffers(len(scaled), *buffers)


def lists(values: pa.Array, lengths: Ints) -> pl.Series:
    """Return consecutive runs of values as lists."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    return pl.Series(pa.LargeListArray.from_arrays(offsets, values))
