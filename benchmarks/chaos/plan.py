"""The faults, and which comes next: chosen by a seed, so that a run can be had again."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from benchmarks.chaos.aimed import freeze_owner, kill_unanswered, kill_unheard
from benchmarks.chaos.fleet import PROCESSORS, Fleet

Fault = Callable[[Fleet, random.Random], Awaitable[str]]

SPARE = "clickhouse_writer_02"
SPARE_BYTES = (0, 2**20, 8 * 2**20)
SOCKETS = ("binance", "okx", "alpaca", "upstox", "polymarket_clob")
MOST_UNSYNCED_S = 2.0  # what `appendfsync everysec` may lose
CUT_PAUSE_S = 10.0  # a machine that has lost its power does not lose it again at once
POISON = ("quotes", "trades", "books:1", "order_events", "markets")


async def _kill(fleet: Fleet, chance: random.Random) -> str:
    name = chance.choice((*fleet.ingesters, *PROCESSORS))
    fleet.send(name, signal.SIGKILL)
    return f"kill -9 {name}"


async def _kill_processor(fleet: Fleet, chance: random.Random) -> str:
    name = chance.choice(PROCESSORS)
    fleet.send(name, signal.SIGKILL)
    return f"kill -9 {name}"


async def _terminate(fleet: Fleet, chance: random.Random) -> str:
    name = chance.choice((*fleet.ingesters, *PROCESSORS))
    code = await fleet.retire(name)
    fleet.launch(name)
    return f"restart {name}" if code == 0 else f"restart {name}, which ended with {code}"


async def _freeze(fleet: Fleet, chance: random.Random) -> str:
    name, for_s = chance.choice((*fleet.ingesters, *PROCESSORS)), chance.uniform(0.5, 12.0)
    fleet.send(name, signal.SIGSTOP)
    await asyncio.sleep(for_s)
    fleet.send(name, signal.SIGCONT)
    return f"freeze {name} for {for_s:.1f} s"


async def _kill_server(fleet: Fleet, chance: random.Random) -> str:
    name = chance.choice(("redis", "clickhouse"))
    fleet.send(name, signal.SIGKILL)
    return f"kill -9 {name}"


async def _restart_server(fleet: Fleet, chance: random.Random) -> str:
    name = chance.choice(("redis", "clickhouse"))
    fleet.send(name, signal.SIGTERM)
    return f"restart {name}"


async def _kill_in_rewrite(fleet: Fleet, chance: random.Random) -> str:
    with contextlib.suppress(RedisError):
        await asyncio.to_thread(fleet.house.redis.bgrewriteaof)
    await asyncio.sleep(chance.uniform(0.0, 0.05))
    fleet.send("redis", signal.SIGKILL)
    return "kill -9 redis while it rewrites its append file"


async def _lose_end(fleet: Fleet, chance: random.Random) -> str:
    file = await asyncio.to_thread(fleet.append_file)
    size_bytes, for_s = file.stat().st_size, chance.uniform(0.1, MOST_UNSYNCED_S)
    await asyncio.sleep(for_s)
    lost_bytes = await asyncio.to_thread(fleet.kill_and_cut_redis, file, size_bytes)
    await asyncio.sleep(CUT_PAUSE_S)
    return f"power cut of redis for the last {for_s:.1f} s, {lost_bytes:,} bytes"


async def _starve(fleet: Fleet, chance: random.Random) -> str:
    name, spare_bytes = chance.choice((*fleet.ingesters, *PROCESSORS, "clickhouse")), chance.choice(SPARE_BYTES)
    for_s = chance.uniform(1.0, 5.0)
    if fleet.starve(name, spare_bytes):
        await asyncio.sleep(for_s)
        fleet.feed(name)
    return f"no memory in {name} for {for_s:.1f} s"


async def _lose_replies(fleet: Fleet, chance: random.Random) -> str:
    name, proxy = chance.choice((("redis", fleet.redis_proxy), ("clickhouse", fleet.clickhouse_proxy)))
    proxy.swallow = chance.randint(1, 5)
    return f"lose replies of {name}"


async def _kill_both(fleet: Fleet, chance: random.Random) -> str:
    writer = chance.choice(PROCESSORS)
    fleet.send(writer, signal.SIGKILL)
    fleet.send("clickhouse", signal.SIGKILL)
    return f"kill -9 {writer} and clickhouse"


async def _cut(fleet: Fleet, chance: random.Random) -> str:
    name, proxy = chance.choice((("redis", fleet.redis_proxy), ("clickhouse", fleet.clickhouse_proxy)))
    proxy.cut()
    return f"cut every connection to {name}"


async def _stall(fleet: Fleet, chance: random.Random) -> str:
    name, proxy = chance.choice((("redis", fleet.redis_proxy), ("clickhouse", fleet.clickhouse_proxy)))
    for_s = chance.uniform(0.5, 8.0)
    proxy.stall()
    await asyncio.sleep(for_s)
    proxy.flow()
    return f"stall {name} for {for_s:.1f} s"


async def _refuse(fleet: Fleet, chance: random.Random) -> str:
    name, proxy = chance.choice((("redis", fleet.redis_proxy), ("clickhouse", fleet.clickhouse_proxy)))
    for_s = chance.uniform(0.5, 6.0)
    proxy.refuses = True
    proxy.cut()
    await asyncio.sleep(for_s)
    proxy.flow()
    return f"refuse connections to {name} for {for_s:.1f} s"


async def _scale(fleet: Fleet, chance: random.Random) -> str:
    del chance
    if SPARE in fleet.programs:
        await fleet.retire(SPARE)
        return f"stop {SPARE}"
    fleet.launch(SPARE)
    return f"start {SPARE}"


async def _fill_redis(fleet: Fleet, chance: random.Random) -> str:
    for_s = chance.uniform(1.0, 5.0)
    redis = fleet.house.redis
    held = await asyncio.to_thread(redis.config_get, "maxmemory")
    await asyncio.to_thread(redis.config_set, "maxmemory", 1)
    await asyncio.sleep(for_s)
    await asyncio.to_thread(redis.config_set, "maxmemory", held["maxmemory"])
    return f"redis full for {for_s:.1f} s"


async def _poison(fleet: Fleet, chance: random.Random) -> str:
    topic = chance.choice(POISON)
    key = f"stream:{{{topic}}}" if ":" in topic else f"stream:{topic}"
    await asyncio.to_thread(fleet.house.redis.xadd, key, {"note": "not one of ours"})
    return f"a strange entry in {key}"


async def _venue(fleet: Fleet, chance: random.Random) -> str:
    venue = chance.choice(SOCKETS)
    kinds = ("disconnect", "duplicate", "garbage", "truncated", "slow")
    kind = chance.choice((*kinds, "gap", "reorder") if venue == "binance" else kinds)
    await asyncio.to_thread(fleet.order, kind=kind, venue=venue, channel="socket", times=chance.randint(1, 3))
    return f"{venue}: {kind}"


async def _web(fleet: Fleet, chance: random.Random) -> str:
    venue = chance.choice(("goldsky", "polymarket", "polygon", *SOCKETS))
    kind = chance.choice(("status", "truncated", "garbage", "disconnect", "slow"))
    await asyncio.to_thread(fleet.order, kind=kind, venue=venue, channel="http", times=chance.randint(1, 3))
    return f"{venue} over HTTP: {kind}"


FAULTS: tuple[tuple[int, Fault], ...] = (
    (8, _kill),
    (2, _kill_processor),
    (3, _terminate),
    (4, _freeze),
    (4, _kill_server),
    (1, _restart_server),
    (1, _kill_in_rewrite),
    (1, _lose_end),
    (2, _starve),
    (2, _lose_replies),
    (2, _kill_both),
    (2, _cut),
    (2, _stall),
    (2, _refuse),
    (2, _scale),
    (1, _fill_redis),
    (1, _poison),
    (3, _venue),
    (2, _web),
    (1, kill_unanswered),
    (1, freeze_owner),
    (1, kill_unheard),
)


NAMES = tuple(sorted(fault.__name__.lstrip("_") for _, fault in FAULTS))  # type: ignore[attr-defined]


def choose(chance: random.Random, only: str = "") -> Fault:
    """Return the next fault, of one kind alone if that is wanted."""
    wanted = [(weight, fault) for weight, fault in FAULTS if fault.__name__.lstrip("_") == only or not only]  # type: ignore[attr-defined]
    weights, faults = zip(*wanted, strict=True)
    chosen: Fault = chance.choices(faults, weights)[0]
    return chosen
