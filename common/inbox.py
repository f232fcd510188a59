"""Read one shard as the owner of a group's place in it: entries in, named batches, one transaction at the end."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from common.errors import Fenced, StreamRefused
from common.packing import Entry
from common.redis_streams import Redis, ResponseError, Shard, run_script


class Received(NamedTuple):
    """
    An entry of a stream: its id, the running number of its first record, and `records` JSON lines.

    An entry that is not ours has a `flaw`, no records, and in `data` whatever it held.
    """

    id: str
    offset: int
    records: int
    data: bytes
    flaw: str = ""


class Ownership(NamedTuple):
    """What a new owner finds: the position to go on from, and the batch that its predecessor left in flight."""

    epoch: int
    position: int
    last_id: str
    manifest: bytes
    attempts: int


class Checkpoint(NamedTuple):
    """A saved state, and the place in the shard that it belongs to: behind the entry `last_id`."""

    position: int
    last_id: str
    state: bytes


class Held(NamedTuple):
    """Somebody else owns the shard; `beat` must move, or it may be taken."""

    owner: str
    beat: str


@dataclass(frozen=True)
class Carried:
    """
    What goes with a commit, in its transaction: entries for other shards, words for sets by their keys, and a state.

    `state` is what a processor remembers behind the batch, None for not now.
    """

    entries: Mapping[Shard, Sequence[Entry]] = field(default_factory=dict)
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    state: bytes | None = None


class Inbox:
    """One group's place in one shard."""

    def __init__(self, redis: Redis, shard: Shard, group: str) -> None:
        self.shard = shard
        self.group = group
        self.epoch = 0
        self._redis = redis
        self._reader: Redis | None = None
        self._reader_id = 0
        self._consumer = str(shard.number)

    async def register(self) -> None:
        """Make the group, from the beginning of the stream, unless it is there."""
        try:
            await self._redis.xgroup_create(self.shard.key, self.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def acquire(self, owner: str, seen: Held | None) -> Ownership | Held:
        """Own the shard if it is free, ours by name, or its owner's beat still is what was `seen` long ago."""
        keys = [self.shard.group(self.group)]
        word, *facts = await run_script(self._redis, "acquire", keys, [owner, *(seen or ("", ""))])
        if word == b"HELD":
            return Held(facts[0].decode(), facts[1].decode())
        epoch, position, last_id, manifest, attempts = facts
        self.epoch = int(epoch)
        return Ownership(self.epoch, int(position), last_id.decode(), manifest, int(attempts))

    async def beat(self) -> None:
        """Show that the owner lives; raise Fenced when it is no longer the owner."""
        await self._renew("beat")

    async def release(self, checkpoint: Checkpoint | None = None) -> None:
        """Let go, so that another may own the shard at once; the checkpoint is for it to go on from."""
        await self._renew("release", *(checkpoint or ()))

    async def checkpoint(self) -> Checkpoint | None:
        """Return the group's saved state in this shard, None when there is none."""
        position, last_id, state = await self._redis.hmget(
            self.shard.checkpoint(self.group), "position", "last_id", "state"
        )
        return None if state is None else Checkpoint(int(position), last_id.decode(), state)

    async def end(self) -> int:
        """Return the running number behind the newest record of the shard."""
        return int(await self._redis.hget(self.shard.facts, "offset") or 0)

    async def owner(self) -> str:
        """Return the name of the process that owns the shard, empty when nobody does."""
        return (await self._redis.hget(self.shard.group(self.group), "owner") or b"").decode()

    async def _renew(self, what: str, *saved: bytes | str | int) -> None:
        keys = [self.shard.group(self.group), self.shard.checkpoint(self.group)]
        if await run_script(self._redis, "renew", keys, [self.epoch, what, *saved]) != [b"OK"]:
            raise Fenced(f"{self.group} on {self.shard.key}", epoch=self.epoch)

    async def read(self, start: str, *, count: int, block_ms: int | None) -> list[Received]:
        """Return entries of this group: from `start` "0" what was given but never committed, from ">" what is new."""
        reply = await (self._reader or self._redis).xreadgroup(
            self.group, self._consumer, {self.shard.key: start}, count=count, block=block_ms
        )
        entries = reply[0][1] if reply else []
        return [_received(entry_id, fields) for entry_id, fields in entries]

    async def between(self, first_id: str, last_id: str) -> list[Received]:
        """Return the entries of a named batch again."""
        found = await self._redis.xrange(self.shard.key, first_id, last_id)
        return [_received(entry_id, fields) for entry_id, fields in found]

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Read over a connection of its own meanwhile, so that its waiting can be interrupted."""
        async with self._redis.client() as reader:
            self._reader, self._reader_id = reader, int(await reader.client_id())
            try:
                yield
            finally:
                self._reader = None

    async def interrupt(self) -> None:
        """End a `read` that waits; where the server does not allow that, it ends by itself."""
        with contextlib.suppress(ResponseError):
            await self._redis.client_unblock(self._reader_id)

    async def committed(self, behind_id: str, last_id: str, *, count: int) -> list[Received]:
        """Return the first entries behind one and up to another, which this group has committed before."""
        found = await self._redis.xrange(self.shard.key, f"({behind_id}", last_id, count=count)
        return [_received(entry_id, fields) for entry_id, fields in found]

    async def tell(self, target: Shard, entries: Sequence[Entry]) -> None:
        """Append entries to another shard at once, as the owner of this one."""
        args: list[bytes | str | int] = [self.epoch]
        for entry in entries:
            args += (entry.records, entry.data)
        keys = [self.shard.group(self.group), target.key, target.facts]
        if await run_script(self._redis, "tell", keys, args) != [b"OK"]:
            raise Fenced(f"{self.group} on {self.shard.key}", epoch=self.epoch)

    async def begin(self, start: int, manifest: bytes) -> int:
        """Name a batch in Redis before anything of it is written; return how often this very one was begun."""
        keys = [self.shard.group(self.group)]
        word, fact = await run_script(self._redis, "begin", keys, [self.epoch, start, manifest])
        self._judge(word, fact)
        return int(fact)

    async def commit(self, start: int, stop: int, ids: Sequence[str], carried: Carried) -> None:
        """Finish the batch of records start..stop: append what it made, acknowledge, move on; one transaction."""
        keys = [self.shard.key, self.shard.group(self.group), self.shard.checkpoint(self.group)]
        args: list[bytes | str | int] = [self.group, self.epoch, start, stop, ids[-1]]
        args += (int(carried.state is not None), carried.state or b"", len(ids), *ids)
        args.append(len(carried.entries))
        for target, entries in carried.entries.items():
            keys += (target.key, target.facts)
            args.append(len(entries))
            for entry in entries:
                args += (entry.records, entry.data)
        for key, words in carried.words.items():
            keys.append(key)
            args += (len(words), *words)
        word, fact = await run_script(self._redis, "commit", keys, args)
        self._judge(word, fact)

    def _judge(self, word: bytes, fact: bytes) -> None:
        if word == b"FENCED":
            raise Fenced(f"{self.group} on {self.shard.key}", epoch=self.epoch)
        if word == b"MISMATCH":
            raise StreamRefused(self.shard.key, reason=f"the position of {self.group} is {fact.decode()}, not ours")


def _received(entry_id: bytes, fields: Mapping[bytes, bytes] | None) -> Received:
    if fields is None:
        return Received(entry_id.decode(), -1, 0, b"", flaw="the entry was deleted before it was read")
    try:
        entry = Received(entry_id.decode(), int(fields[b"o"]), int(fields[b"n"]), fields[b"data"])
    except (KeyError, ValueError) as error:
        flaw = f"expected the fields o, n and data: {type(error).__name__} {error}"
        return Received(entry_id.decode(), -1, 0, b"\n".join(b"%b: %b" % pair for pair in fields.items()), flaw=flaw)
    found = entry.data.count(b"\n") + 1 if entry.data else 0
    if found != entry.records:
        flaw = f"expected {entry.records} lines, found {found}"
        return entry._replace(records=0, flaw=flaw)
    return entry
