"""The processes that append to a shard: up to when each has handed on what it heard."""

from collections.abc import Iterable

from common.outbox import ALIVE, EPOCH
from common.redis_streams import Redis, Shard


async def handed_on_ns(redis: Redis, shard: Shard, firsts: Iterable[Shard]) -> int | None:
    """
    Return up to when all sources of a shard have said that nothing of theirs is held up; None when all have ended well.

    One that was killed, is frozen, or that Redis does not take anything from, says no more: its last word counts.

    Args:
        redis: the server.
        shard: the shard.
        firsts: the first shard of every stream; a source leaves its word in one of them.
    """
    names = [name.decode() for name in await redis.hkeys(shard.facts)]
    sources = [name.removesuffix(EPOCH) for name in names if name.endswith(EPOCH)]
    if not sources:
        return None
    ask = redis.pipeline(transaction=False)
    for first in firsts:
        ask.hmget(first.facts, [f"{source}{ALIVE}" for source in sources])
    words = zip(*await ask.execute(), strict=True)  # of each source, from all places
    return min((max(int(word) for word in told if word) for told in words if any(told)), default=None)
