"""One invented stock or coin at Alpaca: its book, its trades, its minutes, and the messages that tell of them."""

import random
from bisect import insort
from collections.abc import Callable

import msgspec

from common.clock import NS_PER_MS
from simulator.demo.bars import Bar, Bars
from simulator.demo.order_book import ASK, BID, Fill, Instrument, InventedBook
from simulator.faults import Clock
from simulator.venues.alpaca_messages import Point, TradeNumbers, point, time_text, trade_fact
from simulator.venues.alpaca_rest import Row

EXCHANGES = "VKQPZD"
ROUND_LOT = 100
MOST_ROWS = 20_000
CORRECTED, CANCELLED = 0.002, 0.004  # of all trades of a stock, as steps on the way from 0 to 1
MINUTE_MS = 60_000
SCALE = 10**8
FIRST_COIN_ID = 3_447_222_699_101_865_076  # beyond what a double can hold


class Pair:
    """An instrument and the numbering of its trades; `publish` takes every message made."""

    def __init__(
        self,
        instrument: Instrument,
        chance: random.Random,
        publish: Callable[[Point], None],
        clock: Clock,
        *,
        is_crypto: bool,
    ) -> None:
        self.instrument = instrument
        self.is_crypto = is_crypto
        self.rows: list[Row] = []
        self._chance = chance
        self._publish = publish
        self._clock = clock
        self._changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.book = InventedBook(instrument, chance, self._note_change)
        self._ids = dict.fromkeys(EXCHANGES, 0)
        self._coin_id = FIRST_COIN_ID
        self._bars = Bars()
        self._told_ms = self._clock() // NS_PER_MS // MINUTE_MS * MINUTE_MS
        self._updated_ms = self._told_ms
        self._quoted: tuple[object, ...] = ()

    def act(self) -> None:
        """Let one thing happen, and tell of it."""
        for fill in self.book.act():
            self._trade(fill)
        self._quote()

    def flush(self) -> None:
        """Tell of the levels that changed since last time."""
        bids, asks = self._changed
        if self.is_crypto and (bids or asks):
            self._changed = ({}, {})
            self._tell(
                {
                    "T": "o",
                    "S": self.instrument.symbol,
                    "t": self._now(),
                    "b": self._levels(bids),
                    "a": self._levels(asks),
                }
            )

    def whole_book(self) -> Point:
        """Return the book as it is, with all changes told so far or not."""
        bids, asks = (dict(self.book.top(side, 100_000)) for side in (BID, ASK))
        facts = {
            "T": "o",
            "S": self.instrument.symbol,
            "t": self._now(),
            "b": self._levels(bids),
            "a": self._levels(asks),
        }
        return point(msgspec.json.encode({**facts, "r": True}))

    def tell_bars(self) -> None:
        """Tell the minute that has ended, the day so far, and half a minute later the minute again."""
        now_ms = self._clock() // NS_PER_MS
        minute_ms = now_ms // MINUTE_MS * MINUTE_MS
        if minute_ms > self._told_ms:
            ended = [bar for bar in self._bars.of("1m") if self._told_ms <= bar.open_ms < minute_ms]
            for bar in ended:
                self._tell(self._bar("b", bar))
            for day in self._bars.of("1d")[-1:]:
                self._tell(self._bar("d", day))
            self._told_ms = minute_ms
        if minute_ms > self._updated_ms and now_ms - minute_ms > MINUTE_MS // 2:
            for bar in self._bars.of("1m")[-2:-1]:
                self._tell(self._bar("u", bar))
            self._updated_ms = minute_ms

    def minutes(self) -> list[Row]:
        """Return the minutes that have ended, as REST tells them."""
        minute_ms = self._clock() // NS_PER_MS // MINUTE_MS * MINUTE_MS
        ended = [bar for bar in self._bars.of("1m") if bar.open_ms < minute_ms]
        return [Row(bar.open_ms * NS_PER_MS, "", 0, msgspec.json.encode(self._rest_bar(bar)), None) for bar in ended]

    def tell_rare(self) -> None:
        """Tell a halt and its end, a price band, an imbalance."""
        symbol, tick = self.instrument.symbol, self._price(self.book.best(BID))
        tape = {"t": self._now(), "z": "C"}
        self._tell({"T": "l", "S": symbol, "u": tick * 11 / 10, "d": tick * 9 / 10, "i": "B", **tape})
        self._tell({"T": "i", "S": symbol, "p": tick, **tape})
        for code, words in (("P", "Volatility Trading Pause"), ("T", "Trading Resumption")):
            reason = {"rc": "LUDP", "rm": "Volatility Trading Pause"}
            self._tell({"T": "s", "S": symbol, "sc": code, "sm": words, **reason, **tape})

    def _trade(self, fill: Fill) -> None:
        at_ns = self._clock()
        facts = {"T": "t", "S": self.instrument.symbol, **self._identity(), "p": self._price(fill.ticks)}
        facts |= {"s": self._size(fill.lots), "t": time_text(at_ns)}
        facts |= {"tks": "B" if fill.taker_buys else "S"} if self.is_crypto else {"c": ["@"], "z": "C"}
        text = msgspec.json.encode(facts)
        numbers = msgspec.json.decode(text, type=TradeNumbers)
        raw = msgspec.json.encode({name: value for name, value in facts.items() if name not in ("T", "S")})
        insort(self.rows, Row(at_ns, numbers.x, numbers.i, raw, trade_fact(numbers)), key=lambda row: row.place)
        del self.rows[: -2 * MOST_ROWS]
        self._publish(point(text))
        price_e8, size_e8 = fill.ticks * self.instrument.tick_e8, fill.lots * self.instrument.lot_e8
        self._bars.add(at_ns // NS_PER_MS, numbers.i, price_e8, size_e8, taker_buys=fill.taker_buys)
        if not self.is_crypto:
            self._regret(facts, self._chance.random())

    def _identity(self) -> dict[str, object]:
        if self.is_crypto:
            self._coin_id += self._chance.randrange(1, 50)
            return {"i": self._coin_id}
        exchange = self._chance.choice(EXCHANGES)
        self._ids[exchange] += 1
        return {"i": self._ids[exchange], "x": exchange}

    def _regret(self, told: dict[str, object], draw: float) -> None:
        """Correct or cancel a trade now and then."""
        same = {"S": told["S"], "x": told["x"], "t": self._now(), "z": "C"}
        if draw < CORRECTED:
            before = {"oi": told["i"], "op": told["p"], "os": told["s"], "oc": told["c"]}
            after = {**self._identity(), "x": told["x"]}
            self._tell(
                {"T": "c", **same, **before, "ci": after["i"], "cp": told["p"], "cs": told["s"], "cc": told["c"]}
            )
        elif draw < CANCELLED:
            self._tell({"T": "x", **same, "i": told["i"], "p": told["p"], "s": told["s"], "a": "C"})

    def _quote(self) -> None:
        bid, ask = self.book.best(BID), self.book.best(ASK)
        lots = self.book.sides[BID].lots[bid], self.book.sides[ASK].lots[ask]
        best = (bid, ask, *lots)
        if best == self._quoted:
            return
        self._quoted = best
        facts: dict[str, object] = {
            "T": "q",
            "S": self.instrument.symbol,
            "bp": self._price(bid),
            "ap": self._price(ask),
        }
        if self.is_crypto:
            facts |= {"bs": self._size(lots[BID]), "as": self._size(lots[ASK])}
        else:
            sizes = [max(1, one // ROUND_LOT) for one in lots]
            facts |= {"bx": "V", "bs": sizes[BID], "ax": "V", "as": sizes[ASK], "c": ["R"], "z": "C"}
        self._tell({**facts, "t": self._now()})

    def _bar(self, kind: str, bar: Bar) -> dict[str, object]:
        prices = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": bar.volume}
        at = {"t": time_text(bar.open_ms * NS_PER_MS), "n": bar.trades}
        vwap = bar.quote * SCALE // bar.volume if bar.volume else 0
        numbers = {name: _number(value) for name, value in {**prices, "vw": vwap}.items()}
        return {"T": kind, "S": self.instrument.symbol, **numbers, **at}

    def _rest_bar(self, bar: Bar) -> dict[str, object]:
        return {name: value for name, value in self._bar("b", bar).items() if name not in ("T", "S")}

    def _note_change(self, side: int, ticks: int, lots: int) -> None:
        if self.is_crypto:
            self._changed[side][ticks] = lots

    def _levels(self, levels: dict[int, int]) -> list[dict[str, float]]:
        return [{"p": self._price(ticks), "s": self._size(lots)} for ticks, lots in levels.items()]

    def _price(self, ticks: int) -> float:
        return _number(ticks * self.instrument.tick_e8)

    def _size(self, lots: int) -> float:
        return _number(lots * self.instrument.lot_e8)

    def _now(self) -> str:
        return time_text(self._clock())

    def _tell(self, facts: dict[str, object]) -> None:
        self._publish(point(msgspec.json.encode(facts)))


def _number(number_e8: int) -> float:
    """Return a number times 10^8 as JSON's number: eight decimals and some digits in front fit a double exactly."""
    return number_e8 // SCALE if number_e8 % SCALE == 0 else number_e8 / SCALE
