"""THE consume loop: own a shard, read, name the batch, transform, deliver, commit. One task per shard."""

import asyncio
from collections.abc import Iterator

from common.backoff import delays_s
from common.clock import now_ns
from common.codec import encode
from common.errors import Fenced, StoreRefused, StreamRefused
from common.inbox import Carried, Ownership
from common.lifecycle import wait
from common.log import logger
from common.packing import pack
from common.redis_streams import RedisError
from processors.batch import Batch, Manifest, content_of, decode_manifest, flawed
from processors.consumer import Consumer
from processors.events import rebuilt
from processors.gathering import gather
from processors.owning import LOOK_S, beat, own
from processors.targets import Named

log = logger("consume")


async def consume(work: Consumer, stop: asyncio.Event) -> None:
    """
    Move a shard's records on whenever it is given to this process, until told to stop.

    Raises:
        Fenced: another copy of this very process has started.
    """
    pauses = delays_s(first_s=0.2, ceiling_s=10.0)
    while not stop.is_set():
        if not work.grant.given.is_set():
            work.figures.works(work.inbox.shard.key)
            await wait(stop, LOOK_S)
            continue
        try:
            await work.inbox.register()
            owned = await own(work)
            if owned is not None:
                pauses = await _serve(work, owned)
        except Fenced:
            if await work.inbox.owner() == work.process:
                raise
            log.warning("consume.lost_shard", group=work.inbox.group, shard=work.inbox.shard.key)
        except (RedisError, StreamRefused, StoreRefused) as error:
            pause_s = next(pauses)
            work.figures.waits(work.inbox.shard.key, error)
            log.warning("consume.waiting", shard=work.inbox.shard.key, pause_s=round(pause_s, 2), reason=str(error))
            await wait(stop, pause_s)


async def _serve(work: Consumer, owned: Ownership) -> Iterator[float]:
    """Work as the owner until the shard is taken from us; return a fresh back-off, as all was well."""
    log.info("consume.owning", shard=work.inbox.shard.key, epoch=owned.epoch, position=owned.position)
    work.position, work.backlog = owned.position, True
    tasks = asyncio.create_task(beat(work.inbox)), asyncio.create_task(work.grant.taken.wait())
    beating, work.leaving = tasks
    try:
        async with work.inbox.listening():
            if await _remember(work, owned) and owned.manifest:
                await _recover(work, decode_manifest(owned.manifest))
            while not work.grant.taken.is_set():
                await _turn(work)
                if beating.done():
                    beating.result()
            await work.inbox.release(work.memory.last(work.position))
            log.info("consume.released", shard=work.inbox.shard.key, position=work.position)
    finally:
        for task in tasks:
            task.cancel()
    return delays_s(first_s=0.2, ceiling_s=10.0)


async def _remember(work: Consumer, owned: Ownership) -> bool:
    """Bring a processor's state to where its group has committed; return False when the shard is taken from us."""
    lost = await work.memory.restore(work.inbox, owned)
    if lost:
        log.warning("consume.rebuilding", shard=work.inbox.shard.key, reason=lost)
        await work.inbox.tell(work.events, pack([encode(rebuilt(work.inbox, owned, lost, now_ns=now_ns()))]))
    return await work.memory.catch_up(work.inbox, owned, work.knowledge, work.grant.taken)


async def _recover(work: Consumer, manifest: Manifest) -> None:
    """Finish the batch that an earlier owner named: the same entries, under the same name."""
    log.warning("consume.recovering", shard=work.inbox.shard.key, start=manifest.start, stop=manifest.stop)
    entries = await work.inbox.between(manifest.first_id, manifest.last_id)
    batch = flawed(Batch(work.inbox.shard, work.inbox.group, manifest.start, tuple(entries)), await work.inbox.end())
    await _finish(work, batch, Named(manifest, in_doubt=True))


async def _turn(work: Consumer) -> None:
    work.figures.works(work.inbox.shard.key)
    entries = await gather(work)
    if entries:
        batch = flawed(Batch(work.inbox.shard, work.inbox.group, work.position, tuple(entries)), await work.inbox.end())
        await _finish(work, batch, Named(batch.manifest, in_doubt=False))


async def _finish(work: Consumer, batch: Batch, named: Named) -> None:
    """Bring a named batch to its end: nothing of it is written before its name stands in Redis."""
    await work.inbox.begin(batch.start, named.manifest.encode())
    content = content_of(batch, now_ns=now_ns())
    made = work.memory.turn(batch, content, await work.knowledge.about(content.frame))
    delivered = await work.target.deliver(batch, content, made, named)
    state = work.memory.due()
    await work.inbox.commit(batch.start, batch.stop, batch.ids, Carried(delivered.entries, made.wanted, state))
    work.position = batch.stop
    if state is not None:
        work.memory.saved()
    counters, topic = work.figures.counters, work.processor.source.topic
    counters["batches_total"] += 1
    counters[f"records_total|{topic}"] += batch.stop - batch.start
    for name, rows in delivered.rows.items():
        counters[f"rows_total|{name}"] += rows
    counters["dead_letters_total"] += delivered.dead
