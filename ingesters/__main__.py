"""python -m ingesters PROGRAM: record one venue of VENUES."""

import asyncio
import sys
from typing import Any

from common.backoff import delays_s
from common.errors import SpoolRefused
from common.heartbeat import Figures, beat
from common.lifecycle import REFUSED, run
from common.log import logger
from common.outbox import Outbox
from common.redis_facts import check_keeps_all
from common.redis_streams import Redis, RedisError, connect, shards
from common.settings import Settings
from ingesters.allowance import Allowance
from ingesters.handover import take
from ingesters.ingester import Ingester
from ingesters.loop import ingest
from ingesters.registry import VENUES, of_program
from ingesters.sink import Sink
from ingesters.spool import Spool
from ingesters.venue import Venue

DRAIN_S = 12.0
LAST_BEAT_S = 1.0

log = logger("ingest")


async def main(venue: Venue, settings: Settings, stop: asyncio.Event, drain_s: float = DRAIN_S) -> None:
    """Ingest until told to stop, then wait until Redis or the spool has it all, but not for ever."""
    redis = connect(settings)
    figures = Figures(venue.program, venue.program, "ingester", venue.name)
    spool = spool_of(venue, settings, figures)
    heart = asyncio.create_task(beat(redis, figures, stop))
    try:
        preparing = asyncio.create_task(prepare(venue, settings, redis, spool))
        if await _first_of(preparing, stop=stop, grace_s=0.0):
            await record(await preparing, stop, drain_s)
        preparing.cancel()
    finally:
        stop.set()
        await asyncio.wait((heart,), timeout=LAST_BEAT_S)
        await spool.close()
        await redis.aclose()


def spool_of(venue: Venue, settings: Settings, figures: Figures) -> Spool:
    """Return the spool of a venue's program, closed."""
    folder = settings.data_dir / "spool" / venue.program
    return Spool(folder, figures, max_bytes=settings.spool_max_bytes, max_age_s=settings.spool_max_age_s)


async def prepare(venue: Venue, settings: Settings, redis: Redis, spool: Spool) -> Ingester:
    """
    Return what the loop works with, as soon as Redis lets us become the source of our streams.

    Raises:
        BadSettings: Redis would throw records away when it is full.
    """
    figures = spool.figures
    figures.detail = "waiting for Redis"
    for pause_s in delays_s(first_s=0.1, ceiling_s=5.0):
        try:
            await check_keeps_all(redis)
            layout = {stream: await shards(redis, stream, settings) for stream in venue.topics}
            every = [Outbox(redis, shard, venue.program) for parts in layout.values() for shard in parts]
            await take(spool, every)
            sink = Sink(redis, layout, venue.program, spool)
            await sink.claim(venue.state)
        except (RedisError, SpoolRefused) as error:  # away, loading, full
            figures.failed(error)
            event = "ingest.waiting_for_disk" if isinstance(error, SpoolRefused) else "ingest.waiting_for_redis"
            log.warning(event, pause_s=round(pause_s, 2), reason=str(error))
            await asyncio.sleep(pause_s)
        else:
            allowance = Allowance(venue.name, venue.budget, redis, figures)
            return Ingester(venue, settings, redis, sink, figures, allowance)
    raise AssertionError  # the delays never end


async def record(work: Ingester, stop: asyncio.Event, drain_s: float) -> None:
    """
    Ingest until told to stop, and wait `drain_s` at most until Redis or the spool has all that was heard.

    Raises:
        Fenced: another copy of this program has started.
        FeedRefused: the venue will not serve us.
    """
    carrying = asyncio.create_task(work.sink.run())
    recording = asyncio.create_task(ingest(work, stop))
    try:
        ended = await _first_of(carrying, recording, stop=stop, grace_s=drain_s)
        for task in ended:
            task.result()  # Fenced, FeedRefused, or a bug
        work.figures.state = "stopping"
        if not ended:
            log.error(
                "ingest.gave_up",
                reason=f"neither Redis nor the spool has taken all within {drain_s:g} s",
                records=work.sink.waiting_records,
                bytes=work.sink.waiting_bytes,
                last_error=work.figures.last_error,
            )
    finally:
        carrying.cancel()
        recording.cancel()
        await asyncio.wait((carrying, recording))
        is_safe = (
            await work.sink.spilling.write_down()
        )  # of a copy that was fenced, too: its successor goes on from there
        if is_safe and stop.is_set():
            await work.sink.presence.end()


async def _first_of(*tasks: asyncio.Task[Any], stop: asyncio.Event, grace_s: float) -> set[asyncio.Task[Any]]:
    """Return the tasks that have ended as soon as there is one; none when told to stop and the grace is over."""
    told = asyncio.create_task(stop.wait())
    await asyncio.wait((told, *tasks), return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        await asyncio.wait(tasks, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    return {task for task in tasks if task.done()}


def _start() -> int:
    venue = of_program(sys.argv[1]) if len(sys.argv) == 2 else None  # noqa: PLR2004  the program's name and ours
    if venue is None:
        print(f"usage: python -m ingesters {'|'.join(known.program for known in VENUES)}", file=sys.stderr)  # noqa: T201
        return REFUSED
    return run(venue.program, lambda settings, stop: main(venue, settings, stop))


if __name__ == "__main__":
    sys.exit(_start())
