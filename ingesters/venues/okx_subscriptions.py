"""Which socket a symbol's channels are subscribed on, and when a fresh snapshot of its book is asked for."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from common.clock import NS_PER_S
from ingesters.feed import Step
from ingesters.venues.okx_requests import Requests

BUSINESS = "business"
PUBLIC_CHANNELS = ("books", "bbo-tbt", "tickers")
BUSINESS_CHANNELS = ("trades-all", "candle1m")  # on the public socket they are refused with 60018
BOOKS = ("books",)
SYMBOLS_A_WIRE = 30  # the venue recommends fewer than 30 books of 400 levels a connection, and does not insist

SNAPSHOT_WITHIN_NS = 15 * NS_PER_S
CALM_NS = 60 * NS_PER_S
LONGEST_PAUSE_S = 30.0


class Places:
    """Symbols by the public socket on which they are subscribed."""

    def __init__(self) -> None:
        self._wires: dict[str, str] = {}

    def take(self, symbols: Iterable[str]) -> list[str]:
        """Give symbols a place; return the sockets that have to be dialled for it."""
        new: list[str] = []
        for symbol in symbols:
            taken = list(self._wires.values())
            number = next(n for n in range(len(taken) + 1) if taken.count(_name(n)) < SYMBOLS_A_WIRE)
            if _name(number) not in (*taken, *new):
                new.append(_name(number))
            self._wires[symbol] = _name(number)
        return new

    def leave(self, symbol: str) -> None:
        """Make room."""
        self._wires.pop(symbol, None)

    def of(self, symbol: str) -> str:
        """Return the socket of a symbol, nothing if it has none."""
        return self._wires.get(symbol, "")

    def on(self, wire: str) -> list[str]:
        """Return the symbols of a socket."""
        return [symbol for symbol, name in self._wires.items() if name == wire]

    def by_wire(self, symbols: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield the sockets of symbols, each with those that are on it."""
        placed = sorted((self._wires[symbol], symbol) for symbol in symbols if symbol in self._wires)
        for wire, pairs in groupby(placed, key=lambda pair: pair[0]):
            yield wire, [symbol for _, symbol in pairs]


class Renewal:
    """When a symbol's snapshot was last asked for or had, and when it is to be asked for (None: it stands)."""

    def __init__(self) -> None:
        self.due_ns: int | None = None
        self.last_ns = 0
        self.attempt = 0

    def lose(self, now_ns: int) -> None:
        """Take note that the book is broken: asked at once after a calm minute, else 1, 2, 4 … 30 s from now."""
        if now_ns - self.last_ns > CALM_NS:
            self.attempt = 0
        pause_s = min(LONGEST_PAUSE_S, 2.0 ** min(self.attempt - 1, 8)) if self.attempt else 0.0
        self.attempt += 1
        self.due_ns = now_ns + int(pause_s * NS_PER_S)


class Renewals:
    """
    Fresh snapshots: a book that is broken or did not come is unsubscribed and subscribed again.

    One request at a time for each symbol, so that the updates that still come of the old subscription start no storm,
    and no more of them on a socket than the venue takes.
    """

    def __init__(self, places: Places, requests: Requests) -> None:
        self._places = places
        self._requests = requests
        self._renewals: dict[str, Renewal] = {}

    def expect(self, symbols: Iterable[str]) -> None:
        """Take note that these were subscribed: a snapshot is on its way."""
        self._renewals.update({symbol: Renewal() for symbol in symbols})

    def start_clock(self, now_ns: int) -> None:
        """Let those that are on their way have their time from now on."""
        for renewal in self._renewals.values():
            if renewal.due_ns is None and not renewal.last_ns:
                renewal.due_ns = now_ns + SNAPSHOT_WITHIN_NS

    def have(self, symbol: str, now_ns: int) -> None:
        """Take note of a snapshot."""
        if (renewal := self._renewals.get(symbol)) is not None:
            renewal.due_ns, renewal.last_ns = None, now_ns

    def forget(self, symbol: str) -> None:
        """Ask no more for a symbol: it is not wanted, or it was refused."""
        self._renewals.pop(symbol, None)

    def lose(self, symbol: str, now_ns: int) -> Iterator[Step]:
        """Take note that a book is broken; ask for a snapshot unless one was asked for just now."""
        if (renewal := self._renewals.get(symbol)) is not None:
            renewal.lose(now_ns)
            yield from self.due(now_ns)

    def due(self, now_ns: int) -> Iterator[Step]:
        """Ask for the snapshots that are due."""
        due = [name for name, renewal in self._renewals.items() if renewal.due_ns and renewal.due_ns <= now_ns]
        for wire, symbols in self._places.by_wire(due):
            if self._requests.is_room(wire, now_ns):
                for symbol in symbols:
                    renewal = self._renewals[symbol]
                    renewal.due_ns, renewal.last_ns = now_ns + SNAPSHOT_WITHIN_NS, now_ns
                yield from self._requests.renew(BOOKS, symbols, wire)


def _name(number: int) -> str:
    return f"public{number or ''}"
