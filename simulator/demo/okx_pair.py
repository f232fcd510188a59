"""One invented OKX market: its book, of which 400 levels are told, its trades, and the messages that tell of them."""

import random
from collections.abc import Callable
from itertools import groupby

from simulator.demo.bars import MINUTE_MS, Bar, Bars
from simulator.demo.okx_messages import FIRST, Writer
from simulator.demo.order_book import ASK, BID, Fill, Instrument, InventedBook
from simulator.faults import Clock
from simulator.trades import TradeRow, TradeStore
from simulator.venues.okx_listener import ChannelFrame

LEVELS, ALL_LEVELS, TOP_LEVELS = 400, 5500, 5
MOST_TRADES, HISTORY_TRADES, HISTORY_MS = 15_000, 1500, 15 * 60_000
SIGN_OF_LIFE_MS = 60_000
UNSEEN = 0.05  # of the updates also delete a level that was never sent
Shown = tuple[dict[int, int], dict[int, int]]
Sides = tuple[list[tuple[int, int]], list[tuple[int, int]]]


class Pair:
    """A book and the numbering of its messages; `publish` takes every message made."""

    def __init__(
        self,
        instrument: Instrument,
        chance: random.Random,
        publish: Callable[[ChannelFrame], None],
        clock: Clock,
    ) -> None:
        self.instrument = instrument
        self.write = Writer(instrument, clock)
        self.trades = TradeStore(MOST_TRADES)
        self._chance = chance
        self._publish = publish
        self._bars = Bars()
        self._book = InventedBook(instrument, chance, self._note_change, levels=ALL_LEVELS)
        self._zero = 0  # the update id at which the present numbering began
        self._shown: Shown = self._window()
        self._told = self._number
        self._told_ms = self.write.now_ms()
        self._quoted = self._top(1)
        self._top_told = self._top(TOP_LEVELS)
        self._ticked = self._number
        self._trade_id = chance.randrange(10**6, 10**9)
        self._last_trade: tuple[int, int, Fill] = (0, 0, Fill(instrument.start_ticks, 1, True))  # noqa: FBT003
        self._candle_told = (0, 0, False)
        self._remember()

    @property
    def _number(self) -> int:
        return self._book.update_id - self._zero

    def act(self) -> None:
        """Let one thing happen, and tell of it; the best bid and ask go before all others."""
        fills = self._book.act()
        if (best := self._top(1)) != self._quoted:
            self._quoted = best
            self._publish(self._quote())
        if fills:
            self._tell_trades(fills)

    def flush(self) -> None:
        """Tell of the 400 best levels what changed; that nothing did is told after a minute."""
        ids = self._told, self._number
        if ids[0] == ids[1]:
            if self.write.now_ms() - self._told_ms > SIGN_OF_LIFE_MS:
                self._tell_book(ids, ([], []))
            return
        window = self._window()
        changes = _changes(self._shown[BID], window[BID]), _changes(self._shown[ASK], window[ASK])
        if self._chance.random() < UNSEEN:
            changes[BID].append((min(window[BID]) - 1, 0))
        if changes[BID] or changes[ASK]:
            self._shown = window
            self._tell_book(ids, changes)
        if (top := self._top(TOP_LEVELS)) != self._top_told:
            self._top_told = top
            self._publish(self.write.top("books5", self._number, self.write.now_ms(), top))

    def begin_numbering_again(self) -> None:
        """Do what the venue does in maintenance: the next update has a small number, and goes on with the last one."""
        self._zero = self._book.update_id - self._chance.randrange(1, 50)

    def tell_ticker(self) -> None:
        """Tell of the last 24 hours, if anything happened."""
        if self._ticked != self._number:
            self._ticked = self._number
            self._publish(self.write.push("tickers", self.ticker_row()))

    def tell_candle(self) -> None:
        """Tell of the present minute, and once more of the last when it is over."""
        for bar in self._bars.of("1m")[-2:]:
            is_closed = bar.open_ms + MINUTE_MS <= self.write.now_ms()
            if (bar.open_ms, bar.trades, is_closed) > self._candle_told:
                self._candle_told = bar.open_ms, bar.trades, is_closed
                self._publish(self.write.push("candle1m", self.write.candle(bar, is_closed=is_closed)))

    def first(self, channel: str) -> list[ChannelFrame]:
        """Return what a subscription begins with; the most recent trade is told again, however old."""
        match channel:
            case "books":
                sides = _sorted(self._shown)
                return [self.write.book((FIRST, self._told), sides)]
            case "bbo-tbt":
                return [self._quote()]
            case "books5":
                return [self.write.top("books5", self._number, self.write.now_ms(), self._top(TOP_LEVELS))]
            case "tickers":
                return [self.write.push("tickers", self.ticker_row())]
            case "trades" | "trades-all":
                trade_id, time_ms, fill = self._last_trade
                return [self.write.trade(channel, (trade_id, trade_id), time_ms, fill, self._number)]
            case _:
                bars = self._bars.of("1m")[-1:]
                return [self.write.push(channel, self._candle_row(bar)) for bar in bars]

    def book_row(self, levels: int, *, is_full: bool) -> bytes:
        """Return the row of `books` or `books-full` as of now."""
        return self.write.rest_book(self._top(levels), None if is_full else self._number)

    def ticker_row(self) -> str:
        """Return the row of the ticker as of now."""
        bids, asks = self._top(1)
        return self.write.ticker(self._bars.day(), self._last_trade[2], bids[0], asks[0])

    def candle_rows(self) -> list[bytes]:
        """Return the minutes so far, newest first."""
        return [self._candle_row(bar).encode() for bar in self._bars.of("1m")[::-1]]

    def _candle_row(self, bar: Bar) -> str:
        return self.write.candle(bar, is_closed=bar.open_ms + MINUTE_MS <= self.write.now_ms())

    def _tell_book(self, ids: tuple[int, int], changes: Sides) -> None:
        self._publish(self.write.book(ids, changes))
        self._told, self._told_ms = ids[1], self.write.now_ms()

    def _tell_trades(self, fills: list[Fill]) -> None:
        time_ms = self.write.now_ms()
        for ticks, matches in groupby(fills, key=lambda fill: fill.ticks):
            group = list(matches)
            first_id = self._trade_id + 1
            for fill in group:
                self._keep(fill, time_ms)
                ids = self._trade_id, self._trade_id
                self._publish(self.write.trade("trades-all", ids, time_ms, fill, self._number))
            whole = Fill(ticks, sum(fill.lots for fill in group), group[0].taker_buys)
            self._publish(self.write.trade("trades", (first_id, self._trade_id), time_ms, whole, self._number))

    def _keep(self, fill: Fill, time_ms: int) -> None:
        self._trade_id += 1
        self._last_trade = self._trade_id, time_ms, fill
        fact = self.write.fact("trades-all", (self._trade_id, self._trade_id), fill)
        raw = self.write.rest_trade(self._trade_id, time_ms, fill)
        self.trades.add(TradeRow(self._trade_id, time_ms, 0, raw, fact))
        self._bars.add(time_ms, self._trade_id, fact.price, fact.size, taker_buys=fill.taker_buys)

    def _remember(self) -> None:
        """Invent trades of the last quarter of an hour, so that there is something to look back at."""
        instrument, chance, end_ms = self.instrument, self._chance, self.write.now_ms()
        for step in range(HISTORY_TRADES):
            away = (HISTORY_TRADES - step) / HISTORY_TRADES
            ticks = round(instrument.start_ticks * (1 + chance.gauss(0, 1e-4) - 2e-3 * away))
            lots = max(1, round(instrument.usual_lots * chance.lognormvariate(-0.5, 1.1)))
            time_ms = end_ms - HISTORY_MS + step * HISTORY_MS // HISTORY_TRADES
            self._keep(Fill(ticks, lots, chance.random() < 0.5), time_ms)  # noqa: PLR2004  (an even coin)

    def _quote(self) -> ChannelFrame:
        return self.write.top("bbo-tbt", self._number, self.write.now_ms(), self._quoted)

    def _top(self, levels: int) -> Sides:
        return self._book.top(BID, levels), self._book.top(ASK, levels)

    def _window(self) -> Shown:
        bids, asks = self._top(LEVELS)
        return dict(bids), dict(asks)

    def _note_change(self, side: int, ticks: int, lots: int) -> None:
        """Nothing: what changed is seen by comparing windows."""


def _changes(before: dict[int, int], after: dict[int, int]) -> list[tuple[int, int]]:
    """Return the levels to set; those that left the window are deleted."""
    gone = [(ticks, 0) for ticks in before if ticks not in after]
    return gone + [(ticks, lots) for ticks, lots in after.items() if before.get(ticks) != lots]


def _sorted(shown: Shown) -> Sides:
    return sorted(shown[BID].items(), reverse=True), sorted(shown[ASK].items())
