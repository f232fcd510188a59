"""THE consume loop: own a shard, read, name the batch, transform, deliver, commit. One task per shard."""

import asyncio
from collections.abc import Iterator

import msgspec

from common.backoff import delays_s
from common.clock import monotonic_s
from common.errors import Fenced, StoreRefused, StreamRefused
from common.lifecycle import wait
from common.log import logger
from common.place import Ownership
from common.redis_streams import RedisError
from processors.batch import Batch
from processors.consumer import Consumer
from processors.finishing import finish
from processors.gathering import gather
from processors.owning import LOOK_S, beat, own
from processors.placing import clipped, placed
from processors.recovery import recover, resume
from processors.resting import QUIET_S, SETTLED_S, rest
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
            was_deleted = await work.inbox.register()
            owned = await own(work)
            if owned is not None:
                pauses = await _serve(work, owned, was_deleted=was_deleted)
        except Fenced:
            if await _is_copied(work):
                raise
            log.warning("consume.lost_shard", group=work.inbox.group, shard=work.inbox.shard.key)
        except (RedisError, StreamRefused, StoreRefused) as error:
            pause_s = next(pauses)
            work.figures.waits(work.inbox.shard.key, error)
            log.warning("consume.waiting", shard=work.inbox.shard.key, pause_s=round(pause_s, 2), reason=str(error))
            await wait(stop, pause_s)


async def _is_copied(work: Consumer) -> bool:
    """Return whether another process goes by our own name."""
    try:
        return await work.inbox.has_newer_owner(work.process)
    except RedisError:
        return False  # it shows with the next attempt


async def _serve(work: Consumer, owned: Ownership, *, was_deleted: bool) -> Iterator[float]:
    """Work as the owner until the shard is taken from us; return a fresh back-off, as all was well."""
    log.info("consume.owning", shard=work.inbox.shard.key, epoch=owned.epoch, position=owned.position)
    tasks = asyncio.create_task(beat(work.inbox)), asyncio.create_task(work.grant.taken.wait())
    beating, work.leaving = tasks
    try:
        async with work.inbox.listening():
            work.quiet_from_s = monotonic_s() + SETTLED_S
            owned = await resume(work, owned, was_deleted=was_deleted)
            if owned.manifest and not work.grant.taken.is_set():
                await recover(work, owned)
            while not work.grant.taken.is_set():
                await _turn(work)
                if beating.done():
                    beating.result()
            await work.inbox.release(work.memory.last(work.position))
            work.memory.forget()
            log.info("consume.released", shard=work.inbox.shard.key, position=work.position)
    except StoreRefused:
        if work.grant.taken.is_set():
            await work.inbox.release()  # the batch in hand stays named: its next owner finishes it
        raise
    finally:
        for task in tasks:
            task.cancel()
    return delays_s(first_s=0.2, ceiling_s=10.0)


async def _turn(work: Consumer) -> None:
    work.figures.works(work.inbox.shard.key)
    entries = await gather(work)
    if not entries:
        await rest(work)
        return
    work.quiet_from_s = monotonic_s() + QUIET_S
    batch = placed(Batch(work.inbox.shard, work.inbox.group, work.position, tuple(entries)), await work.inbox.end())
    if work.suspicion is not None:
        batch = clipped(batch, work.position + work.suspicion.size)
        work.backlog = True  # what was cut off has been given out
    is_doubtful = batch.start < work.doubt_until
    manifest = msgspec.structs.replace(batch.manifest, doubtful=is_doubtful, suspicion=work.suspicion)
    await finish(work, batch, Named(manifest, in_doubt=False), alone=work.suspicion is not None)
