"""
Upstox Market Data Feed V3: NSE, BSE and MCX instruments, conflated to about a tick a second.

A connection is a token, a permission to connect that holds once, a socket, and a subscription in a binary frame. Then
come the status of the markets, a first tick of every key, and ticks of keys that changed, each with its whole state.
https://upstox.com/developer/api-documentation/v3/get-market-data-feed
"""

from collections.abc import Iterable, Iterator, Sequence

from common.clock import NS_PER_S
from common.codec import Origin, dead_letter
from common.records import Record
from common.settings import Settings
from ingesters.feed import Dial, Frame, Resume, Step, Wake
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.chosen import Chosen
from ingesters.venues.upstox_access import OK, STILL_VALID, TOKEN, Access
from ingesters.venues.upstox_backfill import QUESTION, Backfill
from ingesters.venues.upstox_fields import Watch
from ingesters.venues.upstox_instrument import KINDS, Instrument
from ingesters.venues.upstox_session import Session, moment_of
from ingesters.venues.upstox_subscriptions import Subscriptions
from ingesters.venues.upstox_ticks import Moment
from ingesters.venues.upstox_wire import VENUE, response_of
from ingesters.venues.upstox_wishes import KEY as WISH
from ingesters.venues.upstox_wishes import ByHand

PROGRAM = "upstox_ingester"
LOOK = "look"
LOOK_S = 5.0


class UpstoxFeed:
    """One connection to Upstox."""

    venue = VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._resume = resume
        self._access = Access(settings)
        self._is_asking = True  # for a permission to connect
        self._is_dialled = False
        self._chosen = Chosen(PROGRAM, settings.upstox_instrument_keys)
        self._instruments: dict[str, Instrument] = {}
        self._subscriptions = Subscriptions(settings.upstox_mode, settings.upstox_connections)
        self._session = Session(settings.upstox_mute_s)
        longest_ns = int(settings.backfill_max_s * NS_PER_S)
        self._backfill = Backfill(settings.upstox_api_url, longest_ns, resume.state)
        self._by_hand = ByHand(PROGRAM, settings, resume.state)
        self._watch = Watch()

    def opening(self) -> Iterator[Step]:
        """Get a token if there is a service for it, then a permission to connect."""
        yield self._access.begin()
        yield self._chosen.recall
        yield Wake(LOOK, LOOK_S)

    def receive(self, frame: Frame) -> Iterable[Step]:
        """Say what a frame means."""
        key = frame.reply_to
        if key is None:
            return self._hear(frame)
        if key == LOOK:
            return self._look(frame.received_ns)
        if key in (self._chosen.key, self._by_hand.key, WISH):
            return self._choose(frame) if key == self._chosen.key else self._wish(frame, is_answer=key == WISH)
        if key == TOKEN:
            return self._access.take_token(frame)
        if key.startswith(QUESTION):
            return self._backfill.answer(frame, key.removeprefix(QUESTION))
        return self._may_connect(frame)

    def _may_connect(self, frame: Frame) -> Iterator[Step]:
        """Dial the socket that is wanted next, if the venue lets us."""
        now_ns = frame.received_ns
        if frame.status != OK:
            yield from self._access.is_dead(frame)
            return
        url = self._access.address(frame)
        if frame.reply_to == STILL_VALID:
            yield self._access.still_lives(now_ns)
            return
        self._is_asking = False
        wire = self._subscriptions.next_wire
        if wire is None:  # its keys are not wanted any more
            return
        self._access.lives(now_ns)
        self._session.heard(wire, now_ns)
        yield Dial(url, wire)
        yield from self._subscriptions.opened(wire, now_ns)
        is_first, self._is_dialled = not self._is_dialled, True
        yield from self._subscribe(self._chosen.symbols if is_first else (), now_ns)
        if is_first:
            yield from self._backfill.begin(self._access.headers, now_ns)
            yield self._by_hand.recall

    def _subscribe(self, keys: Sequence[str], now_ns: int) -> Iterator[Step]:
        """Subscribe to keys; ask for one more permission if the sockets that stand cannot take them all."""
        yield from self._subscriptions.add(keys, now_ns)
        if self._subscriptions.next_wire is not None and not self._is_asking:
            self._is_asking = True
            yield self._access.ask()

    def _look(self, now_ns: int) -> Iterator[Step]:
        if self._is_dialled:
            yield from self._access.look(now_ns)
            yield from self._subscriptions.look(now_ns)
            for wire in self._session.silent(self._subscriptions.held, now_ns):
                yield from self._subscriptions.probe(wire)
        yield Wake(LOOK, LOOK_S)

    def _choose(self, frame: Frame) -> Iterator[Step]:
        added, removed = self._chosen.hear(frame)
        if self._is_dialled:
            yield from self._subscriptions.remove(removed)
            yield from self._subscribe(added, frame.received_ns)
        yield self._chosen.recall

    def _wish(self, frame: Frame, *, is_answer: bool) -> Iterator[Step]:
        """Look into what somebody wants fetched again; only a session has what signs the questions."""
        headers = self._access.headers
        if is_answer:
            return self._by_hand.answer(frame, headers)
        return self._by_hand.hear(frame, self._chosen.symbols, headers)

    def _hear(self, frame: Frame) -> Iterator[Step]:
        """Say what a frame of the socket means; its type says nothing that its fields do not."""
        response = response_of(frame.payload)
        moment = moment_of(response, frame.received_ns)
        self._session.heard(frame.wire, frame.received_ns)
        yield from self._session.statuses(response.marketInfo, moment)
        ticks = [
            step for symbol in sorted(response.feeds) for step in self._tick(symbol, response.feeds[symbol], moment)
        ]
        yield from self._backfill.save()
        yield from ticks
        yield from self._watch.look(response, frame.payload, frame.received_ns)

    def _tick(self, symbol: str, feed: pb.Feed, moment: Moment) -> Iterator[Step]:
        """Say what a tick means; one that cannot be read is set aside and leaves the others of its frame alone."""
        instrument = self._instruments.get(symbol)
        is_first = instrument is None
        instrument = instrument or Instrument(symbol, self._marks(symbol))
        self._subscriptions.heard(symbol)
        try:
            missed = instrument.missed(feed, moment) if is_first else None
            records = instrument.hear(feed, moment)
        except ValueError as error:
            instrument.forget()
            place = f"{symbol} {moment.sequence} {moment.received_ns}"
            origin = Origin(PROGRAM, "", place, moment.received_ns, VENUE, symbol)
            yield dead_letter(feed.SerializeToString(), origin, reason=f"{symbol}: {error}")
            return
        self._instruments[symbol] = instrument
        if missed is not None:
            yield from self._backfill.miss(missed, moment.received_ns)
        yield from records

    def _marks(self, symbol: str) -> dict[type[Record], int]:
        marks = self._resume.marks
        return {kind: marks[topic, symbol] for topic, kind in KINDS.items() if (topic, symbol) in marks}
