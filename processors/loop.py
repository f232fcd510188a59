"""THE consume loop: own a shard, read, name the batch, transform, deliver, commit. One task per shard."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from common.backoff import delays_s
from common.clock import monotonic_s, now_ns
from common.codec import encode
from common.errors import Fenced, StoreRefused, StreamRefused
from common.heartbeat import Figures
from common.inbox import Carried, Held, Inbox, Ownership, Received
from common.lifecycle import wait
from common.log import logger
from common.packing import pack
from common.redis_streams import RedisError, Shard
from processors.batch import Batch, Manifest, content_of, decode_manifest, flawed
from processors.events import rebuilt
from processors.knowledge import Knowledge
from processors.memory import Memory
from processors.processor import Processor
from processors.sharing import Grant
from processors.targets import Named, Target

log = logger("consume")

MAX_RECORDS = 50_000  # of one batch: past 10,000 rows an insert's fixed cost is small, past 100,000 only memory grows
MAX_BYTES = 16 * 2**20
READ_ENTRIES = 64
BUSY_RECORDS = 5_000  # at once: tens of thousands a second; then fewer, larger inserts are worth a longer linger
BUSY_LINGERS = 3
BLOCK_MS = 1000
BEAT_S = 1.0
LOOK_S = 0.2
SILENT_S = 4.0  # an owner whose beat stands still this long, by our own monotonic clock, is taken for dead


@dataclass
class Consumer:
    """One group's work on one shard: where it reads, what it knows, where it delivers."""

    processor: Processor
    process: str
    inbox: Inbox
    target: Target
    knowledge: Knowledge
    figures: Figures
    linger_s: float
    memory: Memory
    events: Shard
    grant: Grant
    is_dead: Callable[[str], bool]
    leaving: "asyncio.Task[Literal[True]]" = field(init=False)
    position: int = 0
    gathered_s: float = 0.0
    backlog: bool = True  # entries that were given to an earlier owner come first


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
            owned = await _own(work)
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


async def _own(work: Consumer) -> Ownership | None:
    """Return the ownership once it is ours; None when the shard is taken from us before."""
    seen: Held | None = None
    since_s = monotonic_s()
    while not work.grant.taken.is_set():
        is_stale = seen is not None and (monotonic_s() - since_s > SILENT_S or work.is_dead(seen.owner))
        got = await work.inbox.acquire(work.process, seen if is_stale else None)
        if isinstance(got, Ownership):
            return got
        if got == seen:
            await wait(work.grant.taken, LOOK_S)
        else:
            seen, since_s = got, monotonic_s()
    return None


async def _serve(work: Consumer, owned: Ownership) -> Iterator[float]:
    """Work as the owner until the shard is taken from us; return a fresh back-off, as all was well."""
    log.info("consume.owning", shard=work.inbox.shard.key, epoch=owned.epoch, position=owned.position)
    work.position, work.backlog = owned.position, True
    taken = work.grant.taken
    tasks = asyncio.create_task(_beat(work.inbox)), asyncio.create_task(taken.wait())
    beating, work.leaving = tasks
    try:
        if await _remember(work, owned) and owned.manifest:
            await _recover(work, decode_manifest(owned.manifest))
        while not taken.is_set():
            await _turn(work)
            if beating.done():
                beating.result()
        await work.inbox.release(work.memory.last(work.position))
        log.info("consume.released", shard=work.inbox.shard.key, position=work.position)
    finally:
        for task in tasks:
            task.cancel()
    return delays_s(first_s=0.2, ceiling_s=10.0)


async def _beat(inbox: Inbox) -> None:
    """Show that we live, until somebody else owns the shard; whether or not this is noticed in time, data is fenced."""
    while True:
        await asyncio.sleep(BEAT_S)
        try:
            await inbox.beat()
        except RedisError as error:
            log.warning("consume.beat_lost", shard=inbox.shard.key, reason=str(error))


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
    entries = await _gather(work)
    if entries:
        batch = flawed(Batch(work.inbox.shard, work.inbox.group, work.position, tuple(entries)), await work.inbox.end())
        await _finish(work, batch, Named(batch.manifest, in_doubt=False))


async def _gather(work: Consumer) -> list[Received]:
    """Return the entries of the next batch: what is there after the linger, within the bounds."""
    if work.backlog:
        entries = await work.inbox.read("0", count=READ_ENTRIES, block_ms=None)
        work.backlog = bool(entries)
        return entries
    entries = await _next(work)
    if entries:
        # From the last batch on: what came while that one was delivered has waited long enough.
        is_busy = sum(entry.records for entry in entries) >= BUSY_RECORDS
        linger_s = work.linger_s * (BUSY_LINGERS if is_busy else 1)
        await asyncio.sleep(work.gathered_s + linger_s - monotonic_s())
    while entries and sum(e.records for e in entries) < MAX_RECORDS and sum(len(e.data) for e in entries) < MAX_BYTES:
        more = await work.inbox.read(">", count=READ_ENTRIES, block_ms=None)
        if not more:
            break
        entries += more
    work.gathered_s = monotonic_s()
    return entries


async def _next(work: Consumer) -> list[Received]:
    """Return what comes next; nothing as soon as the shard is taken from us."""
    reading = asyncio.create_task(work.inbox.read(">", count=READ_ENTRIES, block_ms=BLOCK_MS))
    try:
        await asyncio.wait((reading, work.leaving), return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            # Not cancelled: Redis would hand out one more entry, to nobody, after the next owner has looked for such.
            await work.inbox.interrupt()
        return await reading
    finally:
        reading.cancel()


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
