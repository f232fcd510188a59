"""
`python -m benchmarks.plain producer|consumer`: the plain design, as most would write it first.

One XADD for each event, json.loads, rows inserted by the thousand and then acknowledged; floats, synchronous redis-py.
"""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime

import clickhouse_connect
import redis
import websockets

from benchmarks.house import House, source, wait_for
from benchmarks.measure import Figures, Path, measure
from benchmarks.ours import settings

STREAM, GROUP = "plain:trades", "plain"
BATCH = 1_000
TABLE = """
CREATE TABLE plain_trades
(
    venue LowCardinality(String), symbol LowCardinality(String), trade_id String, event_time DateTime64(3, 'UTC'),
    received_time DateTime64(3, 'UTC'), price Float64, size Float64, notional Float64, taker_side LowCardinality(String)
)
ENGINE = MergeTree ORDER BY (venue, symbol, event_time)
"""
NAMES = ["venue", "symbol", "trade_id", "event_time", "received_time", "price", "size", "notional", "taker_side"]
WARM_UP = 1_000


def _is_done(house: House, expected: int) -> bool:
    return int(house.redis.get("plain:done") or 0) >= expected


PATH = Path("plain design", ("producer", "redis", "consumer", "clickhouse"), "plain_trades", _is_done, digits=3)


def throughput(events: int) -> Figures:
    """Return what the plain design costs."""
    with source() as venue, House() as house:
        house.start_servers()
        house.command(TABLE)
        house.environment |= settings(venue)
        house.start("consumer", "benchmarks.plain", "consumer")
        wait_for(lambda: bool(house.redis.exists(STREAM)), "the consumer")
        house.start("producer", "benchmarks.plain", "producer")
        venue.answer()
        return measure(house, venue, PATH, events=events, warm_up=WARM_UP)


async def _produce(url: str, client: redis.Redis) -> None:
    async with websockets.connect(f"{url}/stream?streams=all", ping_interval=None) as socket:
        async for frame in socket:
            data = json.loads(frame)["data"]
            record = {
                "venue": "binance",
                "symbol": data["s"],
                "trade_id": str(data["t"]),
                "event_ms": data["T"],
                "received_ms": int(time.time() * 1000),
                "price": data["p"],
                "size": data["q"],
                "taker_side": "sell" if data["m"] else "buy",
            }
            client.xadd(STREAM, {"data": json.dumps(record)})


def _consume(client: redis.Redis, port: int) -> None:
    store = clickhouse_connect.get_client(host="127.0.0.1", port=port, database="tickfleet")
    client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    while True:
        reply = client.xreadgroup(GROUP, "consumer", {STREAM: ">"}, count=BATCH, block=100)
        if not reply:
            continue
        entries = reply[STREAM.encode()][0] if isinstance(reply, dict) else reply[0][1]
        store.insert("plain_trades", [_row(fields[b"data"]) for _, fields in entries], column_names=NAMES)
        client.xack(STREAM, GROUP, *(entry_id for entry_id, _ in entries))
        client.incrby("plain:done", len(entries))


def _row(data: bytes) -> list[object]:
    record = json.loads(data)
    price, size = float(record["price"]), float(record["size"])
    times = (datetime.fromtimestamp(record[name] / 1000, UTC) for name in ("event_ms", "received_ms"))
    words = (record[name] for name in ("venue", "symbol", "trade_id"))
    return [*words, *times, price, size, price * size, record["taker_side"]]


if __name__ == "__main__":
    store = redis.Redis(port=int(os.environ["REDIS_PORT"]))
    if sys.argv[1] == "producer":
        asyncio.run(_produce(os.environ["BINANCE_WS_URL"], store))
    else:
        _consume(store, int(os.environ["CLICKHOUSE_PORT"]))
