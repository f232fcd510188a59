"""What is in Redis: names of keys, scripts, and small facts kept there."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from common.errors import BadSettings
from common.redis_connection import Redis, connect
from common.settings import Settings
from common.streams import BY_TOPIC, Stream

__all__ = ["Redis", "RedisConnectionError", "RedisError", "RedisTimeoutError", "ResponseError", "connect"]

LUA = Path(__file__).with_name("lua")
TOPICS = "topics"
SETTLING = "--+ settling\n"  # in scripts that append: `settling.lua` goes there
SETTLING_S = 0.1  # between two looks whether a shard takes something new again


@dataclass(frozen=True)
class Shard:
    """One shard of a stream, and the names of everything that belongs to it; all hash to one node of a cluster."""

    stream: Stream
    number: int
    shards: int

    @cached_property
    def key(self) -> str:
        """Return the key of the stream itself."""
        return self.stream.key(self.number, self.shards)

    @cached_property
    def tag(self) -> str:
        """Return what a Redis Cluster hashes of the key."""
        return self.key[self.key.index("{") + 1 : -1] if "{" in self.key else self.key

    @cached_property
    def facts(self) -> str:
        """Return the key of the hash that counts the shard's records and remembers its sources."""
        return f"shard:{{{self.tag}}}"

    def group(self, group: str) -> str:
        """Return the key of the hash that holds a group's ownership, position and batch in flight."""
        return f"group:{{{self.tag}}}:{group}"

    def checkpoint(self, group: str) -> str:
        """Return the key of the hash that holds a group's saved state, and the place in the shard it belongs to."""
        return f"checkpoint:{{{self.tag}}}:{group}"

    def aside(self, group: str) -> str:
        """Return the key of the sorted set of records that killed a process of the group."""
        return f"aside:{{{self.tag}}}:{group}"


async def run_script(redis: Redis, name: str, keys: Sequence[str], args: Sequence[bytes | str | int]) -> list[bytes]:
    """Run one of our scripts; it is one transaction. Scalars come back as a list of one."""
    script = _SCRIPTS.get((id(redis), name))
    if script is None:
        text = _text(name).replace(SETTLING, _text("settling"))
        if text.startswith("#!") and await _version(redis) < (7,):
            text = text.partition("\n")[2]  # flags came with 7.0; without them a full server refuses these too
        script = _SCRIPTS[id(redis), name] = redis.register_script(text)
    reply = await script(keys=list(keys), args=list(args))
    return (
        [part if isinstance(part, bytes) else str(part).encode() for part in reply]
        if isinstance(reply, list)
        else [reply if isinstance(reply, bytes) else str(reply).encode()]
    )


def _text(name: str) -> str:
    return (LUA / f"{name}.lua").read_text(encoding="utf-8")


async def run_settled(redis: Redis, name: str, keys: Sequence[str], args: Sequence[bytes | str | int]) -> list[bytes]:
    """Run one of our scripts that appends, again while a server that was started anew takes nothing new yet."""
    while (reply := await run_script(redis, name, keys, args))[0] == b"WAIT":  # noqa: ASYNC110  Redis rings no bell
        await asyncio.sleep(SETTLING_S)
    return reply


_SCRIPTS: dict[tuple[int, str], Any] = {}


async def _version(redis: Redis) -> tuple[int, ...]:
    info = await redis.info("server")
    return tuple(int(part) for part in str(info["redis_version"]).split("."))


async def shards(redis: Redis, stream: Stream, settings: Settings) -> list[Shard]:
    """
    Return the shards of a stream, fixing their number when the stream is new.

    Raises:
        BadSettings: the stream was laid out with another number of shards.
    """
    chosen = settings.books_shards if stream.topic == "books" else stream.shards
    if not await redis.hexists(TOPICS, stream.topic):  # a full server refuses to write even what stands already
        await redis.hsetnx(TOPICS, stream.topic, str(chosen))
    held = int(await redis.hget(TOPICS, stream.topic) or chosen)
    if held != chosen:
        raise BadSettings(
            [f"{stream.topic.upper()}_SHARDS: expected {held}, as the stream in Redis was laid out, found {chosen}"]
        )
    return [Shard(stream, number, held) for number in range(held)]


async def continue_offsets(redis: Redis, stored: Mapping[tuple[str, int], int], settings: Settings) -> dict[str, int]:
    """
    Let shards whose running number in Redis is missing or too small go on behind what ClickHouse holds; return those.

    Numbers must never come again: a row is known by its shard and number.
    """
    continued: dict[str, int] = {}
    for (topic, number), offset in stored.items():
        laid_out = await shards(redis, BY_TOPIC[topic], settings)
        if number < len(laid_out):
            shard = laid_out[number]
            if await run_script(redis, "raise", [shard.facts], [offset]) == [b"1"]:
                continued[shard.key] = offset
    return continued


async def all_shards(redis: Redis) -> list[Shard]:
    """Return every shard of every stream as Redis knows them, for those who look on."""
    laid_out = {name.decode(): int(count) for name, count in (await redis.hgetall(TOPICS)).items()}
    return [
        Shard(BY_TOPIC[topic], number, count)
        for topic, count in laid_out.items()
        if topic in BY_TOPIC
        for number in range(count)
    ]


async def trim(redis: Redis, shard: Shard, groups: Sequence[str], oldest_id: str) -> int:
    """Remove the entries that every group has committed and that are older than `oldest_id`; return how many."""
    keys = [shard.key, *(shard.group(group) for group in groups)]
    return int((await run_script(redis, "trim", keys, [oldest_id, *groups]))[0])


async def progress(redis: Redis, shard: Shard, group: str) -> tuple[int, int]:
    """Return the running number behind the newest record of a shard, and that up to which a group has committed."""
    offset = await redis.hget(shard.facts, "offset")
    position = await redis.hget(shard.group(group), "position")
    return int(offset or 0), int(position or 0)


async def wait_ready(redis: Redis, *, give_up_s: float = 60.0) -> None:
    """Return when the server answers and has its data loaded; raise its last error after `give_up_s`."""
    deadline_s = asyncio.get_running_loop().time() + give_up_s
    while True:
        try:
            await redis.ping()
        except RedisError:
            if asyncio.get_running_loop().time() > deadline_s:
                raise
            await asyncio.sleep(0.1)
        else:
            return
