"""Gathering a batch: what was given out before, else what comes next, within bounds."""

import asyncio

from common.clock import monotonic_s
from common.received import Received, is_behind
from processors.consumer import Consumer

MAX_RECORDS = 50_000  # of one batch: past 10,000 rows an insert's fixed cost is small, past 100,000 only memory grows
MAX_BYTES = 16 * 2**20
READ_ENTRIES = 64
BUSY_RECORDS = 5_000  # at once: tens of thousands a second; then fewer, larger inserts are worth a longer linger
BUSY_LINGERS = 3
BLOCK_MS = 1000


async def gather(work: Consumer) -> list[Received]:
    """Return the entries of the next batch."""
    entries = await _given(work)
    known = [entry.id for entry in entries if not is_behind(entry.id, work.last_id) and entry.stop <= work.position]
    if known:  # a group was set back by hand: it has committed these
        await work.inbox.acknowledge(known)
        entries = [entry for entry in entries if entry.id not in set(known)]
    first = next((entry for entry in entries if not entry.flaw), None)
    if first is not None and first.offset > work.position:
        # What was given out is not what comes next: a group was set forward, or an answer went to nobody.
        found = await work.inbox.behind(work.last_id, count=max(len(entries), READ_ENTRIES))
        work.backlog = work.backlog or found[-1].id != entries[-1].id
        return found
    return entries


async def _given(work: Consumer) -> list[Received]:
    """Return what the group is given: what is there after the linger, within the bounds."""
    if work.backlog:
        entries = await work.inbox.read("0", count=READ_ENTRIES, block_ms=None) or await _forgotten(work)
        work.backlog = bool(entries)
        if entries:
            return entries
    entries = await _next(work)
    if entries:
        # From the last batch on: what came while that one was delivered has waited long enough.
        is_busy = sum(entry.records for entry in entries) >= BUSY_RECORDS
        linger_s = work.linger_s * (BUSY_LINGERS if is_busy else 1)
        await asyncio.wait((work.leaving,), timeout=max(0.0, work.gathered_s + linger_s - monotonic_s()))
    while entries and sum(e.records for e in entries) < MAX_RECORDS and sum(len(e.data) for e in entries) < MAX_BYTES:
        more = await work.inbox.read(">", count=READ_ENTRIES, block_ms=None)
        if not more:
            break
        entries += more
    work.gathered_s = monotonic_s()
    return entries


async def _forgotten(work: Consumer) -> list[Received]:
    """Return what was given out, is on nobody's list and was not committed: a hand or a power cut can do that."""
    given_id = await work.inbox.given_id()
    if not is_behind(given_id, work.last_id):
        return []
    found = await work.inbox.behind(work.last_id, count=READ_ENTRIES)
    return [entry for entry in found if not is_behind(entry.id, given_id)]


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
