"""An invented Upstox: a few instruments that never close, and everybody who listens."""

import asyncio
import random
from datetime import UTC, datetime

import msgspec

from common.clock import NS_PER_MS
from simulator.demo.upstox_instrument import IST_MS, MINUTE_MS, PAISE, Instrument, Listing, Minute
from simulator.faults import Clock
from simulator.ledger import Book, Fact
from simulator.venues.upstox_listener import Listener, outgoing
from simulator.venues.upstox_wire import INITIAL, LIVE, frame_of, market_status

LISTINGS = (
    Listing("NSE_INDEX|Nifty 50", 2_624_410, 5, 1, 1.0),
    Listing("NSE_INDEX|Nifty Bank", 5_977_615, 5, 1, 1.0),
    Listing("NSE_EQ|INE002A01018", 156_180, 10, 1, 1.5),
    Listing("NSE_EQ|INE467B01029", 314_530, 10, 1, 1.2),
    Listing("NSE_EQ|INE040A01034", 100_465, 5, 1, 1.0),
    Listing("NSE_FO|51414", 76_305, 5, 35, 0.8),
    Listing("NSE_FO|51420", 63_800, 5, 35, 0.5),
)
TURN_S = 0.1
TRADED = 0.41  # of ticks; the rest are changes of the book
REPEATED = 0.077  # of ticks are said once more
LATE = 0.0005  # of ticks come behind a newer one
HISTORY_MINUTES = 120
MOST_UNSENT = 5_000


class Exchange:
    """All instruments on one clock."""

    def __init__(self, chance: random.Random, clock: Clock) -> None:
        self.published = Book()
        self.more_settings = {"UPSTOX_MODE": "full"}
        self._chance = chance
        self._clock = clock
        self._unsent: dict[Listener, list[tuple[int, dict[str, bytes]]]] = {}
        self._instruments = {one.key: Instrument(one, chance) for one in LISTINGS}
        self._earlier: dict[str, dict[str, bytes]] = {}
        self.keys = list(self._instruments)
        for instrument in self._instruments.values():
            instrument.remember(self._now_ms(), HISTORY_MINUTES)

    async def play(self, listener: Listener) -> None:
        """Send the status of the market, the state of what is subscribed to, and then what changes."""
        await listener.wire.send([outgoing(market_status(self._now_ms()))])
        self._unsent[listener] = []
        try:
            while True:
                await asyncio.sleep(TURN_S / 2)
                frames = self._first_frames(listener) + self._changes(listener)
                if frames:
                    await listener.wire.send([outgoing(frame) for frame in frames])
        finally:
            del self._unsent[listener]

    async def live(self) -> None:
        """Move the instruments until the end."""
        while True:
            await asyncio.sleep(TURN_S)
            changed = {key: self._move(one) for key, one in self._instruments.items() if self._is_due(one)}
            for listener, unsent in self._unsent.items():
                told = {
                    key: told for key, by_mode in changed.items() if (told := by_mode.get(listener.modes.get(key, "")))
                }
                unsent.append((self._now_ms(), told))
                if len(unsent) > MOST_UNSENT:
                    unsent.clear()
                    listener.wire.abort()

    def candles(self, key: str, first_day: str, last_day: str) -> list[msgspec.Raw]:
        """Return rows of whole minutes, newest first."""
        if key not in self._instruments:
            return []
        now_ms = self._now_ms()
        today = _ist(now_ms)[:10]
        first, last = first_day or today, last_day or today
        minutes = [one for one in self._instruments[key].minutes if one.start_ms < now_ms - now_ms % MINUTE_MS]
        rows = [_row(one) for one in reversed(minutes) if first <= _ist(one.start_ms)[:10] <= last]
        return [msgspec.Raw(msgspec.json.encode(row)) for row in rows]

    def _now_ms(self) -> int:
        return self._clock() // NS_PER_MS

    def _is_due(self, instrument: Instrument) -> bool:
        return self._chance.random() < instrument.listing.per_s * TURN_S

    def _move(self, instrument: Instrument) -> dict[str, bytes]:
        """Let something happen, mostly, and return the state in each mode; now and then it is an old one."""
        now_ms, draw = self._now_ms(), self._chance.random()
        before = {mode: instrument.written(mode, now_ms) for mode in ("ltpc", "full", "option_greeks")}
        if draw < REPEATED:
            return before
        if draw < REPEATED + TRADED:
            instrument.trade(now_ms)
        instrument.quote()
        self.published.count(Fact(instrument.listing.key, "tick"))
        earlier = self._earlier.get(instrument.listing.key)
        if earlier is not None and draw > 1 - LATE:
            return earlier
        self._earlier[instrument.listing.key] = before
        return {mode: instrument.written(mode, now_ms) for mode in before}

    def _first_frames(self, listener: Listener) -> list[bytes]:
        batches, listener.batches = listener.batches, []
        now_ms = self._now_ms()
        frames = []
        for batch in batches:
            known = [self._instruments[key] for key in batch if key in self._instruments and key in listener.modes]
            entries = [one.written(listener.modes[one.listing.key], now_ms) for one in known]
            if entries:
                frames.append(frame_of(INITIAL, entries, now_ms))
        return frames

    def _changes(self, listener: Listener) -> list[bytes]:
        unsent, self._unsent[listener] = self._unsent[listener], []
        return [frame_of(LIVE, list(told.values()), made_ms) for made_ms, told in unsent if told]


def _ist(time_ms: int) -> str:
    return f"{datetime.fromtimestamp((time_ms + IST_MS) // 1000, UTC):%Y-%m-%dT%H:%M:%S}+05:30"


def _row(minute: Minute) -> list[object]:
    prices = [price / PAISE for price in (minute.open, minute.high, minute.low, minute.close)]
    return [_ist(minute.start_ms), *prices, minute.volume, 0]
