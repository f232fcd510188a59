"""A subgraph as a list of rows, and an ingester that reads it."""

from dataclasses import dataclass, field
from functools import partial

import msgspec

from common.records import OrderEvent
from common.settings import Settings
from ingesters.venues.goldsky import GoldskyFeed
from tests.chain_kit import standing
from tests.feed_loop import SECOND_NS, START_S, FeedLoop

__all__ = ["EXCHANGE", "SECOND_NS", "START_S", "Loop", "Subgraph", "row"]

WALLET, EXCHANGE = "0x" + "ab" * 20, "0x4bfb41d5b3570defd03c39a9a4d8de6bd8b8982e"

_order = msgspec.json.Encoder()


def row(number: int | str, timestamp: int, **told: str) -> dict[str, str]:
    """Return an event as the subgraph tells it; `number` is its id."""
    return {
        "id": str(number),
        "transactionHash": f"0x{number}",
        "timestamp": str(timestamp),
        "orderHash": f"0x{number}",
        "maker": WALLET,
        "taker": WALLET,
        "makerAssetId": "0",
        "takerAssetId": "71",
        "makerAmountFilled": "400000",
        "takerAmountFilled": "1000000",
        "fee": "0",
    } | told


@dataclass
class Subgraph:
    """Answers as graph-node does: sorted by time, then id, behind the place that was asked for."""

    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    most_rows: int = 1000
    block: int = 1
    has_meta: bool = True
    block_timestamp: int | None = None
    has_indexing_errors: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def add(self, *rows: dict[str, str]) -> None:
        """Index events in a new block."""
        self.rows |= {row["id"]: row for row in rows}
        self.block += 1

    def remove(self, *ids: str) -> None:
        """Revert events in a new block."""
        for key in ids:
            del self.rows[key]
        self.block += 1

    def answer(self, body: bytes, now_ns: int) -> bytes:
        question = msgspec.json.decode(body)
        asked = question["variables"]
        self.asked.append((asked["ts"], asked["id"]))
        if "_meta" in question["query"] and not self.has_meta:
            return b'{"errors":[{"message":"Type `Query` has no field `_meta`"}]}'
        after = (int(asked["ts"]), asked["id"])
        found = sorted((int(row["timestamp"]), key) for key, row in self.rows.items())
        page = [self.rows[key] for at, key in found if (at, key) > after][: min(asked["n"], self.most_rows)]
        return _order.encode({"data": {"orderFilledEvents": page} | self._meta(question["query"], now_ns)})

    def _meta(self, query: str, now_ns: int) -> dict[str, object]:
        if "_meta" not in query:
            return {}
        timestamp = now_ns // SECOND_NS if self.block_timestamp is None else self.block_timestamp
        block = {"number": self.block, "hash": f"0x{self.block:064x}", "timestamp": timestamp}
        return {"_meta": {"block": block, "hasIndexingErrors": self.has_indexing_errors, "deployment": "Qm1"}}


class Loop(FeedLoop):
    """The ingester of a subgraph."""

    def __init__(self, subgraph: Subgraph, **settings: object) -> None:
        self.subgraph = subgraph
        super().__init__(
            partial(GoldskyFeed, Settings(**settings)),
            lambda fetch, now_ns: (200, subgraph.answer(fetch.body, now_ns)),
        )

    def ids(self) -> list[str]:
        """Return the ids of all recorded order events, in the order of the stream."""
        return [record.event_id for record in self.records if isinstance(record, OrderEvent)]

    def standing(self) -> dict[str, OrderEvent]:
        """Return what stands of them, by id."""
        return standing(self.records)
