"""How much a venue takes from one client: the numbers of its documentation, and windows that count."""

import asyncio
from collections import deque
from dataclasses import dataclass

from common.clock import monotonic_s


@dataclass(frozen=True)
class Limits:
    """The documented numbers of all venues; tests shrink them to see the effect in less time."""

    ping_every_s: float = 20.0
    pong_within_s: float = 60.0
    inbound_per_s: int = 5
    streams_per_connection: int = 1024
    connects_per_5min: int = 300
    connection_lifetime_s: float = 24 * 3600.0
    weight_per_min: int = 6000
    requests_after_429: int = 5
    ban_s: float = 120.0
    gamma_page: int = 100
    gamma_keyset_page: int = 500
    gamma_offset: int = 2000
    gamma_per_10s: int = 300
    clob_snapshot_assets: int = 500
    clob_first_command_s: float = 10.0
    goldsky_per_10s: int = 50
    goldsky_first: int = 1000
    goldsky_block_wait_s: float = 5.0
    okx_connects_per_s: int = 3
    okx_operations_per_hour: int = 480
    okx_hour_s: float = 3600.0
    okx_idle_s: float = 30.0
    okx_questions: float = 1.0  # times what each endpoint answers in 2 s
    alpaca_auth_s: float = 10.0
    alpaca_sessions: int = 1
    alpaca_symbols: int = 30
    alpaca_per_min: int = 200


class Window:
    """Counts what happened in the last so many seconds."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._counted: deque[tuple[float, int]] = deque()
        self._total = 0
        self.most = 0  # that was ever inside

    def add(self, amount: int = 1) -> int:
        """Count something now and return the total inside the window."""
        self._counted.append((monotonic_s(), amount))
        self._total += amount
        self.most = max(self.most, self.total())
        return self._total

    def total(self) -> int:
        """Return the total inside the window."""
        oldest_s = monotonic_s() - self._length_s
        while self._counted and self._counted[0][0] <= oldest_s:
            self._total -= self._counted.popleft()[1]
        return self._total

    async def room_below(self, limit: int) -> None:
        """Return when less than the limit is inside the window."""
        while self.total() >= limit:  # noqa: ASYNC110  (time empties the window, there is no event to await)
            await asyncio.sleep(self.frees_in_s())

    def frees_in_s(self) -> float:
        """Return seconds until the oldest count leaves the window, 0 when it is empty."""
        if not self.total():
            return 0.0
        return max(0.0, self._counted[0][0] + self._length_s - monotonic_s())
