"""Invented order-filled events: blocks of transactions, each with its maker fills and one taker order."""

import asyncio
import random
from itertools import chain

from common.clock import NS_PER_S
from simulator.demo.fill_texts import Trader, transaction
from simulator.demo.gamma import InventedMarkets
from simulator.faults import Clock
from simulator.fills import BLOCK_S, GENESIS_S, Block, Fill, Fills, block_at

HISTORY_S = 20 * 60
LAG_S = 3
TRANSACTIONS_PER_BLOCK = 2.5
BURST_TRANSACTIONS = 450
BLOCKS_PER_BURST = 120
WALLETS = 1500
# An invented chain need not be remembered for ever; memory would grow by 20 MB an hour.
KEPT_S = 12 * 3600


class InventedFills:
    """The subgraph of an exchange where somebody always trades."""

    def __init__(self, chance: random.Random, markets: InventedMarkets, clock: Clock) -> None:
        self._chance = chance
        self._clock = clock
        self._markets = markets
        self._trader = Trader(chance, WALLETS)
        self._committed_s = _block_second(self._clock() // NS_PER_S - LAG_S)
        seconds = range(self._committed_s - HISTORY_S, self._committed_s + 1, BLOCK_S)
        burst_s = seconds[len(seconds) // 2]
        history = (self._block(second, BURST_TRANSACTIONS if second == burst_s else None) for second in seconds)
        self.fills = Fills(chain.from_iterable(history))

    def begin(self) -> None:
        """Nothing: the chain does not wait for anybody."""

    def head(self) -> Block:
        """Return the newest block, a few seconds behind the chain."""
        return block_at(self._committed_s)

    async def live(self) -> None:
        """Index one block after the other, each at once and whole."""
        blocks = 0
        while True:
            wait_s = self._committed_s + BLOCK_S + LAG_S - self._clock() / NS_PER_S
            await asyncio.sleep(max(0.0, wait_s))
            blocks += 1
            is_burst = blocks % BLOCKS_PER_BURST == 0
            for fill in self._block(self._committed_s + BLOCK_S, BURST_TRANSACTIONS if is_burst else None):
                self.fills.put(fill)
            self._committed_s += BLOCK_S
            self.fills.forget_before(self._committed_s - KEPT_S)

    def _block(self, second: int, transactions: int | None) -> list[Fill]:
        usual = int(self._chance.expovariate(1 / TRANSACTIONS_PER_BLOCK))
        return [
            fill
            for _ in range(usual if transactions is None else transactions)
            for fill in transaction(self._trader, self._markets.traded(self._chance), second)
        ]


def _block_second(second: int) -> int:
    return second - (second - GENESIS_S) % BLOCK_S
