"""What /quality asks ClickHouse: what was told of each venue, how late it came, and how many rows stand."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Query

from common.clickhouse import Store
from monitoring.asked import question
from monitoring.desk import Answer, Desk
from monitoring.ranges import SECONDS, Range
from monitoring.views.balances import Balance, balances_of
from monitoring.views.stages import Witnesses, witnesses
from monitoring.watch import Snapshot

EVERY_S = 5.0
RECONCILED_EVERY_S = 4.0
MOST_INCIDENTS = 2000
Rows = list[dict[str, Any]]

TOLD = question("""
SELECT venue, kind, count() AS events, uniqExact(symbol) AS symbols,
       sum(greatest(0, toUnixTimestamp64Nano(to_time) - toUnixTimestamp64Nano(from_time))) / 1e9 AS concerned_s,
       quantileExact(0.5)((toUnixTimestamp64Nano(to_time) - toUnixTimestamp64Nano(from_time)) / 1e6) AS p50_ms,
       quantileExact(0.99)((toUnixTimestamp64Nano(to_time) - toUnixTimestamp64Nano(from_time)) / 1e6) AS p99_ms
FROM feed_events WHERE received_time >= now64(9) - INTERVAL {seconds:UInt32} SECOND
GROUP BY venue, kind $bounded
""")
INCIDENTS = question(
    """
SELECT venue, symbol, channel, kind, expected, found, detail, toUnixTimestamp64Nano(from_time) AS from_ns,
       toUnixTimestamp64Nano(to_time) AS to_ns, toUnixTimestamp64Nano(received_time) AS received_ns
FROM feed_events WHERE received_time >= now64(9) - INTERVAL {seconds:UInt32} SECOND
  AND kind IN ('gap', 'resync', 'connected', 'disconnected', 'backfilled', 'stale', 'refused')
ORDER BY received_time DESC, offset DESC LIMIT $most_incidents $bounded
""",
    most_incidents=str(MOST_INCIDENTS),
)
TRADED = question("""
WITH toUnixTimestamp64Nano(received_time) - toUnixTimestamp64Nano(event_time) AS delay_ns
SELECT venue, count() AS trades, uniqExact(symbol) AS symbols, countIf(source = 'backfill') AS backfilled,
       count() - groupBitmap(bitShiftLeft(toUInt64(shard), 48) + offset) AS doubled,
       quantileIf(0.5)(delay_ns, source = 'live') / 1e6 AS p50_ms,
       quantileIf(0.99)(delay_ns, source = 'live') / 1e6 AS p99_ms,
       countIf(source = 'live') AS live, countIf(source = 'live' AND delay_ns > 1e9) AS late,
       toUnixTimestamp64Nano(min(received_time)) AS since_ns
FROM trades WHERE event_time >= now64(9) - INTERVAL {seconds:UInt32} SECOND GROUP BY venue $bounded
""")
BOOKED = question("""
SELECT venue, uniqExact(symbol) AS books, countIf(is_crossed) AS crossed, count() AS rows,
       toUnixTimestamp64Nano(min(event_time)) AS since_ns
FROM book_stats WHERE event_time >= now64(9) - INTERVAL {seconds:UInt32} SECOND GROUP BY venue $bounded
""")


@dataclass(frozen=True)
class Given:
    """Over which time."""

    range: Annotated[Range, Query()] = "1h"


@dataclass(frozen=True, eq=False)
class Answers:
    """The rows of the answers; each is only like itself, so that what is made of it is made once."""

    told: Rows = field(default_factory=list)
    incidents: Rows = field(default_factory=list)
    traded: Rows = field(default_factory=list)
    booked: Rows = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What was told, whether what was appended stands in the tables, and which feed of stocks is listened to."""

    told: Answer[Answers]
    balances: Answer[tuple[Balance, ...]]
    stages: Witnesses
    stocks_feed: str


async def ask(desk: Desk, given: Given, shot: Snapshot) -> Found:
    """Return what the tables say of a time, and the balance of every topic."""
    del shot
    seconds = SECONDS[given.range]
    told, balances, stages = await asyncio.gather(
        desk.of_store(("told", seconds), EVERY_S, lambda store: _told(store, seconds), at_once=True),
        desk.of_store("balances", RECONCILED_EVERY_S, lambda store: balances_of(desk.redis, store), at_once=True),
        witnesses(desk, given.range),
    )
    return Found(told, balances, stages, desk.settings.alpaca_stocks_feed)


async def _told(store: Store, seconds: int) -> Answers:
    asked = {"seconds": seconds}
    rows = [(await store.query(sql, asked)).to_dicts() for sql in (TOLD, INCIDENTS, TRADED, BOOKED)]
    return Answers(*rows)
