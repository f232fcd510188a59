"""One task reads Redis and ClickHouse; every browser, script and scraper is answered from what it last read."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from common.clock import NS_PER_S, monotonic_s, now_ns
from common.codec import decode_lines
from common.errors import Unreachable, UnreadableRecord
from common.lifecycle import wait
from common.log import logger
from common.readings import ProcessReading, RedisReading
from common.records import FeedEvent
from common.redis_readings import RedisReader
from monitoring.counters import counters, gauges
from monitoring.history import History, Sample
from monitoring.store_readings import StoreReader, StoreReading

REDIS_EVERY_S = 1.0
STORE_EVERY_S = 3.0
EVENTS_SHOWN = 14
REMEMBERED_NS = 600 * NS_PER_S

log = logger("watch")


@dataclass(frozen=True)
class Snapshot:
    """All that is known at one moment. A server that did not answer keeps its last reading, and has a problem."""

    number: int
    taken_ns: int
    redis: RedisReading | None = None
    redis_problem: str | None = None
    store: StoreReading | None = None
    store_problem: str | None = None
    events: tuple[FeedEvent, ...] = ()
    gone: Mapping[str, ProcessReading] = field(default_factory=dict)
    owner_silent_s: Mapping[str, float] = field(default_factory=dict)
    rates_per_s: Mapping[str, float] = field(default_factory=dict)
    slow_rates_per_s: Mapping[str, float] = field(default_factory=dict)
    trends: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)


class Watch:
    """Reads, remembers, and tells whoever waits that there is something new."""

    def __init__(self, redis: RedisReader, store: StoreReader) -> None:
        self._redis = redis
        self._store = store
        self._history = History()
        self._beats: dict[str, tuple[int, float]] = {}
        self._read_s = 0.0
        self._seen: dict[str, ProcessReading] = {}
        self._lives: defaultdict[str, set[float]] = defaultdict(set)
        self._events_at = -1
        self._fresh = asyncio.Condition()
        self._closed = False
        self.snapshot = Snapshot(number=0, taken_ns=now_ns())

    async def run(self, stop: asyncio.Event) -> None:
        """Read until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_redis(stop))
            tasks.create_task(self._follow_store(stop))
        await self._store.close()
        async with self._fresh:
            self._closed = True
            self._fresh.notify_all()

    async def newer_than(self, number: int) -> Snapshot | None:
        """Return the next snapshot; None when there will be none."""
        async with self._fresh:
            await self._fresh.wait_for(lambda: self._closed or self.snapshot.number > number)
        return None if self._closed else self.snapshot

    async def _follow_redis(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            start_s = monotonic_s()
            try:
                reading = await self._redis.read(now_ns())
                events = await self._new_events(reading)
            except Unreachable as error:
                _tell(self.snapshot.redis_problem, error)
                await self._publish(replace(self.snapshot, redis_problem=error.reason))
            else:
                self._remember(reading)
                shot = replace(self.snapshot, redis=reading, redis_problem=None)
                await self._publish(shot if events is None else replace(shot, events=events))
            await wait(stop, max(0.1, REDIS_EVERY_S - (monotonic_s() - start_s)))

    async def _follow_store(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                reading = await self._store.read(now_ns())
            except Unreachable as error:
                _tell(self.snapshot.store_problem, error)
                self.snapshot = replace(self.snapshot, store_problem=error.reason)
            else:
                self.snapshot = replace(self.snapshot, store=reading, store_problem=None)
            await wait(stop, STORE_EVERY_S)

    async def _publish(self, shot: Snapshot) -> None:
        redis = shot.redis if shot.redis_problem is None else None
        store = shot.store if shot.store_problem is None else None
        stepped = self._history.add(Sample(monotonic_s(), counters(redis, store), gauges(redis)))
        async with self._fresh:
            self.snapshot = replace(
                shot,
                number=shot.number + 1,
                taken_ns=now_ns(),
                gone=self._gone(redis),
                owner_silent_s=self._silences(),
                rates_per_s=self._history.rates(),
                slow_rates_per_s=self._history.rates(60.0),
                trends=self._history.trends() if stepped else shot.trends,
                restarts={name: len(lives) - 1 for name, lives in self._lives.items()},
            )
            self._fresh.notify_all()

    async def _new_events(self, reading: RedisReading) -> tuple[FeedEvent, ...] | None:
        """Return the newest feed events, None when there is none since the last time."""
        shards = [shard for shard in reading.shards if shard.topic == "feed_events"]
        appended = sum(shard.offset for shard in shards)
        if appended == self._events_at:
            return None
        found: list[FeedEvent] = []
        for shard in shards:
            for entry in await self._redis.newest(shard.key, EVENTS_SHOWN):
                try:
                    found += decode_lines(entry.data, FeedEvent)
                except UnreadableRecord as error:
                    log.warning("watch.event_unreadable", entry=entry.id, reason=error.reason)
        self._events_at = appended
        return tuple(sorted(found, key=lambda event: event.received_ns, reverse=True)[:EVENTS_SHOWN])

    def _remember(self, reading: RedisReading) -> None:
        self._read_s = at_s = monotonic_s()
        for group in reading.groups:
            name = f"{group.key}|{group.name}"
            if self._beats.get(name, (None, 0))[0] != group.beat:
                self._beats[name] = (group.beat, at_s)
        self._seen.update({process.name: process for process in reading.processes})
        for process in reading.processes:
            self._lives[process.name].add(process.figures.get("started_ns", 0.0))

    def _silences(self) -> dict[str, float]:
        """Return how long each group's owner had not moved when Redis was last read."""
        return {name: self._read_s - moved_s for name, (_, moved_s) in self._beats.items()}

    def _gone(self, reading: RedisReading | None) -> dict[str, ProcessReading]:
        """Return the last words of processes that fell silent without being told to stop."""
        if reading is None:
            return dict(self.snapshot.gone)
        living = {process.name for process in reading.processes}
        self._seen = {
            name: process
            for name, process in self._seen.items()
            if name in living or now_ns() - process.figures.get("beat_ns", 0) < REMEMBERED_NS
        }
        return {
            name: process
            for name, process in self._seen.items()
            if name not in living and process.fact("state") != "stopping"
        }


def _tell(before: str | None, error: Unreachable) -> None:
    if before is None:
        log.warning("watch.unanswered", server=error.server, reason=error.reason)
