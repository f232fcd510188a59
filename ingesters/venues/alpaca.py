"""
Alpaca: US stocks and crypto. Trades, quotes, minute and daily bars, corrections, halts, price bands, imbalances, books.

One feed, declared twice (`alpaca_market`). It signs in, subscribes, then asks by REST for the trades of the time in
which nobody listened. Books have no numbering: they begin anew with every connection, and until a book is told whole
its changes mean nothing.
"""

from collections.abc import Iterable, Iterator

import msgspec

from common.clock import NS_PER_S
from common.codec import Origin
from common.records import BookUpdate, Quote, Record, Status, Trade, TradeCorrection
from common.settings import Settings
from ingesters.feed import Checkpoint, Dial, Frame, Resume, Step
from ingesters.venues import alpaca_wire as wire
from ingesters.venues.alpaca_backfill import KEY, Backfill
from ingesters.venues.alpaca_books import CHANNEL as BOOKS
from ingesters.venues.alpaca_books import Books
from ingesters.venues.alpaca_codec import JSON, JSON_HEADER, MSGPACK, MSGPACK_HEADER, Codec, codec_of
from ingesters.venues.alpaca_fields import Watch
from ingesters.venues.alpaca_heard import Heard
from ingesters.venues.alpaca_market import Market, crypto, stocks
from ingesters.venues.alpaca_pulse import KEY as PULSE_KEY
from ingesters.venues.alpaca_pulse import AlpacaPulse
from ingesters.venues.alpaca_reading import meaning
from ingesters.venues.alpaca_replay import TOPIC_OF, Replay, played_names
from ingesters.venues.alpaca_session import Session
from ingesters.venues.alpaca_wishes import BARS_KEY, ByHand, wish_names
from ingesters.venues.alpaca_wishes import KEY as WISH_KEY
from ingesters.venues.chosen import Chosen

SAVED_EVERY_NS = 5 * NS_PER_S


class AlpacaFeed:
    """One connection to one of the two markets."""

    venue = wire.VENUE

    def __init__(self, settings: Settings, resume: Resume, market: Market) -> None:
        self._url = settings.alpaca_ws_url + market.socket_path
        self._market = market
        self._is_msgpack = settings.alpaca_codec == "msgpack"
        codec = MSGPACK if self._is_msgpack else JSON
        self._heard = Heard(resume.state.get(f"{market.state}_heard", ""))
        self._chosen = Chosen(market.program, market.symbols)
        # What was chosen while an earlier connection stood is listened to until it is known to be chosen no longer.
        self._kept_on = tuple(symbol for symbol in self._heard.head.symbols if symbol not in self._chosen.symbols)
        self._session = Session(settings, market, codec, self._kept_on, is_binary=self._is_msgpack)
        self._pulse = AlpacaPulse(settings.alpaca_mute_s, market, self._session)
        self._backfill = Backfill(settings, market, self._heard, resume.state.get(f"{market.state}_backfill", ""))
        self._by_hand = ByHand(settings, market, self._heard, resume.state)
        self._replay = Replay(market.state, resume)
        self._books = Books(self._heard.head)
        self._watch = Watch()
        self._has_begun = False
        self._saved_ns = 0
        self._newest_ns = 0

    def opening(self) -> Iterator[Step]:
        """Dial; the venue greets first."""
        yield Dial(self._url, headers=(MSGPACK_HEADER if self._is_msgpack else JSON_HEADER,))

    def receive(self, frame: Frame) -> Iterable[Step]:
        """Say what a frame means: an array of messages, or an answer to one of our questions."""
        if frame.reply_to is not None:
            return self._answer(frame)
        codec, received_ns = codec_of(frame.payload), frame.received_ns
        try:
            messages = codec.messages(frame.payload)
            found = [meaning(message, received_ns, codec) for message in messages]
        except (msgspec.ValidationError, ValueError):  # one of them is not what is documented: the others are
            return self._one_by_one(frame, codec)
        steps = self._hear(found, received_ns)
        steps += self._watch.look(messages, frame.payload, codec, received_ns)
        return steps

    def _one_by_one(self, frame: Frame, codec: Codec) -> list[Step]:
        steps: list[Step] = []
        for index, part in enumerate(codec.parts(frame.payload)):
            try:
                found = meaning(codec.message(part), frame.received_ns, codec)
            except (msgspec.MsgspecError, ValueError) as error:
                place = f"{frame.received_ns} {index}"
                origin = Origin(self._market.program, "", place, frame.received_ns, wire.VENUE)
                steps += self._watch.unreadable(part, codec, f"{type(error).__name__}: {error}", origin)
            else:
                steps += self._hear([found], frame.received_ns)
        return steps

    def _hear(self, found: Iterable[Record | wire.Message], received_ns: int) -> list[Step]:
        """Return the steps of what was read; everything in it was readable."""
        steps: list[Step] = []
        topics: set[str] = set()
        for one in found:
            self._pulse.hear(one)
            match one:
                case Quote() | Trade() | TradeCorrection() | Status():
                    self._take(one, steps, topics)
                case BookUpdate():
                    steps += self._books.hear(one)
                case Record():
                    steps.append(one)
                case _:
                    steps += self._control(one, received_ns)
        while self._books.broken:
            steps += self._session.renew(BOOKS, self._books.broken.pop())
        steps += self._save(topics, received_ns)
        return steps

    def _take(self, record: Trade | Quote | TradeCorrection | Status, steps: list[Step], topics: set[str]) -> None:
        """Add a record that may be a repeat, unless it is one."""
        topic, event_ns = TOPIC_OF[type(record)], record.event_ns or 0
        self._replay.look(event_ns, record.received_ns)
        self._newest_ns = max(self._newest_ns, event_ns)
        if self._replay.is_on and self._replay.is_repeat(topic, record.symbol, event_ns):
            return
        if isinstance(record, Trade) and not self._heard.hear(record):
            return
        topics.add(topic)
        steps.append(record)

    def _control(self, message: wire.Message, received_ns: int) -> Iterator[Step]:
        session = self._session
        match message:
            case wire.SuccessMessage():
                yield from session.success(message)
            case wire.SubscriptionMessage():
                yield from session.subscribed(message, received_ns)
            case wire.ErrorMessage():
                yield from session.refused(message, received_ns)
            case _:
                raise AssertionError(message)  # all others have a reader
        if session.is_ready and not self._has_begun:
            self._has_begun = True
            yield from self._backfill.begin(received_ns - self._market.delay_ns, received_ns)
            self._heard.head.symbols = session.symbols
            yield self._checkpoint()
            yield self._chosen.recall
            yield self._by_hand.recall
            yield self._pulse.wake

    def _answer(self, frame: Frame) -> Iterator[Step]:
        if frame.reply_to == KEY:
            yield from self._backfill.answer(frame)
            yield self._checkpoint()
        elif frame.reply_to == self._chosen.key:
            yield from self._choose(frame)
            yield self._chosen.recall
        elif frame.reply_to == PULSE_KEY:
            yield from self._pulse.look(self._session.symbols, frame.received_ns)
        elif frame.reply_to in (WISH_KEY, BARS_KEY):
            yield from self._by_hand.answer(frame)
        elif self._by_hand.is_about(frame.reply_to):
            yield from self._by_hand.hear(frame, filled_ns=self._backfill.filled_ns)

    def _choose(self, frame: Frame) -> Iterator[Step]:
        change, kept_on = self._chosen.hear(frame), self._kept_on
        self._kept_on = ()
        added = [symbol for symbol in change.added if symbol not in kept_on]
        removed = [*change.removed, *(symbol for symbol in kept_on if symbol not in self._chosen.symbols)]
        self._books.leave(removed)
        if added or removed:
            yield from self._session.change(added=added, removed=removed)

    def _save(self, topics: set[str], received_ns: int) -> Iterator[Checkpoint]:
        """Have written what trades stand, with them; and now and then until when the stream was heard."""
        is_due = self._has_begun and self._newest_ns > 0 and received_ns - self._saved_ns > SAVED_EVERY_NS
        if is_due or (self._has_begun and "trades" in topics):
            head = self._heard.head
            head.symbols, head.is_recording, head.newest_ns = self._session.symbols, self._replay.is_on, self._newest_ns
            self._heard.go_on(self._newest_ns if self._replay.is_on else received_ns - self._market.delay_ns)
        if is_due or "trades" in topics:
            self._saved_ns = received_ns
            yield self._checkpoint()
        if self._replay.is_on:
            for topic in sorted(topics):
                yield self._replay.checkpoint(topic)

    def _checkpoint(self) -> Checkpoint:
        state = self._market.state
        return Checkpoint("trades", {f"{state}_heard": self._heard.text(), f"{state}_backfill": self._backfill.text()})


def state_names(prefix: str) -> tuple[str, ...]:
    """Return the names of the strings that survive a restart."""
    return f"{prefix}_heard", f"{prefix}_backfill", *wish_names(prefix), *played_names(prefix)


def stocks_feed(settings: Settings, resume: Resume) -> AlpacaFeed:
    """Return a connection to US stocks."""
    return AlpacaFeed(settings, resume, stocks(settings))


def crypto_feed(settings: Settings, resume: Resume) -> AlpacaFeed:
    """Return a connection to crypto."""
    return AlpacaFeed(settings, resume, crypto(settings))
