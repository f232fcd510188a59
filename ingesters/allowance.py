"""What a venue lets us ask: one window and one ban for all processes that ask it, through Redis."""

import asyncio
from collections.abc import Iterator, Mapping

from common.backoff import delays_s
from common.clock import NS_PER_S, monotonic_s, now_ns
from common.heartbeat import Figures
from common.log import logger
from common.redis_facts import ask_leave, forbid
from common.redis_streams import Redis, RedisError
from ingesters.venue import Budget

SLOW_DOWN = (418, 429)
LONGEST_PAUSE_S = 300.0  # a firewall tells no time, and may count what it turns away
FULL = 0.9  # of what a venue says that it allows: the rest is for those who do not look

log = logger("allowance")


class Allowance:
    """The budget of one venue, and how long it wants to be left alone; outlives the connections to the venue."""

    def __init__(self, venue: str, budget: Budget, redis: Redis, figures: Figures) -> None:
        self._venue = venue
        self._budget = budget
        self._redis = redis
        self._figures = figures
        self._not_before_s = 0.0
        self._turned_away_until_s = 0.0
        self._pauses = self._new_pauses()

    async def spend(self, weight: int) -> None:
        """Return when the venue may be asked: no ban is running, and the window has room."""
        for pause_s in delays_s():
            await asyncio.sleep(max(0.0, self._not_before_s - monotonic_s()))
            try:
                leave = await ask_leave(
                    self._redis, self._venue, weight, most=self._budget.weight, window_s=self._budget.window_s
                )
            except RedisError as error:
                self._figures.failed(error)
                await asyncio.sleep(pause_s)
                continue
            self._figures.gauges["budget_spent"] = leave.cost
            if not leave.wait_s:
                return
            await asyncio.sleep(leave.wait_s)

    def least_wait_s(self, status: int) -> float | None:
        """Return for how long at least a status wants the venue to be left alone; None if it says something else."""
        if status in self._budget.slow_down:
            return self._turned_away_s()
        return 0.0 if status in SLOW_DOWN else None

    async def heed(self, status: int, headers: Mapping[str, str]) -> None:
        """Hear what an answer tells of the window, which others at this address may have spent, and of a firewall."""
        budget = self._budget
        if status not in budget.slow_down:
            self._pauses = self._new_pauses()
        used = headers.get(budget.told, "") if budget.told else ""
        if used.isdecimal() and int(used) >= budget.limit * FULL:
            wait_s = budget.window_s - now_ns() / NS_PER_S % budget.window_s
            log.warning("allowance.spent", venue=self._venue, used=int(used), limit=budget.limit, wait_s=round(wait_s))
            await self.hold_off(wait_s)

    async def hold_off(self, wait_s: float) -> None:
        """Let nobody ask the venue for a while; this process does not even if Redis cannot be told."""
        self._not_before_s = max(self._not_before_s, monotonic_s() + wait_s)
        try:
            await forbid(self._redis, self._venue, wait_s)
        except RedisError as error:
            self._figures.failed(error)

    def _turned_away_s(self) -> float:
        """Return how long a firewall is left alone: longer each time, not for each question of one time."""
        now_s = monotonic_s()
        if now_s >= self._turned_away_until_s:
            self._turned_away_until_s = now_s + next(self._pauses)
        return self._turned_away_until_s - now_s

    def _new_pauses(self) -> Iterator[float]:
        return delays_s(2.0 * self._budget.window_s, LONGEST_PAUSE_S)  # with its jitter a whole window at least
