"""The way to one shard: records packed as they come, appended in order, each packet once, whatever Redis does."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from common.backoff import delays_s
from common.clock import now_ns
from common.errors import HistoryLost, StreamRefused
from common.heartbeat import Figures
from common.log import logger
from common.outbox import Outbox, Packet
from common.packing import Packing
from common.records import FeedEvent, Record
from common.redis_streams import RedisError

log = logger("sink")

REMEMBERED = 4096  # times of batches taken, so that a loss can be given an interval


class Lane:
    """What has been put and not yet taken by Redis, in order."""

    def __init__(self, outbox: Outbox, figures: Figures, tell: Callable[[FeedEvent], None]) -> None:
        self._outbox = outbox
        self._figures = figures
        self._tell = tell
        self._packed = Packing()
        self._on_its_way = Packing()
        self._marks: dict[str, int] = {}
        self._state: dict[str, str] = {}
        self._told_marks: dict[str, int] = {}  # all that Redis should remember, for one that does not
        self._told_state: dict[str, str] = {}
        self._taken: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self._claimed_ns = now_ns()
        self._is_in_doubt = False
        self._wake = asyncio.Event()
        self._is_awake = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def marks(self) -> dict[str, int]:
        """Return the largest sequences by symbol that Redis has of this source."""
        held = await self._outbox.marks()
        self._told_marks = {**held, **self._told_marks}
        return held

    @property
    def waiting_bytes(self) -> int:
        """Return how much waits for Redis."""
        return self._packed.size_bytes + self._on_its_way.size_bytes

    @property
    def waiting_records(self) -> int:
        """Return how many records wait for Redis."""
        return self._packed.records + self._on_its_way.records

    def put(self, record: Record) -> None:
        """Take a record."""
        self._packed.add(record)
        sequence = record.sequence  # type: ignore[attr-defined]  # every record but the root has one
        if sequence is not None:
            self._marks[record.symbol] = sequence
        if not self._is_awake:
            self._is_awake = True
            self._wake.set()

    def remember(self, state: Mapping[str, str]) -> None:
        """Have these strings written with the records put so far."""
        self._state.update(state)
        self._wake.set()

    def check(self) -> None:
        """Find out soon whether Redis still has what it confirmed."""
        self._is_in_doubt = True
        self._wake.set()

    async def empty(self) -> None:
        """Return when everything put has been taken."""
        while self._has_work or not self._idle.is_set():
            await self._idle.wait()
            await asyncio.sleep(0)

    async def run(self) -> None:
        """Append what is put, for ever; raise Fenced when another copy of this source has started."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._is_awake = False
            self._idle.clear()
            while self._has_work:
                await self._append()
            self._idle.set()

    @property
    def _has_work(self) -> bool:
        return bool(self._packed.records or self._state or self._is_in_doubt)

    async def _append(self) -> None:
        """Append all that waits, with the marks and the state that belong to it: never a part of a page."""
        packed, marks, state = self._packed, self._marks, self._state
        self._packed, self._marks, self._state, self._is_in_doubt = Packing(), {}, {}, False
        self._told_marks |= marks
        self._told_state |= state
        packet = Packet(self._outbox.batch + 1, packed.entries(), marks=marks, state=state)
        self._on_its_way = packed
        await self._insist(packet)
        self._on_its_way = Packing()
        self._figures.counters[f"records_total|{self._outbox.shard.stream.topic}"] += packed.records

    async def _insist(self, packet: Packet) -> None:
        """Repeat the very same packet until Redis has it."""
        for pause_s in delays_s(first_s=0.1, ceiling_s=5.0):
            try:
                await self._outbox.append(packet)
            except HistoryLost as error:
                packet = await self._go_on(packet, error)
            except (RedisError, StreamRefused) as error:
                await self._wait(error, pause_s)
            else:
                self._figures.works(self._outbox.shard.key)
                self._taken.append((packet.batch, now_ns()))
                return

    async def _go_on(self, packet: Packet, error: HistoryLost) -> Packet:
        """Become the source again on a Redis that has lost history, and say so; return the packet in its new place."""
        confirmed = self._outbox.batch
        for pause_s in delays_s(first_s=0.1, ceiling_s=5.0):
            try:
                await self._outbox.reclaim()
            except RedisError as failure:
                await self._wait(failure, pause_s)
            else:
                break
        self._say_what_is_lost(confirmed, error)
        # All that it should remember, not only what is new: it may have forgotten that too.
        return replace(packet, batch=self._outbox.batch + 1, marks={**self._told_marks}, state={**self._told_state})

    def _say_what_is_lost(self, confirmed: int, error: HistoryLost) -> None:
        shard, found = self._outbox.shard, self._outbox.batch
        self._figures.failed(error)
        log.error("sink.history_lost", shard=shard.key, confirmed=confirmed, found=found, reason=str(error))
        if found >= confirmed:
            return
        kept = [(batch, taken_ns) for batch, taken_ns in self._taken if batch <= found]
        self._taken = deque(kept, maxlen=REMEMBERED)
        now = now_ns()
        self._tell(
            FeedEvent(
                self._figures.venue,
                "",
                now,
                channel="redis",
                kind="gap",
                from_ns=kept[-1][1] if kept else self._claimed_ns,
                to_ns=now,
                expected=str(confirmed),
                found=str(found),
                detail=f"{shard.key}: Redis came back without {confirmed - found} batches that it had confirmed; "
                "how many records they held is not known",
            )
        )

    async def _wait(self, error: Exception, pause_s: float) -> None:
        self._figures.waits(self._outbox.shard.key, error)
        log.warning("sink.waiting", shard=self._outbox.shard.key, pause_s=round(pause_s, 2), reason=str(error))
        await asyncio.sleep(pause_s)
