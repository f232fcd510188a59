"""
What the logs of Polymarket's exchange contracts say, bit by bit: integers and addresses, no float.

https://docs.soliditylang.org/en/latest/abi-spec.html#events
"""

from collections import Counter
from typing import NamedTuple

import msgspec

from common.clock import NS_PER_S
from common.records import OrderEvent
from ingesters.venues.polygon_rpc import Call

# The second version; the first one stopped in April 2026, its events are the subgraph's.
EXCHANGE = "0xe111180000d2663c0091e4f400237545b87b996b"
NEGATIVE_RISK_EXCHANGE = "0xe2222d279d744050d28e00520010520000310f59"
EXCHANGES = frozenset({EXCHANGE, NEGATIVE_RISK_EXCHANGE})
# keccak256("OrderFilled(bytes32,address,address,uint8,uint256,uint256,uint256,uint256,bytes32,bytes32)"):
# orderHash, maker and taker are indexed; side, tokenId, makerAmountFilled, takerAmountFilled, fee, builder, metadata.
ORDER_FILLED = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee"
TOPICS = 4
WORDS = 7
WORD_DIGITS = 64
ADDRESS_DIGITS = 40
BUY, SELL = 0, 1
COLLATERAL = "0"


class Log(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A log as a node gives it; numbers are hexadecimal text."""

    address: str
    topics: tuple[str, ...]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    log_index: str
    block_timestamp: str | None = None
    removed: bool = False

    @property
    def block(self) -> int:
        """Return the number of its block."""
        return number(self.block_number)


class Header(msgspec.Struct, frozen=True, gc=False):
    """What we use of a block."""

    number: str
    hash: str
    timestamp: str


class Fill(NamedTuple):
    """A log with its id and the time of its block."""

    id: str
    log: Log
    timestamp: int


def number(text: str) -> int:
    """Return hexadecimal text as a number; raise ValueError for anything else."""
    if not text.startswith("0x"):
        raise ValueError(f"expected 0x..., found {text[:100]!r}")
    return int(text, 16)


def logs_between(first: int, last: int) -> Call:
    """Return the question for the fills of both exchanges in a range of blocks, both ends included."""
    addresses = sorted(EXCHANGES)
    asked = {"fromBlock": hex(first), "toBlock": hex(last), "address": addresses, "topics": [ORDER_FILLED]}
    return Call("eth_getLogs", (asked,))


def header_of(block: int) -> Call:
    """Return the question for a block without its transactions."""
    return Call("eth_getBlockByNumber", (hex(block), False))


def ids_of(logs: list[Log]) -> list[str]:
    """
    Return an id for each log of whole blocks, in their order.

    It is the subgraph's: transaction and order. An order that is filled twice in one transaction is one event there,
    the last; here the second fill has `_2` behind it.
    """
    seen: Counter[str] = Counter()
    ids = []
    for log in logs:
        name = f"{log.transaction_hash.lower()}_{log.topics[1].lower()}"
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return ids


def event_of(fill: Fill, received_ns: int) -> OrderEvent:
    """
    Return a fill as an order event, in the shape that the subgraph gives it.

    Raises:
        ValueError: the log is not what the contract's event promises.
    """
    log = fill.log
    side, token, maker_amount, taker_amount, fee, _builder, _metadata = _words(log)
    if side not in (BUY, SELL):
        raise ValueError(f"expected side 0 or 1, found {side}")
    sides = (COLLATERAL, str(token)) if side == BUY else (str(token), COLLATERAL)
    taker = _address(log.topics[3])
    return OrderEvent(
        venue="polymarket",
        symbol=str(token) if token else "",
        received_ns=received_ns,
        event_id=fill.id,
        event_ns=fill.timestamp * NS_PER_S,
        transaction_hash=log.transaction_hash.lower(),
        order_hash=log.topics[1].lower(),
        maker=_address(log.topics[2]),
        taker=taker,
        maker_asset_id=sides[0],
        taker_asset_id=sides[1],
        maker_amount=str(maker_amount),
        taker_amount=str(taker_amount),
        fee=str(fee),
        role="taker_order" if taker in EXCHANGES else "maker_fill",
        source="chain",
    )


def _words(log: Log) -> list[int]:
    digits = log.data.removeprefix("0x")
    if len(digits) != WORDS * WORD_DIGITS or len(log.topics) != TOPICS:
        found = f"{len(digits)} digits and {len(log.topics)} topics"
        raise ValueError(f"expected {WORDS * WORD_DIGITS} digits and {TOPICS} topics, found {found}")
    return [int(digits[at : at + WORD_DIGITS], 16) for at in range(0, len(digits), WORD_DIGITS)]


def _address(topic: str) -> str:
    digits = topic.lower().removeprefix("0x")
    if len(digits) != WORD_DIGITS or digits[:-ADDRESS_DIGITS].strip("0"):
        raise ValueError(f"expected an address in a word, found {topic[:100]!r}")
    return f"0x{digits[-ADDRESS_DIGITS:]}"
