"""python -m processors PROGRAM [PROCESS]: run a program of PROCESSORS, every shard of its streams in one loop each."""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from functools import partial

from common.book_engine import engine, warm_up
from common.clickhouse import Store
from common.clickhouse import connect as connect_clickhouse
from common.columns import Table, removed_of
from common.errors import Fenced, StoreRefused
from common.heartbeat import Figures, beat
from common.inbox import Inbox
from common.lifecycle import REFUSED, run, wait
from common.redis_streams import Redis, Shard, shards, wait_ready
from common.redis_streams import connect as connect_redis
from common.schema import wait_current
from common.settings import Settings
from common.streams import STREAMS, TRADES, Stream
from common.tables import TABLES
from processors.amended import Amended
from processors.appending import Layout
from processors.company import Company
from processors.consumer import Consumer
from processors.delivery import Delivery
from processors.files import FileTarget, folder_of
from processors.knowledge import Knowledge
from processors.loop import consume
from processors.market_links import Links, keep_linked
from processors.memory import Memory
from processors.processor import Copy, Processor
from processors.registry import (
    BAR_PROCESSOR,
    BOOK_PROCESSOR,
    FILE_WRITER,
    MARKET_OF_TOKEN,
    PROGRAMS,
    WRITER,
    as_set,
    groups_on,
    of_program,
)
from processors.removal import Removal
from processors.sharing import Share
from processors.targets import StreamTarget, TableTarget, Target
from processors.trimming import keep_trimmed

PROCESSOR_LINGER_S = 0.02
BAR_LINGER_S = 0.5  # candles are told each second
BOOK_LINGER_S = 0.2  # a turn costs about as much for a hundred rows as for one


async def main(program: str, process: str, settings: Settings, stop: asyncio.Event) -> None:
    """Consume until told to stop."""
    redis = connect_redis(settings)
    figures = Figures(program, process, "processor")
    heart = asyncio.create_task(beat(redis, figures, stop))
    try:
        figures.detail = "waiting for Redis and ClickHouse"
        await wait_ready(redis)
        store = Store(await wait_current(settings, stop), partial(connect_clickhouse, settings))
        layout: Layout = {stream: await shards(redis, stream, settings) for stream in STREAMS}
        if program == BOOK_PROCESSOR:
            figures.detail = "compiling what keeps the books"
            await asyncio.to_thread(warm_up, engine())
        figures.works(program)
        async with asyncio.TaskGroup() as tasks:
            for work in Program(redis, store, layout, figures, settings).tasks(stop):
                tasks.create_task(work)
    except* Fenced as fenced:
        raise fenced.exceptions[0] from None
    finally:
        figures.state = "stopping"
        stop.set()
        await heart
        await redis.aclose()


class Program:
    """What a program's process works with, and the work it has."""

    def __init__(self, redis: Redis, store: Store, layout: Layout, figures: Figures, settings: Settings) -> None:
        self._redis = redis
        self._store = store
        self._layout = layout
        self._company = Company()
        self._settings = settings
        self._figures = figures
        lingers_s = {
            WRITER: settings.writer_linger_ms / 1000,
            BOOK_PROCESSOR: BOOK_LINGER_S,
            BAR_PROCESSOR: BAR_LINGER_S,
            FILE_WRITER: settings.copy_linger_s,
        }
        self._linger_s = lingers_s.get(figures.program, PROCESSOR_LINGER_S)
        sources = [processor.source for processor in of_program(figures.program)]
        self._share = Share(redis, figures, [[shard.key for shard in layout[source]] for source in sources])

    def tasks(self, stop: asyncio.Event) -> Iterator[Coroutine[None, None, None]]:
        """Yield everything that has to run side by side until told to stop."""
        program = self._figures.program
        yield self._share.keep(stop)
        for processor in of_program(program):
            knowledge = self._knowledge(processor)
            for shard in self._layout[processor.source]:
                yield consume(self._consumer(processor, Inbox(self._redis, shard, program), knowledge), stop)
            if processor.lookup is MARKET_OF_TOKEN and processor.target is TRADES:
                is_ours = partial(self._share.is_ours, self._layout[processor.source][0].key)
                trades = self._layout[TRADES]
                yield keep_linked(Links(self._redis, self._store, knowledge, trades, self._figures, is_ours), stop)
        if program == WRITER:
            yield keep_trimmed(self._redis, self._ours, partial(groups_on, settings=self._settings), stop)

    def _knowledge(self, processor: Processor) -> Knowledge:
        if processor.program == BAR_PROCESSOR:
            return Amended(self._store, self._redis, self._layout)
        return Knowledge(self._store, processor.lookup)

    def _ours(self) -> list[Shard]:
        shards = [shard for parts in self._layout.values() for shard in parts]
        return [shard for shard in shards if self._share.is_ours(shard.key)]

    def _consumer(self, processor: Processor, inbox: Inbox, knowledge: Knowledge) -> Consumer:
        return Consumer(
            processor=processor,
            process=self._figures.process,
            inbox=inbox,
            target=self._target(processor, inbox),
            knowledge=knowledge,
            figures=self._figures,
            linger_s=self._linger_s * (processor.source.patience if processor.program == WRITER else 1),
            memory=Memory(as_set(processor, self._settings)),
            layout=self._layout,
            company=self._company,
            grant=self._share.grants[inbox.shard.key],
            is_dead=self._share.is_dead,
        )

    def _target(self, processor: Processor, inbox: Inbox) -> Target:
        match processor.target:
            case Stream():
                # Who needs ClickHouse to do its work may as well ask it first; books go on without it.
                return StreamTarget(processor.target, self._layout, self._count_on if processor.lookup else _as_it_is)
            case Copy():
                return FileTarget(processor.target.table, folder_of(self._settings), self._layout)
            case Table():
                return self._table_target(processor.target, inbox)

    def _table_target(self, table: Table, inbox: Inbox) -> TableTarget:
        waits = partial(self._figures.waits, inbox.shard.key)
        sleep = partial(_unless_taken, self._share.grants[inbox.shard.key].taken)
        delivery = Delivery(self._store, table, inbox.rename, waits, sleep)
        if not table.removed:
            return TableTarget(table, delivery, self._layout)
        beside = Delivery(self._store, removed_of(table), inbox.rename, waits, sleep)
        return TableTarget(table, delivery, self._layout, Removal(table, delivery, beside))

    async def _count_on(self, shard: Shard) -> None:
        """Have a shard count on behind what its table holds."""
        inbox = Inbox(self._redis, shard, self._figures.program)
        table = next(table for table in TABLES if table.source is shard.stream)
        await inbox.raise_end(await self._store.end(table, shard=shard.number, start=await inbox.end()))


async def _as_it_is(_: Shard) -> None:
    """Leave a shard's count alone."""


async def _unless_taken(taken: asyncio.Event, pause_s: float) -> None:
    """Wait before the next attempt; raise StoreRefused when the shard is taken from us before."""
    if await wait(taken, pause_s):
        raise StoreRefused("insert", code=0, reason="the shard is handed over while the outcome is open")


def _start() -> int:
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in PROGRAMS:
        print(f"usage: python -m processors {'|'.join(PROGRAMS)} [PROCESS]", file=sys.stderr)  # noqa: T201
        return REFUSED
    program, process = sys.argv[1], sys.argv[-1]
    return run(process, lambda settings, stop: main(program, process, settings, stop))


if __name__ == "__main__":
    sys.exit(_start())
