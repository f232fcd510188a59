"""One process after the other as one source: is Redis still ours, when was the one before last there, and good-bye."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from common.clock import now_ns
from common.errors import SpoolRefused
from common.lifecycle import heed_cancellation
from common.outbox import held_by
from common.redis_streams import Redis, RedisError
from ingesters.lane import Lane
from ingesters.spool import Spool
from ingesters.spool_file import Rows
from ingesters.told import Tell

LOOK_S = 1.0  # between two looks whether Redis still knows us
GOODBYE_S = 0.5


class Presence:
    """An ingester's own place in Redis."""

    def __init__(self, redis: Redis, lanes: Sequence[Lane], spool: Spool, tell: Tell) -> None:
        self._redis = redis
        self._lanes = lanes
        self._spool = spool
        self._tell = tell
        self._first = lanes[0].outbox

    async def begin(self, found: Mapping[str, Rows]) -> None:
        """Tell what is not known to be whole: a process that was killed had read more than it could hand on."""
        if self._spool.unreadable:
            self._tell("gap", now_ns(), f"the spool could not be read: {self._spool.unreadable}")
        last_ns = max([*(rows.to_ns for rows in found.values()), await self._first.last_alive_ns() or 0])
        if last_ns and not self._spool.was_ended:
            words = "the process before ended without a word (killed?): what came since then was heard by nobody"
            self._tell("gap" if found else "disconnected", last_ns, words)
        if self._spool.was_ended:
            await self._spool.note_end(in_good_order=False)
        with contextlib.suppress(RedisError):  # full
            await self._note_alive()

    async def run(self) -> None:
        """Look whether Redis still knows us, for ever: an idle copy would not notice that it is fenced."""
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(RedisError):  # those who have something to append say so
                await self._look()
            heed_cancellation()

    async def end(self) -> None:
        """Leave word that we ended in good order, on disk if Redis is away."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                return await self._first.note_alive(None)
        except (RedisError, TimeoutError):
            with contextlib.suppress(SpoolRefused):  # then the next start says that we ended without a word
                await self._spool.note_end(in_good_order=True)

    async def _look(self) -> None:
        known = [lane.outbox.known for lane in self._lanes]
        held = await held_by(self._redis, [lane.outbox for lane in self._lanes])
        for lane, before, now in zip(self._lanes, known, held, strict=True):
            if not lane.outbox.compare(before, now):
                lane.check()
        await self._note_alive()

    async def _note_alive(self) -> None:
        """Leave word that all we heard is handed on; while a lane is held up the spool says when we were last there."""
        if not any(lane.is_held_up for lane in self._lanes):
            await self._first.note_alive(now_ns())
