"""Books as bytes, so that another process can go on with them."""

from collections.abc import Iterable

import msgspec
import numpy as np

from common.book import Book
from common.book_shapes import Ints, Store, no_book
from common.errors import UnreadableCheckpoint

VERSION = 1


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


class Saved(msgspec.Struct, frozen=True):
    """The books of a shard, and its time."""

    version: int
    clock_ns: int
    books: tuple[SavedBook, ...]


def saved(clock_ns: int, books: Iterable[Book]) -> bytes:
    """Return the books that are known; one that is not is as good as none."""
    return msgspec.msgpack.encode(Saved(VERSION, clock_ns, tuple(_saved(book) for book in books if book.is_known)))


def _saved(book: Book) -> SavedBook:
    store = book.store
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
    )


def restored(state: bytes) -> tuple[int, list[Book]]:
    """
    Return the shard's time and its books; none for no bytes.

    Raises:
        UnreadableCheckpoint: another version wrote it.
    """
    if not state:
        return 0, []
    found = msgspec.msgpack.decode(state, type=Saved)
    if found.version != VERSION:
        raise UnreadableCheckpoint("book_processor", reason=f"expected version {VERSION}, found {found.version}")
    return found.clock_ns, [_restored(book) for book in found.books]


def _restored(book: SavedBook) -> Book:
    bids, asks = (_levels(levels) for levels in (book.bids, book.asks))
    store = Store(
        bids,
        asks,
        np.array([bids.shape[1], asks.shape[1]]),
        np.array(book.floors),
        no_book().units,
        np.array(book.flow),
    )
    made = Book(book.venue, book.symbol, store, np.array(book.clock), is_known=True, sequence=book.sequence)
    made.weigh(book.price_digits, book.size_digits)
    return made


def _levels(levels: bytes) -> Ints:
    return np.frombuffer(levels, np.int64).reshape(3, -1).copy()
