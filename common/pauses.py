"""Shards that a person has told a program to leave alone: a set in Redis that outlives every process."""

from collections.abc import Iterable

from common.redis_streams import Redis


def paused_key(program: str) -> str:
    """Return the key of the set of stream keys that a program is not to read."""
    return f"paused:{program}"


async def paused(redis: Redis, program: str) -> set[str]:
    """Return the keys of the streams that a program is not to read for now."""
    return {key.decode() for key in await redis.smembers(paused_key(program))}


async def pause(redis: Redis, program: str, keys: Iterable[str]) -> None:
    """Have a program leave streams alone, as soon as it has committed what it has in hand."""
    await redis.sadd(paused_key(program), *keys)


async def resume(redis: Redis, program: str, keys: Iterable[str]) -> None:
    """Have a program read streams again."""
    await redis.srem(paused_key(program), *keys)
