"""What it costs to be sure, of appends and inserts, by fsync settings: python -m benchmarks.durability."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import quantiles
from typing import NamedTuple

import polars as pl

from benchmarks.house import House
from common.clickhouse import Store, connect
from common.codec import encode_lines
from common.outbox import Outbox
from common.packet import Packet
from common.packing import pack
from common.records import Trade
from common.redis_streams import Shard
from common.redis_streams import connect as connect_redis
from common.settings import Settings
from common.streams import TRADES
from common.tables import TRADE_ROWS
from processors.frames import frame_of, table_frame

SECONDS = 6.0
PACKETS = (1, 50, 500)
BATCHES = (1_000, 10_000, 50_000)
POLICIES = ("no", "everysec", "always")
SYNCED = {
    "off": (0, 0, 0, 0),
    "insert": (1, 0, 0, 0),
    "all": (1, 1, 1, 1),
}
SETTINGS = (
    "fsync_after_insert",
    "fsync_part_directory",
    "min_rows_to_fsync_after_merge",
    "min_compressed_bytes_to_fsync_after_merge",
)


class Cost(NamedTuple):
    """Records a second, and how long one call took."""

    rate: float
    p50_ms: float
    p99_ms: float


def trades(count: int, first: int = 0) -> list[Trade]:
    """Return trades as a busy market has them."""
    now_ns = time.time_ns()
    return [
        Trade(
            venue="bench",
            symbol="BTCUSDT",
            received_ns=now_ns + number,
            trade_id=str(number),
            event_ns=now_ns + number,
            price=f"{60_000 + number % 997}.{number % 100:02}",
            size=f"0.{number % 99_991:05}",
            taker_side="buy" if number % 2 else "sell",
            sequence=number,
        )
        for number in range(first, first + count)
    ]


async def measured(call: Callable[[int], Awaitable[object]], records: int) -> Cost:
    """Return what a call that carries so many records costs, repeated for a while; it is told its number."""
    took_s: list[float] = []
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < SECONDS or len(took_s) < 10:
        since_s = time.perf_counter()
        await call(len(took_s) + 1)
        took_s.append(time.perf_counter() - since_s)
    cuts = quantiles(took_s, n=100)
    return Cost(records * len(took_s) / sum(took_s), cuts[49] * 1000, cuts[98] * 1000)


async def appends(house: House, policy: str, records: int) -> Cost:
    """Return what an append of a packet costs, as an ingester's."""
    house.redis.flushall()
    house.redis.config_set("appendfsync", policy)
    redis = connect_redis(Settings(redis_host="127.0.0.1", redis_port=house.redis_port))
    outbox = Outbox(redis, Shard(TRADES, 0, 1), "bench")
    await outbox.claim()
    entries = pack(encode_lines(trades(records)).split(b"\n"))
    try:
        return await measured(lambda number: outbox.append(Packet(number, entries)), records)
    finally:
        await redis.aclose()


async def inserts(house: House, synced: str, rows: int) -> Cost:
    """Return what an insert of a batch costs, as the writer's."""
    house.command("TRUNCATE TABLE trades")
    values = zip(SETTINGS, SYNCED[synced], strict=True)
    house.command(f"ALTER TABLE trades MODIFY SETTING {', '.join(f'{name} = {value}' for name, value in values)}")
    store = Store(connect(Settings(clickhouse_host="127.0.0.1", clickhouse_port=house.clickhouse_port)))
    frame = frame_of(trades(rows), Trade).with_columns(
        pl.lit(0, dtype=pl.UInt16).alias("shard"),
        pl.int_range(rows, dtype=pl.UInt64).alias("offset"),
        pl.lit("0").alias("notional"),
    )
    fitting = table_frame(frame, TRADE_ROWS)
    return await measured(lambda number: store.insert(TRADE_ROWS, fitting, f"bench/{synced}/{rows}/{number}"), rows)


async def main() -> None:
    """Measure all, and print one line for each."""
    with House() as house:
        house.start_servers()
        for records in PACKETS:
            for policy in POLICIES:
                show(f"append, {records:,} records, appendfsync {policy}", await appends(house, policy, records))
        for rows in BATCHES:
            for synced in SYNCED:
                show(f"insert, {rows:,} rows, fsync {synced}", await inserts(house, synced, rows))


def show(what: str, cost: Cost) -> None:
    """Print a line."""
    figures = f"{cost.rate:>12,.0f} records/s   p50 {cost.p50_ms:8.2f} ms   p99 {cost.p99_ms:8.2f} ms"
    print(f"{what:<45}{figures}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
