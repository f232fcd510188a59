"""
What changes at the venue without a word: fields that nobody knows, events of another shape, contracts gone quiet.

The first exchange contracts were replaced in April 2026, and whoever listened to them only heard a quiet market.
https://ethereum.org/developers/docs/apis/json-rpc/
"""

from collections.abc import Iterable, Iterator

import msgspec

from common.clock import NS_PER_S, utc_text
from common.records import DeadLetter, FeedEvent
from ingesters.feed import Step
from ingesters.venues.event_errands import late
from ingesters.venues.novelty import Novelty, fields_of
from ingesters.venues.polygon_answers import record_of
from ingesters.venues.polygon_logs import Fill
from ingesters.venues.polygon_memory import Place
from ingesters.venues.polygon_news import news
from ingesters.venues.polygon_rpc import VENUE, Result, Trouble

_NAMES = {
    "log": "address topics data blockNumber blockHash blockTimestamp transactionHash transactionIndex logIndex removed",
    "block": "number hash parentHash nonce sha3Uncles logsBloom transactionsRoot stateRoot receiptsRoot miner"
    " difficulty totalDifficulty extraData size gasLimit gasUsed timestamp transactions uncles baseFeePerGas mixHash"
    " withdrawals withdrawalsRoot blobGasUsed excessBlobGas parentBeaconBlockRoot requestsHash",
}
KNOWN = {kind: frozenset(names.split()) for kind, names in _NAMES.items()}
ANSWERS_A_LOOK = 100
QUIET_S = 3600  # of blocks; there are several fills a second
MOST_SHAPES = 20
EXAMPLE_CHARACTERS = 1000

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Watch:
    """Says each thing once."""

    def __init__(self) -> None:
        self._novelty = Novelty(VENUE, KNOWN)
        self._answers = 0
        self._shapes: set[str] = set()
        self._newest_s: int | None = None  # of the newest fill, or where the reading began
        self._is_quiet = False

    def look(self, logs: msgspec.Raw, block: Result, received_ns: int) -> Iterator[FeedEvent]:
        """Look at the first log of an answer and at the block asked for beside it, now and then."""
        self._answers += 1
        if self._answers % ANSWERS_A_LOOK != 1 or isinstance(block, Trouble):
            return
        for kind, raw in [*(("log", log) for log in _decode_list(logs)[:1]), ("block", block)]:
            yield from self._novelty.notice(kind, fields_of(raw).keys(), bytes(raw), received_ns)

    def records(self, fills: Iterable[Fill], received_ns: int, *, are_late: bool) -> Iterator[Step]:
        """Yield fills as records; of a shape that the contract's event does not have the first is told as well."""
        for fill in fills:
            record = record_of(fill, received_ns)
            yield late(record) if are_late else record
            if isinstance(record, DeadLetter) and record.reason not in self._shapes and len(self._shapes) < MOST_SHAPES:
                self._shapes.add(record.reason)
                at_ns = fill.timestamp * NS_PER_S
                example = msgspec.json.encode(fill.log).decode()[:EXAMPLE_CHARACTERS]
                event = news("schema_change", example, from_ns=at_ns, to_ns=at_ns, received_ns=received_ns)
                yield msgspec.structs.replace(event, channel="OrderFilled", found=record.reason)

    def quiet(self, fills: Iterable[Fill], places: list[Place], received_ns: int) -> Iterator[FeedEvent]:
        """Hear which fills some new blocks hold; tell when the chain has gone on without any for long."""
        read_s = places[-1].timestamp
        newest_s = max((fill.timestamp for fill in fills), default=None)
        since_s = self._newest_s = newest_s or self._newest_s or read_s
        if newest_s is None and not self._is_quiet and read_s - since_s > QUIET_S:
            self._is_quiet = True
            detail = f"no fill of either contract since {utc_text(since_s * NS_PER_S)}: have they been replaced?"
            span = {"from_ns": since_s * NS_PER_S, "to_ns": read_s * NS_PER_S}
            yield news("stale", detail, **span, received_ns=received_ns)
        elif newest_s is not None and self._is_quiet:
            self._is_quiet = False
            at_ns = newest_s * NS_PER_S
            yield news("resync", "there are fills again", from_ns=at_ns, to_ns=at_ns, received_ns=received_ns)
