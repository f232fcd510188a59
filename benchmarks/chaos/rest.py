"""Whether a fleet has come to rest after its faults, so that it can be judged."""

from typing import Any

from benchmarks.chaos.fleet import Fleet
from common.clock import NS_PER_S, now_ns

HOLES = "state:*_backfill"
CLOSED = ("[]", '{"holes":[]')  # how what is still to be fetched begins when there is nothing
RESTED_S = 4.0


def is_at_rest(fleet: Fleet) -> bool:
    """Return whether every program has run for a while, and none has anything left to fetch."""
    redis = fleet.house.redis
    told = {name: redis.hgetall(f"proc:{name}") for name in fleet.programs}
    left = [str(redis.get(key) or "") for key in redis.scan_iter(HOLES)]
    has_run = all(_has_run(told[name], fleet.house.processes[name].pid) for name in told)
    return has_run and all(not text or text.startswith(CLOSED) for text in left)


def _has_run(told: dict[str, Any], pid: int) -> bool:
    ran_s = (now_ns() - int(told.get("started_ns", now_ns()))) / NS_PER_S
    return told.get("pid") == str(pid) and told["state"] == "running" and ran_s >= RESTED_S
