"""What time it is: the only module that asks."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


# Bound as they are, not wrapped: they are called for every frame.
now_ns: Callable[[], int] = time.time_ns  # nanoseconds since the Unix epoch, by this machine's clock
monotonic_s: Callable[[], float] = time.monotonic  # seconds on a clock that never steps; only differences mean anything


def utc_text(time_ns: int) -> str:
    """Return ISO 8601 in UTC with nanoseconds, e.g. `2026-03-11T12:00:00.000000001Z`."""
    seconds, rest_ns = divmod(time_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"
