"""Small facts kept in Redis: places to go on from, words, what a venue has been asked, and who is alive."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import NamedTuple

from common.errors import BadSettings
from common.redis_streams import Redis, run_script

MOST_WORDS = 10_000


async def check_keeps_all(redis: Redis) -> None:
    """Raise BadSettings when the server would throw records away as soon as its memory is full."""
    policy = str((await redis.info("memory"))["maxmemory_policy"])
    if policy != "noeviction":
        remedy = "redis-cli config set maxmemory-policy noeviction"
        raise BadSettings([f"Redis: expected maxmemory-policy noeviction, found {policy}: {remedy}"])


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


async def add_words(redis: Redis, key: str, words: Iterable[str]) -> None:
    """Put words into a set."""
    if wanted := list(words):
        await redis.sadd(key, *wanted)


async def remove_words(redis: Redis, key: str, words: Iterable[str]) -> None:
    """Take words out of a set."""
    if wanted := list(words):
        await redis.srem(key, *wanted)


class Leave(NamedTuple):
    """Whether a venue may be asked: `wait_s` is 0 if so; `cost` is what the running window has cost so far."""

    wait_s: float
    cost: int


async def ask_leave(redis: Redis, venue: str, weight: int, *, most: int, window_s: int) -> Leave:
    """Count a question against a budget that all processes of a venue share, or say how long to wait before."""
    keys = [f"budget:{{{venue}}}", f"ban:{{{venue}}}"]
    _, wait_ms, cost = await run_script(redis, "ask", keys, [weight, most, window_s])
    return Leave(int(wait_ms) / 1000, int(cost))


async def forbid(redis: Redis, venue: str, wait_s: float) -> None:
    """Let no process ask a venue for so many seconds; a longer wait that stands already is kept."""
    key, wait_ms = f"ban:{{{venue}}}", int(wait_s * 1000)
    if await redis.pttl(key) < wait_ms:
        await redis.set(key, "1", px=wait_ms)


async def write_heartbeat(redis: Redis, process: str, fields: Mapping[str, str | int | float], *, ttl_s: int) -> None:
    """Write a process's figures; they vanish when it stops writing."""
    pairs = [part for pair in fields.items() for part in pair]
    await run_script(redis, "heartbeat", [f"proc:{process}"], [ttl_s, *map(str, pairs)])
