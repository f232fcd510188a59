"""What a venue lets us ask: one window and one ban for all processes that ask it, through Redis."""

import asyncio

from common.backoff import delays_s
from common.clock import monotonic_s
from common.heartbeat import Figures
from common.redis_facts import ask_leave, forbid
from common.redis_streams import Redis, RedisError
from ingesters.venue import Budget


class Allowance:
    """The budget of one venue, and how long it wants to be left alone; outlives the connections to the venue."""

    def __init__(self, venue: str, budget: Budget, redis: Redis, figures: Figures) -> None:
        self._venue = venue
        self._budget = budget
        self._redis = redis
        self._figures = figures
        self._not_before_s = 0.0

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

    async def hold_off(self, wait_s: float) -> None:
        """Let nobody ask the venue for a while; this process does not even if Redis cannot be told."""
        self._not_before_s = max(self._not_before_s, monotonic_s() + wait_s)
        try:
            await forbid(self._redis, self._venue, wait_s)
        except RedisError as error:
            self._figures.failed(error)
