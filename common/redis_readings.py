"""What those who look on ask Redis: facts out, nothing changed; the programs' own way into Redis is another."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from common.clock import NS_PER_S, NS_PER_US, monotonic_s
from common.errors import Unreachable
from common.readings import (
    EntryReading,
    GroupReading,
    ProcessReading,
    ProgramReading,
    RedisReading,
    ShardReading,
    process_of,
    programs_of,
    text_of,
)
from common.redis_facts import WANTED_TOKENS
from common.redis_streams import Redis, RedisError, Shard, all_shards
from common.streams import STREAMS

PROGRAMS = "fleet:programs"
MODE = "fleet:mode"
Entries = list[tuple[bytes, dict[bytes, bytes]]]

DISCOVER_S: Final = 2.0  # how often keys are looked for; their values are read every time
ANSWER_S: Final = 5.0

# Ids only: XINFO STREAM would send two whole entries for each stream every second.
EDGES = """
local function id(found) return found[1] and found[1][1] or false end
return {redis.call('XLEN', KEYS[1]), id(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)),
        id(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1))}
"""
NEXT = "local e = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 1)[1]; return e and e[1] or false"


class RedisReader:
    """Asks Redis; costs a few round trips however many keys there are."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._names: tuple[list[str], list[str]] = ([], [])
        self._looked_s = -DISCOVER_S

    async def read(self, now_ns: int) -> RedisReading:
        """Return a reading; raise Unreachable when Redis did not give a whole one in time."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._read(now_ns)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            raise Unreachable("redis", reason=str(error) or type(error).__name__) from error

    async def newest(self, key: str, count: int) -> list[EntryReading]:
        """Return the newest entries of a stream, newest first; raise Unreachable when Redis does not answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                found = cast("Entries", await self._redis.xrevrange(key, count=count))
        except (RedisError, OSError) as error:
            raise Unreachable("redis", reason=str(error) or type(error).__name__) from error
        return [
            EntryReading(text_of(entry_id), int(held.get(b"o", -1)), int(held.get(b"n", 0)), held.get(b"data", b""))
            for entry_id, held in found
        ]

    async def _read(self, now_ns: int) -> RedisReading:
        start_s = monotonic_s()
        processes, cursors = await self._discover()
        laid_out = await self._shards()
        ask = self._redis.pipeline(transaction=False)
        for command in (("TIME",), ("INFO", "memory"), ("INFO", "server"), ("GET", MODE), ("GET", PROGRAMS)):
            ask.execute_command(*command)
        ask.scard(WANTED_TOKENS)
        for name in processes:
            ask.hgetall(f"proc:{name}")
        for name in cursors:
            ask.get(f"state:{name}")
        (server_s, server_us), memory, server, mode, declared, wanted, *rest = await ask.execute()
        programs = programs_of(declared)
        found = zip(processes, rest[: len(processes)], strict=True)
        held = tuple(process_of(name, reply) for name, reply in found if reply)  # it may have expired since
        shards = await self._streams(laid_out, _sources(held, programs))
        return RedisReading(
            read_ns=now_ns,
            server_ns=int(server_s) * NS_PER_S + int(server_us) * NS_PER_US,
            version=str(server["redis_version"]),
            used_bytes=int(memory["used_memory"]),
            max_bytes=int(memory["maxmemory"]),
            mode=text_of(mode),
            shards=shards,
            groups=await self._groups(laid_out),
            processes=held,
            programs=programs,
            cursors={n: text_of(v) for n, v in zip(cursors, rest[len(processes) :], strict=True) if v is not None},
            wanted_tokens=int(wanted),
            took_ms=(monotonic_s() - start_s) * 1000,
        )

    async def _discover(self) -> tuple[list[str], list[str]]:
        if monotonic_s() - self._looked_s >= DISCOVER_S:
            self._names = (await self._names_under("proc:"), await self._names_under("state:"))
            self._looked_s = monotonic_s()
        return self._names

    async def _names_under(self, prefix: str) -> list[str]:
        return sorted([text_of(key)[len(prefix) :] async for key in self._redis.scan_iter(f"{prefix}*", count=1000)])

    async def _shards(self) -> list[Shard]:
        """Return every shard in use, and for a topic that nobody has written to yet its first."""
        known = await all_shards(self._redis)
        topics = {shard.stream.topic for shard in known}
        unused = [Shard(stream, 0, 1) for stream in STREAMS if stream.topic not in topics]
        order = {stream.topic: place for place, stream in enumerate(STREAMS)}
        return sorted([*known, *unused], key=lambda shard: (order[shard.stream.topic], shard.number))

    async def _streams(self, shards: Sequence[Shard], sources: Sequence[str]) -> tuple[ShardReading, ...]:
        ask = self._redis.pipeline(transaction=False)
        for shard in shards:
            ask.eval(EDGES, 1, shard.key)
            ask.hmget(shard.facts, "offset", *(f"{source}.epoch" for source in sources))
        replies = await ask.execute()
        return tuple(
            ShardReading(
                topic=shard.stream.topic,
                key=shard.key,
                entries=int(entries),
                offset=int(offset or 0),
                first_id=_maybe(first),
                last_id=_maybe(last),
                sources=tuple(source for source, epoch in zip(sources, epochs, strict=True) if epoch is not None),
            )
            for shard, (entries, first, last), (offset, *epochs) in zip(
                shards, replies[::2], replies[1::2], strict=True
            )
        )

    async def _groups(self, shards: Sequence[Shard]) -> tuple[GroupReading, ...]:
        ask = self._redis.pipeline(transaction=False)
        for shard in shards:
            ask.execute_command("XINFO GROUPS", shard.key)
        replies = await ask.execute(raise_on_error=False)
        found = [
            (shard, {text_of(name): value for name, value in group.items()})
            for shard, groups in zip(shards, replies, strict=True)
            if not isinstance(groups, RedisError)  # a stream that does not exist yet
            for group in groups
        ]
        for shard, group in found:
            ask.hmget(shard.group(text_of(group["name"])), "position", "last_id", "owner", "beat", "attempts")
            ask.hexists(shard.group(text_of(group["name"])), "manifest")
        held = await ask.execute()
        lasts = [_last_committed(group, facts) for (_, group), facts in zip(found, held[::2], strict=True)]
        for (shard, _), last in zip(found, lasts, strict=True):
            ask.eval(NEXT, 1, shard.key, last)
        oldest = await ask.execute()
        return tuple(
            _group(shard, group, facts, busy=busy, ids=ids)
            for (shard, group), facts, busy, ids in zip(
                found, held[::2], held[1::2], zip(lasts, oldest, strict=True), strict=True
            )
        )


def _group(
    shard: Shard, group: Mapping[str, Any], facts: Sequence[bytes | None], *, busy: int, ids: tuple[str, bytes | None]
) -> GroupReading:
    position, _, owner, beat, attempts = facts
    return GroupReading(
        name=text_of(group["name"]),
        topic=shard.stream.topic,
        key=shard.key,
        pending_entries=int(group["pending"]),
        position=None if position is None and beat is None else int(position or 0),
        last_id=ids[0],
        oldest_id=_maybe(ids[1]),
        owner=text_of(owner),
        beat=int(beat or 0),
        attempts=int(attempts or 0),
        in_flight=bool(busy),
    )


def _last_committed(group: Mapping[str, Any], facts: Sequence[bytes | None]) -> str:
    """Return the last id behind the group; a group that is not ours has no more than what it was given."""
    position, last_id, _, beat, _ = facts
    ours = position is not None or beat is not None
    return text_of(last_id) or ("0-0" if ours else text_of(group["last-delivered-id"]))


def _sources(processes: Sequence[ProcessReading], programs: Sequence[ProgramReading] | None) -> list[str]:
    said = {process.fact("program") or process.name for process in processes}
    return sorted(said | {program.program for program in programs or ()})


def _maybe(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
