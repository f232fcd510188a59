"""The order-book kernels as one thing to hand on: compiled, or plain where numba cannot be had."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from common.book_shapes import (
    BIDS,
    CLOCK_FIELDS,
    MOST_BYTES,
    NOWHERE,
    ROW_FIELDS,
    Arrivals,
    Bytes,
    Floats,
    Instants,
    Ints,
    Ladders,
    Levels,
    Messages,
    Store,
    Timing,
    no_book,
    no_instants,
    no_levels,
)


@dataclass(frozen=True)
class Engine:
    """Functions over the arrays of `common.book_shapes`; what each does is said in `common.book_kernels` and beside."""

    run: Callable[[Store, Messages, Ints, Ints, Ladders, Instants], None]
    read_numbers: Callable[[Bytes, Ints, Ints, Ints], None]
    scale_numbers: Callable[[Ints, Ints, Ints, Ints], None]
    write_numbers: Callable[[Ints, Ints, Bytes, Ints], None]
    levels: Callable[[Ints, int, Floats, Levels], None]
    timetable: Callable[[Ints, Arrivals, Ints, Timing, Ints], int]


@cache
def compiled_engine() -> Engine:
    """Return the compiled kernels; raise ImportError where there is no numba."""
    from common import book_compiled, book_kernels, book_levels, book_numbers, book_timetable  # noqa: PLC0415  not everywhere

    book_compiled.forget_stale(book_compiled.cache_of(book_kernels.run), Path(__file__).parent)
    return Engine(
        book_kernels.run,
        book_numbers.read_numbers,
        book_numbers.scale_numbers,
        book_numbers.write_numbers,
        book_levels.levels,
        book_timetable.timetable,
    )


@cache
def plain_engine() -> Engine:
    """Return the same in plain numpy: some eight times slower."""
    from common import book_plain_levels, book_plain_numbers, book_plain_timetable, book_twin  # noqa: PLC0415  as above

    return Engine(
        book_twin.run,
        book_plain_numbers.read_numbers,
        book_plain_numbers.scale_numbers,
        book_plain_numbers.write_numbers,
        book_plain_levels.levels,
        book_plain_timetable.timetable,
    )


def engine() -> Engine:
    """Return the fastest engine there is."""
    try:
        return compiled_engine()
    except ImportError:
        return plain_engine()


def warm_up(made: Engine) -> None:
    """Have every kernel compiled, or read from disk, before there is work: the first time takes ten seconds."""
    one, none = np.zeros(1, np.int64), np.zeros((3, 0), np.int64)
    numbers = np.zeros(1, np.int64), np.zeros(1, np.int64)
    offsets = np.frombuffer(np.array([0, 1]).tobytes(), np.int64)  # not to be written, as those of a frame
    made.read_numbers(np.frombuffer(b"1", np.uint8), offsets, *numbers)
    made.scale_numbers(*numbers, one.copy(), one.copy())
    made.write_numbers(*numbers, np.zeros(MOST_BYTES, np.uint8), np.zeros(2, np.int64))
    ladders = Ladders(np.array([1]), np.ones(1), np.ones(1))
    starts = np.zeros(2, np.int64)
    messages = Messages(one.copy(), one.copy(), one.copy(), starts, starts.copy(), none, none.copy())
    instants = no_instants(1, ladders)
    made.run(no_book(), messages, np.array([0, 1, 0]), one.copy(), ladders, instants)
    made.levels(instants.tops, BIDS, np.ones((1, 2)), no_levels(1))
    clock = np.full(CLOCK_FIELDS, NOWHERE)
    arrivals = Arrivals(one.copy(), one.copy(), one.copy(), one.copy())
    made.timetable(clock, arrivals, np.array([0, 1, 0]), Timing(1, 1, 0, 0), np.zeros((1, ROW_FIELDS), np.int64))
