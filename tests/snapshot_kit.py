"""A snapshot made of facts, for those who turn one into something else."""

from common.clock import now_ns
from common.durations import observe
from common.heartbeat import Figures
from common.readings import GroupReading, ProgramReading, RedisReading, ShardReading, process_of
from monitoring.metric_names import NAMES
from monitoring.store_readings import StoreReading, TableReading
from monitoring.supervised import Supervised
from monitoring.watch import Snapshot

HOUR_NS = 3600 * 10**9


def process(name, kind="ingester", *, venue="", program="", **figures):
    """A process that lives, with figures and words as its heartbeat would have them."""
    said = Figures(program or name, name, kind, venue, state="running", started_ns=now_ns() - HOUR_NS).fields()
    return process_of(name, {key.encode(): str(value).encode() for key, value in {**said, **figures}.items()})


def figures_of_everything():
    """One value of each figure that has a name of its own, durations as they are counted."""
    counted = Figures("x", "x", "processor").counters
    for took_s in (0.02, 0.2, 400.0):
        observe(counted, "insert", took_s)
        observe(counted, "latency", took_s, stage="received_to_committed")
    other = ("insert_s", "latency_s", "records_total", "rows_total", "feed_events_total", "started_ns", "beat_ns")
    plain = {name: 7.0 for name in NAMES if name not in other}
    labelled = {"records_total|trades": 70.0, "rows_total|trades": 60.0, "feed_events_total|gap": 2.0}
    return {**plain, **labelled, **counted}


def redis_reading(*processes, groups=(), cursors=None, programs=None, offset=100, **changes):
    """Redis with one stream, a group that has read it, and these processes."""
    at_ns = now_ns()
    entry_id = f"{at_ns // 10**6}-0"
    values = {
        "read_ns": at_ns, "server_ns": at_ns, "took_ms": 1.0, "version": "7.0.15", "used_bytes": 2**20,
        "max_bytes": 2**31, "mode": "", "wanted_tokens": 3, "cursors": cursors or {},
        "shards": (
            ShardReading("trades", "stream:trades", 10, offset, entry_id, entry_id, ("binance_ingester",)),
            ShardReading("dead_letters", "stream:dead_letters", 0, 0, None, None, ()),
        ),
        "groups": groups or (group(at_ns=at_ns),),
        "processes": processes,
        "programs": programs,
    }  # fmt: skip
    return RedisReading(**{**values, **changes})


def group(name="clickhouse_writer", *, at_ns=None, behind_s=None, position=100, owner="clickhouse_writer"):
    """A group on trades, `behind_s` behind if that is told."""
    at_ns = at_ns or now_ns()
    oldest_id = None if behind_s is None else f"{(at_ns - round(behind_s * 10**9)) // 10**6}-0"
    return GroupReading(name, "trades", "stream:trades", 0, position, "0-0", oldest_id, owner, 1, 0, in_flight=False)


def store_reading():
    """ClickHouse with one table."""
    table = TableReading("trades", "MergeTree", 100, 2**20, 3, now_ns() - 10**9)
    return StoreReading(now_ns(), 2.0, "26.9", 4, (table,))


def snapshot(redis=None, store=None, **others):
    """Both servers as they answered just now."""
    return Snapshot(number=1, taken_ns=now_ns(), redis=redis, store=store, **others)


def whole_snapshot():
    """A fleet in which every figure that has a name is told by somebody."""
    speaks = process("binance_ingester", venue="binance", **figures_of_everything())
    writer = process("clickhouse_writer", "processor", **figures_of_everything())
    declared = (ProgramReading("binance_ingester", ("binance_ingester",), "ingester", "binance", enabled=True, why=""),)
    return snapshot(redis_reading(speaks, writer, programs=declared), store_reading())


def seen(state, *, name="okx_ingester", pid=None, exit_status=None, why=""):
    """A process as Supervisor sees it."""
    return Supervised(name=name, full_name=name, state=state, pid=pid, exit_status=exit_status, why=why)
