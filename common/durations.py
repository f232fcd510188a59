"""How long things took, as counters that a heartbeat carries: `latency_s_bucket|STAGE|0.25`, and the sum in µs."""

from collections.abc import MutableMapping
from itertools import accumulate

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
ENDLESS = "+Inf"
BUCKET, SUM = "_s_bucket", "_s_sum_us"


def observe(counters: MutableMapping[str, int], name: str, took_s: float, *, stage: str = "") -> None:
    """Count one thing by how long it took."""
    bound = next((f"{bound:g}" for bound in BOUNDS_S if took_s <= bound), ENDLESS)
    counters[f"{name}{BUCKET}|{stage}|{bound}"] += 1
    counters[f"{name}{SUM}|{stage}|"] += round(max(0.0, took_s) * 1_000_000)


def buckets(counted: dict[str, float]) -> list[tuple[str, float]]:
    """Return (upper bound, how many were at most that), the shortest first, of counts by bucket."""
    bounds = [*(f"{bound:g}" for bound in BOUNDS_S), ENDLESS]
    return list(zip(bounds, accumulate(counted.get(bound, 0.0) for bound in bounds), strict=True))
