"""Records to streams: each to the lane of its shard; what Redis does not take to the spool; pressure to the wire."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from common.clock import NS_PER_S, now_ns
from common.errors import Fenced
from common.outbox import Outbox
from common.records import EventKind, FeedEvent, Record
from common.redis_facts import read_state
from common.redis_streams import Redis, Shard
from common.streams import BY_TOPIC, Stream, shard_of
from ingesters.lane import Lane
from ingesters.presence import Presence
from ingesters.spilling import FLUSH_S, Spilling
from ingesters.spool import Spool
from ingesters.told import told

FULL_BYTES = 16 * 2**20  # of what waits in memory: past it the wire is not read any further
SETTLE_S = 2.0  # for Redis to take the last records; then the spool takes them
UNREAD_NS = 2 * NS_PER_S


class Sink:
    """All lanes of one ingester."""

    def __init__(self, redis: Redis, layout: Mapping[Stream, Sequence[Shard]], source: str, spool: Spool) -> None:
        self._redis = redis
        self._figures = spool.figures
        self._spool = spool
        self._lanes = {
            stream: [Lane(Outbox(redis, shard, source), spool, self._tell_loss) for shard in parts]
            for stream, parts in layout.items()
        }
        self.puts: dict[type[Record], Callable[[Record], None]] = {
            stream.record: parts[0].put if len(parts) == 1 else partial(_put_by_symbol, parts)
            for stream, parts in self._lanes.items()
        }
        self._every = [lane for parts in self._lanes.values() for lane in parts]
        self.spilling = Spilling(self._every, spool, self._tell)
        self.presence = Presence(redis, self._every, spool, self._tell)

    async def claim(self, names: Iterable[str] = ()) -> None:
        """Become the source everywhere; an older copy of this program is fenced. `names` are of state to be kept."""
        found = dict(self._spool.found)
        for lane in self._every:
            await lane.claim()
        spooled = self.state
        stored = await read_state(self._redis, names)
        self._every[0].keep({name: value for name, value in stored.items() if name not in spooled})
        await self.presence.begin(found)

    @property
    def marks(self) -> dict[tuple[str, str], int]:
        """Return the largest sequences of all that was put, by (topic, symbol), whether Redis has it yet or not."""
        return {
            (stream.topic, symbol): mark
            for stream, parts in self._lanes.items()
            for lane in parts
            for symbol, mark in lane.waiting.marks.items()
        }

    @property
    def state(self) -> dict[str, str]:
        """Return the newest state, whether Redis has it yet or not."""
        return {name: value for lane in self._every for name, value in lane.waiting.state.items()}

    def put(self, record: Record) -> None:
        """Take a record for its stream."""
        self.puts[type(record)](record)

    def checkpoint(self, topic: str, state: Mapping[str, str]) -> None:
        """Have state written with the records of a topic put so far."""
        lane = self._lanes[BY_TOPIC[topic]][0]
        lane.waiting.remember(state)
        if lane is not self._every[0]:
            self._every[0].disown(state)

    @property
    def waiting_bytes(self) -> int:
        """Return how much waits in memory."""
        return sum(lane.waiting.size_bytes for lane in self._every)

    @property
    def waiting_records(self) -> int:
        """Return how many records wait in memory."""
        return sum(lane.waiting.records for lane in self._every)

    def divide(self) -> None:
        """Let no packet become larger than Redis takes at once; to be called between frames."""
        for lane in self._every:
            lane.waiting.divide()

    @property
    def is_full(self) -> bool:
        """Return whether the wire must not be read until Redis or the spool has taken some."""
        return self.waiting_bytes > FULL_BYTES

    def tell_unread(self, since_ns: int) -> None:
        """Write down that the wire was not read from then until now, unless it was a moment that any venue bears."""
        if (now_ns() - since_ns) > UNREAD_NS:
            words = "neither Redis nor the spool took any more, so the wire was not read: what the venue did not keep"
            self._tell("gap", since_ns, f"{words} for us is missing")

    async def run(self) -> None:
        """Carry, for ever; raise Fenced when another copy of this source has started."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self._every:
                    tasks.create_task(lane.run())
                tasks.create_task(self.spilling.run())
                tasks.create_task(self.presence.run())
        except* Fenced as fenced:
            raise fenced.exceptions[0] from None

    async def empty(self) -> None:
        """Return when everything put has been taken by Redis."""
        for lane in self._every:
            await lane.empty()

    async def settle(self) -> None:
        """Return when everything put has been taken by Redis, or by the spool where Redis does not take it soon."""
        try:
            async with asyncio.timeout(SETTLE_S):
                return await self.empty()
        except TimeoutError:
            while not await self.spilling.write_down():  # noqa: ASYNC110  room on a disk rings no bell
                await asyncio.sleep(FLUSH_S)

    def _tell(self, kind: EventKind, from_ns: int, detail: str, to_ns: int | None = None) -> None:
        self.put(told(self._figures.venue, kind, from_ns, detail, to_ns))

    def _tell_loss(self, event: FeedEvent) -> None:
        """Write down that Redis has lost what it confirmed, and see whether the other shards have lost something."""
        self.put(event)
        for lane in self._every:
            lane.check()


def _put_by_symbol(lanes: Sequence[Lane], record: Record) -> None:
    lanes[shard_of(record.venue, record.symbol, len(lanes))].put(record)
