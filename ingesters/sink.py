"""Records to streams: packed as they come, appended in order, each packet once; pressure goes back to the wire."""

import asyncio
from collections.abc import Mapping, Sequence

from common.backoff import delays_s
from common.codec import encode
from common.errors import Fenced, StreamRefused
from common.heartbeat import Figures
from common.log import logger
from common.outbox import Outbox, Packet, pack
from common.records import Record
from common.redis_streams import Redis, RedisError, Shard
from common.streams import BY_RECORD, BY_TOPIC, Stream, shard_of

log = logger("sink")

FULL_BYTES = 16 * 2**20  # of what waits for Redis: past it the wire is not read any further


class Lane:
    """The way to one shard: what has been put and not yet taken by Redis, in order."""

    def __init__(self, outbox: Outbox, figures: Figures) -> None:
        self.waiting_bytes = 0
        self._outbox = outbox
        self._figures = figures
        self._lines: list[bytes] = []
        self._marks: dict[str, int] = {}
        self._state: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, record: Record) -> None:
        """Take a record."""
        line = encode(record)
        self._lines.append(line)
        sequence = record.sequence  # type: ignore[attr-defined]  # every record but the root has one
        if sequence is not None:
            self._marks[record.symbol] = sequence
        self.waiting_bytes += len(line)
        self._wake.set()

    def remember(self, state: Mapping[str, str]) -> None:
        """Have these strings written with the records put so far."""
        self._state.update(state)
        self._wake.set()

    async def empty(self) -> None:
        """Return when everything put has been taken."""
        while self._lines or self._state or not self._idle.is_set():
            await self._idle.wait()
            await asyncio.sleep(0)

    async def run(self) -> None:
        """Append what is put, for ever; raise Fenced when another copy of this source has started."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._idle.clear()
            while self._lines or self._state:
                await self._append()
            self._idle.set()

    async def _append(self) -> None:
        """Append all that waits, with the marks and the state that belong to it: never a part of a page."""
        lines, marks, state = self._lines, self._marks, self._state
        self._lines, self._marks, self._state = [], {}, {}
        await self._insist(Packet(self._outbox.batch + 1, pack(lines), marks=marks, state=state))
        self.waiting_bytes -= sum(map(len, lines))
        self._figures.counters[f"records_total|{self._outbox.shard.stream.topic}"] += len(lines)

    async def _insist(self, packet: Packet) -> None:
        """Repeat the very same packet until Redis has it."""
        for pause_s in delays_s(first_s=0.1, ceiling_s=5.0):
            try:
                await self._outbox.append(packet)
            except (RedisError, StreamRefused) as error:
                self._figures.failed(error)
                log.warning("sink.waiting", shard=self._outbox.shard.key, pause_s=round(pause_s, 2), reason=str(error))
                await asyncio.sleep(pause_s)
            else:
                return


class Sink:
    """All lanes of one ingester."""

    def __init__(self, redis: Redis, layout: Mapping[Stream, Sequence[Shard]], source: str, figures: Figures) -> None:
        self._outboxes = {stream: [Outbox(redis, shard, source) for shard in parts] for stream, parts in layout.items()}
        self._lanes = {stream: [Lane(outbox, figures) for outbox in parts] for stream, parts in self._outboxes.items()}
        self._every = [lane for parts in self._lanes.values() for lane in parts]

    async def claim(self) -> None:
        """Become the source everywhere; an older copy of this program is fenced."""
        for parts in self._outboxes.values():
            for outbox in parts:
                await outbox.claim()

    async def marks(self) -> dict[tuple[str, str], int]:
        """Return the largest sequences that stand in the streams, by (topic, symbol)."""
        found: dict[tuple[str, str], int] = {}
        for stream, parts in self._outboxes.items():
            for outbox in parts:
                found |= {(stream.topic, symbol): mark for symbol, mark in (await outbox.marks()).items()}
        return found

    def put(self, record: Record) -> None:
        """Take a record for its stream."""
        lanes = self._lanes[BY_RECORD[type(record)]]
        number = shard_of(record.venue, record.symbol, len(lanes)) if len(lanes) > 1 else 0
        lanes[number].put(record)

    def checkpoint(self, topic: str, state: Mapping[str, str]) -> None:
        """Have state written with the records of a topic put so far."""
        self._lanes[BY_TOPIC[topic]][0].remember(state)

    @property
    def waiting_bytes(self) -> int:
        """Return how much waits for Redis."""
        return sum(lane.waiting_bytes for lane in self._every)

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
