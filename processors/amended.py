"""What venues said later of trades: the candles that it touches, made anew from the tables."""

import asyncio
from typing import NamedTuple

import polars as pl

from common.clickhouse import Store
from common.clock import NS_PER_S, monotonic_s
from common.errors import StoreRefused
from common.log import logger
from common.redis_streams import Redis, RedisError, Shard, progress
from common.streams import TRADE_CORRECTIONS, TRADES
from processors.appending import Layout
from processors.frames import PRICE
from processors.knowledge import Knowledge
from processors.transforms.candle import FIELDS, PRICES, SUMS
from processors.transforms.candle_parts import KEPT_S, REACH_S

log = logger("amended")

WRITER = "clickhouse_writer"
EVERY_S = 2.0
PATIENCE_S = 5.0  # the writer is seldom further behind; if it is, the next look comes soon
REACH_NS = REACH_S * NS_PER_S

EVER = "venue, symbol, trade_id, event_time"  # of a trade that was told, be it removed since
KEPT = "event_time >= fromUnixTimestamp64Nano({oldest_ns:Int64})"
CORRECTED = f"{KEPT} AND (venue, symbol, trade_id) IN corrected"
# Trades up to a running number only: the state has turned just these, and will turn those behind itself. A table is
# narrowed where it is read, by the beginning of its key: a correction of one symbol reads no other.
ANEW = f"""
WITH
    {list(KEPT_S)} AS intervals,
    corrected AS (SELECT venue, symbol, trade_id FROM trade_corrections WHERE offset >= {{since:UInt64}}),
    touched AS
    (
        SELECT DISTINCT
            venue, symbol, interval_s, intDiv(toUnixTimestamp64Nano(event_time), interval_s * 1000000000) AS place
        FROM
        (
            SELECT {EVER} FROM trades WHERE {CORRECTED}
            UNION ALL
            SELECT {EVER} FROM removed_trades WHERE {CORRECTED}
        )
        ARRAY JOIN intervals AS interval_s
    ),
    anew AS
    (
        SELECT
            venue,
            symbol,
            interval_s,
            intDiv(toUnixTimestamp64Nano(event_time), interval_s * 1000000000) AS place,
            toUnixTimestamp64Nano(max(received_time)) AS received_ns,
            argMin(price, (event_time, offset)) AS open,
            max(price) AS high,
            min(price) AS low,
            argMax(price, (event_time, offset)) AS close,
            toUnixTimestamp64Nano(min(event_time)) AS first_ns,
            argMin(offset, (event_time, offset)) AS first_offset,
            toUnixTimestamp64Nano(max(event_time)) AS last_ns,
            argMax(offset, (event_time, offset)) AS last_offset,
            sum(size) AS volume,
            sum(told.notional) AS notional,
            sumIf(size, taker_side = 'buy') AS buy_volume,
            sumIf(size, taker_side = 'sell') AS sell_volume,
            count() AS trades
        FROM
        (
            SELECT * FROM trades_now
            WHERE {KEPT} AND (venue, symbol) IN (SELECT venue, symbol FROM corrected)
        ) AS told
        ARRAY JOIN intervals AS interval_s
        WHERE (shard != {{shard:UInt16}} OR offset < {{stop:UInt64}}) AND (venue, symbol, interval_s, place) IN touched
        GROUP BY venue, symbol, interval_s, place
    )
SELECT
    touched.venue AS venue, touched.symbol AS symbol, touched.interval_s AS interval_s,
    touched.place * touched.interval_s * 1000000000 AS open_ns,
    received_ns, open, high, low, close, first_ns, first_offset, last_ns, last_offset, volume, notional, buy_volume,
    sell_volume, trades
FROM touched LEFT JOIN anew USING (venue, symbol, interval_s, place)
"""  # noqa: S608  from what stands above
NAMES = ("venue", "symbol", "interval_s", "open_ns")
NUMBERS = (*PRICES, *SUMS)
SCHEMA = pl.Schema(
    {name: pl.String() if name in NAMES[:2] else PRICE if name in NUMBERS else pl.Int64() for name in (*NAMES, *FIELDS)}
)
NOTHING = pl.DataFrame(schema=SCHEMA)


class Awaited(NamedTuple):
    """Corrections before a running number, whose trades all lie before another."""

    corrections: int
    trades: int


class Amended(Knowledge):
    """
    The candles that corrections touch, as they were before a batch of trades.

    Looked for now and then, while the writer has stored corrections whose trades the state may not have turned at the
    last look; and from the first one on when trades are turned again, as a state then begins at an earlier place.
    """

    def __init__(self, store: Store, redis: Redis, layout: Layout) -> None:
        super().__init__(store, None)
        self._redis = redis
        self._trades, (self._corrections,) = layout[TRADES], layout[TRADE_CORRECTIONS]
        self._starts: dict[int, int] = {}
        self._looked_s: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        self._awaited: dict[int, Awaited] = {}

    async def about(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return candles anew, mostly none; while a server is away there are none, and a later look finds them."""
        if frame.is_empty():
            return NOTHING
        shard, start = int(frame["shard"][0]), int(frame["offset"][0])
        if start <= self._starts.get(shard, -1):
            self.forget(shard)
        self._starts[shard] = start
        return await self.at_rest(
            shard, start, int(frame.select(pl.min_horizontal(pl.col("event_ns", "received_ns").min())).item())
        )

    def forget(self, shard: int) -> None:
        """Look again from the first correction on."""
        for known in (self._looked_s, self._seen, self._awaited):
            known.pop(shard, None)

    async def at_rest(self, shard: int, stop: int, oldest_ns: int) -> pl.DataFrame:
        """Return candles anew, of the trades before `stop`, that corrections of times from `oldest_ns` on touch."""
        if monotonic_s() - self._looked_s.get(shard, -EVERY_S) < EVERY_S:
            return NOTHING
        self._looked_s[shard] = monotonic_s()
        try:
            return await self._anew(self._trades[shard], stop, oldest_ns - REACH_NS)
        except (RedisError, StoreRefused) as error:
            log.warning("amended.waiting", reason=str(error))
            return NOTHING

    async def _anew(self, shard: Shard, stop: int, oldest_ns: int) -> pl.DataFrame:
        _, told = await progress(self._redis, self._corrections, WRITER)
        end, _ = await progress(self._redis, shard, WRITER)  # what is corrected was told before
        since = self._seen.get(shard.number, 0)
        if told <= since or not await self._have_come(shard, stop):
            return NOTHING
        asked = {"since": since, "shard": shard.number, "stop": stop, "oldest_ns": oldest_ns}
        found = await self._store.query(ANEW, asked)
        awaited = self._awaited.setdefault(shard.number, Awaited(told, end))
        if stop >= awaited.trades:
            self._seen[shard.number] = self._awaited.pop(shard.number).corrections
        log.info("amended.found", shard=shard.key, candles=len(found))
        return found.select(SCHEMA.names()).cast(SCHEMA) if len(found) else NOTHING

    async def _have_come(self, shard: Shard, stop: int) -> bool:
        """Return whether the writer has stored all trades before a running number."""
        until_s = monotonic_s() + PATIENCE_S
        while (await progress(self._redis, shard, WRITER))[1] < stop:
            if monotonic_s() > until_s:
                return False
            await asyncio.sleep(0.05)
        return True
