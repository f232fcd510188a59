"""From one copy of a program to the next on the same machine: the older one is fenced, and leaves its spool behind."""

import asyncio
from collections.abc import Sequence

from common.log import logger
from common.outbox import Outbox
from ingesters.spool import Spool

log = logger("ingest")

LOOK_AGAIN_S = 0.2


async def take(spool: Spool, outboxes: Sequence[Outbox]) -> None:
    """Open the spool; while another copy has it, fence that copy first: it notices within a second or two, and ends."""
    if await spool.open():
        return
    spool.figures.detail = "waiting for another copy of this program to end"
    log.warning("ingest.fencing", reason="another copy of this program has the spool")
    earlier = [await _fence(outbox) for outbox in outboxes]
    while not await spool.open():  # noqa: ASYNC110  another process's lock rings no bell
        await asyncio.sleep(LOOK_AGAIN_S)
    for outbox, epoch in zip(outboxes, earlier, strict=True):
        await spool.inherit(outbox.shard.key, outbox.epoch, epoch)


async def _fence(outbox: Outbox) -> int:
    """Become the source without appending anything; return the epoch that is over."""
    while True:
        held = await outbox.held()
        if await outbox.take_over(held, outbox.next_epoch(held), held.batch):
            return held.epoch
