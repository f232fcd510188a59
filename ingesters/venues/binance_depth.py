"""Binance's depth messages as book updates, and the place where they wait for a snapshot."""

from collections import deque
from typing import NamedTuple

from common.codec import decode_line, encode
from common.records import BookSnapshot, BookUpdate
from ingesters.venues.binance_wire import DEPTH, DEPTH_ANSWER, PARTIAL_DEPTH, VENUE, columns, venue_ns


def delta_of(payload: bytes, received_ns: int) -> BookUpdate:
    """Return a frame of the diff stream as a delta."""
    message = DEPTH.decode(payload).data
    bid_prices, bid_sizes = columns(message.bids)
    ask_prices, ask_sizes = columns(message.asks)
    return BookUpdate(
        venue=VENUE,
        symbol=message.symbol,
        received_ns=received_ns,
        event_ns=venue_ns(message.time),
        kind="delta",
        first_sequence=message.first_id,
        last_sequence=message.last_id,
        bid_prices=bid_prices,
        bid_sizes=bid_sizes,
        ask_prices=ask_prices,
        ask_sizes=ask_sizes,
    )


def snapshot_of(payload: bytes, symbol: str, received_ns: int, *, most_levels: int) -> BookUpdate:
    """
    Return the answer to a question for a book as a snapshot; it names neither its symbol nor a time.

    A side of `most_levels`, as many as were asked for, may go on behind its last one; a shorter one is whole.
    """
    depth = DEPTH_ANSWER.decode(payload)
    levels = max(len(depth.bids), len(depth.asks))
    bid_prices, bid_sizes = columns(depth.bids)
    ask_prices, ask_sizes = columns(depth.asks)
    return BookUpdate(
        venue=VENUE,
        symbol=symbol,
        received_ns=received_ns,
        kind="snapshot",
        first_sequence=depth.last_update_id,
        last_sequence=depth.last_update_id,
        bid_prices=bid_prices,
        bid_sizes=bid_sizes,
        ask_prices=ask_prices,
        ask_sizes=ask_sizes,
        depth=levels if levels >= most_levels else None,
    )


def top_of(payload: bytes, symbol: str, received_ns: int, *, depth: int) -> BookSnapshot:
    """Return a frame of partial depth: the top of the book, without a time of the venue."""
    top = PARTIAL_DEPTH.decode(payload).data
    bid_prices, bid_sizes = columns(top.bids)
    ask_prices, ask_sizes = columns(top.asks)
    return BookSnapshot(
        venue=VENUE,
        symbol=symbol,
        received_ns=received_ns,
        depth=depth,
        bid_prices=bid_prices,
        bid_sizes=bid_sizes,
        ask_prices=ask_prices,
        ask_sizes=ask_sizes,
        source="partial",
        sequence=top.last_update_id,
    )


def happened_ns(update: BookUpdate) -> int:
    """Return the venue's time of an update; a snapshot has none, so there it is ours."""
    return update.received_ns if update.event_ns is None else update.event_ns


def versions(update: BookUpdate) -> tuple[int, int]:
    """Return the first and the last book version that an update covers; raise ValueError where it has none."""
    if update.first_sequence is None or update.last_sequence is None:
        raise ValueError(f"expected a numbered update of {update.symbol}")
    return update.first_sequence, update.last_sequence


class Waiting(NamedTuple):
    """A delta that waits. As text it takes 1.7 kB for a busy symbol, as a record 6.8."""

    first_sequence: int
    last_sequence: int
    event_ns: int
    line: bytes


class WaitingRoom:
    """Deltas of one symbol in the order they came, `most` at a time: beyond that the oldest goes."""

    def __init__(self, most: int) -> None:
        self._waiting: deque[Waiting] = deque(maxlen=most)

    def enter(self, delta: BookUpdate) -> None:
        """Let a delta wait."""
        waiting = Waiting(*versions(delta), happened_ns(delta), encode(delta))
        self._waiting.append(waiting)

    @property
    def first(self) -> Waiting | None:
        """Return the delta that has waited longest."""
        return self._waiting[0] if self._waiting else None

    def take(self) -> BookUpdate:
        """Take the delta that has waited longest out."""
        return decode_line(self._waiting.popleft().line, BookUpdate)

    def drop_covered(self, version: int) -> int | None:
        """Forget the deltas that a snapshot contains; return since when, by the venue's clock, it is the book."""
        valid_ns = None
        while self._waiting and self._waiting[0].last_sequence <= version:
            valid_ns = self._waiting.popleft().event_ns
        return self._waiting[0].event_ns if self._waiting else valid_ns

    def clear(self) -> None:
        """Send everybody away."""
        self._waiting.clear()

    def close(self) -> None:
        """Let nobody wait any more: no snapshot will come."""
        self._waiting = deque(maxlen=0)
