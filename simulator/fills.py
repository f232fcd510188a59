"""Order-filled events as a subgraph keeps them: one entity per id, in the order of (timestamp, id)."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from simulator.ledger import Facts, plain

Fill = dict[str, str]
MICRO = 10**6
COLLATERAL = "0"
EXCHANGES = (
    "0x4bfb41d5b3570defd03c39a9a4d8de6bd8b8982e",
    "0xc5d563a36ae78145c45a50134d48a1215220f80a",
    "0xe111180000d2663c0091e4f400237545b87b996b",
    "0xe2222d279d744050d28e00520010520000310f59",
)
GENESIS_S = 1_590_824_836
BLOCK_S = 2


class Block(NamedTuple):
    """The head of the chain as the subgraph knows it."""

    number: int
    timestamp: int

    @property
    def hash(self) -> str:
        """Return a hash that changes with the block."""
        return f"0x{self.number * 0x9E3779B97F4A7C15 % 2**256:064x}"


def block_at(timestamp: int) -> Block:
    """Return the block of a second; there is one every two seconds."""
    return Block((timestamp - GENESIS_S) // BLOCK_S, timestamp)


def end_of_block(number: int) -> int:
    """Return the last second that belongs to a block."""
    return GENESIS_S + number * BLOCK_S + BLOCK_S - 1


class Fills:
    """All events, each once."""

    def __init__(self, fills: Iterable[Fill] = ()) -> None:
        self._by_id: dict[str, Fill] = {fill["id"]: fill for fill in fills}
        self._keys = sorted(map(_key, self._by_id.values()))

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, fill: Fill) -> None:
        """Store an event; a second one of the same id replaces the first."""
        self.remove(fill["id"])
        self._by_id[fill["id"]] = fill
        insort(self._keys, _key(fill))

    def remove(self, fill_id: str) -> None:
        """Forget an event, if it is known."""
        if known := self._by_id.pop(fill_id, None):
            del self._keys[bisect_left(self._keys, _key(known))]

    def forget_before(self, second: int) -> None:
        """Forget all events before a second."""
        stop = bisect_left(self._keys, (second, ""))
        for _, fill_id in self._keys[:stop]:
            del self._by_id[fill_id]
        del self._keys[:stop]

    def get(self, fill_id: str) -> Fill | None:
        """Return one event."""
        return self._by_id.get(fill_id)

    def last_timestamp(self) -> int:
        """Return the newest second in which something happened, 0 if nothing did."""
        return self._keys[-1][0] if self._keys else 0

    def newest(self, amount: int, until_s: int) -> list[Fill]:
        """Return the newest events up to a second, newest first."""
        stop = bisect_right(self._keys, (until_s + 1, ""))
        return [self._by_id[fill_id] for _, fill_id in reversed(self._keys[max(0, stop - amount) : stop])]

    def between(self, from_s: int, until_s: int) -> Iterator[Fill]:
        """Yield the events of some seconds, both included, in the order of (timestamp, id)."""
        start = bisect_left(self._keys, (from_s, ""))
        stop = bisect_left(self._keys, (until_s + 1, ""))
        for index in range(start, stop):
            yield self._by_id[self._keys[index][1]]

    def select(self, matches: Callable[[Fill], bool], from_s: int, until_s: int) -> Iterator[Fill]:
        """Yield those of them that match."""
        return filter(matches, self.between(from_s, until_s))

    def totals(self, until_s: int) -> Facts:
        """Return events, collateral and shares per role. Taker orders and maker fills tell the same trades twice."""
        sums = {"taker_order": [0, 0, 0], "maker_fill": [0, 0, 0]}
        for fill in self.between(0, until_s):
            row = sums["taker_order" if fill["taker"] in EXCHANGES else "maker_fill"]
            amounts = int(fill["makerAmountFilled"]), int(fill["takerAmountFilled"])
            usd, shares = amounts if fill["makerAssetId"] == COLLATERAL else amounts[::-1]
            row[0], row[1], row[2] = row[0] + 1, row[1] + usd, row[2] + shares
        return {
            role: {"events": events, "usd": plain(usd, MICRO), "shares": plain(shares, MICRO)}
            for role, (events, usd, shares) in sums.items()
        }


def _key(fill: Fill) -> tuple[int, str]:
    return int(fill["timestamp"]), fill["id"]
