"""
OKX: trades, best bid and ask, the book with every change of 400 levels, tickers and candles, from two sockets at once.

On a grid and by HTTP come the book of 5000 levels, the order book, the candle and the ticker, under one time.
`trades-all` and `candle1m` are told on the business socket only, the rest on the public one. `trades`, `books5`,
`books-l2-tbt` and other candles are understood as well, as recordings hold them.
"""

from collections.abc import Iterable, Iterator
from typing import get_args

import msgspec

from common.clock import NS_PER_S
from common.errors import BadAnswer
from common.records import Bar
from common.settings import Settings
from ingesters.feed import Frame, Resume, Step, Wake
from ingesters.venues import okx_wire as wire
from ingesters.venues.chosen import Chosen
from ingesters.venues.okx_backfill import KEY as HISTORY
from ingesters.venues.okx_backfill import SETTLED, STATE, Backfill, Limits
from ingesters.venues.okx_cycle import Part
from ingesters.venues.okx_cycles import STATE as DONE
from ingesters.venues.okx_cycles import Cycles
from ingesters.venues.okx_fields import Read, Watch
from ingesters.venues.okx_pulse import KEY as PULSE
from ingesters.venues.okx_pulse import OkxPulse
from ingesters.venues.okx_rare import Rare, refusal
from ingesters.venues.okx_readers import Readers
from ingesters.venues.okx_sockets import WAKES, Sockets
from ingesters.venues.okx_subscriptions import BOOKS
from ingesters.venues.okx_wishes import KEY as WISH
from ingesters.venues.okx_wishes import ByHand

HEAD = b'{"arg":{"channel":"'
PONG = b"pong"
TEND, TEND_S = "tend", 2.0
FRAMES_A_LOOK = 100_000
# Upgrading, timed out, offline, busy, too many requests.
LATER = ("50001", "50004", "50005", "50011", "50013", "50026", "50040", "50061")
LATER_S = 2.0
SAID_BYTES = 200
PARTS: tuple[Part, ...] = get_args(Part)

_decode_answer = msgspec.json.Decoder(wire.Answer[msgspec.Raw]).decode


class OkxFeed:
    """One connection to OKX: a business socket, a public one for each thirty symbols, and a cycle by HTTP for each."""

    venue = wire.VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._settings = settings
        self._chosen = Chosen(wire.PROGRAM, [symbol.upper() for symbol in settings.okx_symbols])
        self._sockets = Sockets(settings.okx_ws_url, settings.okx_mute_s)
        limits = Limits(settings.okx_api_base_url, int(settings.backfill_max_s * NS_PER_S))
        self._backfill = Backfill(limits, resume.state.get(STATE, ""), resume.state.get(SETTLED, ""))
        self._readers = Readers(resume.marks, self._backfill, self._sockets.renewals)
        self._by_hand = ByHand(settings.okx_api_base_url, self._backfill, self._readers.has_begun)
        self._cycles = Cycles(
            settings.okx_api_base_url,
            settings.okx_books_full_interval_s,
            self._chosen.symbols,
            resume.state.get(DONE, ""),
        )
        self._pulse = OkxPulse(settings.okx_mute_s, self._readers, self._sockets)
        self._watch = Watch(self._readers.by_channel)
        self._read = self._watch.readers
        self._rare = Rare(self._read, self._sockets.requests, self._give_up)
        self._frames = 0

    def opening(self) -> Iterator[Step]:
        """Listen first: trades and books that are asked for later must find their place in what was heard."""
        yield from self._sockets.opening(self._chosen.symbols)
        yield from self._backfill.opening()
        yield self._cycles.opening()
        yield Wake(TEND, TEND_S)
        yield self._chosen.recall
        yield self._by_hand.recall
        yield self._pulse.wake

    def receive(self, frame: Frame) -> Iterable[Step]:
        """Say what a frame means. Its channel is looked up in the bytes, so that it is parsed once."""
        payload = frame.payload
        if frame.reply_to is not None:
            return self._reply(frame, frame.reply_to)
        if payload.startswith(HEAD):
            read = self._read.get(payload[len(HEAD) : payload.find(b'"', len(HEAD))])
            if read is not None:
                return self._pushed(frame, read)
        elif payload == PONG:
            return ()
        return self._rare.hear(frame)

    def _pushed(self, frame: Frame, read: Read) -> Iterable[Step]:
        try:
            steps = read(frame)
        except msgspec.ValidationError:  # no data of the channel, but an event about it
            return self._rare.hear(frame)
        self._sockets.heard(frame.wire, frame.received_ns)
        self._frames += 1
        if self._frames % FRAMES_A_LOOK == 0:
            self._watch.look_again()
        return steps

    def _reply(self, frame: Frame, key: str) -> Iterable[Step]:
        """Say what follows from an answer by HTTP, or from one of our own questions."""
        if key == self._chosen.key:
            return self._choose(frame)
        if key == self._by_hand.key:
            return self._by_hand.hear(frame)
        if key in (TEND, PULSE):
            return self._tend(key, frame.received_ns)
        if key.startswith(WAKES):
            return self._sockets.wake(key, frame.received_ns)
        if "@" in key:
            return self._cycles.wake(key, frame.received_ns)
        return self._answer(frame, *key.split(":", 1))

    def _answer(self, frame: Frame, name: str, symbol: str) -> Iterator[Step]:
        """Say what an answer by HTTP means; a refused symbol leaves the others alone."""
        try:
            answer = _answer_of(frame)
            if answer.code in LATER:
                raise BadAnswer(wire.VENUE, reason=f"{name}: {answer.code} {answer.msg}", retry_after_s=LATER_S)
            if answer.code != "0":
                yield from self._refused(frame, name, symbol, answer)
                return
            if name == HISTORY.rstrip(":"):
                rows = wire.TRADE_ANSWER.decode(frame.payload).data
                yield from self._backfill.page(symbol, rows, frame.received_ns)
            elif name == WISH:
                rows = wire.TRADE_ANSWER.decode(frame.payload).data
                yield from self._by_hand.page(symbol, rows, frame.received_ns)
            else:
                yield from self._cycle(frame, name, symbol)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadAnswer(wire.VENUE, reason=f"{name} of {symbol}: {error}") from error
        yield from self._watch.look_at_answer(
            HISTORY.rstrip(":") if name == WISH else name, frame.payload, frame.received_ns
        )

    def _cycle(self, frame: Frame, name: str, symbol: str) -> Iterator[Step]:
        part = next(part for part in PARTS if part == name)
        for step in self._cycles.answer(part, symbol, frame.payload, frame.received_ns):
            if not isinstance(step, Bar) or not self._readers.is_overtaken(step):
                yield step

    def _refused(self, frame: Frame, name: str, symbol: str, answer: wire.Answer[msgspec.Raw]) -> Iterator[Step]:
        reason = f"refused: {answer.code} {answer.msg}"
        yield refusal(frame, name, symbol, code=answer.code, reason=answer.msg)
        if name == WISH:
            yield from self._by_hand.refuse(reason, frame.received_ns)
        elif name == HISTORY.rstrip(":"):
            yield from self._backfill.refuse(symbol, reason, frame.received_ns)
        else:
            self._cycles.refuse(symbol)

    def _choose(self, frame: Frame) -> Iterator[Step]:
        """Follow a change of the symbols on the living sockets."""
        change = self._chosen.hear(frame)
        if change.removed:
            yield from self._sockets.remove(change.removed)
            self._readers.leave(change.removed)
        if change.added:
            self._readers.want(change.added)
            yield from self._sockets.add(change.added)
        if change.added or change.removed:
            yield from self._cycles.choose(self._chosen.symbols)
        yield self._chosen.recall

    def _tend(self, key: str, now_ns: int) -> Iterator[Step]:
        if key == PULSE:
            yield from self._pulse.look(self._chosen.symbols, now_ns)
            return
        yield from self._sockets.tend(now_ns)
        yield Wake(TEND, TEND_S)

    def _give_up(self, channel: str, symbol: str) -> None:
        if channel in BOOKS:
            self._sockets.renewals.forget(symbol)


def _answer_of(frame: Frame) -> wire.Answer[msgspec.Raw]:
    """Return an answer; a refusal need not be in the venue's own words, for others may stand in front of it."""
    try:
        return _decode_answer(frame.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if frame.status not in wire.IN_WORDS:
            raise
        return wire.Answer(code=str(frame.status), msg=frame.payload[:SAID_BYTES].decode(errors="replace"))
