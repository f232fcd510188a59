"""What the crash listener has told Redis: which program fell over, and when; each crash once, if told twice."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from common.clock import NS_PER_S
from common.redis_streams import Redis

CRASHES = "program:crashes"
KEPT_S = 86_400.0


class Crash(NamedTuple):
    """A process ended without having been told to, or could not be started."""

    process: str
    at_ns: int


async def write_down(redis: Redis, crashes: Iterable[Crash], now_ns: int) -> None:
    """Tell Redis of crashes; what is older than a day goes."""
    await redis.zadd(CRASHES, {f"{crash.process}|{crash.at_ns}": crash.at_ns / NS_PER_S for crash in crashes})
    await redis.zremrangebyscore(CRASHES, "-inf", now_ns / NS_PER_S - KEPT_S)


async def crashes_since(redis: Redis, since_s: float) -> dict[str, int]:
    """Return how often each process has crashed since a time."""
    held: list[bytes] = await redis.zrangebyscore(CRASHES, since_s, "+inf")
    return dict(Counter(member.decode().partition("|")[0] for member in held))
