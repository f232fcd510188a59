"""An invented OKX: a handful of markets that move on their own, and everybody who listens."""

import asyncio
import random
from collections import deque

import msgspec

from common.clock import NS_PER_MS
from simulator.demo.okx_messages import eight
from simulator.demo.okx_pair import Pair
from simulator.demo.order_book import Instrument
from simulator.faults import Clock
from simulator.ledger import Book
from simulator.trades import TradeQuery, TradeRow
from simulator.venues.okx_listener import ChannelFrame, Listener

# (start price in ticks, tick x 10^8, lot x 10^8, usual lots of an order, events a second)
INSTRUMENTS = (
    Instrument("BTC-USDT", "BTC", "USDT", 618_000, 10**7, 1, 8_000_000, 60.0),
    Instrument("ETH-USDT", "ETH", "USDT", 265_000, 10**6, 100, 50_000, 40.0),
    Instrument("SOL-USDT", "SOL", "USDT", 15_240, 10**6, 10_000, 90_000, 20.0),
    Instrument("XRP-USDT", "XRP", "USDT", 55_300, 10**3, 10**2, 90_000_000, 10.0),
    Instrument("OKB-USDT", "OKB", "USDT", 11_300, 10**6, 10**4, 10_000, 0.02),  # a quiet one: signs of life
)
CHANNELS = ("books", "books5", "bbo-tbt", "tickers", "trades", "trades-all", "candle1m")
TURN_S = 0.02
TURNS_PER_BOOK, TURNS_PER_TICKER, TURNS_PER_CANDLE = 5, 10, 50
TURNS_PER_MAINTENANCE = 50 * 240
MOST_UNSENT = 50_000
TOO_SLOW = 4005
ALL_ROWS = TradeQuery(limit=2**62, from_id=0)


class Exchange:
    """All pairs on one clock."""

    is_recording = False

    def __init__(self, chance: random.Random, clock: Clock) -> None:
        self.published = Book()
        self._chance = chance
        self._clock = clock
        self._unsent: dict[Listener, deque[ChannelFrame]] = {}
        self._pairs = {one.symbol: Pair(one, chance, self._publish, clock) for one in INSTRUMENTS}
        self.symbols = list(self._pairs)

    def knows(self, channel: str, symbol: str) -> bool:
        """Return whether an instrument has a channel."""
        return symbol in self._pairs and channel in CHANNELS

    def settings(self) -> dict[str, str]:
        """Return settings that show in a minute what takes the real venue an hour."""
        return {"OKX_BOOKS_FULL_INTERVAL_S": "15"}

    async def play(self, listener: Listener) -> None:
        """Send what is published from now on, as far as it was subscribed to."""
        unsent: deque[ChannelFrame] = deque()
        self._unsent[listener] = unsent
        try:
            while True:
                await asyncio.sleep(TURN_S / 2)
                for channel, symbol in listener.take_fresh():
                    unsent.extend(self._pairs[symbol].first(channel))
                if unsent:
                    frames = list(unsent)
                    unsent.clear()
                    await listener.send(frames)
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
                self._tell(pair, turn)
            if turn % TURNS_PER_MAINTENANCE == 0:
                self._chance.choice(list(self._pairs.values())).begin_numbering_again()

    def _act_until(self, pair: Pair, now_s: float, due_s: float) -> float:
        due_s = max(due_s, now_s - 1.0)
        while due_s <= now_s:
            pair.act()
            due_s += self._chance.expovariate(pair.instrument.events_per_s)
        return due_s

    def _tell(self, pair: Pair, turn: int) -> None:
        if turn % TURNS_PER_BOOK == 0:
            pair.flush()
        if turn % TURNS_PER_TICKER == 0:
            pair.tell_ticker()
        if turn % TURNS_PER_CANDLE == 0:
            pair.tell_candle()

    def _publish(self, frame: ChannelFrame) -> None:
        self.published.count(frame.fact)
        arg = frame.channel, frame.symbol
        for listener, unsent in self._unsent.items():
            if arg in listener.args:
                unsent.append(frame)
                if len(unsent) > MOST_UNSENT:
                    unsent.clear()
                    listener.hang_up(TOO_SLOW, "buffer is full")

    def rows(self, name: str, query: dict[str, str]) -> list[bytes] | None:
        """Return the data of any endpoint but those of trades, None for an unknown instrument."""
        if name == "public/instruments":
            return [_instrument_row(pair.instrument, self._clock() // NS_PER_MS) for pair in self._pairs.values()]
        pair = self._pairs.get(query.get("instId", ""))
        if pair is None:
            return None
        if name == "market/ticker":
            return [pair.ticker_row().encode()]
        if name in ("market/candles", "market/history-candles"):
            return _page(pair.candle_rows(), query)
        return [pair.book_row(int(query["sz"]), is_full=name == "market/books-full")]

    def trades(self, symbol: str) -> list[TradeRow] | None:
        """Return the trades so far, oldest first."""
        pair = self._pairs.get(symbol)
        return pair.trades.page(ALL_ROWS, 0) if pair else None


def _page(rows: list[bytes], query: dict[str, str]) -> list[bytes]:
    """Return candles older than `after` and newer than `before`, newest first."""
    after, before = int(query.get("after", 2**62)), int(query.get("before", -1))
    wanted = [row for row in rows if before < int(msgspec.json.decode(row)[0]) < after]
    return wanted[: min(300, int(query.get("limit", "100")))]


def _instrument_row(instrument: Instrument, now_ms: int) -> bytes:
    return msgspec.json.encode(
        {
            "instType": "SPOT",
            "instId": instrument.symbol,
            "baseCcy": instrument.base,
            "quoteCcy": instrument.quote,
            "tickSz": eight(instrument.tick_e8),
            "lotSz": eight(instrument.lot_e8),
            "minSz": eight(instrument.lot_e8),
            "listTime": str(now_ms),
            "state": "live",
        }
    )
