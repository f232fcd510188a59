"""python -m processors PROGRAM [PROCESS]: run a program of PROCESSORS, every shard of its streams in one loop each."""

import asyncio
import sys
from collections.abc import Coroutine

from common.clickhouse import Store, connect
from common.heartbeat import Figures, beat
from common.inbox import Inbox
from common.lifecycle import REFUSED, run
from common.redis_streams import Redis, Shard, shards, wait_ready
from common.redis_streams import connect as connect_redis
from common.schema import wait_current
from common.settings import Settings
from common.streams import DEAD_LETTERS, STREAMS, TRADES, Stream
from common.tables import Table
from processors.delivery import Delivery
from processors.knowledge import Knowledge
from processors.loop import Consumer, consume
from processors.market_links import keep_linked
from processors.processor import Processor
from processors.registry import PROGRAMS, TRADE_PROCESSOR, WRITER, groups_on, of_program
from processors.targets import StreamTarget, TableTarget
from processors.trimming import keep_trimmed

Layout = dict[Stream, list[Shard]]


async def main(program: str, process: str, settings: Settings, stop: asyncio.Event) -> None:
    """Consume until told to stop."""
    redis = connect_redis(settings)
    figures = Figures(program, process, "processor")
    heart = asyncio.create_task(beat(redis, figures, stop))
    try:
        figures.detail = "waiting for Redis and ClickHouse"
        await wait_ready(redis)
        store = Store(await wait_current(settings, stop))
        layout: Layout = {stream: await shards(redis, stream, settings) for stream in STREAMS}
        figures.state, figures.detail = "running", ""
        async with asyncio.TaskGroup() as tasks:
            for work in _tasks(program, redis, store, layout, figures, settings, stop):
                tasks.create_task(work)
    finally:
        figures.state = "stopping"
        stop.set()
        await heart
        await redis.aclose()


def _tasks(  # noqa: PLR0913  the one place where everything meets
    program: str,
    redis: Redis,
    store: Store,
    layout: Layout,
    figures: Figures,
    settings: Settings,
    stop: asyncio.Event,
) -> list[Coroutine[None, None, None]]:
    tasks: list[Coroutine[None, None, None]] = []
    for processor in of_program(program):
        knowledge = Knowledge(store, processor.lookup)
        for shard in layout[processor.source]:
            inbox = Inbox(redis, shard, program)
            work = _consumer(processor, inbox, knowledge, store, layout, figures)
            work.linger_s = settings.writer_linger_ms / 1000 if program == WRITER else 0.02
            tasks.append(consume(work, stop))
        if program == TRADE_PROCESSOR:
            tasks.append(keep_linked(redis, store, knowledge, layout[TRADES], figures, stop))
    if program == WRITER:
        every = [shard for parts in layout.values() for shard in parts]
        tasks.append(keep_trimmed(redis, every, groups_on, stop))
    return tasks


def _consumer(  # noqa: PLR0913
    processor: Processor, inbox: Inbox, knowledge: Knowledge, store: Store, layout: Layout, figures: Figures
) -> Consumer:
    dead_letters = layout[DEAD_LETTERS][0]
    work = Consumer(processor, figures.process, inbox, StreamTarget([], dead_letters), knowledge, figures, 0.0)
    if isinstance(processor.target, Table):
        delivery = Delivery(store, processor.target, work.rename, figures.failed)
        work.target = TableTarget(processor.target, delivery, dead_letters)
    else:
        work.target = StreamTarget(layout[processor.target], dead_letters)
    return work


def _start() -> int:
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in PROGRAMS:
        print(f"usage: python -m processors {'|'.join(PROGRAMS)} [PROCESS]", file=sys.stderr)  # noqa: T201
        return REFUSED
    program, process = sys.argv[1], sys.argv[-1]
    return run(process, lambda settings, stop: main(program, process, settings, stop))


if __name__ == "__main__":
    sys.exit(_start())
