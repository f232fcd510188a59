"""A venue on loopback with one ingester in this process, and what must hold of its record whatever was done to it."""

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec

from simulator.demo.order_book import ASK, BID
from simulator.demo.world import World
from simulator.faults import Fault
from simulator.registry import VENUES
from simulator.server import Simulator, shell_of
from tests.ingest_kit import events, records, running, until

CALM_S = 60.0
BESIDE = {"polymarket_clob": ("polymarket",)}  # that tells which markets there are


@asynccontextmanager
async def recorded(fleet, venue, program, **settings):
    """Run one venue of an invented world and the ingester that records it."""
    names = (venue, *BESIDE.get(venue, ()))
    world, shell = World(3), shell_of()
    sides = {entry.name: entry.demo(world, shell) for entry in VENUES if entry.name in names}
    async with Simulator(sides, shell) as simulator:
        environment = simulator.environment | settings
        async with running(fleet, program, environment) as ingester:
            yield Session(fleet, simulator, venue, ingester)


class Session:
    """A venue, its ingester, and the record."""

    def __init__(self, fleet, simulator, venue, ingester):
        self.fleet, self.simulator, self.venue, self.ingester = fleet, simulator, venue, ingester
        self.side = simulator._venues[venue]
        self._clock = None

    def order(self, kind, **more):
        return self.simulator.faults.order(Fault(kind=kind, venue=self.venue, **more))

    def put_clock(self, ahead_s):
        """Let the venue's clock be so far ahead of ours from now on; below 0: behind."""
        if self._clock is not None:
            self.simulator.faults.clear(self._clock.number)
        self._clock = self.order("clock_offset", delay_s=ahead_s)

    async def struck(self, kind, times, for_s=2.5, **more):
        """Order a fault and return when it has struck so often, or when nothing was there to be struck."""
        fault = self.order(kind, times=times, for_s=for_s, **more)
        while not fault.is_over:
            assert not self.ingester.ended.done(), "the ingester ended"
            await asyncio.sleep(0.02)

    def struck_subjects(self, *kinds):
        return [one.subject for one in self.simulator.faults.executed if one.kind in kinds]

    def records(self, topic):
        return records(self.fleet, topic)

    def events(self, *kinds):
        return events(self.fleet, *kinds)

    @property
    def state(self):
        return self.ingester.work.sink.state

    async def calm(self, is_so, what):
        """Return when all faults are over and something is so."""
        self.simulator.faults.clear()
        await until(is_so, give_up_s=CALM_S, what=what)
        assert not self.ingester.ended.done(), "the ingester ended"

    def trade_ids(self):
        """Return symbol -> the numbers of its trades, in the order of the stream."""
        found = defaultdict(list)
        for trade in self.records("trades"):
            found[trade.symbol].append(trade.trade_id)
        return found

    def is_delivering(self, topic):
        before = self.ingester.figures["frames_total"], len(self.records(topic))
        return lambda: (
            self.ingester.figures["frames_total"] > before[0] + 20 and len(self.records(topic)) > before[1] + 5
        )

    def books(self):
        """Return (symbol -> rebuilt book with its number, breaks in the numbering by symbol)."""
        kept, breaks = {}, defaultdict(int)
        for update in self.records("books"):
            book = kept.get(update.symbol)
            if update.kind == "snapshot":
                book = kept[update.symbol] = {"bids": {}, "asks": {}, "last": update.last_sequence}
            elif book is None:
                breaks[update.symbol] += 1
                continue
            elif not self.is_next(book["last"], update):
                breaks[update.symbol] += 1
            if update.last_sequence is not None:
                book["last"] = update.last_sequence
            for side, prices, sizes in (
                ("bids", update.bid_prices, update.bid_sizes),
                ("asks", update.ask_prices, update.ask_sizes),
            ):
                book[side] |= dict(zip(map(Decimal, prices), map(Decimal, sizes), strict=True))
        return kept, breaks

    def is_next(self, last, update):
        if self.venue == "okx":  # the number that it follows
            return update.first_sequence == last
        return update.last_sequence is None or update.first_sequence <= last + 1 <= update.last_sequence

    async def frozen(self):
        """Let nothing happen at the venue any more."""
        for life in self.simulator._lives:
            life.cancel()
        await asyncio.gather(*self.simulator._lives, return_exceptions=True)


def best(book, side, levels):
    """Return the best levels of a rebuilt book."""
    held = {price: size for price, size in book[side].items() if size}
    return sorted(held.items(), reverse=side == "bids")[:levels]


def published_best(pair, side, levels):
    """Return the best levels of a venue's own book."""
    one = pair.instrument
    at = {"bids": BID, "asks": ASK}[side]
    return [
        (Decimal(ticks * one.tick_e8).scaleb(-8), Decimal(lots * one.lot_e8).scaleb(-8))
        for ticks, lots in (pair.book if hasattr(pair, "book") else pair._book).top(at, levels)
    ]


def open_holes(state, name):
    """Return what an ingester is still looking for."""
    held = msgspec.json.decode(state.get(name) or "[]")
    return bool(held.get("holes") if "filled_ns" in held else held)
