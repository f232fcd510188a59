"""How long a trade takes from the venue's socket to a row that a query sees."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.house import Broken, House
from benchmarks.measure import fault
from benchmarks.ours import PATH, WARM_UP, running, warm
from benchmarks.trades import totals

LOOK_EVERY_S = 0.005
GIVE_UP_S = 30.0
NS_PER_MS = 1e6
COUNT = "SELECT count() FROM trades"  # answered from the parts' own counts: it reads no row


@dataclass(frozen=True)
class Latency:
    """Milliseconds from the moment a trade is sent to the first query that counts it; `cpu_pct` is of one core."""

    events: int
    per_s: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    cpu_pct: float
    fault: str


def latency(per_s: int, for_s: float) -> Latency:
    """Return the latency at a steady rate."""
    count = int(per_s * for_s)
    with running() as (house, venue):
        warm(house, venue)
        before_s, start_s = _spent_s(house), time.monotonic()
        venue.tell(f"pace {count} {per_s}")
        seen = _watch(house, WARM_UP + count)
        took_s, spent_s = time.monotonic() - start_s, _spent_s(house) - before_s
        sent_ns = venue.answer()["sent_ns"]
        wrong = fault(house, PATH, totals(WARM_UP + count))
    waited = sorted(_waits_ms(sent_ns, seen))
    p50, p90, p99 = (waited[min(count - 1, int(count * part))] for part in (0.5, 0.9, 0.99))
    return Latency(count, per_s, p50, p90, p99, waited[-1], spent_s / took_s * 100, wrong)


def _spent_s(house: House) -> float:
    """Return the CPU time of what records; ClickHouse is left out, as our own questions are most of its work here."""
    spent = house.cpu_s()
    return sum(spent[name] for name in PATH.processes if name != "clickhouse")


def _watch(house: House, expected: int) -> list[tuple[int, int]]:
    """Return (rows seen, when in ns), until all are seen."""
    client = house.connect()
    seen: list[tuple[int, int]] = []
    deadline_s = time.monotonic() + GIVE_UP_S
    while not seen or seen[-1][0] < expected:
        rows, now_ns = int(client.query(COUNT).result_rows[0][0]), time.time_ns()
        if not seen or rows > seen[-1][0]:
            seen.append((rows, now_ns))
            deadline_s = time.monotonic() + GIVE_UP_S
        if time.monotonic() > deadline_s:
            raise Broken(f"no row for {GIVE_UP_S:.0f} s: expected {expected:,}, found {rows:,}")
        time.sleep(LOOK_EVERY_S)
    client.close()
    return seen


def _waits_ms(sent_ns: Sequence[int], seen: Sequence[tuple[int, int]]) -> list[float]:
    """Return how long each trade waited; rows come in the order of the trades, as all go through one shard."""
    waits, at = [], 0
    for number, sent in enumerate(sent_ns, start=WARM_UP + 1):
        while seen[at][0] < number:
            at += 1
        waits.append((seen[at][1] - sent) / NS_PER_MS)
    return waits
