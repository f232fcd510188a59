"""One invented Binance market: its book, its trades, and the messages that tell of them."""

import random
from collections.abc import Callable, Iterable

from simulator.demo.bars import Bars
from simulator.demo.binance_messages import Writer
from simulator.demo.order_book import ASK, BID, Fill, Instrument, InventedBook
from simulator.trades import TradeRow, TradeStore
from simulator.venues.binance_listener import StreamFrame

MOST_TRADES = 15_000
HISTORY_TRADES = 1500
HISTORY_MS = 15 * 60_000
Change = dict[int, int]


class Pending:
    """Levels that changed since the last message of a diff stream."""

    def __init__(self, update_id: int) -> None:
        self.last_id = update_id
        self.sides: tuple[Change, Change] = ({}, {})

    def take(self) -> tuple[Iterable[tuple[int, int]], Iterable[tuple[int, int]]]:
        """Return the changes, and forget them."""
        bids, asks = self.sides
        self.sides = ({}, {})
        return list(bids.items()), list(asks.items())


class Pair:
    """A book and the numbering of its messages; `publish` takes every message made."""

    def __init__(self, instrument: Instrument, chance: random.Random, publish: Callable[[StreamFrame], None]) -> None:
        self.instrument = instrument
        self.write = Writer(instrument)
        self.book = InventedBook(instrument, chance, self._note_change)
        self.bars = Bars()
        self.trades = {"trade": TradeStore(MOST_TRADES), "aggTrade": TradeStore(MOST_TRADES)}
        self.pending = {"depth@100ms": Pending(self.book.update_id), "depth": Pending(self.book.update_id)}
        self._publish = publish
        self._trade_id = chance.randrange(10**6, 10**9)
        self._agg_id = self._trade_id // 2
        self._quoted_id = self.book.update_id
        self._quoted = self._best()

    def remember(self, chance: random.Random, now_ms: int) -> None:
        """Invent trades of the last quarter of an hour, so that there is something to look back at."""
        instrument = self.instrument
        for step in range(HISTORY_TRADES):
            time_ms = now_ms - HISTORY_MS + step * HISTORY_MS // HISTORY_TRADES
            away = (HISTORY_TRADES - step) / HISTORY_TRADES
            ticks = round(instrument.start_ticks * (1 + chance.gauss(0, 1e-4) - 2e-3 * away))
            lots = max(1, round(instrument.usual_lots * chance.lognormvariate(-0.5, 1.1)))
            self._keep([Fill(ticks, lots, chance.random() < 0.5)], time_ms)  # noqa: PLR2004  (an even coin)

    def act(self, now_ms: int) -> None:
        """Let one thing happen, and tell of it."""
        fills = self.book.act()
        if fills:
            for frame in self._keep(fills, now_ms):
                self._publish(frame)
        best = self._best()
        if best != self._quoted:
            self._quoted = best
            ids = self._quoted_id + 1, self.book.update_id
            self._quoted_id = self.book.update_id
            self._publish(self.write.quote(ids, best[BID], best[ASK]))

    def flush(self, stream: str, now_ms: int) -> None:
        """Tell of the levels that changed since last time; an empty message is never sent."""
        pending = self.pending[stream]
        if pending.last_id == self.book.update_id:
            return
        ids = pending.last_id + 1, self.book.update_id
        pending.last_id = self.book.update_id
        self._publish(self.write.diff(stream, ids, now_ms, pending.take()))

    def snapshot(self, levels: int) -> bytes:
        """Return the body of `depth` as of now."""
        sides = self.book.top(BID, levels), self.book.top(ASK, levels)
        return self.write.snapshot(self.book.update_id, sides).encode()

    def _best(self) -> tuple[tuple[int, int], tuple[int, int]]:
        bid, ask = self.book.best(BID), self.book.best(ASK)
        return (bid, self.book.sides[BID].lots[bid]), (ask, self.book.sides[ASK].lots[ask])

    def _note_change(self, side: int, ticks: int, lots: int) -> None:
        for pending in self.pending.values():
            pending.sides[side][ticks] = lots

    def _keep(self, fills: list[Fill], time_ms: int) -> list[StreamFrame]:
        frames: list[StreamFrame] = []
        first_id = self._trade_id + 1
        for index, fill in enumerate(fills):
            self._trade_id += 1
            frames.append(self.write.trade(self._trade_id, time_ms, fill))
            raw = self.write.rest_trade(self._trade_id, time_ms, fill)
            self.trades["trade"].add(TradeRow(self._trade_id, time_ms, 0, raw, frames[-1].fact))
            price, size = frames[-1].fact.price, frames[-1].fact.size
            self.bars.add(time_ms, self._trade_id, price, size, taker_buys=fill.taker_buys)
            is_last_of_price = index + 1 == len(fills) or fills[index + 1].ticks != fill.ticks
            if is_last_of_price:
                whole = fill._replace(lots=sum(one.lots for one in fills if one.ticks == fill.ticks))
                frames.append(self._aggregate(whole, (first_id, self._trade_id), time_ms))
                first_id = self._trade_id + 1
        return frames

    def _aggregate(self, fill: Fill, ids: tuple[int, int], time_ms: int) -> StreamFrame:
        self._agg_id += 1
        frame = self.write.agg_trade(self._agg_id, ids, time_ms, fill)
        raw = self.write.rest_agg_trade(self._agg_id, ids, time_ms, fill)
        self.trades["aggTrade"].add(TradeRow(self._agg_id, time_ms, 0, raw, frame.fact))
        return frame
