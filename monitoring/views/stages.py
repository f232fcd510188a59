"""How long a record takes, stage by stage: venue to us, us to Redis, Redis to ClickHouse; each from its own witness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from common.clickhouse import Store
from common.clock import NS_PER_MS
from common.redis_streams import Redis
from common.streams import BOOKS, QUOTES, TICKERS, TRADES
from monitoring import entries
from monitoring.asked import question
from monitoring.desk import Answer, Desk
from monitoring.ranges import SECONDS

EVERY_S = 5.0
LOOKED_AT = 200  # newest entries of each topic
TOPICS = tuple(stream.topic for stream in (TRADES, QUOTES, BOOKS, TICKERS))
WRITER = "clickhouse_writer on "
CAME = question("""
SELECT count() AS n, quantile(0.5)(delay_ns) / 1e6 AS p50_ms, quantile(0.99)(delay_ns) / 1e6 AS p99_ms
FROM (SELECT toUnixTimestamp64Nano(received_time) - toUnixTimestamp64Nano(event_time) AS delay_ns FROM trades
      WHERE event_time >= now64(9) - INTERVAL {seconds:UInt32} SECOND AND source = 'live') $bounded
""")


class Received(msgspec.Struct):
    """When a record's bytes reached us."""

    received_ns: int


@dataclass(frozen=True)
class Stage:
    """A stage, from how many observations; `why` says why there are no figures."""

    name: str
    p50_ms: float | None
    p99_ms: float | None
    observations: int
    about: str
    why: str = ""


@dataclass(frozen=True)
class Witnesses:
    """What each stage was learnt from; waits are the worst of each step that the dashboard remembers."""

    came: Answer[dict[str, Any]]
    put_ms: Answer[list[float]]
    waited_ms: list[float]
    step_s: float


async def witnesses(desk: Desk, span: str) -> Witnesses:
    """Return what is known of each stage over a span."""
    seconds = SECONDS[span]
    trends = desk.past.trends("lag_s", span)
    waits = [line.values for line in trends.lines if line.name.startswith(WRITER)]
    return Witnesses(
        came=await desk.of_store(("came", seconds), EVERY_S, lambda store: _came(store, seconds), at_once=True),
        put_ms=await desk.of_redis("put", EVERY_S, _put_ms),
        waited_ms=[1000 * value for values in waits for value in values if value is not None],
        step_s=trends.step_s,
    )


async def _came(store: Store, seconds: int) -> dict[str, Any]:
    return (await store.query(CAME, {"seconds": seconds})).to_dicts()[0]


async def _put_ms(redis: Redis) -> list[float]:
    """Return how long the first record of each of the newest entries waited until Redis had it; it waited longest."""
    found: list[float] = []
    for topic in TOPICS:
        shards = await entries.shards_of(redis, topic)
        for entry in await entries.page_before(redis, shards, None, LOOKED_AT) if shards else ():
            try:
                first = msgspec.json.decode(entry.data.partition(b"\n")[0], type=Received)
            except msgspec.DecodeError:
                continue
            found.append((entry.time_ns - first.received_ns) / NS_PER_MS)
    return found


def stages_of(found: Witnesses) -> tuple[Stage, ...]:
    """Return the three stages."""
    came = found.came.value or {}
    trades = int(came.get("n", 0))
    put = found.put_ms.value or []
    return (
        Stage(
            "venue → received",
            came["p50_ms"] if trades else None,
            came["p99_ms"] if trades else None,
            trades,
            "live trades of the range, by the venue's clock and ours",
            _why(found.came, "no live trade in this time"),
        ),
        Stage(
            "received → in Redis",
            quantile(put, 0.5),
            quantile(put, 0.99),
            len(put),
            f"first records of the newest {LOOKED_AT} entries of {', '.join(TOPICS)}",
            _why(found.put_ms, "no entry there"),
        ),
        Stage(
            "in Redis → in ClickHouse",
            quantile(found.waited_ms, 0.5),
            quantile(found.waited_ms, 0.99),
            len(found.waited_ms),
            f"the longest wait for the writer in each {found.step_s:.0f} s, of the streams that waited longest",
            "nothing is remembered yet",
        ),
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of them lies, None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _why(answer: Answer[Any], otherwise: str) -> str:
    return f"{answer.server} does not answer: {answer.problem}" if answer.value is None else otherwise
