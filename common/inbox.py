"""Read one shard as the owner of a group's place in it: entries in, named batches, one transaction at the end."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence

from common.errors import Fenced, StreamRefused
from common.packing import Entry
from common.place import Carried, Checkpoint, Held, Ownership
from common.received import Received, received_of
from common.redis_streams import TOPICS, Redis, ResponseError, Shard, run_script, run_settled
from common.sources import handed_on_ns

# Epochs grow by chance, so that two owners have two different ones even after Redis has forgotten the first.
EPOCH_STEP = 2**20
SCAN_ENTRIES = 1000


class Inbox:
    """One group's place in one shard."""

    def __init__(self, redis: Redis, shard: Shard, group: str) -> None:
        self.shard = shard
        self.group = group
        self.epoch = 0
        self._redis = redis
        self._reader: Redis | None = None
        self._reader_id = 0
        self._begun = b""
        self._consumer = str(shard.number)

    async def register(self) -> bool:
        """
        Make the group where it left off, or at the beginning of the stream, unless it is there.

        Returns:
            whether it had been there before: somebody has deleted the group, or the whole stream.
        """
        await self._redis.hsetnx(TOPICS, self.shard.stream.topic, str(self.shard.shards))  # it may have been emptied
        last_id = (await self._redis.hget(self.shard.group(self.group), "last_id") or b"").decode()
        # An empty stream may go on with smaller ids: its clock may have stepped back.
        start = last_id if last_id and await self._redis.exists(self.shard.key) else "0"
        try:
            await self._redis.xgroup_create(self.shard.key, self.group, id=start, mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
            return False
        return bool(last_id)

    async def acquire(self, owner: str, seen: Held | None) -> Ownership | Held:
        """Own the shard if it is free, ours by name, or its owner's beat still is what was `seen` long ago."""
        keys = [self.shard.group(self.group)]
        step = 1 + secrets.randbelow(EPOCH_STEP)
        word, *facts = await run_script(self._redis, "acquire", keys, [owner, *(seen or ("", "")), step])
        if word == b"HELD":
            return Held(facts[0].decode(), facts[1].decode())
        epoch, position, last_id, manifest, attempts, alone, suspicion, stored = facts
        self.epoch = int(epoch)
        lives = int(attempts), int(alone)
        return Ownership(self.epoch, int(position), last_id.decode(), manifest, *lives, bytes(suspicion), int(stored))

    async def beat(self) -> None:
        """Show that the owner lives; raise Fenced when it is no longer the owner."""
        await self._renew("beat")

    async def release(self, checkpoint: Checkpoint | None = None) -> None:
        """Let go, so that another may own the shard at once; the checkpoint is for it to go on from."""
        await self._renew("release", *(checkpoint or ()))

    async def checkpoint(self) -> Checkpoint | None:
        """Return the group's saved state in this shard, None when there is none."""
        key = self.shard.checkpoint(self.group)
        position, last_id, state = await self._redis.hmget(key, "position", "last_id", "state")
        return None if state is None else Checkpoint(int(position), last_id.decode(), state)

    async def end(self) -> int:
        """Return the running number behind the newest record of the shard."""
        return int(await self._redis.hget(self.shard.facts, "offset") or 0)

    async def handed_on_ns(self, firsts: Iterable[Shard]) -> int | None:
        """Return up to when the shard's sources have handed on all they heard; None when all have ended well."""
        return await handed_on_ns(self._redis, self.shard, firsts)

    async def has_newer_owner(self, name: str) -> bool:
        """Return whether a process of this name has owned the shard after us; Redis may have forgotten that we do."""
        owner, epoch = await self._redis.hmget(self.shard.group(self.group), "owner", "epoch")
        return bool(owner == name.encode() and int(epoch or 0) > self.epoch)

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
        return [received_of(entry_id, fields, self.group) for entry_id, fields in entries]

    async def between(self, first_id: str, last_id: str) -> list[Received]:
        """Return the entries of a named batch again."""
        found = await self._redis.xrange(self.shard.key, first_id, last_id)
        return [received_of(entry_id, fields, self.group) for entry_id, fields in found]

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

    async def behind(self, behind_id: str, *, count: int) -> list[Received]:
        """Return the first entries of the stream behind one, whoever they were given to."""
        found = await self._redis.xrange(self.shard.key, f"({behind_id}", "+", count=count)
        return [received_of(entry_id, fields, self.group) for entry_id, fields in found]

    async def given_id(self) -> str:
        """Return the id of the last entry that the group was given."""
        for group in await self._redis.xinfo_groups(self.shard.key):
            if group["name"].decode() == self.group:
                return str(group["last-delivered-id"].decode())
        return "0-0"

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """Take entries off the group's list that it had committed before."""
        await self._redis.xack(self.shard.key, self.group, *ids)

    async def id_before(self, offset: int) -> str:
        """Return the id of the last entry whose records all lie before a running number; "0-1" when there is none."""
        last_id = "0-1"
        while found := await self.behind(last_id, count=SCAN_ENTRIES):
            for entry in found:
                if not entry.flaw and entry.stop > offset:
                    return last_id
                last_id = entry.id
        return last_id

    async def rewind(self, position: int, last_id: str) -> None:
        """Go back to a running number, behind an entry: what was committed since is to be delivered again."""
        keys = [self.shard.group(self.group)]
        word, fact = await run_script(self._redis, "rewind", keys, [self.epoch, position, last_id])
        self._judge(word, fact)

    async def set_aside(self) -> set[int]:
        """Return the running numbers of records that killed their process."""
        found = await self._redis.zrange(self.shard.aside(self.group), 0, -1)
        return {int(number) for number in found}

    async def raise_end(self, offset: int) -> bool:
        """Have the shard count on from `offset` if it has not come that far; return whether it had not."""
        return await run_script(self._redis, "raise", [self.shard.facts], [offset]) == [b"1"]

    async def tell(self, target: Shard, entries: Sequence[Entry]) -> None:
        """Append entries to another shard at once, as the owner of this one."""
        args: list[bytes | str | int] = [self.epoch]
        for entry in entries:
            args += (entry.records, entry.data)
        keys = [self.shard.group(self.group), target.key, target.facts]
        if await run_settled(self._redis, "tell", keys, args) != [b"OK"]:
            raise Fenced(f"{self.group} on {self.shard.key}", epoch=self.epoch)

    async def begin(self, start: int, manifest: bytes, *, seen_id: str = "", alone: bool = False) -> int:
        """
        Name a batch in Redis before anything of it is written; return how many lives have begun this very one.

        A life that begins it again counts once. `alone` says that this process does nothing else meanwhile. With a
        `seen_id` that is not in the stream any more the batch is refused: Redis has lost it, and may be given it again.
        """
        counted = "" if manifest == self._begun else "alone" if alone else "among"
        attempts = await self._name(start, manifest, counted, seen_id)
        self._begun = manifest
        return attempts

    async def rename(self, start: int, manifest: bytes) -> None:
        """Name the batch in hand anew."""
        await self._name(start, manifest, "", "")
        self._begun = manifest

    async def _name(self, start: int, manifest: bytes, counted: str, seen_id: str) -> int:
        keys = [self.shard.group(self.group), self.shard.key]
        word, fact = await run_script(self._redis, "begin", keys, [self.epoch, start, manifest, counted, seen_id])
        self._judge(word, fact)
        return int(fact)

    async def commit(self, start: int, stop: int, ids: Sequence[str], carried: Carried) -> None:
        """
        Finish the batch of records start..stop: append what it made, acknowledge, move on; one transaction.

        `ids` are the entries that are finished; there are none when a part of one was taken alone.
        """
        group = self.group
        keys = [self.shard.key, self.shard.group(group), self.shard.checkpoint(group), self.shard.aside(group)]
        args: list[bytes | str | int] = [group, self.epoch, start, stop, ids[-1] if ids else "", carried.suspicion]
        args += (int(carried.state is not None), carried.state or b"")
        args += (len(carried.aside), *carried.aside, len(ids), *ids)
        args.append(len(carried.entries))
        for target, entries in carried.entries.items():
            keys += (target.key, target.facts)
            args.append(len(entries))
            for entry in entries:
                args += (entry.records, entry.data)
        for key, words in carried.words.items():
            keys.append(key)
            args += (len(words), *words)
        args += (carried.stored or "", carried.seen_id)
        word, fact = await run_settled(self._redis, "commit", keys, args)
        self._judge(word, fact)

    def _judge(self, word: bytes, fact: bytes) -> None:
        if word == b"FENCED":
            raise Fenced(f"{self.group} on {self.shard.key}", epoch=self.epoch)
        if word == b"MISMATCH":
            raise StreamRefused(self.shard.key, reason=f"the position of {self.group} is {fact.decode()}, not ours")
        if word == b"GONE":
            raise StreamRefused(
                self.shard.key, reason=f"entry {fact.decode()}, which {self.group} has in hand, is gone"
            )
