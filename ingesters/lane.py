"""The way to one shard: records packed as they come, appended in order, each packet once, whatever Redis does."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from common.backoff import delays_s
from common.errors import HistoryLost, SpoolRefused, StreamRefused
from common.lifecycle import heed_cancellation
from common.log import logger
from common.outbox import Outbox
from common.packet import Packet
from common.records import FeedEvent
from common.redis_streams import RedisError
from ingesters.comeback import Comeback
from ingesters.spool import Spool
from ingesters.tail import Tail
from ingesters.waiting import Waiting

log = logger("sink")

# A packet that so many looks, FLUSH_S apart, find on its way goes to the spool, and all that come behind it. Looks are
# counted, not seconds: while this process is busy with a burst, or kept from running, an answer lies unread; between
# two looks it is read. A Redis that confirms, however slowly, holds up the wire instead: the disk would only cost.
SLOW_LOOKS = 10


class Lane:
    """What has been put and not yet taken by Redis, in order: first what is on disk, then what waits in memory."""

    def __init__(self, outbox: Outbox, spool: Spool, tell: Callable[[FeedEvent], None]) -> None:
        self.key = outbox.shard.key
        self.outbox = outbox
        self.waiting = Waiting()
        self.put = self.waiting.put
        self.on_its_way = 0  # the number of the packet that was sent last
        self._looks = 0  # that found it on its way
        self._has_failed = False
        self._on_disk = 0  # the number of the newest packet on disk
        self._taken_marks: dict[str, int] = {}  # of all that Redis has confirmed, for one that forgets
        self._taken_state: dict[str, str] = {}
        self._spool = spool
        self._figures = spool.figures
        self._tell = tell
        self._tail = Tail()
        self._comeback = Comeback(outbox, spool, self._tail)
        self._idle = asyncio.Event()
        self._idle.set()

    async def claim(self) -> None:
        """Become the source; what an earlier process left in the spool is sent first."""
        self._on_disk, events = await self._comeback.start()
        self.waiting.made = max(self.outbox.batch, self._on_disk)
        self._taken_marks = await self.outbox.marks()
        self.waiting.recall(self._taken_marks, {})
        for event in events:
            self._tell(event)
        if self._on_disk:
            self.waiting.recall(*await self._spool.remembered(self.key))
            self.waiting.wake.set()

    def look(self) -> bool:
        """Return whether what waits belongs on disk: Redis does not take it, or what is there goes first."""
        self._looks += self.on_its_way > self.outbox.batch
        return self.is_held_up

    @property
    def is_held_up(self) -> bool:
        """Return whether Redis has not taken for a while what there is, as of the last look."""
        return self._has_failed or self._on_disk > self.outbox.batch or self._looks > SLOW_LOOKS

    def keep(self, state: Mapping[str, str]) -> None:
        """Restore these strings on a Redis that has forgotten them, until another value is put."""
        self._taken_state |= state
        self.waiting.recall({}, {**state, **self.waiting.state})

    def disown(self, names: Iterable[str]) -> None:
        """Leave these strings to another lane from now on."""
        self.waiting.disown(names)
        for name in names:
            self._taken_state.pop(name, None)

    def check(self) -> None:
        """Find out soon whether Redis still has what it confirmed."""
        self.waiting.is_in_doubt = True
        self.waiting.wake.set()

    async def written(self, packets: Sequence[Packet]) -> None:
        """Let go of packets that are on disk now; Redis may have taken some meanwhile."""
        self._on_disk = packets[-1].batch
        self.waiting.let_go(self._on_disk)
        if self._on_disk <= self.outbox.batch:
            await self._spool.forget(self.key, self._on_disk)

    async def empty(self) -> None:
        """Return when everything put has been taken."""
        while self._has_work or not self._idle.is_set():
            await self._idle.wait()
            await asyncio.sleep(0)

    async def run(self) -> None:
        """Append what is put, for ever; raise Fenced when another copy of this source has started."""
        while True:
            await self.waiting.wake.wait()
            self.waiting.wake.clear()
            self.waiting.is_awake = False
            self._idle.clear()
            while self._has_work:
                await self._append()
                heed_cancellation()
            self._idle.set()

    @property
    def _has_work(self) -> bool:
        return self._on_disk > self.outbox.batch or not self.waiting.is_empty

    async def _append(self) -> None:
        """Append the oldest packet."""
        packet = await self._oldest()
        self.on_its_way, self._looks = packet.batch, 0
        try:
            end = await self.outbox.append(packet)
        except (RedisError, StreamRefused) as error:
            packet, end = await self._insist(packet, error)
        self._looks, self._has_failed = 0, False
        self._figures.works(self.key)
        self._figures.counters[f"records_total|{self.outbox.shard.stream.topic}"] += packet.records
        self._taken_marks |= packet.marks
        self._taken_state |= packet.state
        self._tail.add(packet, end)
        if self.waiting.holds(packet):
            self.waiting.let_go(packet.batch)
        else:  # it was read from the disk, or written there while it was on its way
            await self._spool.forget(self.key, packet.batch)

    async def _oldest(self) -> Packet:
        packet = await self._read() if self._on_disk > self.outbox.batch else None
        return packet or self.waiting.oldest()

    async def _read(self) -> Packet | None:
        """Return the oldest packets on disk as one; None when they were too old and have been dropped."""
        for pause_s in delays_s(first_s=0.1, ceiling_s=2.0):
            try:
                packet = await self._spool.read(self.key, after=self.outbox.batch)
            except SpoolRefused as error:
                await self._wait(error, pause_s)
            else:
                self._on_disk = self._on_disk if packet else 0
                return packet
        raise AssertionError  # the delays never end

    async def _insist(self, packet: Packet, error: Exception) -> tuple[Packet, int]:
        """Repeat the very same packet until Redis has it."""
        for pause_s in delays_s(first_s=0.1, ceiling_s=2.0):
            try:
                if isinstance(error, HistoryLost):
                    packet = await self._come_back(packet, error)
                else:
                    await self._wait(error, pause_s)
                return packet, await self.outbox.append(packet)
            except HistoryLost as lost:
                error = lost
            except (RedisError, StreamRefused, SpoolRefused) as failure:
                if isinstance(error, HistoryLost):
                    await self._wait(failure, pause_s)
                else:
                    error = failure
        raise AssertionError  # the delays never end

    async def _come_back(self, packet: Packet, error: HistoryLost) -> Packet:
        """Become the source again; the packet then carries all that Redis should remember: it may have forgotten it."""
        event = await self._comeback.again(error)
        if event is not None:
            self._figures.failed(error)
            self._tell(event)
        marks, state = {**self._taken_marks, **packet.marks}, {**self._taken_state, **packet.state}
        return replace(packet, marks=marks, state=state)

    async def _wait(self, error: Exception, pause_s: float) -> None:
        self._has_failed = True
        self._figures.waits(self.key, error)
        log.warning("sink.waiting", shard=self.key, pause_s=round(pause_s, 2), reason=str(error))
        heed_cancellation()
        await asyncio.sleep(pause_s)
