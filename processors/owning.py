"""Owning a shard: take it when it is free or its owner dead, and show from then on that we live."""

import asyncio

from common.clock import monotonic_s
from common.inbox import Inbox
from common.lifecycle import wait
from common.log import logger
from common.place import Held, Ownership
from common.redis_streams import RedisError
from processors.consumer import Consumer

log = logger("consume")

BEAT_S = 1.0
LOOK_S = 0.2
SILENT_S = 4.0  # an owner whose beat stands still this long, by our own monotonic clock, is taken for dead


async def own(work: Consumer) -> Ownership | None:
    """Return the ownership once it is ours; None when the shard is taken from us before."""
    seen: Held | None = None
    since_s = monotonic_s()
    while not work.grant.taken.is_set():
        is_stale = seen is not None and (monotonic_s() - since_s > SILENT_S or work.is_dead(seen.owner))
        got = await work.inbox.acquire(work.process, seen if is_stale else None)
        if isinstance(got, Ownership):
            return got
        if got == seen:
            await wait(work.grant.taken, LOOK_S)
        else:
            seen, since_s = got, monotonic_s()
    return None


async def beat(inbox: Inbox) -> None:
    """Show that we live, until somebody else owns the shard; whether or not this is noticed in time, data is fenced."""
    while True:
        await asyncio.sleep(BEAT_S)
        try:
            await inbox.beat()
        except RedisError as error:
            log.warning("consume.beat_lost", shard=inbox.shard.key, reason=str(error))
