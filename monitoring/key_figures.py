"""Key figures by the minute: written down as they are seen, and read again by the dashboard that comes next."""

import asyncio
from collections.abc import Callable

from common.clickhouse import Store
from common.clock import NS_PER_S, monotonic_s, now_ns
from common.errors import TickfleetError
from common.lifecycle import wait
from common.log import logger
from common.records import KeyFigure
from common.redis_streams import Redis, RedisError
from common.settings import Settings
from common.streams import KEY_FIGURES
from monitoring.asked import question
from monitoring.desk import Desk
from monitoring.journal import Journal
from monitoring.past import Past, figures_of
from monitoring.tracks import Ended
from monitoring.trouble import Trouble
from monitoring.watch import Snapshot, Watch

log = logger("key_figures")

MOST_WAITING = 10_000  # beyond that a Redis that takes nothing gets none of the newer ones
AGAIN_S = 5.0
LAST_DAY = question("""
SELECT concat(name, '|', label) AS figure, groupArray(toFloat64(toUnixTimestamp64Milli(step_time)) / 1000) AS starts_s,
       groupArray(value) AS held
FROM key_figures WHERE step_time >= now() - INTERVAL 1 DAY GROUP BY name, label $bounded
""")
Minutes = dict[str, tuple[list[float], list[float]]]


class KeyFigures:
    """What the pages' charts over time are made of, from its first look to the last."""

    def __init__(self, settings: Settings, redis: Redis, past: Past, clock_s: Callable[[], float]) -> None:
        self._journal = Journal(redis, KEY_FIGURES, settings)
        self._past = past
        self._clock_s = clock_s

    async def follow(self, watch: Watch) -> None:
        """Remember every snapshot and write down every minute, as long as there are any."""
        trouble = Trouble(log, "key_figures.waiting")
        shot: Snapshot | None = watch.snapshot
        while shot is not None:
            ended = self._past.add(self._clock_s(), figures_of(shot))
            if ended and self._journal.waiting < MOST_WAITING:
                self._journal.put(records_of(ended, now_ns()))
            try:
                await self._journal.write()
            except (RedisError, TickfleetError) as error:  # tried again with the next snapshot
                trouble.lasts(error)
            else:
                trouble.is_over()
            shot = await watch.newer_than(shot.number)

    async def recall(self, desk: Desk, stop: asyncio.Event) -> None:
        """Remember what earlier dashboards saw, as soon as ClickHouse says it."""
        pause_s = 0.0
        while not await wait(stop, pause_s):
            minutes = (await desk.of_store("key figures", AGAIN_S, last_day)).value
            if minutes is not None:
                self._past.fill(self._clock_s(), minutes)
                return
            pause_s = AGAIN_S


def steady_clock() -> Callable[[], float]:
    """Return a clock that tells the time of day, in seconds, and never steps back: no minute comes twice."""
    epoch_s = now_ns() / NS_PER_S - monotonic_s()
    return lambda: epoch_s + monotonic_s()


async def last_day(store: Store) -> Minutes:
    """Return when each minute of the last day began, and its value, by the name of the figure."""
    rows = (await store.query(LAST_DAY)).iter_rows()
    return {name: (starts_s, values) for name, starts_s, values in rows}


def records_of(ended: Ended, received_ns: int) -> list[KeyFigure]:
    """Return the figures of a minute as they are written down."""
    step_ns = round(ended.start_s) * NS_PER_S
    return [
        KeyFigure(venue="", symbol="", received_ns=received_ns, name=kind, label=label, step_ns=step_ns, value=value)
        for (kind, _, label), value in ((name.partition("|"), value) for name, value in ended.values.items())
    ]
