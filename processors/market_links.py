"""Trades whose outcome token no market was known for: linked as soon as the market is."""

import asyncio
from collections.abc import Sequence

import polars as pl

from common.clickhouse import Store
from common.errors import StoreRefused
from common.heartbeat import Figures
from common.lifecycle import wait
from common.log import logger
from common.redis_facts import WANTED_TOKENS, remove_words, words_of
from common.redis_streams import Redis, RedisError, Shard, progress
from processors.knowledge import Knowledge

log = logger("market_links")

EVERY_S = 5.0
WRITER = "clickhouse_writer"

LINK = """
ALTER TABLE trades UPDATE
    market_id = transform(symbol, {tokens:Array(String)}, {markets:Array(String)}, market_id),
    outcome = transform(symbol, {tokens:Array(String)}, {outcomes:Array(String)}, outcome)
WHERE venue = 'polymarket' AND market_id = '' AND symbol IN {tokens:Array(String)}
SETTINGS mutations_sync = 2
"""


async def keep_linked(
    redis: Redis, store: Store, knowledge: Knowledge, trades: Sequence[Shard], figures: Figures, stop: asyncio.Event
) -> None:
    """Link trades and markets until told to stop; doing so twice changes nothing."""
    while not await wait(stop, EVERY_S):
        try:
            wanted = await words_of(redis, WANTED_TOKENS)
            figures.gauges["wanted_tokens"] = len(wanted)
            if wanted:
                await link(redis, store, await knowledge.of(pl.Series(wanted)), trades)
        except (RedisError, StoreRefused) as error:
            log.warning("market_links.waiting", reason=str(error))


async def link(redis: Redis, store: Store, found: pl.DataFrame, trades: Sequence[Shard]) -> None:
    """
    Give the trades of tokens that are now known (token_id, market_id, outcome) their market.

    From here on new trades are made with this knowledge. Those made without it may still be on their way to the table,
    so nothing happens until the writer has passed the point that the streams have reached by now.
    """
    if found.is_empty():
        return
    ends = {shard: (await progress(redis, shard, WRITER))[0] for shard in trades}
    for shard, end in ends.items():
        if (await progress(redis, shard, WRITER))[1] < end:
            return
    names = {"tokens": "token_id", "markets": "market_id", "outcomes": "outcome"}
    await store.command(LINK, {name: found[column].to_list() for name, column in names.items()})
    await remove_words(redis, WANTED_TOKENS, found["token_id"].to_list())
    log.info("market_links.linked", tokens=len(found))
