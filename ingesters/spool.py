"""
A place on local disk for what Redis does not take: bounded, in order, there again after a kill.

While Redis is well nothing is written but one line for each start, so that a later one knows which epochs were ours.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from common.clock import NS_PER_S, now_ns
from common.errors import SpoolRefused
from common.heartbeat import Figures
from common.log import logger
from common.packet import Packet
from ingesters.spool_file import Claim, Remembered, Rows, SpoolFile

T = TypeVar("T")

log = logger("spool")

READ_BYTES = 2**20  # given to Redis at once


class Spool:
    """One ingester's spool. One thread works on the file, so that a slow disk does not hold up a socket."""

    def __init__(self, folder: Path, figures: Figures, *, max_bytes: int, max_age_s: float) -> None:
        self.found: dict[str, Rows] = {}  # what an earlier process left, by shard
        self.unreadable = ""  # where a file lies that was none, and what is wrong with it
        self.was_ended = False  # whether the process before ended in good order while Redis was away
        self.size_bytes = 0
        self._folder = folder
        self.figures = figures
        self._max_bytes = max_bytes
        self._max_age_ns = int(max_age_s * NS_PER_S)
        self._claims: dict[str, dict[int, Claim]] = {}
        self._lock: int | None = None
        self._file: SpoolFile | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")

    async def open(self) -> bool:
        """Open what is there; return False while another copy of this program has it."""
        if self._file is not None:
            return True
        if not await self._do(self._hold):
            return False
        self._file = await self._do(self._opened)
        self._claims = await self._do(self._file.claims)
        self.found = await self._do(self._file.rows)
        self.size_bytes = sum(rows.size_bytes for rows in self.found.values())
        self.was_ended = await self._do(self._file.ended_in_good_order)
        self._tell()
        if self.found:
            records = sum(rows.records for rows in self.found.values())
            log.warning("spool.found", folder=str(self._folder), records=records, bytes=self.size_bytes)
        return True

    async def close(self) -> None:
        """Let go of the file; what it holds is found by the next process."""
        file, self._file = self._file, None
        if file is not None:
            await self._do(file.close)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._thread.shutdown(wait=False)

    async def note_end(self, *, in_good_order: bool) -> None:
        """Write down for the next process whether this one ended in good order."""
        await self._work(lambda file: file.note_end(in_good_order=in_good_order))

    def claim_of(self, shard: str, epoch: int) -> Claim | None:
        """Return what an epoch of ours meant, None if it was not ours."""
        return self._claims.get(shard, {}).get(epoch)

    async def note_claim(self, shard: str, epoch: int, shift: int) -> None:
        """Write down a claim before it is made; raise SpoolRefused when the disk will not take it."""
        claim = Claim(shift, now_ns())
        await self._work(lambda file: file.note_claim(shard, epoch, claim))
        self._claims.setdefault(shard, {})[epoch] = claim

    async def write(self, packets: Sequence[tuple[str, Packet]]) -> None:
        """Take packets by shard, all or none; raise SpoolRefused when there is no room."""
        new_bytes = sum(packet.size_bytes for _, packet in packets)
        if self.size_bytes + new_bytes > self._max_bytes:
            reason = f"no room for {new_bytes} bytes beside {self.size_bytes} of SPOOL_MAX_BYTES={self._max_bytes}"
            raise SpoolRefused(str(self._folder), reason=reason)
        taken_bytes = await self._work(lambda file: file.write(packets, now_ns()))
        self.size_bytes += taken_bytes  # behind the wait: another shard may have changed it meanwhile
        self.figures.counters["spooled_total"] += sum(packet.records for _, packet in packets)
        self._tell()

    async def read(self, shard: str, *, after: int) -> Packet | None:
        """Return what comes behind a packet as one, None if nothing does; raise SpoolRefused if it cannot be read."""
        return await self._work(lambda file: file.read(shard, after=after, most_bytes=READ_BYTES))

    async def remembered(self, shard: str) -> Remembered:
        """Return the newest marks and state of a shard's packets."""
        return await self._work(lambda file: file.remembered(shard))

    async def inherit(self, shard: str, epoch: int, earlier: int) -> None:
        """Note an epoch under which nothing was appended yet: it means what the earlier one did (0: nothing stood)."""
        claim = self.claim_of(shard, earlier)
        if claim is not None or not earlier:
            await self.note_claim(shard, epoch, claim.shift if claim else 0)

    async def forget(self, shard: str, upto: int) -> None:
        """Let go of what Redis has. If the disk will not, it stays, and whoever finds it sees that Redis has it."""
        try:
            freed_bytes = await self._work(lambda file: file.forget(shard, upto))
            self.size_bytes -= freed_bytes
            if not self.size_bytes:
                await self._work(SpoolFile.shrink)
        except SpoolRefused as error:
            self.figures.failed(error)
            log.warning("spool.not_forgotten", shard=shard, reason=error.reason)
        self._tell()

    async def expire(self, on_their_way: Mapping[str, int]) -> Mapping[str, Rows]:
        """Drop what is older than the limit of age and behind the packets on their way; return what, by shard."""
        gone = await self._work(lambda file: file.expire(now_ns() - self._max_age_ns, on_their_way))
        self.size_bytes -= sum(rows.size_bytes for rows in gone.values())
        self._tell()
        return gone

    async def set_aside(self, shard: str) -> Path:
        """Keep a shard's records for people only; return the file that holds them from now on."""
        path = self._folder / f"set-aside-{shard.replace(':', '-')}-{now_ns()}.jsonl"
        await self._work(lambda file: file.set_aside(shard, path))
        self.size_bytes -= self.found.pop(shard).size_bytes
        self._tell()
        return path

    def _hold(self) -> bool:
        """Return whether the folder is ours from now on, until this process ends."""
        if self._lock is not None:
            return True
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _opened(self) -> SpoolFile:
        path = self._folder / "spool.sqlite"
        try:
            return SpoolFile(path)
        except sqlite3.OperationalError:
            raise  # the disk: full, not ours, read-only
        except sqlite3.DatabaseError as error:  # not a database any more
            aside = path.with_name(f"unreadable-{now_ns()}.sqlite")
            path.rename(aside)
            log.exception("spool.unreadable", file=str(aside))
            self.unreadable = f"{aside}: {error}"
            return SpoolFile(path)

    async def _work(self, work: Callable[[SpoolFile], T]) -> T:
        file = self._file
        if file is None:
            raise SpoolRefused(str(self._folder), reason="it is closed")
        return await self._do(lambda: work(file))

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise SpoolRefused(str(self._folder), reason=str(error)) from error

    def _tell(self) -> None:
        self.figures.gauges["spool_bytes"] = self.size_bytes
