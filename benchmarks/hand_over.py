"""How long a shard stands still when its writer is stopped, killed or joined: python -m benchmarks.hand_over."""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import Self

import redis

from benchmarks.house import House, wait_for

SHARDS = 4
GROUP = "clickhouse_writer"
ROUNDS = 5
EVERY_S = 0.01
UPDATE = {"kind": "delta", "bid_prices": ["1"], "bid_sizes": ["1"], "ask_prices": [], "ask_sizes": []}


class Load:
    """One book update every so often into each shard, numbered as an ingester's are."""

    def __init__(self, port: int) -> None:
        self._redis = redis.Redis(port=port)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(EVERY_S):
            pipe = self._redis.pipeline()
            for shard in range(SHARDS):
                update = {"venue": "bench", "symbol": f"S{shard}", "received_ns": time.time_ns(), **UPDATE}
                pipe.xadd(f"stream:{{books:{shard}}}", {"o": number, "n": 1, "data": json.dumps(update)})
                pipe.hset(f"shard:{{books:{shard}}}", "offset", number + 1)
            pipe.execute()
            number += 1


class Writers:
    """The writers of a house, by name, and what Redis says of their shards."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._redis = redis.Redis(port=house.redis_port, decode_responses=True)

    def start(self, name: str) -> None:
        """Start one."""
        self._house.start(name, "processors", GROUP, name)

    def signal(self, name: str, number: int) -> None:
        """Send one a signal."""
        os.kill(self._house.processes[name].pid, number)

    def places(self) -> list[tuple[str, int]]:
        """Return owner and position of each shard."""
        pipe = self._redis.pipeline()
        for shard in range(SHARDS):
            pipe.hmget(f"group:{{books:{shard}}}:{GROUP}", "owner", "position")
        return [(owner or "", int(position or 0)) for owner, position in pipe.execute()]

    def shares(self) -> list[int]:
        """Return how many shards each owner has."""
        return sorted(Counter(owner for owner, _ in self.places()).values())

    def standstill_s(self, leaver: str, act: Callable[[], None]) -> list[float]:
        """Return how long each shard of one that leaves stood still, until another has moved it on."""
        held = {shard: place for shard, (owner, place) in enumerate(self.places()) if owner == leaver}
        began_s = time.monotonic()
        act()
        moved: dict[int, float] = {}
        last = dict(held)
        while len(moved) < len(held):
            for shard, (owner, position) in enumerate(self.places()):
                if shard in held and owner in ("", leaver):
                    last[shard] = position
                elif shard in held and shard not in moved and position > last[shard]:
                    moved[shard] = time.monotonic() - began_s
            time.sleep(0.002)
        return list(moved.values())


def _rounds(writers: Writers, house: House, number: int) -> list[float]:
    found: list[float] = []
    for turn in range(ROUNDS):
        leaver = f"{GROUP}_{turn % 2}"
        found += writers.standstill_s(leaver, lambda name=leaver: writers.signal(name, number))  # type: ignore[misc]
        house.processes[leaver].wait()
        writers.start(leaver)
        wait_for(lambda: writers.shares() == [2, 2], "even shares")
    return found


def _each(act: Callable[[str], None], names: list[str]) -> None:
    for name in names:
        act(name)


def _even(writers: Writers, shares: list[int], act: Callable[[], None]) -> list[float]:
    began_s = time.monotonic()
    act()
    wait_for(lambda: writers.shares() == shares, f"shares {shares}")
    return [time.monotonic() - began_s]


def main() -> None:
    """Measure, and print one line for each kind of hand-over."""
    with House() as house:
        house.start_servers()
        writers = Writers(house)
        with Load(house.redis_port):
            for name in ("0", "1"):
                writers.start(f"{GROUP}_{name}")
            wait_for(lambda: writers.shares() == [2, 2], "even shares")
            found = {
                "SIGTERM": _rounds(writers, house, signal.SIGTERM),
                "kill -9": _rounds(writers, house, signal.SIGKILL),
            }
            writers.signal(f"{GROUP}_1", signal.SIGTERM)
            wait_for(lambda: writers.shares() == [4], "one writer")
            more = [f"{GROUP}_{name}" for name in ("1", "2", "3")]
            found["1 -> 4, even"] = _even(writers, [1, 1, 1, 1], lambda: _each(writers.start, more))
            found["4 -> 2, even"] = _even(
                writers, [2, 2], lambda: _each(lambda name: writers.signal(name, signal.SIGTERM), more[1:])
            )
    for kind, times_s in found.items():
        sys.stdout.write(f"{kind:14} n {len(times_s):3}  p50 {median(times_s):.2f} s  max {max(times_s):.2f} s\n")


if __name__ == "__main__":
    main()
