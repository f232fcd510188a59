"""
Which packets of a source stand in Redis: at the start, and when Redis comes back with less than it had confirmed.

What is still in the tail is given again under its old running numbers, so that records keep their identity (shard and
number) all the way to the tables; for the rest there is an event.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from common.clock import monotonic_s, now_ns
from common.errors import Fenced, HistoryLost
from common.lifecycle import heed_cancellation
from common.log import logger
from common.outbox import Held, Outbox
from common.records import EventKind, FeedEvent
from ingesters.spool import Spool
from ingesters.tail import Tail, Taken
from ingesters.told import told

log = logger("sink")

# What the sources of a shard give again must come in the order of the numbers. Each looks once a second whether Redis
# still knows it; so long they wait until all have announced what they have, and then for one that has died meanwhile.
TOGETHER_S = 3.0
PATIENCE_S = 10.0
LOOK_AGAIN_S = 0.02


class Comeback:
    """One source's claims on one shard."""

    def __init__(self, outbox: Outbox, spool: Spool, tail: Tail) -> None:
        self._outbox = outbox
        self._spool = spool
        self._tail = tail
        self._venue = spool.figures.venue
        self._key = outbox.shard.key
        self._claimed_ns = now_ns()
        self._confirmed: int | None = None  # by the Redis that is gone, while we are at it
        self._until_s = 0.0
        self._given: list[Taken] = []

    async def start(self) -> tuple[int, list[FeedEvent]]:
        """Become the source; return the last packet of the spool that must be sent, 0 if none, and what to tell."""
        rows = self._spool.found.get(self._key)
        events: list[FeedEvent] = []
        while True:
            held = await self._outbox.held()
            claim = self._spool.claim_of(self._key, held.epoch)
            if rows is not None and held.epoch and claim is None:
                file = await self._spool.set_aside(self._key)
                words = f"{rows.records} records were not appended: another copy was the source meanwhile; see {file}"
                events.append(self._event("gap", rows.from_ns, rows.to_ns, words))
                log.error("spool.set_aside", shard=self._key, records=rows.records, file=str(file))
                rows = None
            stands = held.batch if rows is None else held.batch - claim.shift if claim else 0
            if await self._take_over(held, stands):
                break
        if rows is None:
            return 0, events
        if stands < rows.first_batch - 1:
            since_ns = claim.noted_ns if claim else rows.from_ns
            words = "Redis came back with less than it had confirmed; what the spool holds is appended"
            events.append(self._event("gap", since_ns, rows.from_ns, words))
        await self._spool.forget(self._key, stands)
        return (rows.last_batch if rows.last_batch > stands else 0), events

    async def again(self, error: HistoryLost) -> FeedEvent | None:
        """
        Become the source again on a Redis that has lost history; return what is to be told of that.

        Call it again after a RedisError: it goes on where it was.

        Raises:
            Fenced: another copy of this source has started meanwhile.
        """
        outbox = self._outbox
        if self._confirmed is None:
            self._confirmed, self._given = outbox.batch, []
            self._until_s = monotonic_s() + TOGETHER_S
            log.error("sink.history_lost", shard=self._key, confirmed=outbox.batch, reason=str(error))
        held = await outbox.held()
        claim = self._spool.claim_of(self._key, held.epoch)
        if claim is None and held.epoch > outbox.epoch:
            raise Fenced(f"{outbox.source} -> {self._key}", epoch=outbox.epoch)
        stands = min(self._confirmed, held.batch - claim.shift) if claim else 0
        lost = [taken for taken in self._tail.behind(stands) if taken.packet.batch <= self._confirmed]
        has_shrunk = outbox.has_shrunk or held.offset < outbox.offset
        if not await self._take_over(held, lost[0].packet.batch - 1 if lost else self._confirmed):
            return await self.again(error)
        if has_shrunk or lost or self._given:
            await self._give_all(lost)
        return self._told(stands)

    async def _take_over(self, held: Held, batch: int) -> bool:
        epoch = self._outbox.next_epoch(held)
        await self._spool.note_claim(self._key, epoch, held.batch - batch)
        return await self._outbox.take_over(held, epoch, batch)

    async def _give_all(self, lost: Sequence[Taken]) -> None:
        """Append packets again under their numbers, in one order with what the shard's other sources give again."""
        if lost:
            await self._outbox.announce(lost[0].start)
        await asyncio.sleep(max(0.0, self._until_s - monotonic_s()))
        for taken in lost:
            # Not where the last one ended: what follows there may be nobody's, and all would wait for each other.
            await self._outbox.announce(taken.start)
            await self._others_are_done(before=taken.start)
            if await self._outbox.give_again(taken.packet, taken.start):
                self._given.append(taken)
            else:
                log.warning("sink.number_taken", shard=self._key, records=taken.packet.records, number=taken.start)
        await self._outbox.announce(None)
        await self._others_are_done(before=None)

    async def _others_are_done(self, *, before: int | None) -> None:
        """Return when no other source has anything to give again, at all or before a number, or takes too long."""
        while monotonic_s() < self._until_s + PATIENCE_S:
            start = await self._outbox.announced()
            if start is None or (before is not None and start >= before):
                return
            heed_cancellation()
            await asyncio.sleep(LOOK_AGAIN_S)

    def _told(self, stands: int) -> FeedEvent | None:
        confirmed, given = self._confirmed or 0, self._given
        self._confirmed = None
        records = sum(taken.packet.records for taken in given)
        numbers = {taken.packet.batch for taken in given}
        if given:
            log.warning("sink.given_again", shard=self._key, packets=len(given), records=records)
        oldest = min(numbers, default=confirmed + 1)
        is_whole = self._tail.has_all_behind(stands) and all(
            taken.packet.batch in numbers for taken in self._tail.behind(stands) if taken.packet.batch <= confirmed
        )
        if stands >= confirmed and not given:
            return None
        since_ns = self._tail.taken_ns(stands if not is_whole else min(oldest - 1, stands)) or self._claimed_ns
        words = (
            f"{self._key}: Redis came back without packets that it had confirmed; {records} records were given again"
        )
        if is_whole:
            return self._event("backfilled", since_ns, now_ns(), f"{words}, nothing is missing", records, records)
        return self._event("gap", since_ns, now_ns(), f"{words}, how many more there were is not known")

    def _event(self, kind: EventKind, from_ns: int, to_ns: int, detail: str, *counts: int) -> FeedEvent:
        event = told(self._venue, kind, from_ns, detail, to_ns)
        if not counts:
            return event
        expected, found = (str(count) for count in counts)
        return msgspec.structs.replace(event, expected=expected, found=found)
