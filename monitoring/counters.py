"""The names under which the history keeps what grows, e.g. `stream|trades`, `group|trade_processor|order_events`."""

from collections import defaultdict

from common.readings import ProcessReading, RedisReading
from monitoring.store_readings import StoreReading

MEMORY = "memory|redis"
FOLLOWED = ("frames_total", "records_total", "rows_total", "bytes_in_total", "cpu_s")


def counters(redis: RedisReading | None, store: StoreReading | None) -> dict[str, float]:
    """Return every counter of two readings; those of a server that did not answer are left out."""
    found: defaultdict[str, float] = defaultdict(float)
    if redis is not None:
        for shard in redis.shards:
            found[f"stream|{shard.topic}"] += shard.offset
        for group in redis.groups:
            found[f"group|{group.name}|{group.topic}"] += group.position or 0
        for process in redis.processes:
            for name, value in _of_process(process):
                found[name] += value
    rows = {
        f"rows|{table.name}": float(table.rows) for table in (store.tables if store else ()) if table.rows is not None
    }
    return {**found, **rows}


def _of_process(process: ProcessReading) -> list[tuple[str, float]]:
    program = process.fact("program") or process.name
    made = []
    for figure, value in process.figures.items():
        name, _, label = figure.partition("|")
        if name in FOLLOWED:
            made.append((f"{name}|{process.name}", value))
            if label:
                made.append((f"{name}|{program}|{label}", value))
    return made


def gauges(redis: RedisReading | None) -> dict[str, float]:
    """Return what goes up and down and is worth a line: the records that each group has before it, Redis's memory."""
    found: defaultdict[str, float] = defaultdict(float)
    if redis is None:
        return {}
    offsets = {shard.key: shard.offset for shard in redis.shards}
    for group in redis.groups:
        if group.position is not None:
            found[f"lag|{group.name}|{group.topic}"] += max(0, offsets[group.key] - group.position)
    found[MEMORY] = float(redis.used_bytes)
    return dict(found)
