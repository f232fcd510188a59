"""Records to streams: each to the lane of its shard; what Redis does not take to the spool; pressure to the wire."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from common.clock import NS_PER_S, monotonic_s, now_ns
from common.errors import Fenced, SpoolRefused
from common.lifecycle import heed_cancellation
from common.log import logger
from common.outbox import Outbox, held_by
from common.records import EventKind, FeedEvent, Record
from common.redis_facts import read_state
from common.redis_streams import Redis, RedisError, Shard
from common.streams import BY_TOPIC, Stream, shard_of
from ingesters.comeback import CHANNEL
from ingesters.lane import Lane
from ingesters.spool import Spool
from ingesters.spool_file import Rows

log = logger("sink")

FULL_BYTES = 16 * 2**20  # of what waits in memory: past it the wire is not read any further
FLUSH_S = 0.1  # while Redis does not take it, so much of the newest is in memory only
LOOK_S = 1.0  # between two looks whether Redis still knows us
EXPIRE_S = 60.0
GOODBYE_S = 0.5
SETTLE_S = 2.0  # for Redis to take the last records; then the spool takes them
UNREAD_NS = 2 * NS_PER_S
SPOOL = "spool"


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
        self._writing = asyncio.Lock()
        self._expired_s = monotonic_s()

    async def claim(self, names: Iterable[str] = ()) -> None:
        """Become the source everywhere; an older copy of this program is fenced. `names` are of state to be kept."""
        found = dict(self._spool.found)
        for lane in self._every:
            await lane.claim()
        self._every[0].keep(await read_state(self._redis, names))
        await self._tell_end_before(found, await self._every[0].outbox.last_alive_ns())

    @property
    def marks(self) -> dict[tuple[str, str], int]:
        """Return the largest sequences of all that was put, by (topic, symbol), whether Redis has it yet or not."""
        return {
            (stream.topic, symbol): mark
            for stream, parts in self._lanes.items()
            for lane in parts
            for symbol, mark in lane.marks.items()
        }

    @property
    def state(self) -> dict[str, str]:
        """Return the newest state, whether Redis has it yet or not."""
        return {name: value for lane in self._every for name, value in lane.state.items()}

    def put(self, record: Record) -> None:
        """Take a record for its stream."""
        self.puts[type(record)](record)

    def checkpoint(self, topic: str, state: Mapping[str, str]) -> None:
        """Have state written with the records of a topic put so far."""
        lane = self._lanes[BY_TOPIC[topic]][0]
        lane.remember(state)
        if lane is not self._every[0]:
            self._every[0].disown(state)

    @property
    def waiting_bytes(self) -> int:
        """Return how much waits in memory."""
        return sum(lane.waiting_bytes for lane in self._every)

    @property
    def waiting_records(self) -> int:
        """Return how many records wait in memory."""
        return sum(lane.waiting_records for lane in self._every)

    @property
    def is_full(self) -> bool:
        """Return whether the wire must not be read until Redis or the spool has taken some."""
        return self.waiting_bytes > FULL_BYTES

    async def say_goodbye(self) -> None:
        """Leave word that we ended in good order, on disk if Redis is away."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                return await self._every[0].outbox.note_alive(None)
        except (RedisError, TimeoutError):
            with contextlib.suppress(SpoolRefused):  # then the next start says that we ended without a word
                await self._spool.note_end(in_good_order=True)

    async def _tell_end_before(self, found: Mapping[str, Rows], alive_ns: int | None) -> None:
        """Tell what is not known to be whole: a process that was killed had read more than it could hand on."""
        if self._spool.unreadable:
            self._tell("gap", now_ns(), f"the spool could not be read: {self._spool.unreadable}")
        last_ns = max([*(rows.to_ns for rows in found.values()), alive_ns or 0])
        if last_ns and not self._spool.was_ended:
            words = "the process before ended without a word (killed?): what came since then was heard by nobody"
            self._tell("gap" if found else "disconnected", last_ns, words)
        if self._spool.was_ended:
            await self._spool.note_end(in_good_order=False)

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
                tasks.create_task(self._spill())
                tasks.create_task(self._look())
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
            while not await self.write_down():  # noqa: ASYNC110  room on a disk rings no bell
                await asyncio.sleep(FLUSH_S)

    async def write_down(self, lanes: Sequence[Lane] | None = None) -> bool:
        """Give the spool what all lanes, or these, hold in memory; return whether it is safe now."""
        async with self._writing:
            held = [(lane, packets) for lane in lanes or self._every if (packets := lane.unwritten())]
            if not held:
                return True
            try:
                await self._spool.write([(lane.key, packet) for lane, packets in held for packet in packets])
                for lane, packets in held:
                    await lane.written(packets)
            except SpoolRefused as error:
                if SPOOL not in self._figures.troubles:
                    log.error("sink.spool_refused", reason=str(error), bytes=self.waiting_bytes)  # noqa: TRY400  no bug
                self._figures.waits(SPOOL, error)
                return False
            self._figures.works(SPOOL)
            return True

    async def _spill(self) -> None:
        """Bring what Redis does not take to the disk, all lanes in one go."""
        while True:
            await asyncio.sleep(FLUSH_S)
            if held_up := [lane for lane in self._every if lane.is_held_up]:
                await self.write_down(held_up)
            else:
                self._figures.works(SPOOL)
            if self._spool.size_bytes and monotonic_s() - self._expired_s > EXPIRE_S:
                self._expired_s = monotonic_s()
                await self._expire()

    async def _expire(self) -> None:
        try:
            gone = await self._spool.expire({lane.key: lane.on_its_way for lane in self._every})
        except SpoolRefused as error:
            self._figures.failed(error)
            return
        for key, rows in gone.items():
            self._figures.counters["spool_dropped_total"] += rows.records
            words = f"{key}: {rows.records} records waited in the spool longer than SPOOL_MAX_AGE_S and were dropped"
            log.error("spool.expired", shard=key, records=rows.records)
            self._tell("gap", rows.from_ns, words, to_ns=rows.to_ns)

    async def _look(self) -> None:
        """See whether Redis still knows us: an idle copy would not notice that it is fenced, or Redis empty."""
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(RedisError):  # those who have something to append say so
                await self._look_once()
            heed_cancellation()

    async def _look_once(self) -> None:
        known = [lane.outbox.known for lane in self._every]
        held = await held_by(self._redis, [lane.outbox for lane in self._every])
        for lane, before, now in zip(self._every, known, held, strict=True):
            if not lane.outbox.compare(before, now):
                lane.check()
        await self._every[0].outbox.note_alive(now_ns())

    def _tell(self, kind: EventKind, from_ns: int, detail: str, *, to_ns: int | None = None) -> None:
        now, venue = now_ns(), self._figures.venue
        event = FeedEvent(
            venue, "", now, channel=CHANNEL, kind=kind, from_ns=from_ns, to_ns=to_ns or now, detail=detail
        )
        self.put(event)

    def _tell_loss(self, event: FeedEvent) -> None:
        """Write down that Redis has lost what it confirmed, and see whether the other shards have lost something."""
        self.put(event)
        for lane in self._every:
            lane.check()


def _put_by_symbol(lanes: Sequence[Lane], record: Record) -> None:
    lanes[shard_of(record.venue, record.symbol, len(lanes))].put(record)
