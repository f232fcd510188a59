"""The limit: how many XADD of one trade this Redis takes, pipelined, from a client written in C."""

import shutil
import subprocess
from dataclasses import dataclass

from benchmarks.house import Broken, House
from benchmarks.trades import message

PIPELINE = 16


@dataclass(frozen=True)
class Limit:
    """What redis-benchmark reached: by the wall, and by Redis's own CPU time."""

    per_wall_s: float
    redis_us: float


def limit(events: int) -> Limit:
    """Return the rate of single XADDs, with the log on disk every second as in all parts."""
    binary = shutil.which("redis-benchmark")
    if binary is None:
        raise Broken("redis-benchmark is not installed")
    with House() as house:
        house.start_servers()
        before_s = house.cpu_s()["redis"]
        where = ("-h", "127.0.0.1", "-p", str(house.redis_port))
        command = [binary, *where, "-n", str(events), "-P", str(PIPELINE), "-q", "--csv"]
        command += ["XADD", "limit", "*", "data", message(0, 1_700_000_000_000).decode()]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        redis_us = (house.cpu_s()["redis"] - before_s) / events * 1e6
    figures = done.stdout.strip().splitlines()[-1].rpartition('","')
    rate = [word for word in done.stdout.replace('"', "").strip().splitlines()[-1].split(",")]
    del figures
    return Limit(float(next(word for word in rate if word.replace(".", "").isdigit())), redis_us)
