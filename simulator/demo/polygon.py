"""An invented chain: trades in the same markets as those of the invented subgraph, in transactions of its own."""

import asyncio
import random

from common.clock import NS_PER_S
from simulator.chain import Chain, Transaction
from simulator.demo.fill_texts import Trader, transaction
from simulator.demo.gamma import InventedMarkets
from simulator.faults import Clock
from simulator.fills import BLOCK_S, block_at

HISTORY_BLOCKS = 600
TRANSACTIONS_PER_BLOCK = 2.5
WALLETS = 1500
BLOCKS_PER_REORG = 300
REORG_DEPTHS = (1, 2, 3)  # less than the confirmations that a reader waits for
KEPT_BLOCKS = 6 * 3600 // BLOCK_S  # memory would grow without end


class InventedChain:
    """A chain where somebody always trades, and whose newest blocks are replaced now and then."""

    def __init__(self, chance: random.Random, markets: InventedMarkets, clock: Clock) -> None:
        self._chance = chance
        self._clock = clock
        self._markets = markets
        self._trader = Trader(chance, WALLETS)
        newest = block_at(self._clock() // NS_PER_S)
        self._second = newest.timestamp - HISTORY_BLOCKS * BLOCK_S
        self.first_block = newest.number - HISTORY_BLOCKS
        self.chain = Chain(self.first_block, tells_time=True)
        for _ in range(HISTORY_BLOCKS):
            self._mine()

    async def live(self) -> None:
        """Put one block after the other on top."""
        blocks = 0
        while True:
            await asyncio.sleep(max(0.0, self._second + BLOCK_S - self._clock() / NS_PER_S))
            blocks += 1
            if blocks % BLOCKS_PER_REORG == 0:
                for block in self.chain.drop(self._chance.choice(REORG_DEPTHS)):
                    self.chain.mine(block.transactions, block.timestamp)
            self._mine()
            self.chain.forget(KEPT_BLOCKS)

    def _mine(self) -> None:
        self._second += BLOCK_S
        count = int(self._chance.expovariate(1 / TRANSACTIONS_PER_BLOCK))
        matches: list[Transaction] = [
            transaction(self._trader, self._markets.traded(self._chance), self._second) for _ in range(count)
        ]
        self.chain.mine(matches, self._second)
