"""Going on where another left off: what it remembered, what it had in hand, and what Redis may have lost since."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from common.clock import now_ns
from common.log import logger
from common.place import Ownership
from common.records import FeedEvent
from processors.batch import Batch
from processors.consumer import Consumer
from processors.events import continued, missing, rebuilt, remade, stored_again
from processors.finishing import finish, set_aside, told
from processors.manifest import Manifest, Suspicion, decode_manifest
from processors.placing import clipped, placed
from processors.poison import after_death, next_step
from processors.targets import Named

log = logger("consume")


async def resume(work: Consumer, owned: Ownership, *, was_deleted: bool) -> Ownership:
    """
    Bring a processor to where its group has committed, and tell what is not as it was left.

    Returns:
        what was found, without the batch in hand if that was given up with everything that its table has lost.
    """
    stands = await work.target.stands(work.inbox.shard, owned.stored) if owned.stored else 0
    if stands < owned.stored:
        return await _go_back(work, stands, owned)
    work.position, work.last_id, work.backlog = owned.position, owned.last_id, True
    work.suspicion = msgspec.json.decode(owned.suspicion, type=Suspicion) if owned.suspicion else None
    events = [remade(work.inbox, owned, now_ns=now_ns())] if was_deleted else []
    stored = await work.target.end(work.inbox.shard, owned.position, work.inbox.group)
    work.doubt_until = stored or 0
    if stored is not None and await work.inbox.raise_end(stored):
        events.append(continued(work.inbox, stored, owned, now_ns=now_ns()))
    work.knowledge.forget(work.inbox.shard.number)
    lost = await work.memory.restore(work.inbox, owned)
    if lost:
        events.append(rebuilt(work.inbox, owned, lost, now_ns=now_ns()))
    gone = await work.memory.catch_up(work.inbox, owned, work.knowledge, work.grant.taken)
    events += [missing(work.inbox, hole, now_ns=now_ns()) for hole in gone]
    await _tell(work, events)
    return owned


async def _go_back(work: Consumer, stands: int, owned: Ownership) -> Ownership:
    """Take up again what ClickHouse has confirmed and does not hold any more; there may be rows behind a hole."""
    work.position, work.last_id, work.backlog = stands, await work.inbox.id_before(stands), True
    in_hand = decode_manifest(owned.manifest).stop if owned.manifest else 0
    work.suspicion, work.doubt_until = None, max(owned.position, in_hand)
    await work.inbox.rewind(work.position, work.last_id)
    await _tell(work, [stored_again(work.inbox, stands, owned, now_ns=now_ns())])
    return owned._replace(manifest=b"")


async def _tell(work: Consumer, events: Sequence[FeedEvent]) -> None:
    for event in events:
        log.warning("consume.told", kind=event.kind, detail=event.detail, found=event.found)
    for shard, entries in told(work, events).items():
        if entries:
            await work.inbox.tell(shard, entries)


async def recover(work: Consumer, owned: Ownership) -> None:
    """Finish the batch that an earlier owner named: the same entries, under the same name."""
    manifest = decode_manifest(owned.manifest)
    step = next_step(manifest, attempts=owned.attempts, alone=owned.alone)
    log.warning(
        "consume.recovering",
        shard=work.inbox.shard.key,
        start=manifest.start,
        stop=manifest.stop,
        attempts=owned.attempts,
        step=step,
    )
    batch, manifest = await _named_batch(work, manifest)
    if step == "set aside":
        await set_aside(work, batch, manifest.suspicion, attempts=owned.attempts)
        return
    if step == "halve":
        suspicion = after_death(manifest)
        batch = clipped(batch, batch.start + suspicion.size)
        manifest = msgspec.structs.replace(batch.manifest, doubtful=True, suspicion=suspicion)
    await finish(work, batch, Named(manifest, in_doubt=True), alone=step != "go on")


async def _named_batch(work: Consumer, manifest: Manifest) -> tuple[Batch, Manifest]:
    """Return the entries of a manifest; what is gone of them leaves a hole, and its rows in doubt."""
    entries = await work.inbox.between(manifest.first_id, manifest.last_id)
    read = Batch(work.inbox.shard, work.inbox.group, manifest.start, tuple(entries))
    batch = clipped(placed(read, await work.inbox.end()), manifest.stop)
    if sum(entry.records for entry in batch.entries) == manifest.records:
        return batch, manifest
    return replace(batch, least_stop=manifest.stop), msgspec.structs.replace(manifest, doubtful=True)
