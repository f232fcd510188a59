"""Fair share: which of a program's shards a process is to own, the same whoever of its processes works it out."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

from common.clock import monotonic_s
from common.heartbeat import Figures
from common.lifecycle import wait
from common.log import logger
from common.members import Members, beat_member, remove_member
from common.pauses import paused
from common.redis_streams import Redis, RedisError

log = logger("share")

BEAT_S = 0.25


class Grant:
    """Whether a process is to own a shard; exactly one of the two events is set."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.taken = asyncio.Event()
        self.taken.set()

    def set_to(self, *, given: bool) -> None:
        """Give or take."""
        on, off = (self.given, self.taken) if given else (self.taken, self.given)
        off.clear()
        on.set()


def assigned(streams: Sequence[Sequence[str]], members: Sequence[str]) -> dict[str, str]:
    """
    Return the process of each shard.

    Nobody gets more than the even share of a stream's shards, rounded up; and within that, whoever has least of all.
    Chance, the same for everybody, decides between equals, so that a new process takes little from each.

    Args:
        streams: the shards of each stream that the program reads.
        members: the names of the living processes, at least one.
    """
    total: Counter[str] = Counter()
    owners: dict[str, str] = {}
    for shards in streams:
        of_stream: Counter[str] = Counter()
        most = -(-len(shards) // len(members))
        for shard in shards:
            able = [name for name in members if of_stream[name] < most]
            owner = min(able, key=lambda name: (total[name], zlib.crc32(f"{shard}|{name}".encode())))
            owners[shard] = owner
            total[owner] += 1
            of_stream[owner] += 1
    return owners


class Share:
    """A process's part in the work of its program."""

    def __init__(self, redis: Redis, figures: Figures, streams: Sequence[Sequence[str]]) -> None:
        self._redis = redis
        self._figures = figures
        self._streams = streams
        self._members = Members()
        self.grants: Mapping[str, Grant] = {shard: Grant() for shards in streams for shard in shards}

    def is_dead(self, process: str) -> bool:
        """Return whether another process of the program was seen to stand still."""
        return self._members.is_dead(process)

    def is_ours(self, shard: str) -> bool:
        """Return whether a shard is this process's at the moment."""
        return shard in self.grants and self.grants[shard].given.is_set()

    async def keep(self, stop: asyncio.Event) -> None:
        """Beat, and give and take shards as processes come and go, until told to stop; then take them all."""
        while not stop.is_set():
            try:
                await self._look()
            except RedisError as error:
                log.warning("share.unknown", reason=str(error))
            await wait(stop, BEAT_S)
        for grant in self.grants.values():
            grant.set_to(given=False)
        try:
            await remove_member(self._redis, self._figures.program, self._figures.process)
        except RedisError as error:
            log.warning("share.not_signed_off", reason=str(error))

    async def _look(self) -> None:
        program, process = self._figures.program, self._figures.process
        beats = await beat_member(self._redis, program, process)
        now_s = monotonic_s()
        self._members.look(beats, now_s)
        for name in self._members.long_gone(now_s):
            await remove_member(self._redis, program, name)
        living = self._members.living(now_s)
        owners = assigned(self._streams, living)
        mine = {shard for shard, owner in owners.items() if owner == process} - await paused(self._redis, program)
        self._figures.gauges |= {"members": len(living), "shards_share": len(mine)}
        for shard, grant in self.grants.items():
            if grant.given.is_set() != (shard in mine):
                grant.set_to(given=shard in mine)
