"""Invented prediction markets: listed, traded and closed while the world turns."""

import asyncio
import random
from collections import deque

from common.clock import now_ns
from simulator.demo.market_text import InventedMarket, market_text, new_market
from simulator.faults import Clock
from simulator.markets import Markets

FIRST_MARKETS = 2400
FIRST_ID = 530_000
HISTORY_NS = 200 * 24 * 3600 * 10**9
TURN_S = 2.0
CHANGES_PER_TURN = 5
TURNS_PER_NEW, TURNS_PER_CLOSED = 10, 20
COMING = 3
UNKNOWN_SHARE = 0.01
POPULAR = 60


class InventedMarkets:
    """Gamma's markets, and those it will list soon: a fill may happen before the listing."""

    def __init__(self, chance: random.Random) -> None:
        self.markets = Markets()
        self._chance = chance
        self._next_id = FIRST_ID
        self._open: list[InventedMarket] = []
        start_ns = now_ns() - HISTORY_NS
        for index in range(FIRST_MARKETS):
            self._list(self._make(start_ns + index * HISTORY_NS // FIRST_MARKETS))
        for market in chance.sample(self._open[:-POPULAR], FIRST_MARKETS // 20):
            self._close(market, now_ns() - chance.randrange(HISTORY_NS // 20))
        self._coming = deque(self._make(now_ns()) for _ in range(COMING))

    async def live(self, clock: Clock) -> None:
        """Let a few markets change, now and then list one, now and then close one."""
        turn = 0
        while True:
            await asyncio.sleep(TURN_S)
            turn += 1
            for market in self._chance.sample(self._open, CHANGES_PER_TURN):
                market.trade(self._chance)
                self.markets.put(market_text(market, clock()))
            if turn % TURNS_PER_NEW == 0:
                self._list(self._coming.popleft())
                self._coming.append(self._make(clock()))
            if turn % TURNS_PER_CLOSED == 0:
                self._close(self._chance.choice(self._open), clock())

    def traded(self, chance: random.Random) -> InventedMarket:
        """Return a market in which a fill happens: mostly a popular one, at times one that is not listed yet."""
        if chance.random() < UNKNOWN_SHARE:
            return self._coming[-1]
        return self._open[-1 - min(len(self._open) - 1, int(chance.expovariate(1 / POPULAR)))]

    def _make(self, created_ns: int) -> InventedMarket:
        self._next_id += self._chance.randrange(1, 9)
        return new_market(self._next_id, created_ns, self._chance)

    def _list(self, market: InventedMarket) -> None:
        self._open.append(market)
        self.markets.put(market_text(market, market.created_ns))

    def _close(self, market: InventedMarket, closed_ns: int) -> None:
        self._open.remove(market)
        market.closed_ns = closed_ns
        self.markets.put(market_text(market, closed_ns))
