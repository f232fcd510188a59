"""Books as bytes, so that another process can go on with them."""

from collections.abc import Iterable

import msgspec
import numpy as np

from common.book import Book
from common.book_shapes import FLOW_BROKEN, FLOW_FIELDS, Ints, Store, no_book
from common.errors import UnreadableCheckpoint
from processors.transforms.book_past import FIELDS, SIDES, Past, Walls

VERSION = 2
WITHOUT_ROWS = 1  # a version before: its books go on as if there had been no rows


class SavedWalls(msgspec.Struct, frozen=True, array_like=True):
    """Walls of a side; rows of prices, sizes and best prices, 64-bit floats, and times, 64-bit integers."""

    figures: bytes
    since_ns: bytes


class SavedBook(msgspec.Struct, frozen=True, array_like=True):
    """A book that is known; levels are rows of keys, sizes and orders, 64-bit integers, ascending."""

    venue: str
    symbol: str
    price_digits: int
    size_digits: int
    sequence: int | None
    floors: tuple[int, int]
    flow: tuple[float, ...]
    clock: tuple[int, ...]
    bids: bytes
    asks: bytes
    at_ns: bytes = b""  # of the last rows; a checkpoint from before they were kept has none
    seen: bytes = b""
    walls: tuple[SavedWalls, ...] = ()  # of the last row, bids and asks


class Saved(msgspec.Struct, frozen=True):
    """
    The books of a shard, and its time; `heard_ns` is what that is by the records alone, None in a checkpoint from
    before it went on in a silence.
    """  # noqa: D205  one thought

    version: int
    clock_ns: int
    books: tuple[SavedBook, ...]
    heard_ns: int | None = None


Pasts = dict[tuple[str, str], Past]


def saved(times_ns: tuple[int, int], books: Iterable[Book], pasts: Pasts) -> bytes:
    """Return the books that are known, and the shard's time, with silences and without; an unknown book is none."""
    clock_ns, heard_ns = times_ns
    known = tuple(_saved(book, pasts.get((book.venue, book.symbol), Past())) for book in books if book.is_known)
    return msgspec.msgpack.encode(Saved(VERSION, clock_ns, known, heard_ns))


def _saved(book: Book, past: Past) -> SavedBook:
    store = book.store
    if store.flow[FLOW_BROKEN]:  # behind a gap nothing before it is asked for
        past = Past()
    bids, asks = (
        side[:, :count].tobytes() for side, count in zip((store.bids, store.asks), store.counts.tolist(), strict=True)
    )
    return SavedBook(
        book.venue,
        book.symbol,
        book.price_digits,
        book.size_digits,
        book.sequence,
        tuple(store.floors.tolist()),
        tuple(store.flow.tolist()),
        tuple(book.clock.tolist()),
        bids,
        asks,
        past.at_ns.tobytes(),
        past.seen.tobytes(),
        tuple(_saved_walls(past.walls[side]) for side in SIDES),
    )


def _saved_walls(walls: Walls) -> SavedWalls:
    return SavedWalls(np.stack([walls.price, walls.size, walls.best]).tobytes(), walls.since_ns.tobytes())


def restored(state: bytes) -> tuple[int, int, list[Book], Pasts]:
    """
    Return the shard's time, with silences and without, its books and their last rows; none for no bytes.

    Raises:
        UnreadableCheckpoint: another version wrote it.
    """
    if not state:
        return 0, 0, [], {}
    found = msgspec.msgpack.decode(state, type=Saved)
    if found.version not in (VERSION, WITHOUT_ROWS):
        raise UnreadableCheckpoint("book_processor", reason=f"expected version {VERSION}, found {found.version}")
    has_rows = found.version == VERSION
    pasts = {(book.venue, book.symbol): _past(book) if has_rows else Past() for book in found.books}
    heard_ns = found.clock_ns if found.heard_ns is None else found.heard_ns
    return found.clock_ns, heard_ns, [_restored(book) for book in found.books], pasts


def _past(book: SavedBook) -> Past:
    return Past(
        np.frombuffer(book.at_ns, np.int64).copy(),
        np.frombuffer(book.seen, np.float64).reshape(len(FIELDS), -1).copy(),
        {side: _walls(told) for side, told in zip(SIDES, book.walls, strict=True)},
    )


def _walls(told: SavedWalls) -> Walls:
    since_ns = np.frombuffer(told.since_ns, np.int64).copy()
    price, size, best = np.frombuffer(told.figures, np.float64).reshape(3, -1).copy()
    return Walls(np.zeros(len(since_ns), np.int64), price, size, best, since_ns)


def _restored(book: SavedBook) -> Book:
    bids, asks = (_levels(levels) for levels in (book.bids, book.asks))
    flow = np.zeros(FLOW_FIELDS)
    flow[: len(book.flow)] = book.flow  # fields came in time
    store = Store(
        bids,
        asks,
        np.array([bids.shape[1], asks.shape[1]]),
        np.array(book.floors),
        no_book().units,
        flow,
    )
    made = Book(book.venue, book.symbol, store, np.array(book.clock), is_known=True, sequence=book.sequence)
    made.weigh(book.price_digits, book.size_digits)
    return made


def _levels(levels: bytes) -> Ints:
    return np.frombuffer(levels, np.int64).reshape(3, -1).copy()
