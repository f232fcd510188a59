"""An Ethereum-like chain that holds nothing but fills of Polymarket's exchange contracts."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simulator.fills import COLLATERAL, EXCHANGES, Fill

Transaction = list[Fill]
Log = dict[str, Any]

FIRST_VERSION, SECOND_VERSION = EXCHANGES[:2], EXCHANGES[2:]
# The Keccak-256 of OrderFilled(bytes32,address,address,uint8,uint256,uint256,uint256,uint256,bytes32,bytes32).
ORDER_FILLED = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee"
LOGS_BETWEEN = 3  # a match emits more than fills: transfers, and that the orders were matched


@dataclass(frozen=True)
class ChainBlock:
    """A block and the logs of its transactions."""

    number: int
    hash: str
    parent: str
    timestamp: int
    transactions: tuple[Transaction, ...]
    logs: tuple[Log, ...]


class Chain:
    """Blocks on top of each other; the newest ones can be replaced."""

    def __init__(self, first_number: int, *, tells_time: bool = False) -> None:
        self.blocks: list[ChainBlock] = []
        self._first = first_number
        self._tells_time = tells_time  # in each log: newer nodes do
        self._versions = 0

    @property
    def head(self) -> int:
        """Return the number of the newest block, that before the first one when there is none."""
        return self.blocks[-1].number if self.blocks else self._first - 1

    def block(self, number: int) -> ChainBlock | None:
        """Return a block by its number."""
        at = number - self._first
        return self.blocks[at] if 0 <= at < len(self.blocks) else None

    def between(self, first: int, last: int) -> list[ChainBlock]:
        """Return the blocks of a range, both ends included."""
        return self.blocks[max(0, first - self._first) : max(0, last - self._first + 1)]

    def mine(self, transactions: Iterable[Transaction], timestamp: int) -> ChainBlock:
        """Put a block on top."""
        parent = self.blocks[-1].hash if self.blocks else f"0x{0:064x}"
        self._versions += 1
        number, kept = self.head + 1, tuple(transactions)
        digest = hashlib.sha256(f"{parent} {number} {self._versions}".encode()).hexdigest()
        block = ChainBlock(number, f"0x{digest}", parent, timestamp, kept, ())
        block = ChainBlock(number, f"0x{digest}", parent, timestamp, kept, tuple(self._logs(block)))
        self.put(block)
        return block

    def put(self, block: ChainBlock) -> None:
        """Put a block that is there already on top."""
        self.blocks.append(block)

    def drop(self, depth: int) -> list[ChainBlock]:
        """Take the newest blocks off and return them, oldest first."""
        taken = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - len(taken) :]
        return taken

    def forget(self, keep: int) -> None:
        """Keep only the newest blocks."""
        surplus = max(0, len(self.blocks) - keep)
        del self.blocks[:surplus]
        self._first += surplus

    def fills(self, until: int) -> list[Fill]:
        """Return all fills up to a block, in the order of the chain."""
        return [fill for block in self.between(0, until) for fills in block.transactions for fill in fills]

    def _logs(self, block: ChainBlock) -> Iterable[Log]:
        index = 0
        for position, transaction in enumerate(block.transactions):
            address = _exchange(transaction[-1]["taker"])
            for fill in transaction:
                index += LOGS_BETWEEN
                yield _log(fill, address) | {
                    "blockNumber": hex(block.number),
                    "blockHash": block.hash,
                    "transactionIndex": hex(position),
                    "logIndex": hex(index),
                    "removed": False,
                    **({"blockTimestamp": hex(block.timestamp)} if self._tells_time else {}),
                }


def _exchange(address: str) -> str:
    """Return the second version of an exchange contract: the first one has stopped."""
    return SECOND_VERSION[FIRST_VERSION.index(address)] if address in FIRST_VERSION else address


def _log(fill: Fill, address: str) -> Log:
    buys = fill["makerAssetId"] == COLLATERAL
    token = fill["takerAssetId"] if buys else fill["makerAssetId"]
    amounts = (fill["makerAmountFilled"], fill["takerAmountFilled"], fill["fee"])
    words = (0 if buys else 1, int(token), *map(int, amounts), 0, 0)
    return {
        "address": address,
        "topics": [ORDER_FILLED, fill["orderHash"], _word(fill["maker"]), _word(_exchange(fill["taker"]))],
        "data": "0x" + "".join(f"{word:064x}" for word in words),
        "transactionHash": fill["transactionHash"],
    }


def _word(address: str) -> str:
    return f"0x{int(address, 16):064x}"
