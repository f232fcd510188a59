"""
Wishes for what a venue does not number: what stands is told by its names, in a set beside the wish.

The stretch ends before what the ingester may still add by itself, and what stands is asked when everything that was in
the streams has come to ClickHouse: else the names would lack what is on its way, and it would be fetched again.
"""

import asyncio
from typing import Any, NamedTuple

from common.clock import NS_PER_S, monotonic_s
from common.redis_facts import add_words
from common.redis_readings import RedisReader
from common.redis_streams import Redis, all_shards, progress
from common.settings import Settings
from common.streams import ORDER_EVENTS
from common.wishes import Wish, digest, packed, standing_key, wish_id
from monitoring.cli.asking import ask_clickhouse, ask_redis
from monitoring.cli.times import Wrong

WRITER = "clickhouse_writer"
MOST_NAMES = 500_000
WORDS_AT_ONCE = 20
KEPT_S = 7 * 86_400  # should nobody ever take the wish
PATIENCE_S, LOOK_EVERY_S = 30.0, 0.2


class Kind(NamedTuple):
    """How one program's records are found: `margin_s` before its newest one a stretch ends."""

    venue: str
    table: str
    name: str
    which: str
    margin_s: int


_ALPACA = Kind(
    "alpaca",
    "trades",
    "concat(symbol, ' ', trade_id, ' ', toString(toUnixTimestamp64Nano(event_time)))",
    "symbol = {symbol:String}",
    margin_s=60,
)
# Ten minutes of the subgraph and some blocks of the chain are read again by themselves.
_SUBGRAPH = Kind("polymarket", "order_events", "event_id", "source = 'subgraph'", margin_s=600)
NAMED = {
    "alpaca_stocks": _ALPACA,
    "alpaca_crypto": _ALPACA,
    "goldsky": _SUBGRAPH,
    "polygon": _SUBGRAPH._replace(which="source = 'chain'"),
}
NEWEST = """
SELECT max(toUnixTimestamp64Nano(event_time)) AS newest, max(toUnixTimestamp64Nano(received_time)) AS seen
FROM {table} WHERE venue = {{venue:String}} AND {which} HAVING count() > 0
"""
STANDING = """
SELECT DISTINCT {name} AS name FROM {table} WHERE venue = {{venue:String}} AND {which}
AND event_time BETWEEN fromUnixTimestamp64Nano({{from_ns:Int64}}) AND fromUnixTimestamp64Nano({{to_ns:Int64}})
LIMIT {most}
"""


def named_wish(settings: Settings, program: str, symbol: str, span: tuple[int, int]) -> Wish:
    """
    Return a wish for a stretch, with what stands in it put beside it; `program` is without `_ingester`.

    Raises:
        Wrong: there is nothing to go by yet, too much stands, or what is on its way does not arrive.
    """
    kind = NAMED[program]
    if kind.table == ORDER_EVENTS.topic:
        ask_redis(settings, lambda redis: _wait_written(redis, f"{program}_ingester"))
    facts: dict[str, Any] = {"venue": kind.venue, "symbol": symbol}
    which = f"{kind.which} AND source = 'live'" if kind is _ALPACA else kind.which
    newest = ask_clickhouse(settings, NEWEST.format(table=kind.table, which=which), facts)
    if newest.is_empty():
        raise Wrong(f"{symbol or program}: nothing of its stream stands yet; without it, nothing tells where to stop")
    newest_ns, seen_ns = (int(value) for value in newest.row(0))
    names = _standing(settings, kind, facts | {"from_ns": span[0], "to_ns": span[1]})
    name = wish_id(symbol, *span)
    key = standing_key(f"{program}_ingester", name)
    ask_redis(settings, lambda redis: _put(redis, key, names))
    below_ns = newest_ns - kind.margin_s * NS_PER_S
    return Wish(name, symbol, *span, below=below_ns, names=len(names), seen_ns=seen_ns)


def _standing(settings: Settings, kind: Kind, facts: dict[str, Any]) -> set[str]:
    query = STANDING.format(name=kind.name, table=kind.table, which=kind.which, most=MOST_NAMES + 1)
    found = ask_clickhouse(settings, query, facts)["name"]
    if len(found) > MOST_NAMES:
        raise Wrong(f"more than {MOST_NAMES:,} {kind.table} stand in this stretch already; ask for a shorter one")
    return {digest(name) for name in found}


async def _put(redis: Redis, key: str, names: set[str]) -> None:
    await redis.delete(key)
    words = list(packed(names))
    for start in range(0, len(words), WORDS_AT_ONCE):
        await add_words(redis, key, words[start : start + WORDS_AT_ONCE])
    await redis.expire(key, KEPT_S)


async def _wait_written(redis: Redis, program: str) -> None:
    """Return when what stood in the stream by now stands in ClickHouse."""
    for process in (await RedisReader(redis).read(0)).processes:
        if process.name.startswith(program) and process.figures.get("spool_bytes", 0):
            raise Wrong(f"{process.name} is still appending what it kept while Redis was away: ask again later")
    shards = [shard for shard in await all_shards(redis) if shard.stream is ORDER_EVENTS]
    ends = {shard: (await progress(redis, shard, WRITER))[0] for shard in shards}
    until_s = monotonic_s() + PATIENCE_S
    for shard, end in ends.items():
        while (await progress(redis, shard, WRITER))[1] < end:
            if monotonic_s() > until_s:
                raise Wrong(f"{WRITER} has not come to the end of {shard.key} in {PATIENCE_S:g} s: ask again later")
            await asyncio.sleep(LOOK_EVERY_S)
