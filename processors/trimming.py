"""Keeping streams short: what every group has committed and is older than the retention goes, nothing else."""

import asyncio
from collections.abc import Callable, Sequence

from common.clock import NS_PER_MS, now_ns
from common.lifecycle import wait
from common.log import logger
from common.redis_streams import Redis, RedisError, Shard, trim
from common.streams import Stream

log = logger("trim")

EVERY_S = 10.0


async def keep_trimmed(
    redis: Redis, ours: Callable[[], Sequence[Shard]], groups_on: Callable[[Stream], list[str]], stop: asyncio.Event
) -> None:
    """Trim the shards that are ours at the moment from time to time until told to stop."""
    while not await wait(stop, EVERY_S):
        try:
            for shard in ours():
                oldest_ms = now_ns() // NS_PER_MS - shard.stream.retention_s * 1000
                removed = await trim(redis, shard, groups_on(shard.stream), f"{oldest_ms}-0")
                if removed:
                    log.debug("trim.removed", shard=shard.key, entries=removed)
        except RedisError as error:
            log.warning("trim.waiting", reason=str(error))
