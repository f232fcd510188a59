"""Records to streams: each to the lane of its shard; pressure goes back to the wire."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from common.errors import Fenced
from common.heartbeat import Figures
from common.outbox import Outbox
from common.records import FeedEvent, Record
from common.redis_streams import Redis, Shard
from common.streams import BY_TOPIC, Stream, shard_of
from ingesters.lane import Lane

FULL_BYTES = 16 * 2**20  # of what waits for Redis: past it the wire is not read any further


class Sink:
    """All lanes of one ingester."""

    def __init__(self, redis: Redis, layout: Mapping[Stream, Sequence[Shard]], source: str, figures: Figures) -> None:
        self._outboxes = {stream: [Outbox(redis, shard, source) for shard in parts] for stream, parts in layout.items()}
        self._lanes = {
            stream: [Lane(outbox, figures, self._tell_loss) for outbox in parts]
            for stream, parts in self._outboxes.items()
        }
        self.puts: dict[type[Record], Callable[[Record], None]] = {
            stream.record: parts[0].put if len(parts) == 1 else partial(_put_by_symbol, parts)
            for stream, parts in self._lanes.items()
        }
        self._every = [lane for parts in self._lanes.values() for lane in parts]

    async def claim(self) -> None:
        """Become the source everywhere; an older copy of this program is fenced."""
        for parts in self._outboxes.values():
            for outbox in parts:
                await outbox.claim()

    async def marks(self) -> dict[tuple[str, str], int]:
        """Return the largest sequences that stand in the streams, by (topic, symbol)."""
        found: dict[tuple[str, str], int] = {}
        for stream, parts in self._lanes.items():
            for lane in parts:
                found |= {(stream.topic, symbol): mark for symbol, mark in (await lane.marks()).items()}
        return found

    def put(self, record: Record) -> None:
        """Take a record for its stream."""
        self.puts[type(record)](record)

    def checkpoint(self, topic: str, state: Mapping[str, str]) -> None:
        """Have state written with the records of a topic put so far."""
        self._lanes[BY_TOPIC[topic]][0].remember(state)

    @property
    def waiting_bytes(self) -> int:
        """Return how much waits for Redis."""
        return sum(lane.waiting_bytes for lane in self._every)

    @property
    def waiting_records(self) -> int:
        """Return how many records wait for Redis."""
        return sum(lane.waiting_records for lane in self._every)

    @property
    def is_full(self) -> bool:
        """Return whether the wire must not be read until Redis has taken some."""
        return self.waiting_bytes > FULL_BYTES

    async def run(self) -> None:
        """Carry, for ever; raise Fenced when another copy of this source has started."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self._every:
                    tasks.create_task(lane.run())
        except* Fenced as fenced:
            raise fenced.exceptions[0] from None

    async def empty(self) -> None:
        """Return when everything put has been taken by Redis."""
        for lane in self._every:
            await lane.empty()

    def _tell_loss(self, event: FeedEvent) -> None:
        """Write down that Redis has lost what it confirmed, and see whether the other shards have lost something."""
        self.put(event)
        for lane in self._every:
            lane.check()


def _put_by_symbol(lanes: Sequence[Lane], record: Record) -> None:
    lanes[shard_of(record.venue, record.symbol, len(lanes))].put(record)
