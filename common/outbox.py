"""Append to streams as one source: entries, cursor, marks and state in one transaction, exactly once."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from common.errors import Fenced, HistoryLost, StreamRefused
from common.packet import Packet
from common.redis_streams import TOPICS, Redis, ResponseError, Shard, run_script, run_settled

# Running numbers left out where Redis lost its newest ones: other sources of the shard may have been given as many
# behind the last that we know of, and a number must never come again.
SKIPPED = 1_000_000
# Epochs grow by chance, so that two copies have two different ones even after Redis has forgotten the first.
EPOCH_STEP = 2**20

EPOCH = ".epoch"
ALIVE = ".alive"


class Held(NamedTuple):
    """What the server remembers of a source in a shard: 0 for what it does not."""

    epoch: int
    batch: int
    offset: int


class Outbox:
    """One source's way into one shard; there is one living owner of it, known by its epoch."""

    def __init__(self, redis: Redis, shard: Shard, source: str) -> None:
        self.shard = shard
        self.source = source
        self.epoch = 0
        self.batch = 0  # the last packet taken
        self.offset = 0  # the largest running number that we know of
        self.has_shrunk = False  # whether the server was seen with a smaller one
        self._shift = 0  # the server's count of our packets minus our own
        self._least = 0  # below this no running number may be given out
        self._redis = redis

    @property
    def known(self) -> Held:
        """Return what the server should remember."""
        return Held(self.epoch, self.batch + self._shift, self.offset)

    async def held(self) -> Held:
        """Return what the server remembers."""
        return (await held_by(self._redis, [self]))[0]

    async def claim(self) -> None:
        """Become the source; an older copy of this process is fenced from here on."""
        while True:
            held = await self.held()
            if await self.take_over(held, self.next_epoch(held), held.batch):
                return

    def next_epoch(self, held: Held) -> int:
        """Return an epoch that is newer than all that we know of."""
        return max(held.epoch, self.epoch) + 1 + secrets.randbelow(EPOCH_STEP)

    async def take_over(self, held: Held, epoch: int, batch: int) -> bool:
        """
        Become the source under an epoch, unless something has changed since `held` was read.

        `batch` is the last packet, in our own count, that stands. Choose the epoch once: a repeat after a lost reply is
        known by it.
        """
        if not await self._redis.hexists(TOPICS, self.shard.stream.topic):  # a server that has forgotten everything
            await self._redis.hsetnx(TOPICS, self.shard.stream.topic, str(self.shard.shards))
        args: list[bytes | str | int] = [self.source, held.epoch, held.batch, epoch]
        if await run_script(self._redis, "claim", [self.shard.facts], args) != [b"OK"]:
            return False
        self.epoch, self.batch, self._shift = epoch, batch, held.batch - batch
        if held.offset < self.offset or self.has_shrunk:
            self._least = max(self._least, self.offset + SKIPPED)
        self.offset, self.has_shrunk = held.offset, False
        return True

    async def marks(self) -> dict[str, int]:
        """Return the largest sequence by symbol that this source has in the shard."""
        prefix = f"{self.source}.mark.".encode()
        held = await self._redis.hgetall(self.shard.facts)
        return {name[len(prefix) :].decode(): int(value) for name, value in held.items() if name.startswith(prefix)}

    async def append(self, packet: Packet) -> int:
        """
        Append a packet; return the running number behind its last record.

        Raises:
            Fenced: another copy of this source has started.
            HistoryLost: the server has forgotten what it confirmed: nothing was appended; take over, then go on.
            StreamRefused: the server is full: nothing was appended.
            RedisError: no answer; the packet may stand or not, repeat it.
        """
        if self.has_shrunk:
            raise HistoryLost(self.shard.key, reason=f"expected running number {self.offset}, found a smaller one")
        return await self._append(packet, max(self._least, self.offset), None) or 0

    async def give_again(self, packet: Packet, start: int) -> bool:
        """
        Append a packet that a server has confirmed and lost under the running number that it had.

        Returns:
            whether it was: not if other records stand behind that number already.
        """
        return await self._append(packet, 0, start) is not None

    async def note_alive(self, now_ns: int | None) -> None:
        """Leave word that we live and hold nothing up, None that we end in good order: a successor sees when we did."""
        name = f"{self.source}{ALIVE}"
        if now_ns is None:
            await self._redis.hdel(self.shard.facts, name)
        else:
            await self._redis.hset(self.shard.facts, name, str(now_ns))

    async def last_alive_ns(self) -> int | None:
        """Return when a predecessor that did not end in good order was last there."""
        held = await self._redis.hget(self.shard.facts, f"{self.source}{ALIVE}")
        return int(held) if held else None

    async def announce(self, start: int | None) -> None:
        """Tell the shard's other sources from which running number on we give again, None that we have done so."""
        await run_script(self._redis, "announce", [self.shard.facts], [self.source, "" if start is None else start])

    async def announced(self) -> int | None:
        """Return the smallest running number from which on another source gives again, None if none does."""
        (start,) = await run_script(self._redis, "announced", [self.shard.facts], [self.source])
        return int(start) if start else None

    def compare(self, known: Held, found: Held) -> bool:
        """
        Return whether the server has kept what we knew of it when it was asked.

        Other sources may have been given numbers that it has lost.
        """
        self.has_shrunk = self.has_shrunk or found.offset < known.offset
        self.offset = max(self.offset, found.offset)
        return found.epoch == known.epoch and found.batch >= known.batch and not self.has_shrunk

    async def _append(self, packet: Packet, least: int, only: int | None) -> int | None:
        new = packet.batch + self._shift
        args: list[bytes | str | int] = [self.source, self.epoch, self.batch + self._shift, new, least]
        args += ("" if only is None else only, len(packet.entries))
        for entry in packet.entries:
            args += (entry.records, entry.data)
        args.append(len(packet.marks))
        for symbol, sequence in packet.marks.items():
            args += (symbol, sequence)
        args += packet.state.values()
        keys = [self.shard.key, self.shard.facts, *(f"state:{name}" for name in packet.state)]
        try:
            word, fact = await run_settled(self._redis, "append", keys, args)
        except ResponseError as error:  # OOM, MISCONF, READONLY: refused whole
            raise StreamRefused(self.shard.key, reason=str(error)) from error
        if word in (b"FENCED", b"MISMATCH"):
            raise self._refusal(word, fact)
        if word == b"TAKEN":
            return None
        self.batch = packet.batch
        self.offset = max(self.offset, int(fact))
        return int(fact)

    def _refusal(self, word: bytes, fact: bytes) -> Fenced | HistoryLost:
        key, found = self.shard.key, fact.decode()
        if word == b"MISMATCH":
            return HistoryLost(key, reason=f"expected batch {self.batch + self._shift} of {self.source}, found {found}")
        if int(found or 0) > self.epoch:
            return Fenced(f"{self.source} -> {key}", epoch=self.epoch)
        return HistoryLost(key, reason=f"expected epoch {self.epoch} of {self.source}, found epoch {found or 'none'}")


async def held_by(redis: Redis, outboxes: Sequence[Outbox]) -> list[Held]:
    """Return what the server remembers of each, in one round trip."""
    ask = redis.pipeline(transaction=False)
    for outbox in outboxes:
        ask.hmget(outbox.shard.facts, f"{outbox.source}{EPOCH}", f"{outbox.source}.batch", "offset")
    return [Held(*(int(value or 0) for value in values)) for values in await ask.execute()]
