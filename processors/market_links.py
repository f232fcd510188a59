"""Trades whose outcome token no market was known for: linked as soon as the market is."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from common.clickhouse import Store
from common.errors import StoreRefused
from common.heartbeat import Figures
from common.lifecycle import wait
from common.log import logger
from common.redis_facts import remove_words, words_of
from common.redis_streams import Redis, RedisError, Shard, progress
from common.streams import WANTED_TOKENS
from processors.knowledge import Knowledge

log = logger("market_links")

EVERY_S = 5.0
PASSING_S = 0.1
PATIENCE = 100  # looks: the writer is ten seconds behind at the most, or it is not the time for this
WRITER = "clickhouse_writer"

LINK = """
ALTER TABLE trades UPDATE
    market_id = transform(symbol, {tokens:Array(String)}, {markets:Array(String)}, market_id),
    outcome = transform(symbol, {tokens:Array(String)}, {outcomes:Array(String)}, outcome)
WHERE venue = 'polymarket' AND market_id = '' AND symbol IN {tokens:Array(String)}
SETTINGS mutations_sync = 2
"""


@dataclass(frozen=True)
class Links:
    """What linking works with; `is_ours` tells whether the order events are this process's at the moment."""

    redis: Redis
    store: Store
    knowledge: Knowledge
    trades: Sequence[Shard]
    figures: Figures
    is_ours: Callable[[], bool]


async def keep_linked(links: Links, stop: asyncio.Event) -> None:
    """Link trades and markets until told to stop; doing so twice changes nothing."""
    while not await wait(stop, EVERY_S):
        try:
            wanted = await words_of(links.redis, WANTED_TOKENS) if links.is_ours() else []
            links.figures.gauges["wanted_tokens"] = len(wanted)
            if wanted:
                found = await links.knowledge.of(pl.Series(wanted))
                if not found.is_empty() and await _have_passed(links.redis, links.trades, stop):
                    await link(links.redis, links.store, found)
        except (RedisError, StoreRefused) as error:
            log.warning("market_links.waiting", reason=str(error))


async def _have_passed(redis: Redis, trades: Sequence[Shard], stop: asyncio.Event) -> bool:
    """
    Return whether the writer has stored every trade that was made up to now.

    New trades are made with what is known from now on. Those made before may still be on their way to the table, and
    an update that they escape would leave them without their market for ever.
    """
    ends = {shard: (await progress(redis, shard, WRITER))[0] for shard in trades}
    for _ in range(PATIENCE):
        if all([(await progress(redis, shard, WRITER))[1] >= end for shard, end in ends.items()]):
            return True
        if await wait(stop, PASSING_S):
            break
    return False


async def link(redis: Redis, store: Store, found: pl.DataFrame) -> None:
    """Give the trades of tokens that are known now (token_id, market_id, outcome) their market and outcome."""
    names = {"tokens": "token_id", "markets": "market_id", "outcomes": "outcome"}
    await store.command(LINK, {name: found[column].to_list() for name, column in names.items()})
    await remove_words(redis, WANTED_TOKENS, found["token_id"].to_list())
    log.info("market_links.linked", tokens=len(found))
