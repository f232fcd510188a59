"""Faults that hit where one part of the protocol stands alone between them and the record."""

import asyncio
import random
import signal

from redis.exceptions import RedisError

from benchmarks.chaos.fleet import WRITERS, Fleet
from common.clock import NS_PER_MS, monotonic_s, now_ns

LATE_S, IN_HAND_S = 1.5, (0.7, 1.2)  # how late answers come, and when a writer certainly waits for one
TAKEN_OVER_S = 6.0
AWAY_S = (3.0, 5.0)
NAME, KEY, HEARD = "binance_ingester", "stream:quotes", '"venue":"binance"'  # that never falls silent
LOOKED_AT = 50  # entries: others append there too
FRESH_NS, PATIENCE_S = 500 * NS_PER_MS, 10.0


async def kill_unanswered(fleet: Fleet, chance: random.Random) -> str:
    """Kill the writers whose rows stand, and that have not heard of it: the manifest tells the next ones."""
    fleet.clickhouse_proxy.delay_s = LATE_S
    await asyncio.sleep(chance.uniform(*IN_HAND_S))
    for name in WRITERS:
        fleet.send(name, signal.SIGKILL)
    fleet.clickhouse_proxy.delay_s = 0.0
    return "kill -9 the writers between their rows and the answer"


async def freeze_owner(fleet: Fleet, chance: random.Random) -> str:
    """Freeze a writer in an insert until others have taken its shards: the fence keeps it from going on."""
    name = chance.choice(WRITERS)
    fleet.clickhouse_proxy.delay_s = LATE_S
    await asyncio.sleep(chance.uniform(*IN_HAND_S))
    fleet.send(name, signal.SIGSTOP)
    fleet.clickhouse_proxy.delay_s = 0.0
    await asyncio.sleep(TAKEN_OVER_S)
    fleet.send(name, signal.SIGCONT)
    return f"freeze {name} in an insert until its shards are taken over"


async def kill_unheard(fleet: Fleet, chance: random.Random) -> str:
    """Kill an ingester while Redis is away: the spool has what it heard."""
    until_s = monotonic_s() + PATIENCE_S
    while not await asyncio.to_thread(_is_heard, fleet):
        if monotonic_s() > until_s:
            return f"nothing: {NAME} does not hear anything at the moment"
        await asyncio.sleep(0.1)
    fleet.redis_proxy.refuses = True
    fleet.redis_proxy.cut()
    from_ns = now_ns()
    await asyncio.sleep(chance.uniform(*AWAY_S))
    fleet.outages.append((from_ns, now_ns()))
    fleet.send(NAME, signal.SIGKILL)
    fleet.redis_proxy.flow()
    return f"kill -9 {NAME} while redis refuses connections"


def _is_heard(fleet: Fleet) -> bool:
    """Return whether the ingester has appended something just now."""
    try:
        newest = fleet.house.redis.xrevrange(KEY, count=LOOKED_AT)
    except RedisError:
        return False
    ours = [number for number, fields in newest if HEARD in fields.get("data", "")]
    return bool(ours) and now_ns() - int(ours[0].partition("-")[0]) * NS_PER_MS < FRESH_NS
