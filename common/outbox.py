"""Append to streams as one source: entries, cursor, marks and state in one transaction, exactly once."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common.errors import Fenced, HistoryLost, StreamRefused
from common.packing import Entry
from common.redis_streams import TOPICS, Redis, ResponseError, Shard, run_script

# Running numbers left out where Redis lost its newest ones: other sources of the shard may have been given as many
# behind the last that we know of, and a number must never come again.
SKIPPED = 1_000_000
# Epochs grow by chance, so that two copies have two different ones even after Redis has forgotten the first.
EPOCH_STEP = 2**20


@dataclass(frozen=True)
class Packet:
    """
    What one append carries. Repeat it unchanged until it is taken: `batch` makes the repeat harmless.

    `marks` are the largest venue sequences by symbol, `state` plain strings for `state:<name>`.
    """

    batch: int
    entries: Sequence[Entry]
    marks: Mapping[str, int] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)


class Outbox:
    """One source's way into one shard; there is one living owner of it, known by its epoch."""

    def __init__(self, redis: Redis, shard: Shard, source: str) -> None:
        self.shard = shard
        self.source = source
        self.epoch = 0
        self.batch = 0  # the last one taken
        self._offset = 0  # the largest running number that we know of
        self._least = 0  # below this no running number may be given out
        self._wanted = 0  # the epoch of the next reclaim
        self._redis = redis

    async def claim(self) -> None:
        """Become the source; an older copy of this process is fenced from here on."""
        args: list[bytes | str | int] = [self.source, 1 + secrets.randbelow(EPOCH_STEP)]
        epoch, batch, offset = await run_script(self._redis, "claim", [self.shard.facts], args)
        self.epoch, self.batch, self._offset = int(epoch), int(batch), int(offset)

    async def reclaim(self) -> None:
        """
        Become the source again on a server that has lost history; `batch` is then the last one that it still knows.

        Raises:
            Fenced: another copy of this source has started meanwhile.
        """
        # Chosen once, so that a repeat after a lost reply is known.
        self._wanted = self._wanted or self.epoch + 1 + secrets.randbelow(EPOCH_STEP)
        await self._redis.hsetnx(TOPICS, self.shard.stream.topic, str(self.shard.shards))
        args: list[bytes | str | int] = [self.source, self.epoch, self._wanted]
        word, batch, offset = await run_script(self._redis, "reclaim", [self.shard.facts], args)
        if word == b"FENCED":
            raise Fenced(f"{self.source} -> {self.shard.key}", epoch=self.epoch)
        self.epoch, self._wanted, self.batch = self._wanted, 0, int(batch)
        if int(offset) < self._offset:
            self._least = self._offset + SKIPPED

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
            HistoryLost: the server has forgotten what it confirmed: nothing was appended; reclaim, then go on.
            StreamRefused: the server is full: nothing was appended.
            RedisError: no answer; the packet may stand or not, repeat it.
        """
        args: list[bytes | str | int] = [self.source, self.epoch, packet.batch - 1, packet.batch]
        args += (self._least, len(packet.entries))
        for entry in packet.entries:
            args += (entry.records, entry.data)
        args.append(len(packet.marks))
        for symbol, sequence in packet.marks.items():
            args += (symbol, sequence)
        args += packet.state.values()
        keys = [self.shard.key, self.shard.facts, *(f"state:{name}" for name in packet.state)]
        try:
            word, fact = await run_script(self._redis, "append", keys, args)
        except ResponseError as error:  # OOM, MISCONF, READONLY: refused whole
            raise StreamRefused(self.shard.key, reason=str(error)) from error
        if word == b"FENCED" and int(fact or 0) > self.epoch:
            raise Fenced(f"{self.source} -> {self.shard.key}", epoch=self.epoch)
        if word == b"FENCED":
            found = f"epoch {fact.decode() or 'none'}"
            raise HistoryLost(self.shard.key, reason=f"expected epoch {self.epoch} of {self.source}, found {found}")
        if word == b"MISMATCH":
            raise HistoryLost(
                self.shard.key, reason=f"expected batch {packet.batch - 1} of {self.source}, found {fact.decode()}"
            )
        self.batch, self._offset = packet.batch, max(self._offset, int(fact))
        return int(fact)
