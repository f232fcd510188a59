"""The limit: how many single XADD of one trade this Redis takes, pipelined, from a client written in C."""

import csv
import shutil
import subprocess
from dataclasses import dataclass

from benchmarks.house import Broken, House
from benchmarks.trades import message

PIPELINE = 16


@dataclass(frozen=True)
class Limit:
    """What redis-benchmark reached: by the wall, and of Redis's own CPU time for each."""

    events: int
    per_wall_s: float
    redis_us: float


def limit(events: int) -> Limit:
    """Return the rate of single XADDs, with the log on disk every second as in all parts."""
    binary = shutil.which("redis-benchmark")
    if binary is None:
        raise Broken("redis-benchmark is not installed")
    with House() as house:
        house.start_redis()
        before_s = house.cpu_s()["redis"]
        command = [binary, "-h", "127.0.0.1", "-p", str(house.redis_port), "-n", str(events), "-P", str(PIPELINE)]
        command += ["-q", "--csv", "XADD", "limit", "*", "data", "x" * len(message(0, 1_700_000_000_000))]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        redis_us = (house.cpu_s()["redis"] - before_s) / events * 1e6
    (figures,) = csv.DictReader(done.stdout.splitlines())
    return Limit(events, float(figures["rps"]), redis_us)
