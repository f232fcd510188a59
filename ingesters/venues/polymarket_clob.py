"""
Polymarket's order books and trades as its CLOB tells them: the market channel for every chosen token.

Four conversations run side by side: Gamma says which tokens the choice means, sockets of two hundred tokens each tell
what happens, POST /books confirms every book once a minute, and a clock of half a second sees what stays away. What a
message means stands in `polymarket_clob_records`, which book can be believed in `polymarket_clob_books`.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import msgspec

from common.clock import NS_PER_MS
from common.settings import Settings
from ingesters.feed import Frame, Resume, Step, Wake
from ingesters.venues import polymarket_clob_records as records
from ingesters.venues import polymarket_clob_wire as wire
from ingesters.venues.chosen import Chosen
from ingesters.venues.polymarket_clob_books import Books
from ingesters.venues.polymarket_clob_fields import Watch
from ingesters.venues.polymarket_clob_ladder import Parsed, parsed
from ingesters.venues.polymarket_clob_markets import AGAIN, GAMMA, Selection
from ingesters.venues.polymarket_clob_questions import BOOKS, BookQuestions
from ingesters.venues.polymarket_clob_rare import Rare
from ingesters.venues.polymarket_clob_silence import mend
from ingesters.venues.polymarket_clob_sockets import Sockets
from ingesters.venues.polymarket_clob_trades import NOWHERE, TokenTrades

VENUE, PROGRAM = wire.VENUE, wire.PROGRAM
TICK, TICK_S = "tick", 0.5
PONG = b"PONG"

decode = wire.MESSAGE.decode


class PolymarketClobFeed:
    """One connection to the CLOB: as many sockets as the chosen tokens need."""

    venue = VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._resume = resume
        self._chosen = Chosen(PROGRAM, settings.polymarket_markets)
        self._selection = Selection(settings.polymarket_gamma_url, self._chosen.symbols, resume.state)
        self._is_choosing = True
        self._wanted: list[str] = []
        self._sockets = Sockets(settings.polymarket_ws_url)
        self._silent, self._lines = self._sockets.silent, self._sockets.lines
        self._books = Books()
        self._watch = Watch()
        self._questions = BookQuestions(settings.polymarket_clob_url, self._books, self._watch)
        self._trades: dict[str, TokenTrades] = {}
        self._rare = Rare()
        self._wire = ""
        self._readers: dict[type, tuple[str, Callable[[Any, int], Iterable[Step]]]] = {
            wire.PriceChange: ("price_change", self._changes),
            wire.BookMessage: ("book", self._book),
            wire.TradeMessage: ("last_trade_price", self._trade),
            wire.BestBidAsk: ("best_bid_ask", self._best),
            wire.TickSize: ("tick_size_change", self._tick_size),
            wire.NewMarket: ("new_market", self._rare.listed),
            wire.MarketResolved: ("market_resolved", self._rare.resolved),
        }

    def opening(self) -> Iterator[Step]:
        """Ask what the choice means; the sockets follow."""
        yield from self._selection.ask()
        yield Wake(TICK, after_s=0.0)
        yield self._chosen.recall

    def receive(self, frame: Frame) -> Iterable[Step]:
        """Say what a frame means: one message, several, or an answer."""
        payload = frame.payload
        if frame.reply_to is not None:
            return self._answer(frame, frame.reply_to)
        self._wire = frame.wire
        if payload.startswith(b"["):
            elements = wire.ELEMENTS.decode(payload)
            return list(chain.from_iterable(self._hear(bytes(raw), frame.received_ns) for raw in elements))
        return () if payload == PONG else self._hear(payload, frame.received_ns)

    def _hear(self, payload: bytes, received_ns: int) -> Iterable[Step]:
        try:
            message = decode(payload)
        except msgspec.ValidationError:
            return self._rare.unknown(payload, received_ns)
        kind, read = self._readers[type(message)]
        steps = read(message, received_ns)
        if self._watch.is_due(kind):
            return chain(steps, self._watch.look(kind, payload, received_ns))
        return steps

    def _changes(self, message: wire.PriceChange, received_ns: int) -> list[Step]:
        at_ms = int(message.timestamp)
        by_token: dict[str, list[wire.Change]] = {}
        for change in message.price_changes or wire.changes_of(message):
            part = by_token.get(change.asset_id)
            if part is None:
                by_token[change.asset_id] = [change]
            else:
                part.append(change)
        if "" in by_token:
            raise ValueError("expected a token with every level")
        # All numbers are read before any is applied: a bad one must leave every book as it was.
        read: list[tuple[str, list[wire.Change], list[Parsed]]] = [
            (token, part, parsed(part)) for token, part in by_token.items()
        ]
        steps: list[Step] = []
        for token, part, numbers in read:
            line = self._lines.get(token)
            if line is None and not self._lines.keys().isdisjoint(by_token):
                continue  # the other token of a market, not wanted: its book would be wrong without its own messages
            if line is not None and line.wire != self._wire:
                continue  # the other token of a market, told on the socket of the first as well
            if token in self._silent:
                steps += self._sockets.heard(token, received_ns)
            steps += self._books.hear_changes(token, part, numbers, at_ms, received_ns)
        return steps

    def _book(self, message: wire.BookMessage, received_ns: int) -> Iterator[Step]:
        yield from self._sockets.heard(message.asset_id, received_ns)
        yield from self._books.hear_book(message, received_ns)

    def _trade(self, message: wire.TradeMessage, received_ns: int) -> Iterable[Step]:
        token = message.asset_id
        trades = self._trades.get(token)
        if trades is None:
            trades = self._trades[token] = TokenTrades(self._resume.marks.get(("trades", token)))
        place = self._selection.places.get(token, NOWHERE)
        return [*self._sockets.heard(token, received_ns), *trades.hear(message, place, received_ns)]

    def _best(self, message: wire.BestBidAsk, received_ns: int) -> Iterator[Step]:
        book = self._books.by_token.get(message.asset_id)
        best = message.best_bid, message.best_ask
        event_ns = wire.milliseconds(message.timestamp) * NS_PER_MS
        yield records.quote_of(message, book, received_ns)
        yield from self._sockets.heard(message.asset_id, received_ns)
        yield from self._books.check(message.asset_id, best, event_ns, received_ns)

    def _tick_size(self, message: wire.TickSize, received_ns: int) -> Iterator[Step]:
        self._books.doubt(message.asset_id, received_ns)  # orders between the new steps may be gone
        yield records.tick_size_of(message, received_ns)

    def _answer(self, frame: Frame, key: str) -> Iterator[Step]:
        if key == TICK:
            yield from self._tick(frame)
        elif key == self._chosen.key:
            yield from self._choose(frame)
        elif key.startswith(BOOKS):
            yield from self._questions.answer(frame)
        elif key.startswith(AGAIN):
            if key == self._selection.again:
                yield from self._ask_gamma()
        elif key.startswith(GAMMA):
            yield from self._selection.hear(frame)
            yield from self._settle(frame)

    def _tick(self, frame: Frame) -> Iterator[Step]:
        now_ns = frame.received_ns
        yield from self._settle(frame)
        yield from mend(self._books, self._sockets, now_ns)
        yield from self._sockets.tick(now_ns)
        yield from self._books.tick(now_ns)
        yield from self._questions.due(now_ns)
        yield Wake(TICK, after_s=TICK_S)

    def _choose(self, frame: Frame) -> Iterator[Step]:
        change = self._chosen.hear(frame)
        if change.added or change.removed:
            self._selection.choose(self._chosen.symbols)
            yield from self._ask_gamma()
        yield self._chosen.recall

    def _ask_gamma(self) -> Iterator[Step]:
        self._is_choosing = True
        yield from self._selection.ask()

    def _settle(self, frame: Frame) -> Iterator[Step]:
        """Listen to what the choice means, once that is known; until then to what it meant before."""
        if self._is_choosing and self._selection.is_settled:
            self._is_choosing = False
            yield from self._selection.settle(frame)
        wanted = self._selection.tokens
        if wanted == self._wanted:
            return
        self._wanted = wanted
        gone = sorted(self._lines.keys() - {*wanted})
        self._books.choose(wanted, gone, frame.received_ns)
        for token in gone:
            self._trades.pop(token, None)
        yield from self._sockets.remove(gone)
        yield from self._sockets.add(wanted, frame.received_ns)
