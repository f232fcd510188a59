"""What those who look on ask Redis: facts out, nothing changed; the programs' own way into Redis is another."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from common.clock import NS_PER_S, NS_PER_US, monotonic_s
from common.errors import Unreachable
from common.pauses import paused_key
from common.readings import (
    EntryReading,
    GroupReading,
    RedisReading,
    ShardReading,
    maybe_text_of,
    process_of,
    programs_of,
    sources_of,
    text_of,
    whole_of,
)
from common.redis_streams import Redis, RedisError, Shard, all_shards
from common.streams import STREAMS, SWITCHED_OFF, WANTED_TOKENS

PROGRAMS = "fleet:programs"
MODE = "fleet:mode"
Entries = list[tuple[bytes, dict[bytes, bytes]]]

DISCOVER_PAUSE: Final = 20.0  # times what looking took; values are read every time
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
        self._look_again_s = 0.0

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
            EntryReading(
                text_of(entry_id), whole_of(held.get(b"o"), -1), whole_of(held.get(b"n"), 0), held.get(b"data", b"")
            )
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
        ask.smembers(SWITCHED_OFF)
        for name in processes:
            ask.hgetall(f"proc:{name}")
        for name in cursors:
            ask.get(f"state:{name}")
        (server_s, server_us), memory, server, mode, declared, wanted, off, *rest = _whole_answer(
            await ask.execute(raise_on_error=False), needed=7
        )
        programs = programs_of(declared, {text_of(word) for word in off})
        # A key may have expired since it was found, or be a stranger's and of another type.
        told = zip(processes, rest[: len(processes)], strict=True)
        held = tuple(process_of(name, reply) for name, reply in told if reply and isinstance(reply, dict))
        kept = zip(cursors, rest[len(processes) :], strict=True)
        shards = await self._streams(laid_out, sources_of(held, programs))
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
            cursors={name: text_of(value) for name, value in kept if isinstance(value, bytes)},
            wanted_tokens=int(wanted),
            took_ms=(monotonic_s() - start_s) * 1000,
        )

    async def _discover(self) -> tuple[list[str], list[str]]:
        """Look for keys, less often the longer it takes: a Redis may hold a million keys of somebody else."""
        start_s = monotonic_s()
        if start_s >= self._look_again_s:
            self._names = (await self._names_under("proc:"), await self._names_under("state:"))
            self._look_again_s = start_s + DISCOVER_PAUSE * (monotonic_s() - start_s)
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
                offset=whole_of(offset, 0),
                first_id=maybe_text_of(first),
                last_id=maybe_text_of(last),
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
            ask.sismember(paused_key(text_of(group["name"])), shard.key)
        held = await ask.execute()
        lasts = [_last_committed(group, facts) for (_, group), facts in zip(found, held[::3], strict=True)]
        for (shard, _), last in zip(found, lasts, strict=True):
            ask.eval(NEXT, 1, shard.key, last)
        oldest = await ask.execute()
        return tuple(
            replace(_group(shard, group, facts, busy=busy, ids=ids), is_paused=bool(is_paused))
            for (shard, group), facts, busy, is_paused, ids in zip(
                found, held[::3], held[1::3], held[2::3], zip(lasts, oldest, strict=True), strict=True
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
        position=None if position is None and beat is None else whole_of(position, 0),
        last_id=ids[0],
        oldest_id=maybe_text_of(ids[1]),
        owner=text_of(owner),
        beat=whole_of(beat, 0),
        attempts=whole_of(attempts, 0),
        in_flight=bool(busy),
    )


def _last_committed(group: Mapping[str, Any], facts: Sequence[bytes | None]) -> str:
    """Return the last id behind the group; a group that is not ours has no more than what it was given."""
    position, last_id, _, beat, _ = facts
    ours = position is not None or beat is not None
    return text_of(last_id) or ("0-0" if ours else text_of(group["last-delivered-id"]))


def _whole_answer(replies: list[Any], *, needed: int) -> list[Any]:
    for reply in replies[:needed]:
        if isinstance(reply, RedisError):
            raise reply
    return replies
