"""Small facts kept in Redis: places to go on from, words, what a venue has been asked, and who is alive."""

from collections.abc import AsyncIterator, Iterable, Mapping

from common.redis_streams import Redis

WANTED_TOKENS = "wanted:tokens"  # outcome tokens that order events name and no market is known for
MOST_WORDS = 10_000


async def read_state(redis: Redis, names: Iterable[str]) -> dict[str, str]:
    """Return the strings under `state:<name>` that exist."""
    wanted = list(names)
    held = await redis.mget([f"state:{name}" for name in wanted]) if wanted else []
    return {name: value.decode() for name, value in zip(wanted, held, strict=True) if value is not None}


async def words_of(redis: Redis, key: str) -> list[str]:
    """Return the members of a set, at most MOST_WORDS of them."""
    words: list[str] = []
    async for word in _members(redis, key):
        words.append(word)
        if len(words) == MOST_WORDS:
            break
    return sorted(words)


async def _members(redis: Redis, key: str) -> AsyncIterator[str]:
    async for word in redis.sscan_iter(key, count=1000):
        yield word.decode()


async def remove_words(redis: Redis, key: str, words: Iterable[str]) -> None:
    """Take words out of a set."""
    if wanted := list(words):
        await redis.srem(key, *wanted)


async def spend(redis: Redis, name: str, weight: int, window_s: int) -> int:
    """Count a request against a budget that all processes share; return what the window has cost with it."""
    server_s, _ = await redis.time()
    key = f"budget:{name}:{int(server_s) // window_s}"
    async with redis.pipeline(transaction=True) as pipe:
        pipe.incrby(key, weight)
        pipe.expire(key, window_s * 2)
        cost, _ = await pipe.execute()
    return int(cost)


async def write_heartbeat(redis: Redis, process: str, fields: Mapping[str, str | int | float], *, ttl_s: int) -> None:
    """Write a process's figures; they vanish when it stops writing."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hset(f"proc:{process}", mapping=dict(fields))
        pipe.expire(f"proc:{process}", ttl_s)
        await pipe.execute()
