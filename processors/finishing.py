"""Bringing a batch to its end: named, turned, delivered, committed."""

from collections.abc import Sequence

from common.clock import NS_PER_S, monotonic_s, now_ns
from common.codec import encode
from common.durations import observe
from common.packing import Entry, pack
from common.place import Carried
from common.records import FeedEvent
from common.redis_streams import Shard
from common.streams import FEED_EVENTS
from processors.appending import letters_of
from processors.batch import Batch, Content, condemned, content_of
from processors.consumer import Consumer
from processors.events import missing, standing
from processors.manifest import Suspicion
from processors.placing import holes, stretches
from processors.poison import after_removal, after_success
from processors.targets import Delivered, Named

STAGE = "received_to_committed"


async def finish(work: Consumer, batch: Batch, named: Named, *, alone: bool) -> None:
    """Bring a batch to its end; nothing of it is written before its name stands in Redis."""
    async with work.company.alone() if alone else work.company.among():
        await work.inbox.begin(batch.start, named.manifest.encode(), seen_id=batch.seen_id, alone=alone)
        content = content_of(batch, now_ns=now_ns())
        made = work.memory.turn(batch, content, await work.knowledge.about(content.frame))
        began_s = monotonic_s()
        delivered = await work.target.deliver(batch, content, made, named)
        observe(work.figures.counters, "insert", monotonic_s() - began_s)
        state = work.memory.due()
        suspicion = after_success(named.manifest.suspicion, batch.stop)
        entries = _with_events(work, batch, delivered)
        carried = Carried(entries, made.wanted, state, _text(suspicion), stored=delivered.stored, seen_id=batch.seen_id)
        await _commit(work, batch, carried, suspicion)
    if state is not None:
        work.memory.saved()
    _count(work, batch, delivered)
    _tell_age(work, content)


async def set_aside(work: Consumer, batch: Batch, suspicion: Suspicion | None, *, attempts: int) -> None:
    """End a batch of one record that kills every process: as a dead letter."""
    letters = condemned(batch, attempts=attempts, now_ns=now_ns())
    entries = letters_of(letters, work.layout)
    suspicion = after_removal(suspicion, batch.stop)
    aside = [batch.start] if work.processor.state is not None else []
    await _commit(
        work, batch, Carried(entries, suspicion=_text(suspicion), aside=aside, seen_id=batch.seen_id), suspicion
    )
    work.memory.pass_by(batch)
    _count(work, batch, Delivered(entries, {}, len(letters)))


async def _commit(work: Consumer, batch: Batch, carried: Carried, suspicion: Suspicion | None) -> None:
    await work.inbox.commit(batch.start, batch.stop, batch.ids, carried)
    work.position, work.suspicion = batch.stop, suspicion
    work.last_id = batch.ids[-1] if batch.ids else work.last_id


def _text(suspicion: Suspicion | None) -> bytes:
    return b"" if suspicion is None else encode(suspicion)


def _with_events(work: Consumer, batch: Batch, delivered: Delivered) -> dict[Shard, Sequence[Entry]]:
    """Return what a commit carries, with what there is to tell of running numbers that no row will have."""
    events = [standing(work.inbox, start, stop, now_ns=now_ns()) for start, stop in stretches(delivered.passed)]
    if batch.stop - batch.start != sum(entry.records for entry in batch.entries):
        is_beginning = not work.position and work.last_id == "0-0"  # a new group begins where the stream does by now
        found = [hole for hole in holes(batch, work.last_id) if hole.start or not is_beginning]
        events += [missing(work.inbox, hole, now_ns=now_ns()) for hole in found]
    entries = delivered.entries
    for shard, more in told(work, events).items() if events else ():
        entries = {**entries, shard: [*entries.get(shard, ()), *more]}
    return entries


def told(work: Consumer, events: Sequence[FeedEvent]) -> dict[Shard, Sequence[Entry]]:
    """Return events as what a commit carries."""
    return {work.layout[FEED_EVENTS][0]: pack(encode(event) for event in events)}


def _tell_age(work: Consumer, content: Content) -> None:
    """Count how old the oldest record of a batch was when the batch was committed."""
    oldest_ns = content.frame["received_ns"].min() if "received_ns" in content.frame.columns else None
    if isinstance(oldest_ns, int):
        observe(work.figures.counters, "latency", (now_ns() - oldest_ns) / NS_PER_S, stage=STAGE)


def _count(work: Consumer, batch: Batch, delivered: Delivered) -> None:
    counters, topic = work.figures.counters, work.processor.source.topic
    counters["batches_total"] += 1
    counters[f"records_total|{topic}"] += batch.stop - batch.start
    for name, rows in delivered.rows.items():
        counters[f"rows_total|{name}"] += rows
    counters["dead_letters_total"] += delivered.dead
