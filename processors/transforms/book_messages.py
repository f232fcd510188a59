"""Frames of books to arrays for the kernels: symbol by symbol, every number exact, and what cannot be read named."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from common.book_engine import Engine
from common.book_shapes import NOWHERE, TOO_LONG, UNREADABLE, Arrivals, Ints

SYMBOL = ("venue", "symbol")
FAULTS = {
    UNREADABLE: "expected decimal numbers, found something else",
    TOO_LONG: "expected at most 18 digits behind the point, and 18 in all",
    -3: "expected prices and sizes of 0 or more, found a negative one",
    -4: "expected as many sizes as prices",
}
NEGATIVE, UNEQUAL = -3, -4
# Venues whose changes keep the book at so many levels a side: the worst go as others come, so that its window moves.
# https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
KEPT_LEVELS = {"okx": 400}


class Numbers(NamedTuple):
    """Decimals as `mantissas / 10**digits`."""

    mantissas: Ints
    digits: Ints


@dataclass(frozen=True)
class Side:
    """The levels of one side of all messages: those of message i are `starts[i]` to `starts[i + 1]`."""

    starts: Ints
    prices: Numbers
    sizes: Numbers
    orders: Ints

    def part(self, levels: slice) -> "Side":
        """Return some of the levels."""
        prices, sizes = (
            Numbers(numbers.mantissas[levels], numbers.digits[levels]) for numbers in (self.prices, self.sizes)
        )
        return Side(self.starts, prices, sizes, self.orders[levels])


class Run(NamedTuple):
    """The messages of one symbol."""

    venue: str
    symbol: str
    first: int
    stop: int


@dataclass(frozen=True)
class Told:
    """The messages of a batch, sorted by symbol, each symbol's in the order in which they came."""

    runs: list[Run]
    places: Ints  # `offset` of each
    arrivals: Arrivals
    depths: Ints
    sequences: list[int | None]
    sides: tuple[Side, Side]
    faults: Ints  # 0, or why a message cannot be read
    digits: Ints  # (2, messages): of prices and sizes behind the point, the most in each


def told(updates: pl.DataFrame, clock_ns: int, step_ns: int, engine: Engine) -> Told:
    """
    Return the messages of a frame.

    Args:
        updates: fields of BookUpdates, or of BookSnapshots with a column `kind`, with their `offset`.
        clock_ns: the shard's time before them.
        step_ns: the steps in which that time goes on.
        engine: the kernels.
    """
    timed = updates.with_columns(
        clock_ns=(pl.col("received_ns").cum_max() // step_ns * step_ns).clip(lower_bound=clock_ns),
        event_ns=pl.col("event_ns").fill_null(NOWHERE),
        is_snapshot=(pl.col("kind") == "snapshot").cast(pl.Int64),
        depth=pl.col("depth").fill_null(pl.col("venue").replace_strict(KEPT_LEVELS, default=0)),
    )
    if updates["venue"].n_unique() > 1 or updates["symbol"].n_unique() > 1:
        timed = timed.sort(SYMBOL, maintain_order=True)
    bids, asks = (_side(timed, name, engine) for name in ("bid", "ask"))
    arrivals = Arrivals(*(_ints(timed[name]) for name in Arrivals._fields))
    digits = np.stack([np.maximum(_most(bids, row), _most(asks, row)) for row in range(2)])
    return Told(
        list(_runs(timed)),
        _ints(timed["offset"]),
        arrivals,
        _ints(timed["depth"]),
        timed["last_sequence"].to_list(),
        (bids, asks),
        np.minimum(_faults(timed, "bid", bids), _faults(timed, "ask", asks)),
        digits,
    )


def _ints(column: pl.Series) -> Ints:
    return np.array(column.to_numpy(), dtype=np.int64)


def _runs(timed: pl.DataFrame) -> Iterator[Run]:
    first = 0
    for venue, symbol, length in timed.group_by(SYMBOL, maintain_order=True).len().iter_rows():
        yield Run(venue, symbol, first, first + length)
        first += length


def _side(timed: pl.DataFrame, name: str, engine: Engine) -> Side:
    prices, sizes, orders = (timed[f"{name}_{what}"] for what in ("prices", "sizes", "orders"))
    lengths = _ints(prices.list.len())
    return Side(
        np.concatenate([[0], np.cumsum(lengths)]),
        _numbers(prices, engine),
        # Where the numbers of prices and sizes differ the message is refused; its sizes are read as its prices then.
        _numbers(prices.zip_with(sizes.list.len() != prices.list.len(), sizes), engine),
        _orders(orders, lengths),
    )


def _numbers(texts: pl.Series, engine: Engine) -> Numbers:
    flat = texts.explode(empty_as_null=False).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    made = Numbers(np.zeros(len(flat), np.int64), np.zeros(len(flat), np.int64))
    if len(flat):
        _, offsets, data = flat.buffers()
        numbered = np.frombuffer(offsets, np.int64)[flat.offset : flat.offset + len(flat) + 1]
        # A text may be all empty: then there is no buffer.
        characters = np.frombuffer(data or b" ", np.uint8)
        engine.read_numbers(characters, numbered, *made)
    return made


def _orders(orders: pl.Series, lengths: Ints) -> Ints:
    """Return the orders of each level; 0 where the venue does not tell them."""
    made = np.zeros(lengths.sum(), np.int64)
    tells = _ints(orders.list.len()) == lengths
    if (tells & (lengths > 0)).any():
        made[np.repeat(tells, lengths)] = _ints(orders.filter(pl.Series(tells)).explode(empty_as_null=False))
    return made


def _most(side: Side, row: int) -> Ints:
    return most_of(np.maximum, (side.prices, side.sizes)[row].digits, side.starts)


def most_of(reduce: np.ufunc, values: Ints, starts: Ints) -> Ints:
    """Return the largest (or by `reduce` the smallest) value of each message; 0 for one without levels."""
    made = np.zeros(len(starts) - 1, np.int64)
    some = starts[1:] > starts[:-1]
    if some.any():
        made[some] = reduce.reduceat(values, starts[:-1][some])
    return made


def _faults(timed: pl.DataFrame, name: str, side: Side) -> Ints:
    """Return what is wrong with each message."""
    found = np.zeros(len(timed), np.int64)
    for numbers in (side.prices, side.sizes):
        found[most_of(np.minimum, numbers.mantissas, side.starts) < 0] = NEGATIVE
        unreadable = np.minimum(most_of(np.minimum, numbers.digits, side.starts), 0)
        found = np.where(unreadable < 0, unreadable, found)
    unequal = _ints(timed[f"{name}_sizes"].list.len()) != _ints(timed[f"{name}_prices"].list.len())
    return np.where(unequal, UNEQUAL, found)
