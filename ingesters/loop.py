"""THE ingest loop: a fresh feed, one conversation, a pause; again and again."""

import asyncio

from common.backoff import delays_s
from common.clock import now_ns
from common.errors import FeedRefused, WireLost
from common.lifecycle import wait
from common.log import logger
from common.redis_streams import RedisError
from ingesters.conversation import Conversation
from ingesters.feed import Resume
from ingesters.ingester import CONNECTION, Ingester, connection_event

log = logger("ingest")


async def ingest(work: Ingester, stop: asyncio.Event) -> None:
    """
    Record a venue until told to stop.

    Raises:
        FeedRefused: the venue will not serve us.
    """
    pauses = delays_s()
    work.figures.expects(CONNECTION, "no answer from the venue yet")
    while not stop.is_set():
        try:
            conversation = Conversation(work, Resume(work.sink.state, work.sink.marks))
            try:
                await conversation.hold(stop)
            finally:
                await conversation.end()
                if conversation.brought_data:
                    pauses = delays_s()  # a dial that succeeds proves nothing: some venues accept, then hang up
        except FeedRefused as error:
            work.sink.put(connection_event(work, "refused", now_ns(), str(error)))
            await work.sink.settle()
            raise
        except (WireLost, RedisError) as error:
            if not stop.is_set():
                await _pause(work, error, next(pauses), stop)
    await work.sink.settle()


async def _pause(work: Ingester, error: Exception, pause_s: float, stop: asyncio.Event) -> None:
    work.figures.waits(CONNECTION, error)
    work.figures.counters["reconnects_total"] += 1
    log.warning("ingest.reconnecting", venue=work.venue.name, pause_s=round(pause_s, 2), reason=str(error))
    await wait(stop, pause_s)
