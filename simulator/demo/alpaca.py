"""An invented Alpaca: some stocks and coins that move on their own, at all hours, and everybody who listens."""

import asyncio
import random
from collections import deque
from functools import partial

from simulator.connection import Outgoing
from simulator.demo.alpaca_pair import Pair
from simulator.demo.order_book import Instrument
from simulator.faults import Clock
from simulator.ledger import Book
from simulator.venues.alpaca_listener import Listener
from simulator.venues.alpaca_messages import Point
from simulator.venues.alpaca_rest import Row

CENT, SHARE = 10**6, 10**8
STOCKS = (
    Instrument("SPY", "SPY", "USD", 66_250, CENT, SHARE, 120, 14.0),
    Instrument("AAPL", "AAPL", "USD", 27_130, CENT, SHARE, 60, 10.0),
    Instrument("NVDA", "NVDA", "USD", 18_240, CENT, SHARE, 90, 8.0),
)
COINS = (
    Instrument("BTC/USD", "BTC", "USD", 6_180_000, CENT, 10_000, 5_000, 12.0),
    Instrument("ETH/USD", "ETH", "USD", 265_000, CENT, 100_000, 4_000, 8.0),
)
TURN_S = 0.02
TURNS_PER_BOOK, TURNS_PER_SECOND, TURNS_PER_RARE = 5, 50, 3_000
FIRST_RARE = 250
MOST_UNSENT = 50_000


class InventedMarket:
    """All instruments on one clock."""

    stocks_feed = "iex"

    def __init__(self, chance: random.Random, clock: Clock) -> None:
        self.published = Book()
        self._chance = chance
        self._clock = clock
        self._unsent: dict[Listener, deque[tuple[bool, Point]]] = {}
        self._pairs = {one.symbol: self._pair(one, is_crypto=False) for one in STOCKS}
        self._pairs |= {one.symbol: self._pair(one, is_crypto=True) for one in COINS}
        self.stocks = [one.symbol for one in STOCKS]
        self.crypto = [one.symbol for one in COINS]

    async def play(self, listener: Listener) -> None:
        """Send what is published from now on, as far as it was subscribed to; a new book whole and first."""
        unsent: deque[tuple[bool, Point]] = deque()
        self._unsent[listener] = unsent
        try:
            while True:
                await asyncio.sleep(TURN_S / 2)
                messages = self._books(listener)
                points = [one for is_crypto, one in unsent if is_crypto == listener.is_crypto]
                unsent.clear()
                if outgoing := listener.outgoing(points):
                    messages.append(outgoing)
                if messages:
                    await listener.wire.send(messages)
        finally:
            del self._unsent[listener]

    async def live(self) -> None:
        """Move the markets until the end."""
        loop = asyncio.get_running_loop()
        due_s = dict.fromkeys(self._pairs, loop.time())
        turn = 0
        while True:
            await asyncio.sleep(TURN_S)
            turn += 1
            for symbol, pair in self._pairs.items():
                due_s[symbol] = self._act_until(pair, loop.time(), due_s[symbol])
                if turn % TURNS_PER_BOOK == 0:
                    pair.flush()
                if turn % TURNS_PER_SECOND == 0:
                    pair.tell_bars()
                if turn % TURNS_PER_RARE == FIRST_RARE and not pair.is_crypto:
                    pair.tell_rare()

    def rows(self, symbol: str) -> list[Row]:
        """Return the trades so far."""
        pair = self._pairs.get(symbol)
        return pair.rows if pair else []

    def minutes(self, symbol: str) -> list[Row]:
        """Return the minutes that have ended."""
        pair = self._pairs.get(symbol)
        return pair.minutes() if pair else []

    def body(self, path: str) -> bytes | None:  # noqa: ARG002  (the protocol's parameter)
        """Return nothing: only trades and their bars are invented."""
        return None

    def _books(self, listener: Listener) -> list[Outgoing]:
        """Return the books of symbols subscribed to just now, as they are with every change told."""
        symbols, listener.new_books = listener.new_books, []
        messages: list[Outgoing] = []
        for symbol in symbols:
            if pair := self._pairs.get(symbol):
                pair.flush()
                unsent = self._unsent[listener]
                later = [both for both in unsent if (both[1].channel, both[1].symbol) != ("orderbooks", symbol)]
                unsent.clear()
                unsent.extend(later)
                if outgoing := listener.outgoing([pair.whole_book()]):
                    messages.append(outgoing)
        return messages

    def _pair(self, instrument: Instrument, *, is_crypto: bool) -> Pair:
        publish = partial(self._publish, is_crypto=is_crypto)
        return Pair(instrument, self._chance, publish, self._clock, is_crypto=is_crypto)

    def _act_until(self, pair: Pair, now_s: float, due_s: float) -> float:
        due_s = max(due_s, now_s - 1.0)
        while due_s <= now_s:
            pair.act()
            due_s += self._chance.expovariate(pair.instrument.events_per_s)
        return due_s

    def _publish(self, one: Point, *, is_crypto: bool) -> None:
        self.published.count(one.fact)
        for listener, unsent in self._unsent.items():
            unsent.append((is_crypto, one))
            if len(unsent) > MOST_UNSENT:  # the venue does not wait for slow readers either
                unsent.clear()
                listener.wire.abort()
