"""How much of the streams is not read yet."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.redis_streams import Redis, all_shards


@dataclass(frozen=True)
class Backlog:
    """Entries by topic, and the records that some group has not committed."""

    entries: Mapping[str, int]
    unread: int


async def read_backlog(redis: Redis) -> Backlog:
    """Return the backlog of all groups that the fleet's programs have registered."""
    shards = await all_shards(redis)
    entries: dict[str, int] = {}
    unread = 0
    for shard in shards:
        entries[shard.stream.topic] = entries.get(shard.stream.topic, 0) + await redis.xlen(shard.key)
        offset = int(await redis.hget(shard.facts, "offset") or 0)
        if not await redis.exists(shard.key):
            continue
        for group in await redis.xinfo_groups(shard.key):
            owned, position = await redis.hmget(shard.group(group["name"].decode()), "epoch", "position")
            # A group that has never committed has read nothing; one that no program of ours ever owned is a stranger's.
            unread += offset - int(position or 0) if owned else 0
    return Backlog(entries, unread)
